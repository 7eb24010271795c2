"""Reads the switches of the open points from plain data, as a file holds them."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import msgspec

from trading_system.sim.variants import ExchangeVariants

_WORDS: Final = {bool: "true or false", int: "a whole number", float: "a number", Decimal: "a number", str: "a text"}


def variants_of(row: object) -> ExchangeVariants:
    """The switches that `row` names, the others as they are by default; ValueError or TypeError names what is wrong and right."""
    if not isinstance(row, Mapping):
        raise TypeError(f"variants {row!r}: must be a mapping of switch to value, like {{stop_word: stop}}")
    hints = typing.get_type_hints(ExchangeVariants)
    known = [field.name for field in dataclasses.fields(ExchangeVariants)]
    if unknown := sorted(str(name) for name in row if name not in known):
        raise ValueError(f"unknown switches {unknown}; known are {', '.join(known)}")
    return ExchangeVariants(**{name: _read(name, value, hints[name]) for name, value in row.items()})


def _read(name: str, value: Any, hint: Any) -> Any:
    try:
        return msgspec.convert(value, hint)
    except (msgspec.ValidationError, ValueError) as error:
        raise ValueError(f"{name} {value!r}: must be {_described(hint)}") from error


def _described(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        inner = next(part for part in hint.__args__ if part is not types.NoneType)
        return f"{_described(inner)}, or null"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " or ".join(str(member.value) for member in hint)
    return _WORDS[hint]
