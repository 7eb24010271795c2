"""What every checker is: fed with the venue's records, the journal's durable records and the passing seconds; answers violations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from trading_system.domain.events import JournalEvent
from trading_system.torture.venue_log import VenueRecord


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken. `at_ms`: market time."""

    rule: str
    """P1 … P20, as the safety properties are numbered."""
    at_ms: int
    symbol: str
    text: str


@dataclass(frozen=True, slots=True)
class Journaled:
    """A record became durable. `at_ms`: market time of the write."""

    seq: int
    at_ms: int
    event: JournalEvent


class Openness(Protocol):
    """What the venue let the daemon see and do; known to the simulator alone. Symbols are the venue's."""

    def accepts_stops(self, symbol: str) -> bool:
        """True while a stop order for the market would be taken (reachable, mode fits, no reject-all window)."""
        ...

    def is_reachable(self) -> bool:
        """True while requests reach the exchange and are answered."""
        ...

    def executes(self, symbol: str) -> bool:
        """True while the market executes orders and requests reach it."""
        ...

    def would_show(self, symbol: str, since_ms: int) -> bool:
        """True when a poll now would show what happened on the market at `since_ms`."""
        ...

    def disturbed_ms(self, symbol: str) -> int | None:
        """When a fault last struck, or ended on, one of the daemon's stop requests on the market; None = never."""
        ...

    def exit_disturbed_ms(self, symbol: str) -> int | None:
        """The same of its closes."""
        ...


class Checker:
    """Does nothing; each checker overrides what it needs."""

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        return ()

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        return ()

    def on_process(self, at_ms: int, *, is_up: bool) -> Iterable[Violation]:
        """The daemon was started or died."""
        return ()

    def on_second(self, at_ms: int) -> Iterable[Violation]:
        return ()

    def at_end(self, at_ms: int) -> Iterable[Violation]:
        """The faults stopped long ago: everything must agree."""
        return ()
