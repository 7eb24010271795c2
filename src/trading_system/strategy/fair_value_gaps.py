"""Fair value gap: three bars of which the first and the third do not overlap."""

from __future__ import annotations

from trading_system.strategy.bars import Window
from trading_system.strategy.zones import Zone, zone_id


def gap_at(window: Window, i: int, sign: int, *, fraction_min: float, known_ms: int) -> Zone | None:
    """The gap that bar i (position in the window) completes, if it is at least `fraction_min` of that bar's close; else None."""
    if i < 2:
        return None
    top, bottom = window.low[i], window.high[i - 2]
    if top - bottom < fraction_min * abs(window.close[i]) or top <= bottom:
        return None
    return Zone("fvg", zone_id("fvg", sign, window.open_ms[i]), bottom, top, known_ms)


def find_gaps(window: Window, sign: int, leg_start: int, break_index: int, *, fraction_min: float, known_ms: int) -> list[Zone]:
    """Gaps whose middle bar is in the leg [leg_start, break_index] (absolute indices), complete and untouched at the break bar.

    A gap whose midpoint was reached by a bar after it, up to the break bar, is dead before it is known and is left out.
    """
    found: list[Zone] = []
    lowest_later = float("inf")
    first = max(leg_start + 1 - window.first, 2)
    for i in range(break_index - window.first, first - 1, -1):
        zone = gap_at(window, i, sign, fraction_min=fraction_min, known_ms=known_ms)
        if zone is not None and lowest_later > zone.midpoint:
            found.append(zone)
        lowest_later = min(lowest_later, window.low[i])
    return found
