"""Frozen rows to JSON-able data and back, exactly: Decimals travel as text, enums by value."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_KNOWN: dict[type, tuple[tuple[str, Callable[[Any], Any]], ...]] = {}


def to_json(value: Any) -> Any:
    """Encode a frozen row (nested rows too), a Decimal, an Enum or a plain JSON value."""
    return msgspec.to_builtins(value)


def from_json(kind: type[T], data: Mapping[str, Any]) -> T:
    """Decode what `to_json` made of a `kind`; KeyError names a missing field."""
    return kind(**{name: decode(data[name]) for name, decode in _decoders(kind)})


def _decoders(kind: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    known = _KNOWN.get(kind)
    if known is None:
        hints = typing.get_type_hints(kind)
        known = _KNOWN[kind] = tuple((field.name, _decoder(hints[field.name])) for field in dataclasses.fields(kind))
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
