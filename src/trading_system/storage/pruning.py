"""Old history goes by age: by default 15m bars after 60 days, 1h after 180, 4h after 2 years, 1d after 5; traces after 90 days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from trading_system.domain.market import Timeframe
from trading_system.domain.units import to_ms
from trading_system.storage.repository import Repository

CandleAges = Mapping[Timeframe, timedelta]
"""How old the bars of each timeframe may become."""

CANDLE_AGE_MAX: Final[CandleAges] = MappingProxyType(
    {
        Timeframe.M15: timedelta(days=60),
        Timeframe.H1: timedelta(days=180),
        Timeframe.H4: timedelta(days=730),
        Timeframe.D1: timedelta(days=1825),
    }
)
TRACE_AGE_MAX: Final = timedelta(days=90)
_SLICE_MS: Final = 30 * 86_400_000
"""A long neglected table is cleared in slices of 30 days, so that no statement holds its locks for long."""


class Slice(NamedTuple):
    """Bars to delete: open time in [from_ms, before_ms)."""

    from_ms: int
    before_ms: int


def plan_slices(age_max: timedelta, oldest_ms: int | None, now: datetime) -> Iterator[Slice]:
    """The slices that are older than `age_max`, oldest first; none when nothing is."""
    before = to_ms(now - age_max)
    start = before if oldest_ms is None else oldest_ms
    while start < before:
        end = min(before, start + _SLICE_MS)
        yield Slice(start, end)
        start = end


def prune(repository: Repository, now: datetime, ages: CandleAges = CANDLE_AGE_MAX) -> int:
    """Delete what is too old at market time `now`; return the number of rows. Raises sqlalchemy.exc.SQLAlchemyError."""
    deleted = repository.delete_traces(now - TRACE_AGE_MAX)
    for timeframe, age_max in ages.items():
        for part in plan_slices(age_max, repository.oldest_candle_ms(timeframe), now):
            deleted += repository.delete_candles(timeframe, part.from_ms, part.before_ms)
    return deleted
