"""Stored 15m bars of one market and how much of them was told: the bars of a replay that is not built anew point by point.

Bars before the one that runs are closed and lie in the columns already; the running one is worked out from its row and the
points told of it. The same bars as `BarSeries` makes of the same points, from 15m on.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import partial
from itertools import accumulate
from operator import mul
from struct import Struct
from typing import Any, Final

from trading_system.domain.market import Bar
from trading_system.domain.tuples import maker_of
from trading_system.sim.bars import DAY_MS, HOUR_MS, MONDAY_MS, QUARTER_MS, RESOLUTION_MS, BarColumns, DayStats, aggregate, first_from
from trading_system.sim.replay import OFFSETS_MS
from trading_system.sim.source import PricePoint

_POINTS: Final = len(OFFSETS_MS)
_WIDTH: Final = 8
_SUM: Final = 6
_BAR_BYTES: Final = Struct("q5d")
_ROW_BYTES: Final = 8 * _WIDTH
_new_point: Final = maker_of(PricePoint)
_new_bar: Final = maker_of(Bar)


class LateSeries:
    """`at`: the bar that runs, or begins next; `told`: points told of it, 0 to 4. Both only grow."""

    __slots__ = ("_end", "_opens", "_rows", "at", "hours", "low_first", "number", "told")

    def __init__(self, number: int, quarters: BarColumns, hours: BarColumns, start_ms: int, end_ms: int) -> None:
        """quarters: all of them; points are told of those that open in [start_ms, end_ms). hours: closed before start_ms."""
        self.number = number
        self.hours = hours
        self._opens = quarters.open_ms
        self.at = bisect_left(quarters.open_ms, start_ms)
        self._end = bisect_left(quarters.open_ms, end_ms)
        self.told = 0
        self.low_first = False
        # row by row, not in columns: a look at a market reads one bar, and all of it. open_ms (its bits), open, high, low, close,
        # volume, and the sums of volume and of volume x close of all bars before it
        self._rows = array("d", bytes(8 * _WIDTH * (len(quarters) + 1)))
        opens = array("d", quarters.open_ms.tobytes())  # whole numbers among floats: a row's first six are read as one bar
        for place, column in enumerate((opens, quarters.open, quarters.high, quarters.low, quarters.close, quarters.volume)):
            self._rows[place:-_WIDTH:_WIDTH] = column
        self._rows[_SUM::_WIDTH] = array("d", accumulate(quarters.volume, initial=0.0))
        self._rows[_SUM + 1 :: _WIDTH] = array("d", accumulate(map(mul, quarters.volume, quarters.close), initial=0.0))

    # --- points ---

    def step(self, slot_ms: int, phase: int, direction: Callable[[int], int]) -> PricePoint | None:
        """The point of this phase of the bar that opens at `slot_ms`; None when there is no such bar. All before it must be told."""
        opens = self._opens
        if self.told == _POINTS and self.at + 1 < self._end and opens[self.at + 1] <= slot_ms:
            self.at, self.told = self.at + 1, 0
        if self.at >= self._end or opens[self.at] > slot_ms or self.told == _POINTS:
            return None
        if opens[self.at] < slot_ms or self.told != phase:
            raise RuntimeError(f"market {self.number} was left behind at point {self.told} of its bar at {opens[self.at]}")
        if phase == 1:
            held = direction(self.number)
            self.low_first = held > 0 if held else self._rises()
        self.told = phase + 1
        return self._point()

    def latest(self, until_ms: int) -> tuple[int, float, float, int] | None:
        """Of the newest point up to `until_ms`: when, price and volume, and how many untold ones it stands for; None when all are told."""
        opens, at = self._opens, self.at
        while at + 1 < self._end and opens[at + 1] <= until_ms:
            at += 1
        if at >= self._end or (since := until_ms - opens[at]) < 0:
            return None
        due = 1 + (since >= OFFSETS_MS[1]) + (since >= OFFSETS_MS[2]) + (since >= OFFSETS_MS[3])
        count = (at - self.at) * _POINTS + due - self.told
        if count <= 0:
            return None
        decided = at == self.at and self.told > 1  # the order of the extremes, while somebody had a stake here
        self.at, self.told = at, due
        if due > 1 and not decided:
            self.low_first = self._rises()
        return (*self._told_last(), count)

    def _rises(self) -> bool:
        row = self.at * _WIDTH
        return self._rows[row + 4] > self._rows[row + 1]

    def _told_last(self) -> tuple[int, float, float]:
        """Of the newest told point: when, price, and volume (negative: the bar falls)."""
        open_ms, o, high, low, close, volume = _BAR_BYTES.unpack_from(self._rows, self.at * _ROW_BYTES)
        told, part = self.told, volume / _POINTS
        price = o if told == 1 else close if told == _POINTS else low if self.low_first == (told == 2) else high
        return open_ms + OFFSETS_MS[told - 1], price, part if close >= o else -part

    def _point(self) -> PricePoint:
        """The newest told point."""
        at_ms, price, volume = self._told_last()
        return _new_point((at_ms, self.number, price, price, volume, self.told > 1))

    # --- bars ---

    def _bar(self, index: int) -> Bar:
        return _new_bar(_BAR_BYTES.unpack_from(self._rows, index * _ROW_BYTES))

    def _running(self) -> Bar:
        whole, told = self._bar(self.at), self.told
        if told == _POINTS:
            return whole
        seen = {1: (whole.open,), 2: (whole.open, whole.low if self.low_first else whole.high)}.get(told, (whole.high, whole.low))
        return whole._replace(high=max(seen), low=min(seen), close=self._told_last()[1], volume=whole.volume * told / _POINTS)

    def between(self, resolution: str, from_ms: int, to_ms: int, week_opens_ms: int = MONDAY_MS) -> list[Bar]:
        """Bars whose open time is in [from_ms, to_ms], the running one included; KeyError for an unknown or too short resolution."""
        length = RESOLUTION_MS[resolution]
        if length == QUARTER_MS:
            return self._closed_and_running(from_ms, to_ms)
        if length < QUARTER_MS:
            raise KeyError(f"{resolution}: this exchange keeps no bars shorter than 15m")
        shift = week_opens_ms if length == 7 * DAY_MS else 0
        since = from_ms - (from_ms - shift) % length  # whole bars only: the first one must hold all of its parts
        bars = aggregate(self._parts(length, since, to_ms + length - 1), length, week_opens_ms)
        return bars if since == from_ms else [bar for bar in bars if from_ms <= bar.open_ms]

    def _closed_and_running(self, from_ms: int, to_ms: int) -> list[Bar]:
        opens, at = self._opens, self.at
        if at > 1 and opens[at - 1] == to_ms and opens[at - 2] == from_ms:
            return [self._bar(at - 2), self._bar(at - 1)]  # the usual question: the newest closed bar, and the one before it once more
        found = [self._bar(index) for index in range(first_from(opens, from_ms, at), first_from(opens, to_ms + 1, at))]
        if self.told and from_ms <= opens[at] <= to_ms:
            found.append(self._running())
        return found

    def _parts(self, length: int, since: int, until: int) -> list[Bar]:
        parts = self.hours.between(since, until) if length >= HOUR_MS else []
        if length >= HOUR_MS and self.hours:
            since = max(since, self.hours.open_ms[-1] + HOUR_MS)
        return parts + self._closed_and_running(since, until)

    @property
    def first_ms(self) -> int | None:
        """Open time of the oldest bar that is still known, of any length; None when there is none."""
        firsts = [self.hours.open_ms[0]] if self.hours else []
        if self.at or self.told:
            firsts.append(self._opens[0])
        return min(firsts, default=None)

    @property
    def last_close(self) -> float:
        """Close of the newest closed bar; 0.0 without one."""
        if self.at:
            return self._rows[(self.at - 1) * _WIDTH + 4]
        return self.hours.close[-1] if self.hours else 0.0

    def day_volume(self, now_ms: int) -> tuple[float, float]:
        """Of the last 24 hours: base units, and each quarter's volume at its close."""
        return self._day_volume_of(self.at, self.told, self._told_last()[1] if self.told else 0.0, now_ms)

    def day_volume_later(self, now_ms: int) -> Callable[[], tuple[float, float]]:
        """What `day_volume` gives now, for one who may never read it."""
        return partial(self._day_volume_of, self.at, self.told, self._told_last()[1] if self.told else 0.0, now_ms)

    def _day_volume_of(self, at: int, told: int, price: float, now_ms: int) -> tuple[float, float]:
        """When `told` points of bar `at` were told, the newest at `price`."""
        rows, row, since = self._rows, at * _WIDTH, self._day_start(at, now_ms) * _WIDTH
        volume, bought = rows[row + _SUM] - rows[since + _SUM], rows[row + _SUM + 1] - rows[since + _SUM + 1]
        if told:
            running = rows[row + 5] * told / _POINTS
            volume, bought = volume + running, bought + running * price
        return volume, bought

    def _day_start(self, at: int, now_ms: int) -> int:
        """Index of the first bar of the last 24 hours, with bar `at` running. Without a hole in them its place is known."""
        opens, since_ms = self._opens, now_ms - DAY_MS
        since_ms += -since_ms % QUARTER_MS
        near = at - (opens[at] - since_ms) // QUARTER_MS if at < len(opens) else -1
        if 0 <= near <= at and opens[near] == since_ms:
            return near
        return bisect_left(opens, since_ms, 0, at)

    def day(self, now_ms: int) -> DayStats:
        """Statistics of the last 24 hours: closed quarters, then the running one."""
        bars = [self._bar(index) for index in range(self._day_start(self.at, now_ms), self.at)]
        if self.told:
            bars.append(self._running())
        if not bars:
            return DayStats(0.0, 0.0, 0.0, 0.0, 0.0)
        return DayStats(bars[0].open, max(bar.high for bar in bars), min(bar.low for bar in bars), *self.day_volume(now_ms))

    def update(self, at_ms: int, price: float, volume: float) -> None:
        """Told by the source already."""

    # --- state ---

    def snapshot(self, *, is_raw: bool = False) -> dict[str, Any]:
        """How far it was told; the bars come from the source again."""
        del is_raw
        return {"at": self.at, "told": self.told, "low_first": self.low_first}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.at, self.told, self.low_first = state["at"], state["told"], state["low_first"]
