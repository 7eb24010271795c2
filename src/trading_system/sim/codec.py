"""Frozen rows to JSON-able data and back, exactly: Decimals travel as text, enums by value."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

_Field: TypeAlias = tuple[str, Callable[[Any], Any], bool]
_KNOWN: dict[type, tuple[_Field, ...]] = {}


def to_json(value: Any) -> Any:
    """Encode a frozen row (nested rows too), a Decimal, an Enum or a plain JSON value."""
    return msgspec.to_builtins(value)


def from_json(kind: type[T], data: Mapping[str, Any]) -> T:
    """Decode what `to_json` made of a `kind`; a missing field takes its default, KeyError names one that has none."""
    return kind(**{name: decode(data[name]) for name, decode, is_optional in _decoders(kind) if not is_optional or name in data})


def _decoders(kind: type) -> tuple[_Field, ...]:
    known = _KNOWN.get(kind)
    if known is None:
        hints = typing.get_type_hints(kind)
        fields = dataclasses.fields(kind)
        known = _KNOWN[kind] = tuple((f.name, _decoder(hints[f.name]), f.default is not dataclasses.MISSING) for f in fields)
    return known


def _decoder(hint: Any) -> Callable[[Any], Any]:
    if isinstance(hint, types.UnionType):
        inner = _decoder(next(part for part in hint.__args__ if part is not types.NoneType))
        return lambda value: None if value is None else inner(value)
    if hint is Decimal or (isinstance(hint, type) and issubclass(hint, Enum)):
        return typing.cast("Callable[[Any], Any]", hint)
    if dataclasses.is_dataclass(hint):
        return lambda value: from_json(typing.cast("type[Any]", hint), value)
    return lambda value: value
