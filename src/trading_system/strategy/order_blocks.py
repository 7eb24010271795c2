"""Order block: the last bar against the leg before it broke out, if the market then moved with unusual range."""

from __future__ import annotations

from statistics import median

from trading_system.strategy.bars import Window
from trading_system.strategy.zones import Zone, zone_id


def find_order_block(
    window: Window, sign: int, leg_start: int, break_index: int, *, range_multiple: float, median_bars: int, known_ms: int
) -> Zone | None:
    """The order block of the leg [leg_start, break_index] (absolute indices), or None.

    Only the last falling bar before the break bar is tried: an earlier one is not what the market left from.
    """
    position = break_index - window.first
    for i in range(position - 1, leg_start - window.first - 1, -1):
        if window.close[i] < window.open[i]:
            if any(_is_displacement(window, j, range_multiple, median_bars) for j in (i + 1, position)):
                return Zone("ob", zone_id("ob", sign, window.open_ms[i]), window.low[i], window.high[i], known_ms)
            return None
    return None


def _is_displacement(window: Window, i: int, range_multiple: float, median_bars: int) -> bool:
    """Range of bar i against the median range of the bars before it; False when there are too few."""
    if i < median_bars:
        return False
    ranges = [high - low for high, low in zip(window.high[i - median_bars : i], window.low[i - median_bars : i], strict=True)]
    return window.high[i] - window.low[i] >= range_multiple * median(ranges)
