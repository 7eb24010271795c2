"""Turns one event with its fields into a line or a JSON object. Pure.

What comes from the exchange is hostile until escaped: a control character could forge a line or steer a terminal. Numbers
print plainly: no `Decimal('…')`, no exponent. Secrets are masked by key name here and by value in `Redactor`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias
from urllib.parse import quote

MASK: Final = "***"
VALUE_LENGTH_MAX: Final = 2_000
TRACEBACK_LENGTH_MAX: Final = 20_000

Fields: TypeAlias = Mapping[str, Any]
Redact: TypeAlias = Callable[[str], str]

_SECRET_KEY: Final = re.compile(
    r"secret|token|password|passwd|api_?key|private_?key|authorization|authent|nonce|database_url|webhook", re.I
)
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_NEEDS_QUOTES: Final = re.compile(r'[\s="]|^$')
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class EventMessage:
    """What a log record carries instead of a text. str() gives the readable line, so any plain handler shows it well."""

    event: str
    fields: Fields = field(default_factory=dict)

    def __str__(self) -> str:
        return render_line(self.event, self.fields)


def escape(text: str) -> str:
    """Make control, bidirectional and zero-width characters and lone surrogates visible: `\\n`, `\\x1b`, `\\u202e`."""
    return _UNSAFE.sub(_escaped, text) if not text.isascii() or not text.isprintable() else text


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def cap(text: str, length_max: int = VALUE_LENGTH_MAX) -> str:
    """Shorten the middle of an overlong text and say by how much."""
    if len(text) <= length_max:
        return text
    half = length_max // 2
    return f"{text[:half]}…[{len(text) - 2 * half} characters cut]…{text[-half:]}"


def plain_number(value: Decimal | float) -> str:
    """`0.9`, `450000`, `-12.5`: no exponent for Decimals, at most 10 significant digits for floats."""
    if isinstance(value, float):
        return f"{value:.10g}"
    if not value.is_finite():
        return str(value)
    text = format(value, "f")
    if len(text) > 60:
        return str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def text_of(value: Any) -> str:
    """One value as unquoted, unescaped text."""
    match value:
        case str():
            return value
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case int():
            return str(value)
        case Decimal() | float():
            return plain_number(value)
        case datetime():
            return moment(value)
        case timedelta():
            return plain_number(value.total_seconds())
        case Mapping():
            return "{" + ",".join(f"{key}:{text_of(item)}" for key, item in value.items()) + "}"
        case list() | tuple() | set() | frozenset():
            return "[" + ",".join(text_of(item) for item in value) + "]"
        case BaseException():
            return f"{type(value).__name__}: {value}"
        case _:
            return str(value)


def moment(value: datetime) -> str:
    """ISO 8601 in UTC with milliseconds: `2026-01-31T12:00:00.000Z` (a naive datetime is marked, never guessed)."""
    if value.tzinfo is None:
        return value.isoformat(timespec="milliseconds") + "(naive)"
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_secret_key(key: str) -> bool:
    """True for names whose value is never shown."""
    return _SECRET_KEY.search(key) is not None


def _unchanged(text: str) -> str:
    return text


def render_value(key: str, value: Any, redact: Redact = _unchanged) -> str:
    """`value` for `key=value`: masked, escaped, capped, quoted where needed. Masked first: a cut could leave half a secret."""
    if is_secret_key(key):
        return MASK
    text = escape(cap(redact(text_of(value))))
    return f'"{text.replace(chr(34), chr(39))}"' if _NEEDS_QUOTES.search(text) else text


def render_line(event: str, fields: Fields, redact: Redact = _unchanged) -> str:
    """`CYCLE_SUMMARY cycle=5 duration_ms=812`: the event first, the fields in the order they were given."""
    parts = [escape(cap(redact(event)))]
    parts += [f"{escape(key)}={render_value(key, value, redact)}" for key, value in fields.items()]
    return " ".join(parts)


def json_value(key: str, value: Any, redact: Redact = _unchanged) -> Any:
    """A JSON-able form: numbers that are exact in JSON stay numbers, Decimals become plain text, texts are escaped."""
    if is_secret_key(key):
        return MASK
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else str(value)
        case Mapping():
            return {str(name): json_value(str(name), item, redact) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [json_value(key, item, redact) for item in value]
        case _:
            return escape(cap(redact(text_of(value))))


def render_json(event: str, fields: Fields, facts: Fields, redact: Redact = _unchanged) -> str:
    """One JSON object; `facts` (time, level, logger) come first, then the event, then the fields (never overwriting either)."""
    head = {**facts, "event": escape(cap(redact(event)))}
    body = {escape(key): json_value(key, value, redact) for key, value in fields.items()}
    for key in head.keys() & body.keys():
        body[f"{key}_"] = body.pop(key)
    return json.dumps({**head, **body}, ensure_ascii=False, separators=(",", ":"))


def render_traceback(text: str, redact: Redact = _unchanged) -> str:
    """A traceback whose every line is indented and escaped, so that no text in it can pose as an event."""
    lines = cap(redact(text.rstrip("\n")), TRACEBACK_LENGTH_MAX).split("\n")
    return "\n".join(f"  | {escape(line)}" for line in lines)


class Redactor:
    """Replaces secret values in finished text, whatever field, exception or library they came through."""

    __slots__ = ("_pattern",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) >= 4:
                # as they appear in URLs and in JSON strings
                forms.update({secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1]})
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(re.escape(form) for form in ordered)) if ordered else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text
