"""Market structure of the 4h series: breaks, what invalidates them, and the zones their legs left.

Each side works in oriented prices (see `bars`): a bearish break is a bullish break of negated prices. Everything is said
at the bar that confirms it and never taken back; a break ends only by later bars.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from trading_system.domain.market import Bar, Timeframe
from trading_system.strategy.bars import BarHistory, Window
from trading_system.strategy.dealing_range import DealingRange
from trading_system.strategy.fair_value_gaps import find_gaps, gap_at
from trading_system.strategy.order_blocks import find_order_block
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.sweeps import SweepOfLows
from trading_system.strategy.swings import PivotHighs, UnbrokenHighs, UntakenHighs
from trading_system.strategy.zones import Zone, mitigate, zone_id


class BreakKind(Enum):
    """With the prevailing structure, or against it (change of character)."""

    BOS = "bos"
    CHOCH = "choch"


class Break(msgspec.Struct):
    """A close beyond a swing, with the leg that made it. Oriented prices; indices are absolute 4h bar numbers."""

    sign: int
    index: int
    """The break bar."""
    open_ms: int
    kind: BreakKind
    protected_low: float
    """A close below it invalidates the break."""
    range_high: float
    """Highest high from the break bar to the newest bar."""
    is_swept: bool
    zones: list[Zone]

    @property
    def closed_ms(self) -> int:
        """Close of the break bar: when the break became known."""
        return self.open_ms + Timeframe.H4.ms

    @property
    def dealing_range(self) -> DealingRange:
        return DealingRange(self.protected_low, self.range_high)

    @property
    def band_id(self) -> str:
        """Name of the one entry zone a wide setup has per break."""
        return zone_id("band", self.sign, self.open_ms)


class Side(msgspec.Struct):
    """One direction of the 4h structure, in oriented prices."""

    sign: int
    pivots: PivotHighs
    untaken: UntakenHighs
    unbroken: UnbrokenHighs
    sweep: SweepOfLows
    breaks: list[Break] = msgspec.field(default_factory=list)
    """Valid breaks, oldest first; the last one rules."""

    @classmethod
    def empty(cls, sign: int, parameters: SmcParameters) -> Side:
        lookback = parameters.swing_lookback_bars_4h
        return cls(
            sign,
            PivotHighs(parameters.swing_bars_4h),
            UntakenHighs(lookback),
            UnbrokenHighs(lookback),
            SweepOfLows(parameters.sweep_swing_age_bars_max),
        )


class Structure(msgspec.Struct):
    """Both directions and the structure that prevails."""

    history: BarHistory
    long: Side
    short: Side
    prevailing: int = 0
    """Sign of the newest break ever, 0 before the first."""

    @classmethod
    def empty(cls, parameters: SmcParameters) -> Structure:
        # The median of displacement needs bars before the oldest swing.
        history = BarHistory(parameters.swing_lookback_bars_4h + parameters.displacement_median_bars + 2)
        return cls(history, Side.empty(1, parameters), Side.empty(-1, parameters))

    def ruling(self) -> Break | None:
        """The newest valid break, or None. An opposite break invalidates all, so only one side has any."""
        breaks = self.long.breaks or self.short.breaks
        return breaks[-1] if breaks else None

    def untaken_of(self, sign: int) -> UntakenHighs:
        """Untaken swing highs in the direction's orientation: where its targets lie."""
        return self.long.untaken if sign > 0 else self.short.untaken

    def update(self, bar: Bar, parameters: SmcParameters) -> None:
        """Feed one sound closed 4h bar. O(1) amortised; a break costs O(length of its leg)."""
        self.history.append(bar)
        index = self.history.count - 1
        for side, other, high, low, close in (
            (self.long, self.short, bar.high, bar.low, bar.close),
            (self.short, self.long, -bar.low, -bar.high, -bar.close),
        ):
            if side.breaks:
                _age_breaks(side, self.history, index, high, low, close, parameters)
            side.untaken.take(high, index)
            pivot = side.pivots.update(high)
            if pivot is not None:
                swing = side.pivots.confirmed_index
                side.untaken.push(swing, pivot)
                side.unbroken.push(swing, pivot)
                # A swing high of this side is a swing low of the other one's orientation.
                other.sweep.confirm_swing(swing, -pivot)
        for side, other, low, close in ((self.long, self.short, bar.low, bar.close), (self.short, self.long, -bar.high, -bar.close)):
            broken = side.unbroken.break_below(close, index)
            if broken is not None:
                kind = BreakKind.CHOCH if self.prevailing == -side.sign else BreakKind.BOS
                side.breaks.append(_new_break(side, self.history, broken, index, kind, parameters))
                other.breaks.clear()
                self.prevailing = side.sign
            side.sweep.update(index, low, close)


def _age_breaks(side: Side, history: BarHistory, index: int, high: float, low: float, close: float, parameters: SmcParameters) -> None:
    """Drop what this bar invalidates or makes too old; move ranges, zones and late gaps of the rest."""
    oldest = index - parameters.break_age_bars_max
    if any(close < one.protected_low or one.index < oldest for one in side.breaks):
        side.breaks = [one for one in side.breaks if close >= one.protected_low and one.index >= oldest]
    closed_ms = history.open_ms[-1] + Timeframe.H4.ms
    for one in side.breaks:
        if high > one.range_high:
            one.range_high = high
        mitigate(one.zones, low, closed_ms)
        if one.index == index - 1:
            window = history.window(side.sign, index - 2, index + 1)
            late = gap_at(window, index - window.first, side.sign, fraction_min=parameters.fair_value_gap_fraction_min, known_ms=closed_ms)
            if late is not None:
                one.zones.append(late)


def _new_break(side: Side, history: BarHistory, broken: int, index: int, kind: BreakKind, parameters: SmcParameters) -> Break:
    window = history.window(side.sign, broken - parameters.displacement_median_bars, index + 1)
    leg_start = _protected_low_index(window, broken)
    open_ms = window.open_ms[-1]
    known_ms = open_ms + Timeframe.H4.ms
    block = find_order_block(
        window,
        side.sign,
        leg_start,
        index,
        range_multiple=parameters.displacement_range_multiple,
        median_bars=parameters.displacement_median_bars,
        known_ms=known_ms,
    )
    gaps = find_gaps(window, side.sign, leg_start, index, fraction_min=parameters.fair_value_gap_fraction_min, known_ms=known_ms)
    return Break(
        sign=side.sign,
        index=index,
        open_ms=open_ms,
        kind=kind,
        protected_low=window.low[leg_start - window.first],
        range_high=window.high[-1],
        # The sweep detector has not seen the break bar yet: "before the break" holds by order.
        is_swept=side.sweep.swept_within(parameters.sweep_before_break_bars_max, index),
        zones=[block, *gaps] if block is not None else gaps,
    )


def _protected_low_index(window: Window, broken: int) -> int:
    """Absolute index of the lowest low from the broken swing's bar to the end of the window; the newest of equals."""
    start = broken - window.first
    lows = window.low[start:]
    lowest = min(lows)
    return broken + len(lows) - 1 - lows[::-1].index(lowest)
