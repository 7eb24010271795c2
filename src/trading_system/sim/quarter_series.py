"""Bars of one market that is replayed from quarters: no minutes, so a price costs next to nothing.

The same bars as `BarSeries` makes of the same prices, from 15m on. What volume the last 24 hours had is told from running
totals instead of being summed anew.
"""

from __future__ import annotations

from array import array
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, Final

from trading_system.domain.market import Bar
from trading_system.sim.bars import (
    DAY_MS,
    HOUR_MS,
    MONDAY_MS,
    QUARTER_MS,
    RESOLUTION_MS,
    BarColumns,
    DayStats,
    RunningBar,
    aggregate,
    unpack_bars,
)

_KEPT: Final = 12_000
_PER_DAY: Final = DAY_MS // QUARTER_MS


class QuarterSeries(RunningBar):
    """Closed quarters and hours, and the running quarter. `update` is the hot path."""

    __slots__ = ("_bought", "_hour", "_volumes", "hours", "quarters", "start_ms")
    length_ms = QUARTER_MS

    def __init__(self, quarters: Iterable[Bar] = (), hours: Iterable[Bar] = (), *, start_ms: int = 0) -> None:
        """quarters, hours: closed history. start_ms: bars from here on are live and belong to the saved state."""
        super().__init__()
        self.quarters = BarColumns(_KEPT)
        self.hours = BarColumns(20_000)
        self.quarters.extend(quarters)
        self.hours.extend(hours)
        self.start_ms = start_ms
        self._hour: tuple[int, float, float, float, float, float] | None = None  # the closed quarters of the running hour, merged
        self._volumes = array("d", [0.0])
        self._bought = array("d", [0.0])
        self._add_up(0)

    def _add_up(self, first: int) -> None:
        """Running totals of volume and of volume x close; entry k + 1 of them belongs to quarter k."""
        volume, bought = self._volumes[first], self._bought[first]
        del self._volumes[first + 1 :], self._bought[first + 1 :]
        for amount, close in zip(self.quarters.volume[first:], self.quarters.close[first:], strict=True):
            volume += amount
            bought += amount * close
            self._volumes.append(volume)
            self._bought.append(bought)

    def _close_running(self, at_ms: int) -> None:
        open_ms, high, low, close, volume = self._open_ms, self._high, self._low, self._close, self._volume
        quarters = self.quarters
        before = len(quarters)
        quarters.append((open_ms, self._open, high, low, close, volume))
        self._volumes.append(self._volumes[-1] + volume)
        self._bought.append(self._bought[-1] + volume * close)
        if len(quarters) <= before:  # the oldest were let go
            surplus = before + 1 - len(quarters)
            del self._volumes[:surplus], self._bought[:surplus]
        hour_ms = open_ms - open_ms % HOUR_MS
        so_far = self._hour
        if so_far is None:
            merged = (hour_ms, self._open, high, low, close, volume)
        else:
            _, o, highest, lowest, _, sum_so_far = so_far
            merged = (hour_ms, o, max(highest, high), min(lowest, low), close, sum_so_far + volume)
        self._hour = merged
        if at_ms >= hour_ms + HOUR_MS:
            self.hours.append(merged)
            self._hour = None

    def between(self, resolution: str, from_ms: int, to_ms: int, week_opens_ms: int = MONDAY_MS) -> list[Bar]:
        """Bars whose open time is in [from_ms, to_ms], the running one included; KeyError for an unknown or too short resolution."""
        length = RESOLUTION_MS[resolution]
        if length < QUARTER_MS:
            raise KeyError(f"{resolution}: this exchange keeps no bars shorter than 15m")
        shift = week_opens_ms if length == 7 * DAY_MS else 0
        since = from_ms - (from_ms - shift) % length
        if length == QUARTER_MS:
            bars = self.quarters.between(since, to_ms)
            if since <= self._open_ms <= to_ms and self._end_ms:
                bars.append(self._running())
        else:
            bars = aggregate(self._parts(length, since, to_ms + length - 1), length, week_opens_ms)
        return bars if since == from_ms else [bar for bar in bars if from_ms <= bar.open_ms]

    def _parts(self, length: int, since: int, until: int) -> list[Bar]:
        parts = self.hours.between(since, until) if length >= HOUR_MS else []
        if parts or (length >= HOUR_MS and self.hours):
            since = max(since, self.hours.open_ms[-1] + HOUR_MS)
        parts += self.quarters.between(since, until)
        if self._end_ms and since <= self._open_ms <= until:
            parts.append(self._running())
        return parts

    @property
    def first_ms(self) -> int | None:
        """Open time of the oldest bar that is still known, of any length; None when there is none."""
        firsts = [columns.open_ms[0] for columns in (self.hours, self.quarters) if columns]
        return min(firsts, default=self._open_ms if self._end_ms else None)

    def day_volume(self, now_ms: int) -> tuple[float, float]:
        """Of the last 24 hours: base units, and each quarter's volume at its close."""
        opens, since_ms = self.quarters.open_ms, now_ms - DAY_MS
        at = len(opens) - _PER_DAY
        # without a hole in the last day the place is known
        if at < 1 or not opens[at - 1] < since_ms <= opens[at]:
            at = bisect_left(opens, since_ms)
        volume, bought = self._volumes[-1] - self._volumes[at], self._bought[-1] - self._bought[at]
        if self._end_ms:
            volume, bought = volume + self._volume, bought + self._volume * self._close
        return volume, bought

    def day(self, now_ms: int) -> DayStats:
        """Statistics of the last 24 hours: closed quarters, then the running one."""
        closed = self.quarters.stats(now_ms - DAY_MS)
        highs = [] if closed is None else [closed.high]
        lows = [] if closed is None else [closed.low]
        if self._end_ms:
            highs.append(self._high)
            lows.append(self._low)
        if not highs:
            return DayStats(0.0, 0.0, 0.0, 0.0, 0.0)
        return DayStats(self._open if closed is None else closed.open, max(highs), min(lows), *self.day_volume(now_ms))

    def snapshot(self, *, is_raw: bool = False) -> dict[str, Any]:
        """Live quarters and the running one; history comes from the source again. is_raw: leave the packed bars as bytes."""
        packed = self.quarters.packed(self.start_ms)
        return {
            "quarters": packed if is_raw else b64encode(packed).decode(),
            "running": list(self._running()) if self._end_ms else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put a snapshot on top of the source's history (a series fresh from the constructor)."""
        self.quarters.extend(unpack_bars(state["quarters"]))
        running = state["running"]
        if running is not None:
            self._resume(running)
            hour_now = self._open_ms - self._open_ms % HOUR_MS
            first = self.hours.open_ms[-1] + HOUR_MS if self.hours else 0
            self.hours.extend(aggregate(self.quarters.between(first, hour_now - 1), HOUR_MS))
            whole = aggregate(self.quarters.between(hour_now, self._open_ms - 1), HOUR_MS)
            self._hour = whole[0] if whole else None
        self._volumes, self._bought = array("d", [0.0]), array("d", [0.0])
        self._add_up(0)
