"""Closed bars of one series in a bounded ring of flat arrays, and the merge rules. Pure.

The traps it avoids: a corrected bar that silently differs from what the strategy was told, and a hole that is closed by
an invented bar. Bars are unique by open time and strictly ascending; a hole stays a hole.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from enum import Enum
from hashlib import blake2b
from typing import Final, NamedTuple

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.tuples import maker_of

_new_bar: Final = maker_of(Bar)
_INFINITY: Final = float("inf")
_TRIM_SLACK: Final = 32
"""Bars beyond the capacity before the head is cut: trimming is then amortised to nothing."""
_SAME_PRICE: Final = 1e-9
_SAME_VOLUME: Final = 1e-6


class Merge(Enum):
    """What one bar did to a series."""

    APPENDED = "appended"
    INSERTED = "inserted"
    """It filled a hole in the past, or came before the oldest."""
    DUPLICATE = "duplicate"
    CORRECTED = "corrected"
    """Same open time, other prices: the strategy was told something else."""
    VOLUME_CORRECTED = "volume_corrected"
    TOO_OLD = "too_old"


class Gap(NamedTuple):
    """Missing bars: open times from `first_open_ms` to `last_open_ms`, both included."""

    first_open_ms: int
    last_open_ms: int


def is_sound(bar: Bar) -> bool:
    """True when every figure is finite, prices are > 0 and low <= open, close <= high, and volume is not negative."""
    _, open_, high, low, close, volume = bar
    # written so that a NaN anywhere makes a comparison false
    return 0.0 < low <= open_ <= high < _INFINITY and low <= close <= high and 0.0 <= volume < _INFINITY


def same_prices(a: Bar, b: Bar) -> bool:
    """Equal open, high, low and close within 1e-9 of the price."""
    return all(abs(x - y) <= _SAME_PRICE * abs(y) for x, y in zip(a[1:5], b[1:5], strict=True))


class BarSeries:
    """Up to `capacity` (and a little slack) newest closed bars of one symbol and timeframe. Owned by the loop."""

    __slots__ = (
        "_close", "_high", "_low", "_open", "_opens", "_volume", "capacity", "complete_until_ms", "newest", "newest_close_ms",
        "step_ms", "timeframe",
    )  # fmt: skip

    def __init__(self, timeframe: Timeframe, capacity: int) -> None:
        self.timeframe = timeframe
        self.step_ms = timeframe.ms
        self.capacity = capacity
        self._opens: array[int] = array("q")
        self._open = array("d")
        self._high = array("d")
        self._low = array("d")
        self._close = array("d")
        self._volume = array("d")
        self.newest: Bar | None = None
        self.newest_close_ms: int | None = None
        """When the newest bar closed."""
        self.complete_until_ms = 0
        """When the next bar after the newest will have closed: until then nothing can be missing at this end. 0 without bars."""

    def __len__(self) -> int:
        return len(self._opens)

    def __getitem__(self, index: int) -> Bar:
        return _new_bar(
            (self._opens[index], self._open[index], self._high[index], self._low[index], self._close[index], self._volume[index])
        )

    @property
    def newest_open_ms(self) -> int | None:
        return self._opens[-1] if self._opens else None

    @property
    def oldest_open_ms(self) -> int | None:
        return self._opens[0] if self._opens else None

    def resume_open_ms(self, depth: int) -> int | None:
        """Where the next read begins: the newest bar, or the one before a hole among the newest `depth` + 1 bars."""
        opens, step = self._opens, self.step_ms
        if not opens:
            return None
        first = max(0, len(opens) - 1 - depth)
        if opens[-1] - opens[first] == (len(opens) - 1 - first) * step:
            return opens[-1]
        return next(opens[i] for i in range(len(opens) - 2, first - 1, -1) if opens[i + 1] - opens[i] != step)

    def tail(self, limit: int | None = None) -> Iterator[Bar]:
        """The newest `limit` bars (default: the capacity), oldest first."""
        start = max(0, len(self._opens) - min(self.capacity, limit if limit is not None else self.capacity))
        return zip_bars(
            self._opens[start:], self._open[start:], self._high[start:], self._low[start:], self._close[start:], self._volume[start:]
        )

    def find(self, open_ms: int) -> Bar | None:
        """The bar that opened at `open_ms`, or None."""
        index = self._index(open_ms)
        return None if index is None else self[index]

    def volumes(self, limit: int) -> array[float]:
        """The newest `limit` volumes, oldest first."""
        return self._volume[-limit:] if limit > 0 else array("d")

    def closes(self, limit: int) -> tuple[array[int], array[float]]:
        """Open times and closes of the newest `limit` bars, oldest first."""
        return (self._opens[-limit:], self._close[-limit:]) if limit > 0 else (array("q"), array("d"))

    def gaps(self) -> tuple[Gap, ...]:
        """Every hole between the oldest and the newest bar. O(n): for people and for the start."""
        step, opens = self.step_ms, self._opens
        return tuple(Gap(opens[i - 1] + step, opens[i] - step) for i in range(1, len(opens)) if opens[i] - opens[i - 1] != step)

    def is_contiguous(self) -> bool:
        """True when no bar is missing between the oldest and the newest. O(1)."""
        count = len(self._opens)
        return count == 0 or self._opens[-1] - self._opens[0] == (count - 1) * self.step_ms

    def append(self, bar: Bar) -> None:
        """Put a sound, closed, aligned bar behind the newest, which must be older."""
        open_ms, open_, high, low, close, volume = bar
        self._opens.append(open_ms)
        self._open.append(open_)
        self._high.append(high)
        self._low.append(low)
        self._close.append(close)
        self._volume.append(volume)
        self.newest = bar
        self.newest_close_ms = closed_ms = open_ms + self.step_ms
        self.complete_until_ms = closed_ms + self.step_ms
        if len(self._opens) > self.capacity + _TRIM_SLACK:
            self._trim()

    def merge(self, bar: Bar) -> Merge:
        """Put one sound, closed, aligned bar in its place. Idempotent. O(1) at the newest end."""
        opens = self._opens
        if not opens or bar.open_ms > opens[-1]:
            self.append(bar)
            return Merge.APPENDED
        index = bisect_left(opens, bar.open_ms)
        if opens[index] == bar.open_ms:
            done = self._replace(index, bar)
            self.newest = self[-1]
            return done
        if len(opens) >= self.capacity and index == 0:
            return Merge.TOO_OLD
        for column, value in zip(self._columns(), bar[1:], strict=True):
            column.insert(index, value)
        opens.insert(index, bar.open_ms)
        return Merge.INSERTED

    def aggregate(self, bucket_open_ms: int, length_ms: int) -> Bar | None:
        """The bar of `length_ms` that opens at `bucket_open_ms`, made of this series' bars; None when a child is missing."""
        opens = self._opens
        last_child = bucket_open_ms + length_ms - self.step_ms
        end = len(opens) if opens and opens[-1] == last_child else self._after(last_child)
        start = end - length_ms // self.step_ms
        # bars are unique and aligned, so the first child in its place means that all are there
        if end == 0 or start < 0 or opens[start] != bucket_open_ms:
            return None
        return Bar(
            bucket_open_ms,
            self._open[start],
            max(self._high[start:end]),
            min(self._low[start:end]),
            self._close[end - 1],
            sum(self._volume[start:end]),
        )

    def digest(self, from_ms: int, before_ms: int) -> bytes:
        """16 bytes that tell the bars with open time in [from_ms, before_ms) from any others, volumes aside."""
        start, end = bisect_left(self._opens, from_ms), bisect_left(self._opens, before_ms)
        seen = blake2b(self._opens[start:end].tobytes(), digest_size=16)
        for column in (self._open, self._high, self._low, self._close):
            seen.update(column[start:end].tobytes())
        return seen.digest()

    def _columns(self) -> tuple[array[float], ...]:
        return self._open, self._high, self._low, self._close, self._volume

    def _index(self, open_ms: int) -> int | None:
        index = bisect_left(self._opens, open_ms)
        return index if index < len(self._opens) and self._opens[index] == open_ms else None

    def _after(self, open_ms: int) -> int:
        """Index after the bar that opened at `open_ms`; 0 when there is none."""
        index = self._index(open_ms)
        return 0 if index is None else index + 1

    def _replace(self, index: int, bar: Bar) -> Merge:
        known = self[index]
        if same_prices(known, bar):
            if abs(known.volume - bar.volume) <= _SAME_VOLUME * abs(bar.volume):
                return Merge.DUPLICATE
            self._volume[index] = bar.volume
            return Merge.VOLUME_CORRECTED
        for column, value in zip(self._columns(), bar[1:], strict=True):
            column[index] = value
        return Merge.CORRECTED

    def _trim(self) -> None:
        surplus = len(self._opens) - self.capacity
        del self._opens[:surplus]
        for column in self._columns():
            del column[:surplus]


def zip_bars(
    opens: array[int], open_: array[float], high: array[float], low: array[float], close: array[float], volume: array[float]
) -> Iterator[Bar]:
    """Bars from parallel columns."""
    return map(Bar, opens, open_, high, low, close, volume)
