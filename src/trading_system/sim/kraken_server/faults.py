"""Faults of the wire on purpose: each is asked for by path and count, so that a test or a checker knows when it strikes.

The trap it avoids: an exchange that always answers teaches a client nothing about the answers it will one day not get.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from trading_system.sim.kraken_server.envelope import Answer

_LISTS: Final = ("openPositions", "openOrders", "fills", "orders", "accounts", "tickers", "instruments", "logs", "elements", "candles")
_STATUSES: Final = ("sendStatus", "editStatus", "cancelStatus")


class FaultKind(Enum):
    """What goes wrong. "Done" = the request takes effect all the same."""

    REQUEST_LOST = "request_lost"
    """Connection cut before anything happened."""
    ANSWER_LOST = "answer_lost"
    """Done, then the connection is cut."""
    DUPLICATED = "duplicated"
    """Done twice, as by a repeated packet; the second answer arrives."""
    DELAYED = "delayed"
    """Done at once, answered after `delay_s`."""
    UNAVAILABLE = "unavailable"
    """HTTP 503 with an HTML page; nothing done."""
    BAD_GATEWAY = "bad_gateway"
    """Done, but answered with HTTP 502 and an HTML page."""
    TOO_MANY = "too_many"
    """HTTP 429; nothing done."""
    SERVER_ERROR = "server_error"
    """Done, but `result` is error and the word is Server Error."""
    EMPTY_BODY = "empty_body"
    """Done, HTTP 200 without a body."""
    STATUS_MISSING = "status_missing"
    """Done, success without its sendStatus / editStatus / cancelStatus."""
    EVENTS_EMPTY = "events_empty"
    """Done, `orderEvents` is an empty list."""
    UNKNOWN_WORD = "unknown_word"
    """Done, the status is a word nobody published."""
    LIST_MISSING = "list_missing"
    """A read answers success without its list."""

    @property
    def is_before(self) -> bool:
        """True when the request never reaches the exchange."""
        return self in (FaultKind.REQUEST_LOST, FaultKind.UNAVAILABLE, FaultKind.TOO_MANY)

    @property
    def cuts(self) -> bool:
        return self in (FaultKind.REQUEST_LOST, FaultKind.ANSWER_LOST)


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes `count` REST requests whose path ends in `path` ("" = any), after letting `skip` of them pass."""

    kind: FaultKind
    path: str = ""
    count: int = 1
    skip: int = 0
    delay_s: float = 0.0


class Faults:
    """The faults still to come and how many came."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.struck: Counter[str] = Counter()

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, path: str) -> Fault | None:
        """The fault of this request, or None. The first match counts; the others wait."""
        for place, fault in enumerate(self._waiting):
            if not path.endswith(fault.path):
                continue
            if fault.skip > 0:
                self._waiting[place] = replace(fault, skip=fault.skip - 1)
                return None
            if fault.count > 1:
                self._waiting[place] = replace(fault, count=fault.count - 1)
            else:
                del self._waiting[place]
            self.struck[fault.kind.value] += 1
            return fault
        return None


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as bytes, possibly no JSON at all."""

    status: int
    body: bytes
    content_type: str = "application/json"


def distorted(kind: FaultKind, answer: Answer | None) -> RawAnswer:
    """What the client sees. `answer` is None for faults that strike before the exchange."""
    match kind:
        case FaultKind.UNAVAILABLE:
            return RawAnswer(503, b"<html><body>Service Unavailable</body></html>", "text/html")
        case FaultKind.BAD_GATEWAY:
            return RawAnswer(502, b"<html><body>Bad gateway</body></html>", "text/html")
        case FaultKind.TOO_MANY:
            return RawAnswer(429, b"<html><body>Too Many Requests</body></html>", "text/html")
        case FaultKind.EMPTY_BODY:
            return RawAnswer(200, b"")
        case _:
            assert answer is not None
            changed = replace(answer, payload=_changed(kind, dict(answer.payload))) if isinstance(answer.payload, dict) else answer
            return RawAnswer(changed.status, changed.body)


def _changed(kind: FaultKind, payload: dict[str, Any]) -> dict[str, Any]:
    statuses = [name for name in _STATUSES if name in payload]
    match kind:
        case FaultKind.SERVER_ERROR:
            return {"result": "error", "error": "Server Error", "serverTime": payload.get("serverTime")}
        case FaultKind.STATUS_MISSING:
            return {name: value for name, value in payload.items() if name not in statuses}
        case FaultKind.EVENTS_EMPTY:
            return payload | {name: payload[name] | {"orderEvents": []} for name in statuses}
        case FaultKind.UNKNOWN_WORD:
            return payload | {name: payload[name] | {"status": "somethingUnheardOf"} for name in statuses}
        case FaultKind.LIST_MISSING:
            return {name: value for name, value in payload.items() if name not in _LISTS}
        case _:
            return payload


def fault_of(row: dict[str, Any]) -> Fault:
    """A fault from its JSON form; ValueError or TypeError when it is none."""
    known = {"kind", "path", "count", "skip", "delay_s"}
    if unknown := row.keys() - known:
        raise ValueError(f"unknown fields {sorted(unknown)}; known are {sorted(known)}")
    kinds = ", ".join(kind.value for kind in FaultKind)
    if row.get("kind") not in {kind.value for kind in FaultKind}:
        raise ValueError(f"unknown kind {row.get('kind')!r}; known are {kinds}")
    return Fault(
        FaultKind(row["kind"]), str(row.get("path", "")), int(row.get("count", 1)), int(row.get("skip", 0)), float(row.get("delay_s", 0))
    )
