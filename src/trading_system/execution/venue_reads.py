"""One look at the account, as execution needs it, and counting how often successive looks agree.

None is "could not be read" and never means "nothing there". Only complete looks say anything by what they do not list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from trading_system.domain.account import VenuePosition
from trading_system.domain.orders import Fill, OpenOrder


class VenueReads(Protocol):
    """Positions, open orders and fills read side by side. Facts are at least as new as `at` (market) / `started_s` (process)."""

    @property
    def started_s(self) -> float: ...
    @property
    def finished_s(self) -> float: ...
    @property
    def at(self) -> datetime: ...
    @property
    def positions(self) -> tuple[VenuePosition, ...] | None: ...
    @property
    def open_orders(self) -> tuple[OpenOrder, ...] | None: ...
    @property
    def fills(self) -> tuple[Fill, ...] | None: ...
    @property
    def is_complete(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Streak:
    """The same thing was seen `count` times in a row, first and last at these process times."""

    value: str
    count: int
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class Streaks:
    """Memory over successive looks: whatever is not seen again in the next one starts from nothing."""

    seen: Mapping[str, Streak] = field(default_factory=dict)


class StreakCounter:
    """Builds the next `Streaks` during one look. Looks closer together than `gap_s` count as one: they may show one snapshot."""

    def __init__(self, before: Streaks, at_s: float, gap_s: float) -> None:
        self._before = before.seen
        self._at_s = at_s
        self._gap_s = gap_s
        self._next: dict[str, Streak] = {}

    def count(self, key: str, value: str = "") -> Streak:
        """Note that `key` was seen with `value`; the streak so far, this look included. Another value starts anew."""
        known = self._before.get(key)
        if known is None or known.value != value:
            streak = Streak(value, 1, self._at_s, self._at_s)
        elif self._at_s - known.last_s < self._gap_s:
            streak = known
        else:
            streak = Streak(value, known.count + 1, known.first_s, self._at_s)
        self._next[key] = streak
        return streak

    def keep(self, key: str) -> None:
        """This look says nothing about `key`: its streak stays as it was."""
        known = self._before.get(key)
        if known is not None:
            self._next[key] = known

    def done(self) -> Streaks:
        return Streaks(self._next)
