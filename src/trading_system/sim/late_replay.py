"""A replay that tells the points of a market nobody has a stake in only when somebody looks there.

A year of fifty markets is seven million points, and hardly one in ten meets an order or a position. What is told when is the
only difference: who looks sees the same prices, bars and books as in `Replay`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from trading_system.domain.market import Timeframe
from trading_system.sim.bars import QUARTER_MS, BarColumns
from trading_system.sim.candle_files import CandleSeries
from trading_system.sim.late_series import LateSeries
from trading_system.sim.replay import OFFSETS_MS, Replay
from trading_system.sim.source import PricePoint


class LateReplay(Replay):
    """A LateSource over loaded candles."""

    def __init__(self, series: Sequence[CandleSeries], start_ms: int, end_ms: int | None = None) -> None:
        """As `Replay`."""
        super().__init__(series, start_ms, end_ms)
        self._watched: Callable[[int], Sequence[int]] = lambda at_ms: ()
        self._late = [self._late_series(number) for number in range(len(self._markets))]

    def _late_series(self, number: int) -> LateSeries:
        market = self._markets[number]
        hours = BarColumns(1 << 30)
        hours.extend(self.history(number, Timeframe.H1))
        return LateSeries(number, _on_grid(market.quarters, self.start_ms, market.spec.digits), hours, self.start_ms, self.end_ms)

    def watch(self, watched: Callable[[int], Sequence[int]]) -> None:
        """watched(at_ms): numbers of the markets whose points count, ascending; asked before each moment of the path."""
        self._watched = watched

    def series(self, market: int) -> LateSeries:
        """The bars as far as they were told."""
        return self._late[market]

    def points(self, until_ms: int) -> Iterator[PricePoint]:
        late = self._late
        while self._slot < self.end_ms:
            phase = self._phase
            at_ms = self._slot + OFFSETS_MS[phase]
            if at_ms > until_ms:
                return
            for number in self._watched(at_ms):
                point = late[number].step(self._slot, phase, self._direction_of)
                if point is not None:
                    yield point
            self._phase += 1
            if self._phase == len(OFFSETS_MS):
                self._phase = 0
                self._slot += QUARTER_MS


def _on_grid(bars: BarColumns, start_ms: int, digits: int) -> BarColumns:
    """The prices of replayed bars as they are traded: on the market's tick. What was before is history and stays as it is."""
    first = bisect_left(bars.open_ms, start_ms)
    columns = BarColumns(1 << 30)
    columns.open_ms, columns.volume = bars.open_ms, bars.volume
    columns.open, columns.high, columns.low, columns.close = (
        column[:first] + array("d", [round(price, digits) for price in column[first:]])
        for column in (bars.open, bars.high, bars.low, bars.close)
    )
    return columns
