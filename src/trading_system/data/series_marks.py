"""What a series looked like at a moment: its newest bar and a digest per stretch of 64 bars. Pure.

An engine that goes on from a snapshot must have seen exactly the bars that are kept now. The trap: a past bar that was corrected
while nobody looked. The window of kept bars moves on, so each stretch has a digest of its own, and only those that both looks
cover are compared. Volumes are left out: a corrected volume feeds no engine anew while the daemon runs either.
"""

from __future__ import annotations

from typing import Final

import msgspec

from trading_system.data.bar_series import BarSeries

TAIL_BARS: Final = 16
STRETCH_BARS: Final = 64
"""Stretches begin at multiples of so many bars from the epoch, whatever the window."""


class SeriesMark(msgspec.Struct, frozen=True):
    """oldest, newest: open times. tail: digest of the newest bars, of all windows. stretches: digest by number of the stretch."""

    oldest_open_ms: int
    newest_open_ms: int
    tail: bytes
    stretches: dict[int, bytes]
    """The first may be cut by the beginning of the window."""


def mark_series(series: BarSeries) -> SeriesMark | None:
    """The mark of what is kept now; None for an empty series."""
    oldest, newest = series.oldest_open_ms, series.newest_open_ms
    if oldest is None or newest is None:
        return None
    length = STRETCH_BARS * series.step_ms
    numbers = range(oldest // length, newest // length + 1)
    stretches = {n: series.digest(n * length, (n + 1) * length) for n in numbers}
    return SeriesMark(oldest, newest, _tail(series, newest), stretches)


def _tail(series: BarSeries, newest_open_ms: int) -> bytes:
    return series.digest(newest_open_ms - (TAIL_BARS - 1) * series.step_ms, newest_open_ms + 1)


def find_difference(series: BarSeries, mark: SeriesMark | None) -> str | None:
    """Why an engine that saw the marked bars has not seen those kept now; None when it has, up to the mark's newest bar."""
    oldest = series.oldest_open_ms
    if mark is None or oldest is None:
        return None if mark is None else "no bars are kept"
    if series.find(mark.newest_open_ms) is None:
        return "its last bar is not kept"
    if _tail(series, mark.newest_open_ms) != mark.tail:
        return "one of its last bars differs"
    length = STRETCH_BARS * series.step_ms
    common = max(oldest, mark.oldest_open_ms)
    for number, digest in mark.stretches.items():
        start = number * length
        # a stretch that one window cuts and the other does not cannot be compared; when both begin at the same bar it can
        if (start >= common or oldest == mark.oldest_open_ms) and series.digest(
            start, min(start + length, mark.newest_open_ms + 1)
        ) != digest:
            return "an older bar differs"
    return None
