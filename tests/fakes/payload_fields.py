"""Field lists of payloads, and how a payload is held against one.

A list is text: `name kind` pairs with commas between; `?name` may be absent, `kind?` may be null. Kinds: num, int, str, numstr (digits
as text), bool, list, obj, iso (UTC with milliseconds), isos (whole seconds), ms (epoch milliseconds), uuid, or words joined by `|`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_ISO_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGITS = re.compile(r"-?\d+(\.\d+)?")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


KINDS: Mapping[str, Callable[[Any], bool]] = {
    "num": _is_number,
    "int": lambda value: type(value) is int,
    "ms": lambda value: type(value) is int and 10**12 < value < 10**13,
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "obj": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
    "iso": _matches(_ISO),
    "isos": _matches(_ISO_SECONDS),
    "uuid": _matches(_UUID),
    "numstr": _matches(_DIGITS),
}


def _fits(value: Any, kind: str) -> bool:
    if kind.endswith("?"):
        return value is None or _fits(value, kind[:-1])
    return KINDS[kind](value) if kind in KINDS else value in kind.split("|")


def differences(payload: Any, fields: str) -> list[str]:
    """What is missing, unknown or of another kind; empty when the payload is as listed."""
    wanted = dict(pair.split() for pair in fields.split(","))
    names = {name.removeprefix("?"): (kind, name.startswith("?")) for name, kind in wanted.items()}
    if not isinstance(payload, dict):
        return [f"no object: {payload!r}"]
    told = [f"missing: {name}" for name, (_, is_optional) in names.items() if not is_optional and name not in payload]
    told += [f"unknown: {name}" for name in payload if name not in names]
    return told + [
        f"{name}: {payload[name]!r} is no {kind}" for name, (kind, _) in names.items() if name in payload and not _fits(payload[name], kind)
    ]


def json_kind(value: Any) -> str:
    """The JSON type of a value; whole and broken numbers are one type there."""
    if isinstance(value, bool):
        return "bool"
    if _is_number(value):
        return "number"
    return {str: "text", list: "list", dict: "object", type(None): "null"}[type(value)]


def lacking(recorded: Any, ours: Any, path: str = "") -> list[str]:
    """Fields of a recorded payload that ours lacks or has in another JSON type. Of lists the first element is looked at."""
    if json_kind(recorded) != json_kind(ours):
        return [f"{path}: recorded {json_kind(recorded)}, ours {json_kind(ours)}"]
    if isinstance(recorded, dict):
        told = [f"{path}.{name}: missing" for name in recorded if name not in ours]
        return told + [line for name in recorded if name in ours for line in lacking(recorded[name], ours[name], f"{path}.{name}")]
    if isinstance(recorded, list) and recorded:
        return lacking(recorded[0], ours[0], f"{path}[]") if ours else [f"{path}: ours is empty"]
    return []
