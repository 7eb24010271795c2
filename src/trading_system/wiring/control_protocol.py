"""What may be said to a running daemon, and what it answers: one JSON line each way. Pure.

Light on purpose: the verbs of the command line import it, and `status` must answer at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Final, TypeAlias

SOCKET_FILE: Final = "control.sock"
REQUEST_BYTES_MAX: Final = 16 * 1024
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
TEXT_MAX: Final = 500
"""Characters of a reason or a name: they end in logs, alerts and the journal."""


@dataclass(frozen=True, slots=True)
class StatusQuery:
    pass


@dataclass(frozen=True, slots=True)
class PositionsQuery:
    pass


@dataclass(frozen=True, slots=True)
class WhyQuery:
    """symbol "" = every market."""

    symbol: str = ""


@dataclass(frozen=True, slots=True)
class UniverseQuery:
    pass


@dataclass(frozen=True, slots=True)
class HaltOrder:
    reason: str


@dataclass(frozen=True, slots=True)
class ResumeOrder:
    """step_was: what an unexplained balance step was: "" = not said, `flow` (money moved in or out) or `pnl`.

    release: id or symbol of a QUARANTINED or ORPHANED position that a human has looked at; then nothing else is resumed.
    """

    reason: str
    rebase_high_water: bool = False
    step_was: str = ""
    release: str = ""


@dataclass(frozen=True, slots=True)
class FlattenOrder:
    """confirmation "" asks what would be closed and which words confirm it."""

    confirmation: str = ""


@dataclass(frozen=True, slots=True)
class PlaceStopsOrder:
    dry_run: bool = False


Request: TypeAlias = StatusQuery | PositionsQuery | WhyQuery | UniverseQuery | HaltOrder | ResumeOrder | FlattenOrder | PlaceStopsOrder
_NAMES: Final[dict[str, type[Request]]] = {
    "status": StatusQuery,
    "positions": PositionsQuery,
    "why": WhyQuery,
    "universe": UniverseQuery,
    "halt": HaltOrder,
    "resume": ResumeOrder,
    "flatten": FlattenOrder,
    "place_missing_stops": PlaceStopsOrder,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """error "" = it was done or found. facts: JSON-able."""

    error: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return not self.error


def name_of(request: Request) -> str:
    """The command's word on the wire and in the journal."""
    return next(name for name, kind in _NAMES.items() if isinstance(request, kind))


def encode_request(request: Request) -> bytes:
    return json.dumps({"command": name_of(request), **asdict(request)}).encode() + b"\n"


def decode_request(line: bytes) -> Request:
    """The request of a line; ValueError with a sentence for the sender when it is none."""
    raw = _object_of(line)
    kind = _NAMES.get(str(raw.pop("command", "")))
    if kind is None:
        raise ValueError(f"unknown command; known: {', '.join(_NAMES)}")
    known = {item.name: item for item in fields(kind)}
    if unknown := sorted(set(raw) - set(known)):
        raise ValueError(f"unknown field {unknown[0]!r}")
    if missing := sorted(name for name, item in known.items() if item.default is MISSING and name not in raw):
        raise ValueError(f"missing field {missing[0]!r}")
    for name, value in raw.items():
        if problem := _problem_with(value, is_flag=known[name].type == "bool"):
            raise ValueError(f"{name} {problem}")
    return kind(**raw)


def _problem_with(value: object, *, is_flag: bool) -> str | None:
    if is_flag:
        return None if isinstance(value, bool) else "must be true or false"
    if not isinstance(value, str):
        return "must be a text"
    return f"is longer than {TEXT_MAX} characters" if len(value) > TEXT_MAX else None


def _object_of(line: bytes) -> dict[str, Any]:
    """The JSON object of a line; ValueError when it holds none."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        raw = None
    if isinstance(raw, dict):
        return raw
    raise ValueError("not a JSON object on one line")


def encode_answer(answer: Answer) -> bytes:
    return json.dumps({"ok": answer.is_ok, "error": answer.error, "facts": dict(answer.facts)}, separators=(",", ":")).encode() + b"\n"


def decode_answer(line: bytes) -> Answer:
    """ValueError when it is not an answer."""
    raw = _object_of(line)
    facts, is_ok, error = raw.get("facts"), bool(raw.get("ok")), str(raw.get("error", ""))
    return Answer("" if is_ok else error or "refused", facts if isinstance(facts, dict) else {})
