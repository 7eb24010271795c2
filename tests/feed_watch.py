"""A strategy that writes down each bar it is fed and when, and an independent account of what those bars had to be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision
from trading_system.domain.symbols import Symbol
from trading_system.sim.candle_files import CandleSeries
from trading_system.strategy.smc_engine import SmcStrategy


class FeedWatch(SmcStrategy):
    """`fed`: (market time of the next question, symbol, timeframe, bar), in order."""

    def __init__(self) -> None:
        super().__init__()
        self.fed: list[tuple[int, Symbol, Timeframe, Bar]] = []
        self._new: list[tuple[Symbol, Timeframe, Bar]] = []

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        self._new.append((symbol, timeframe, bar))
        super().update(symbol, timeframe, bar)

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        # all markets are fed before the first one is judged
        self.fed += [(at_ms, *new) for new in self._new]
        self._new.clear()
        return super().decide(symbol, at_ms, costs)


def faults_of(watch: FeedWatch, series: Sequence[CandleSeries], *, rounding: float = 0.0) -> list[str]:
    """Bars that were known before their close, or that are not what the stored quarters of their whole span make.

    rounding: prices may differ by this share, where files show finer prices than the tick that was known at the start.
    """
    stored = {one.symbol: {bar.open_ms: bar for bar in one.quarters} for one in series}
    found = []
    for at_ms, symbol, timeframe, bar in watch.fed:
        if bar.open_ms + timeframe.ms > at_ms:
            found.append(f"{symbol} {timeframe.value} bar of {bar.open_ms} known at {at_ms}")
        span = range(bar.open_ms, bar.open_ms + timeframe.ms, Timeframe.M15.ms)
        parts = [stored[symbol][ms] for ms in span if ms in stored[symbol]]
        if len(parts) != len(span):
            continue  # begins before the 15m file, or the exchange stood still: there is nothing to compare with
        whole = (parts[0].open, max(p.high for p in parts), min(p.low for p in parts), parts[-1].close)
        if not all(math.isclose(*prices, rel_tol=rounding) for prices in zip(whole, bar[1:5], strict=True)):
            found.append(f"{symbol} {timeframe.value} bar of {bar.open_ms} is {bar[1:5]}, its quarters make {whole}")
    return found
