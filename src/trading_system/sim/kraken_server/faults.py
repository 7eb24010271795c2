"""Faults of the wire on purpose: each is asked for by path and count, so that a test or a checker knows when it strikes.

The trap it avoids: an exchange that always answers teaches a client nothing about the answers it will one day not get.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from trading_system.sim.rng import SeededRandom, seeded


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
    HELD = "held"
    """Done only after `delay_s`, then answered: a packet that was long on its way."""
    REORDERED = "reordered"
    """Done after the next request that comes, at the latest after `delay_s`."""
    TRUNCATED = "truncated"
    """Done, HTTP 200, the second half of the body is missing."""
    STALE = "stale"
    """A read is answered as the same read was answered when it was last asked; the first time truly."""
    REFUSED = "refused"
    """Nothing done; the order's status is `word`."""
    ERROR = "error"
    """Nothing done; `result` is error and the error `word`, with HTTP status `http`."""
    VANISHED = "vanished"
    """An order is placed, answered, and gone without a word on feeds or in histories."""
    FEED_GAP = "feed_gap"
    """Of a feed (`path` = its name): a message is never sent."""
    FEED_DUPLICATED = "feed_duplicated"
    """A message is sent twice."""
    FEED_REORDERED = "feed_reordered"
    """A message is sent after the next one of its feed."""
    FEED_SILENT = "feed_silent"
    """From this message on nothing is sent on its feed for `delay_s`; the connection stays."""

    @property
    def is_before(self) -> bool:
        """True when the request never reaches the exchange."""
        return self in _BEFORE

    @property
    def is_of_feeds(self) -> bool:
        return self.value.startswith("feed_")

    @property
    def cuts(self) -> bool:
        return self in (FaultKind.REQUEST_LOST, FaultKind.ANSWER_LOST)


_BEFORE: Final = frozenset({FaultKind.REQUEST_LOST, FaultKind.UNAVAILABLE, FaultKind.TOO_MANY, FaultKind.REFUSED, FaultKind.ERROR})


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes `count` requests whose path ends in `path` ("" = any), after letting `skip` of them pass.

    Of kinds for feeds: messages of the feed named `path`.
    """

    kind: FaultKind
    path: str = ""
    count: int | None = 1
    """None = without end."""
    skip: int = 0
    delay_s: float = 0.0
    probability: float = 1.0
    """Of each request that could be struck, with dice of its own: the same seed strikes the same requests."""
    seed: int = 0
    word: str = ""
    """Of refused and error: any word."""
    reason: str = ""
    """Of refused: the upper-case word of a REJECT event in the answer; "" = no event."""
    http: int = 200
    """Of error: the HTTP status."""


@dataclass(slots=True)
class _Waiting:
    """A fault that may still come."""

    fault: Fault
    left: int | None
    skip: int
    dice: SeededRandom

    def spares(self) -> bool:
        """Let this request of its path pass without looking further."""
        self.skip -= 1
        return self.skip >= 0

    def strikes(self) -> bool:
        """Throw the dice for a request of its path."""
        if self.fault.probability < 1 and self.dice.random() >= self.fault.probability:
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """The faults still to come and how many came."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self.struck: Counter[str] = Counter()

    def add(self, fault: Fault) -> None:
        self._waiting.append(_Waiting(fault, fault.count, fault.skip, seeded("wire fault", fault.kind.value, fault.path, fault.seed)))

    def clear(self) -> None:
        self._waiting.clear()

    def awaits(self, kind: FaultKind, path: str) -> bool:
        """May a fault of this kind still strike this path?"""
        return any(one.fault.kind is kind and path.endswith(one.fault.path) for one in self._waiting)

    def take(self, path: str) -> Fault | None:
        """The fault of this request, or None. The first of its path counts, unless its dice are against it; the others wait."""
        return self._take(path, of_feeds=False)

    def take_of_feed(self, feed: str) -> Fault | None:
        """The same for a message of a feed."""
        return self._take(feed, of_feeds=True)

    def _take(self, path: str, *, of_feeds: bool) -> Fault | None:
        for waiting in [one for one in self._waiting if one.fault.kind.is_of_feeds is of_feeds and path.endswith(one.fault.path)]:
            if waiting.spares():
                return None
            if waiting.strikes():
                if waiting.left == 0:
                    self._waiting.remove(waiting)
                self.struck[waiting.fault.kind.value] += 1
                return waiting.fault
        return None


_FIELDS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "path": ("a text", lambda value: isinstance(value, str)),
    "count": ("a whole number from 1, or null for without end", lambda value: value is None or _is_whole(value, 1)),
    "skip": ("a whole number from 0", lambda value: _is_whole(value, 0)),
    "delay_s": ("seconds from 0 to 3600", lambda value: _is_number(value) and 0 <= value <= 3600),
    "probability": ("above 0 and at most 1", lambda value: _is_number(value) and 0 < value <= 1),
    "seed": ("a whole number", lambda value: _is_whole(value, None)),
    "word": ("a text", lambda value: isinstance(value, str) and value != ""),
    "reason": ("a text", lambda value: isinstance(value, str) and value != ""),
    "http": ("an HTTP status from 200 to 599", lambda value: _is_whole(value, 200) and value <= 599),
}


def fault_of(row: Mapping[str, Any]) -> Fault:
    """A fault from its JSON or YAML form; ValueError says what is wrong with it and what would be right."""
    known = {"kind", *_FIELDS}
    if unknown := row.keys() - known:
        raise ValueError(f"unknown fields {sorted(unknown)}; known are {sorted(known)}")
    kinds = ", ".join(kind.value for kind in FaultKind)
    if row.get("kind") not in {kind.value for kind in FaultKind}:
        raise ValueError(f"unknown kind {row.get('kind')!r}; known are {kinds}")
    for name, (right, is_right) in _FIELDS.items():
        if name in row and not is_right(row[name]):
            raise ValueError(f"{name} {row[name]!r}: must be {right}")
    if row["kind"] in ("refused", "error") and "word" not in row:
        raise ValueError(f"{row['kind']}: needs word, the text of the refusal")
    given = {name: row[name] for name in _FIELDS if name in row}
    for name in ("delay_s", "probability"):
        if name in given:
            given[name] = float(given[name])
    return Fault(FaultKind(row["kind"]), **given)


def _is_whole(value: object, least: int | None) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
