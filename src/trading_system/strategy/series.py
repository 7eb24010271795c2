"""What the engine keeps per timeframe. The timeframes do not read each other, so the order in which they are fed is free."""

from __future__ import annotations

from array import array

import msgspec

from trading_system.domain.market import Bar
from trading_system.strategy.bars import FloatArray
from trading_system.strategy.indicators import Adx, Atr, Ema
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.structure import Structure
from trading_system.strategy.swings import PivotHighs, SwingHistory, UntakenHighs

NEVER = -1
"""Open time of the newest bar of a series that has none."""


class Quarters(msgspec.Struct):
    """15m: the bar that touches, and its noise."""

    atr: Atr
    count: int = 0
    last_open_ms: int = NEVER
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0

    def update(self, bar: Bar) -> None:
        self.count += 1
        self.last_open_ms = bar.open_ms
        self.open, self.high, self.low, self.close = bar.open, bar.high, bar.low, bar.close
        self.atr.update(bar.high, bar.low, bar.close)


class HourlySide(msgspec.Struct):
    """Swing highs of one orientation on 1h."""

    pivots: PivotHighs
    swings: SwingHistory
    untaken: UntakenHighs

    @classmethod
    def empty(cls, parameters: SmcParameters) -> HourlySide:
        return cls(
            PivotHighs(parameters.swing_bars_1h),
            SwingHistory(parameters.swing_lookback_bars_1h),
            UntakenHighs(parameters.equal_levels_bars_1h),
        )

    def update(self, index: int, high: float) -> None:
        self.untaken.take(high, index)
        self.swings.expire(index)
        pivot = self.pivots.update(high)
        if pivot is not None:
            self.swings.push(self.pivots.confirmed_index, pivot)
            self.untaken.push(self.pivots.confirmed_index, pivot)


class Hours(msgspec.Struct):
    """1h: swings for equal levels and for the invalidation of wide setups."""

    long: HourlySide
    short: HourlySide
    count: int = 0
    last_open_ms: int = NEVER

    def update(self, bar: Bar) -> None:
        index = self.count
        self.count += 1
        self.last_open_ms = bar.open_ms
        self.long.update(index, bar.high)
        self.short.update(index, -bar.low)

    def highs_of(self, sign: int) -> HourlySide:
        return self.long if sign > 0 else self.short

    def newest_low_in(self, sign: int, low: float, below: float) -> float | None:
        """Newest swing low (oriented by `sign`) in [low, below), or None."""
        # Lows of one orientation are the highs of the other, negated; so [low, below) becomes (-below, -low].
        for price in reversed(self.highs_of(-sign).swings.prices):
            if low <= -price < below:
                return -price
        return None


class FourHours(msgspec.Struct):
    """4h: structure, volatility and trend strength."""

    structure: Structure
    atr: Atr
    adx: Adx
    ratios: FloatArray = msgspec.field(default_factory=lambda: array("d"))
    """The newest ATR14 / close values, the current one last."""
    count: int = 0
    last_open_ms: int = NEVER

    def update(self, bar: Bar, parameters: SmcParameters) -> None:
        self.count += 1
        self.last_open_ms = bar.open_ms
        self.atr.update(bar.high, bar.low, bar.close)
        self.adx.update(bar.high, bar.low, bar.close)
        if self.atr.is_ready:
            self.ratios.append(self.atr.value / abs(bar.close))
            if len(self.ratios) > parameters.volatility_rank_values + 1:
                del self.ratios[0]
        self.structure.update(bar, parameters)


class Days(msgspec.Struct):
    """1d: the last close against its long mean."""

    mean: Ema
    count: int = 0
    last_open_ms: int = NEVER
    close: float = 0.0

    def update(self, bar: Bar) -> None:
        self.count += 1
        self.last_open_ms = bar.open_ms
        self.close = bar.close
        self.mean.update(bar.close)


class SymbolState(msgspec.Struct):
    """Everything the engine remembers of one symbol; bounded, and as a whole what a snapshot holds."""

    quarters: Quarters
    hours: Hours
    four_hours: FourHours
    days: Days
    used: dict[str, int] = msgspec.field(default_factory=dict)
    """Zone id -> close of the 15m bar whose signal used it, oldest first."""
    rejected_bars: int = 0

    @classmethod
    def empty(cls, parameters: SmcParameters) -> SymbolState:
        p = parameters
        return cls(
            Quarters(Atr(p.atr_bars)),
            Hours(HourlySide.empty(p), HourlySide.empty(p)),
            FourHours(Structure.empty(p), Atr(p.atr_bars), Adx(p.adx_bars)),
            Days(Ema(p.bias_ema_bars)),
        )
