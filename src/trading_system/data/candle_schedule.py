"""Which bars to ask the venue for, and when. Pure; all times are market milliseconds.

A series is asked only when a bar boundary has passed since its newest bar, at most every 30 s, and only for what is
missing. The newest known bar is asked for once more along with it: a bar read within seconds of its close may have been
the running one (a clock ahead of the venue's) or may be corrected, and this is the read that notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from trading_system.domain.market import Timeframe

CAPACITY: Final[Mapping[Timeframe, int]] = MappingProxyType({Timeframe.M15: 650, Timeframe.H1: 600, Timeframe.H4: 1_700, Timeframe.D1: 720})
"""Bars kept per series. 4h: targets look back 1,500 bars and the ATR rank 250 more begin earlier, so 1,700; 1d: EMA200 needs 200 to be
seeded, and 520 more until less than 1 % of the seed is left in it (with 220 more it is 11 %, and nearly all decisions that a cold start
made otherwise were those of the bias); 15m and 1h: 500 to warm up, and room for a weekend without the venue: nobody asks further back,
and 250 markets of them weigh. Each fits into one answer of the venue (2,000 candles)."""


@dataclass(frozen=True, slots=True)
class CandleParameters:
    capacity: Mapping[Timeframe, int] = field(default_factory=lambda: CAPACITY)
    concurrency: int = 50
    refetch_floor_ms: int = 30_000
    close_grace_ms: int = 0
    """A bar counts as closed this long after its boundary; the venue's clock and ours may differ by as much."""
    empty_tries_max: int = 4
    """Answers without the expected bar before we wait for the next boundary: a market without a trade has no bar."""
    hole_depth: int = 8
    """A hole among so many newest bars is asked for again along with the next read: the venue may only have been late."""
    audit_bars: int = 3


class FetchRange(NamedTuple):
    """Open times to ask for, both included."""

    since_ms: int
    until_ms: int


@dataclass(slots=True)
class SeriesAsk:
    """When a series was last asked, and how often in vain for the same bar."""

    last_attempt_ms: int | None = None
    expected_open_ms: int | None = None
    tries: int = 0

    def note(self, now_ms: int, expected_open_ms: int) -> None:
        """Remember an answer (not a failure) that was asked for `expected_open_ms`."""
        self.tries = self.tries + 1 if self.expected_open_ms == expected_open_ms else 1
        self.last_attempt_ms, self.expected_open_ms = now_ms, expected_open_ms

    def note_failed(self, now_ms: int) -> None:
        """Remember a read that failed: it counts for the floor only."""
        self.last_attempt_ms = now_ms

    def is_within_floor(self, now_ms: int, parameters: CandleParameters) -> bool:
        """True when the last attempt is too fresh for another one."""
        # an attempt "in the future" is a clock that was stepped back: it must not hold the series up
        last_ms = self.last_attempt_ms
        return last_ms is not None and 0 <= now_ms - last_ms < parameters.refetch_floor_ms


def window_start(timeframe: Timeframe, now_ms: int, parameters: CandleParameters) -> int:
    """Open time of the oldest bar that is kept at `now_ms`."""
    newest = timeframe.last_closed_open(now_ms - parameters.close_grace_ms)
    return newest - (parameters.capacity[timeframe] - 1) * timeframe.ms


def plan_fetch(
    timeframe: Timeframe,
    newest_open_ms: int | None,
    ask: SeriesAsk,
    now_ms: int,
    parameters: CandleParameters,
    *,
    resume_open_ms: int | None = None,
) -> FetchRange | None:
    """What to ask for now in a running series, or None when nothing is due.

    resume_open_ms: the bar to begin with, when that is not the newest (there is a fresh hole after it).
    """
    step = timeframe.ms
    closed_by = now_ms - parameters.close_grace_ms
    expected = closed_by - closed_by % step - step
    if newest_open_ms is not None and newest_open_ms >= expected:
        return None
    if ask.is_within_floor(now_ms, parameters):
        return None
    if ask.expected_open_ms == expected and ask.tries >= parameters.empty_tries_max:
        return None
    first = newest_open_ms if resume_open_ms is None else resume_open_ms
    if first == expected - step:
        return FetchRange(first, expected)  # one bar is missing: the usual case
    oldest = expected - (parameters.capacity[timeframe] - 1) * step
    return FetchRange(oldest if first is None else max(oldest, first), expected)


def plan_start(
    timeframe: Timeframe,
    oldest_open_ms: int | None,
    newest_open_ms: int | None,
    is_contiguous: bool,
    now_ms: int,
    parameters: CandleParameters,
) -> FetchRange:
    """What to ask for at the start: the tail when the stored bars reach back far enough without a hole, else everything."""
    start = window_start(timeframe, now_ms, parameters)
    expected = timeframe.last_closed_open(now_ms - parameters.close_grace_ms)
    if oldest_open_ms is None or newest_open_ms is None or not is_contiguous or oldest_open_ms > start:
        return FetchRange(start, expected)
    return FetchRange(max(start, min(newest_open_ms, expected)), expected)
