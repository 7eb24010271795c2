"""The bars of one market in the order in which a strategy gets them, from stored candles."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from trading_system.domain.market import Bar, Timeframe
from trading_system.sim.bars import aggregate
from trading_system.sim.candle_files import CandleSeries

_RANK: Final = {Timeframe.D1: 0, Timeframe.H4: 1, Timeframe.H1: 2, Timeframe.M15: 3}


class FedBar(NamedTuple):
    """One closed bar. Sorts by close; of bars that close together the longest comes first."""

    close_ms: int
    rank: int
    timeframe: Timeframe
    bar: Bar


def feed_of(series: CandleSeries, until_ms: int) -> Iterator[FedBar]:
    """Every bar that has closed by `until_ms`.

    Hours come from the stored quarters where there are any, before that from the 1h file; longer bars from the hours.
    """
    quarters = list(series.quarters)
    own_hours = _whole(quarters, Timeframe.H1)
    since = own_hours[0].open_ms if own_hours else until_ms
    hours = [bar for bar in series.hours if bar.open_ms < since] + own_hours
    columns = {
        Timeframe.M15: quarters,
        Timeframe.H1: hours,
        Timeframe.H4: _whole(hours, Timeframe.H4),
        Timeframe.D1: _whole(hours, Timeframe.D1),
    }
    return heapq.merge(*(_fed(timeframe, bars, until_ms) for timeframe, bars in columns.items()))


def _whole(parts: Sequence[Bar], timeframe: Timeframe) -> list[Bar]:
    """Longer bars; the first is left out when only its end is stored, it would be torn."""
    return [bar for bar in aggregate(parts, timeframe.ms) if bar.open_ms >= parts[0].open_ms]


def _fed(timeframe: Timeframe, bars: Iterable[Bar], until_ms: int) -> Iterator[FedBar]:
    for bar in bars:
        close_ms = bar.open_ms + timeframe.ms
        if close_ms > until_ms:
            return
        yield FedBar(close_ms, _RANK[timeframe], timeframe, bar)
