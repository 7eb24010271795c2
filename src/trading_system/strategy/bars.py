"""Which bars a detector may see, and the bounded history they are kept in.

A short setup is the long setup on negated prices: negation is exact in float64, so both sides run the same code and are
mirror images to the last bit. `oriented` prices below mean: as they are for sign +1, negated (high and low swapped) for -1.
"""

from __future__ import annotations

from array import array
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trading_system.domain.market import Bar, Timeframe

if TYPE_CHECKING:
    FloatArray = array[float]
    IntArray = array[int]
else:  # array cannot be subscripted at run time in Python 3.11, and msgspec reads the annotations
    FloatArray = IntArray = array


def is_sound(bar: Bar, timeframe: Timeframe) -> bool:
    """True when prices are finite, positive and enclosed by high and low, and the bar opens on its grid.

    One bad bar would stay in every smoothed value for ever, so it must never reach a detector.
    """
    # Chained comparisons are false with NaN, so NaN needs no case of its own.
    return (
        0.0 < bar.low <= bar.open <= bar.high < inf
        and bar.low <= bar.close <= bar.high
        and bar.open_ms >= 0
        and not bar.open_ms % timeframe.ms
    )


def negated(bar: Bar) -> Bar:
    """The mirror image of a bar round price zero."""
    return Bar(bar.open_ms, -bar.open, -bar.low, -bar.high, -bar.close, bar.volume)


class Window(NamedTuple):
    """A stretch of bars in oriented prices. Element 0 is the bar with absolute index `first`."""

    first: int
    open_ms: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]


class BarHistory(msgspec.Struct):
    """The last `capacity` bars and up to an eighth more; bars have absolute indices 0, 1, 2, … in order of arrival."""

    capacity: int
    first: int = 0
    """Absolute index of the oldest bar that is still held."""
    open_ms: IntArray = msgspec.field(default_factory=lambda: array("q"))
    open: FloatArray = msgspec.field(default_factory=lambda: array("d"))
    high: FloatArray = msgspec.field(default_factory=lambda: array("d"))
    low: FloatArray = msgspec.field(default_factory=lambda: array("d"))
    close: FloatArray = msgspec.field(default_factory=lambda: array("d"))

    @property
    def count(self) -> int:
        """Bars ever appended; the newest has index `count - 1`."""
        return self.first + len(self.close)

    def append(self, bar: Bar) -> None:
        """Add the next bar. O(1) amortised: the surplus is dropped when it is an eighth."""
        surplus = len(self.close) - self.capacity
        if surplus > self.capacity >> 3:
            for column in (self.open_ms, self.open, self.high, self.low, self.close):
                del column[:surplus]
            self.first += surplus
        self.open_ms.append(bar.open_ms)
        self.open.append(bar.open)
        self.high.append(bar.high)
        self.low.append(bar.low)
        self.close.append(bar.close)

    def window(self, sign: int, start: int, stop: int) -> Window:
        """Bars with absolute index in [start, stop), oriented by `sign`; what is no longer held is left out."""
        lower = max(start - self.first, 0)
        upper = max(stop - self.first, lower)
        open_ms = self.open_ms[lower:upper].tolist()
        opens, closes = self.open[lower:upper].tolist(), self.close[lower:upper].tolist()
        highs, lows = self.high[lower:upper].tolist(), self.low[lower:upper].tolist()
        if sign < 0:
            opens, closes = [-x for x in opens], [-x for x in closes]
            highs, lows = [-x for x in lows], [-x for x in highs]
        return Window(self.first + lower, open_ms, opens, highs, lows, closes)
