"""Bars of one series: bounded columns of closed bars, and the running ones built from price points.

A bar appears with the first price in it; a stretch without prices is a gap, not an invented flat bar. Bars longer than an
hour are aggregated on demand, so that all timeframes agree by construction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import mul
from typing import Any, ClassVar, Final, NamedTuple

from trading_system.domain.market import Bar
from trading_system.domain.tuples import maker_of

MINUTE_MS: Final = 60_000
QUARTER_MS: Final = 900_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
MONDAY_MS: Final = 4 * DAY_MS  # 1970-01-05; weeks open on Mondays

_new_bar: Final = maker_of(Bar)

RESOLUTION_MS: Final = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": QUARTER_MS,
    "30m": 2 * QUARTER_MS,
    "1h": HOUR_MS,
    "4h": 4 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "1w": 7 * DAY_MS,
}


class DayStats(NamedTuple):
    """The last 24 hours. `quote_volume`: each quarter's volume at its close."""

    open: float
    high: float
    low: float
    volume: float
    quote_volume: float


def first_from(opens: array[int], at_ms: int, count: int) -> int:
    """Index of the first of the oldest `count` bars that opens at or after `at_ms`; `count` when none does.

    Most questions are about the newest two: those are looked at before a search.
    """
    for near in (count, count - 1, count - 2):
        if near < 1 or opens[near - 1] < at_ms:
            return max(near, 0)
    return bisect_left(opens, at_ms, 0, count)


class BarColumns:
    """Closed bars, ascending, as packed columns. Keeps at least `keep` bars, at most a quarter more."""

    __slots__ = ("_keep", "close", "high", "low", "open", "open_ms", "volume")

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self.open_ms = array("q")
        self.open, self.high, self.low, self.close, self.volume = (array("d") for _ in range(5))

    @classmethod
    def from_rows(cls, first_ms: int, length_ms: int, flat: array[float]) -> BarColumns:
        """Contiguous bars from a flat array [open, high, low, close, volume, open, …]."""
        columns = cls(len(flat) // 5 or 1)
        columns.open_ms = array("q", range(first_ms, first_ms + len(flat) // 5 * length_ms, length_ms))
        columns.open, columns.high, columns.low, columns.close, columns.volume = (flat[at::5] for at in range(5))
        return columns

    def __len__(self) -> int:
        return len(self.open_ms)

    def __iter__(self) -> Iterator[Bar]:
        return map(Bar, self.open_ms, self.open, self.high, self.low, self.close, self.volume)

    def append(self, bar: tuple[int, float, float, float, float, float]) -> None:
        open_ms, o, h, low, c, v = bar
        self.open.append(o)
        self.high.append(h)
        self.low.append(low)
        self.close.append(c)
        self.volume.append(v)
        self.open_ms.append(open_ms)
        if len(self.open_ms) > self._keep + self._keep // 4:
            self._trim()

    def extend(self, bars: Iterable[Bar]) -> None:
        """Append closed bars in order; only the newest `keep` stay."""
        if isinstance(bars, BarColumns):
            self.open_ms.extend(bars.open_ms)
            for column, packed in zip(self._floats(), bars._floats(), strict=True):
                column.extend(packed)
        elif columns := list(zip(*bars, strict=True)):
            self.open_ms.extend(int(ms) for ms in columns[0])
            for column, values in zip(self._floats(), columns[1:], strict=True):
                column.extend(values)
        self._trim()

    def between(self, from_ms: int, to_ms: int) -> list[Bar]:
        """Bars whose open time is in [from_ms, to_ms]."""
        opens = self.open_ms
        low, high = first_from(opens, from_ms, len(opens)), first_from(opens, to_ms + 1, len(opens))
        if high - low > 3:
            return list(map(Bar, opens[low:high], *(column[low:high] for column in self._floats())))
        # a few bars at the end: the usual question, without a slice of every column
        o, h, lows, c, v = self.open, self.high, self.low, self.close, self.volume
        return [_new_bar((opens[at], o[at], h[at], lows[at], c[at], v[at])) for at in range(low, high)]

    def slice(self, from_ms: int, to_ms: int) -> BarColumns:
        """The bars whose open time is in [from_ms, to_ms], as columns."""
        low, high = bisect_left(self.open_ms, from_ms), bisect_right(self.open_ms, to_ms)
        part = BarColumns(max(1, high - low))
        part.open_ms = self.open_ms[low:high]
        part.open, part.high, part.low, part.close, part.volume = (column[low:high] for column in self._floats())
        return part

    def stats(self, from_ms: int) -> DayStats | None:
        """Of the bars that opened at or after `from_ms`; None when there is none."""
        low = bisect_left(self.open_ms, from_ms)
        if low == len(self.open_ms):
            return None
        volume = self.volume[low:]
        return DayStats(self.open[low], max(self.high[low:]), min(self.low[low:]), sum(volume), sum(map(mul, volume, self.close[low:])))

    def packed(self, from_ms: int) -> bytes:
        """Bars from `from_ms` on as rows of doubles; column by column, so that long series cost next to nothing."""
        low = bisect_left(self.open_ms, from_ms)
        rows = array("d", bytes(8 * 6 * (len(self.open_ms) - low)))
        columns: tuple[array[Any], ...] = (self.open_ms, *self._floats())
        for at, column in enumerate(columns):
            rows[at::6] = array("d", column[low:])
        return rows.tobytes()

    def last(self) -> Bar | None:
        return Bar(self.open_ms[-1], *(column[-1] for column in self._floats())) if self.open_ms else None

    def _floats(self) -> tuple[array[float], ...]:
        return (self.open, self.high, self.low, self.close, self.volume)

    def _trim(self) -> None:
        surplus = len(self.open_ms) - self._keep
        if surplus > 0:
            del self.open_ms[:surplus]
            for column in self._floats():
                del column[:surplus]


def aggregate(bars: Iterable[Bar], length_ms: int, week_opens_ms: int = MONDAY_MS) -> list[Bar]:
    """Merge ascending bars into bars of `length_ms` (a multiple of theirs). Weeks open on Monday, everything else at the epoch."""
    shift = week_opens_ms if length_ms == 7 * DAY_MS else 0
    merged: list[Bar] = []
    open_ms, o, h, low, c, v = -1, 0.0, 0.0, 0.0, 0.0, 0.0
    for bar in bars:
        slot = bar.open_ms - (bar.open_ms - shift) % length_ms
        if slot == open_ms:
            h, low, c, v = max(h, bar.high), min(low, bar.low), bar.close, v + bar.volume
            continue
        if open_ms >= 0:
            merged.append(Bar(open_ms, o, h, low, c, v))
        open_ms, o, h, low, c, v = slot, bar.open, bar.high, bar.low, bar.close, bar.volume
    if open_ms >= 0:
        merged.append(Bar(open_ms, o, h, low, c, v))
    return merged


class RunningBar(ABC):
    """The bar that prices are added to. `update` is the hot path."""

    __slots__ = ("_close", "_end_ms", "_high", "_low", "_open", "_open_ms", "_volume")
    length_ms: ClassVar[int]

    def __init__(self) -> None:
        self._open_ms = self._end_ms = 0
        self._open = self._high = self._low = self._close = self._volume = 0.0

    def update(self, at_ms: int, price: float, volume: float) -> None:
        """Add one price."""
        if at_ms < self._end_ms:
            if price > self._high:
                self._high = price
            elif price < self._low:
                self._low = price
            self._close = price
            self._volume += volume
            return
        if self._end_ms:
            self._close_running(at_ms)
        self._open_ms = at_ms - at_ms % self.length_ms
        self._end_ms = self._open_ms + self.length_ms
        self._open = self._high = self._low = self._close = price
        self._volume = volume

    @abstractmethod
    def _close_running(self, at_ms: int) -> None:
        """Keep it: a price came at `at_ms`, after its end."""

    def _running(self) -> Bar:
        return Bar(self._open_ms, self._open, self._high, self._low, self._close, self._volume)

    def _resume(self, row: Iterable[float]) -> None:
        """Go on with a running bar from a snapshot."""
        open_ms, self._open, self._high, self._low, self._close, self._volume = row
        self._open_ms = int(open_ms)
        self._end_ms = self._open_ms + self.length_ms


class BarSeries(RunningBar):
    """One price series of one market: minute, quarter and hour columns, and the running minute. `update` is the hot path."""

    __slots__ = ("_day", "_day_key", "_minutes_saved_ms", "_past", "_quarter", "hours", "minutes", "quarters", "start_ms")
    length_ms = MINUTE_MS

    def __init__(
        self,
        quarters: Iterable[Bar] = (),
        hours: Iterable[Bar] = (),
        *,
        start_ms: int = 0,
        past: BarSeries | None = None,
        minutes_saved: int = 720,
    ) -> None:
        """quarters, hours: closed history. start_ms: bars from here on are live and belong to the saved state.

        past: a series whose bars before start_ms, without volume, stand in for this one's missing history.
        minutes_saved: how many 1m bars a snapshot keeps, at most 1500.
        """
        super().__init__()
        self._past = past
        self._minutes_saved_ms = minutes_saved * MINUTE_MS
        self.minutes = BarColumns(1_500)
        self.quarters = BarColumns(12_000)
        self.hours = BarColumns(20_000)
        self.quarters.extend(quarters)
        self.hours.extend(hours)
        self.start_ms = start_ms
        self._day_key = -1, -1
        self._day: DayStats | None = None
        self._quarter: Bar | None = None  # the closed minutes of the running quarter, merged

    def _close_running(self, at_ms: int) -> None:
        minute = self._running()
        self.minutes.append(minute)
        quarter = self._open_ms - self._open_ms % QUARTER_MS
        so_far = self._quarter
        if so_far is None:
            merged = minute._replace(open_ms=quarter)
        else:
            _, o, high, low, _, volume = so_far
            merged = Bar(
                quarter,
                o,
                high if high >= minute.high else minute.high,
                low if low <= minute.low else minute.low,
                minute.close,
                volume + minute.volume,
            )
        self._quarter = merged
        if at_ms >= quarter + QUARTER_MS:
            self._quarter = None
            self.quarters.append(merged)
            hour = quarter - quarter % HOUR_MS
            if at_ms >= hour + HOUR_MS:
                self.hours.append(aggregate(self.quarters.between(hour, quarter), HOUR_MS)[0])

    def between(self, resolution: str, from_ms: int, to_ms: int, week_opens_ms: int = MONDAY_MS) -> list[Bar]:
        """Bars whose open time is in [from_ms, to_ms], the running one included; KeyError for an unknown resolution."""
        length = RESOLUTION_MS[resolution]
        shift = week_opens_ms if length == 7 * DAY_MS else 0
        since = from_ms - (from_ms - shift) % length  # whole bars only: the first one must hold all of its parts
        if length == QUARTER_MS and (self._past is None or since >= self.start_ms):
            # the usual question, without merging what is whole already
            bars = self.quarters.between(since, to_ms)
            since = max(since, self.quarters.open_ms[-1] + QUARTER_MS if self.quarters else since)
            if since <= to_ms:
                bars += aggregate(self._parts(length, since, to_ms + length - 1), length)
        else:
            bars = aggregate(self._parts(length, since, to_ms + length - 1), length, week_opens_ms)
        return [bar for bar in bars if from_ms <= bar.open_ms <= to_ms]

    def _parts(self, length: int, since: int, until: int) -> Iterator[Bar]:
        """Closed and running parts, longest pieces first, each stretch of time once."""
        if self._past is not None and since < self.start_ms:
            yield from (bar._replace(volume=0.0) for bar in self._past._parts(length, since, min(until, self.start_ms - 1)))
            since = self.start_ms
        if length >= HOUR_MS:
            yield from self.hours.between(since, until)
            since = max(since, self.hours.open_ms[-1] + HOUR_MS if self.hours else since)
        if length >= QUARTER_MS:
            yield from self.quarters.between(since, until)
            since = max(since, self.quarters.open_ms[-1] + QUARTER_MS if self.quarters else since)
        yield from self.minutes.between(since, until)
        if self._end_ms and since <= self._open_ms <= until:
            yield self._running()

    @property
    def first_ms(self) -> int | None:
        """Open time of the oldest bar that is still known, of any length; None when there is none."""
        firsts = [columns.open_ms[0] for columns in (self.hours, self.quarters, self.minutes) if columns]
        if self._past is not None and (past_ms := self._past.first_ms) is not None:
            firsts.append(past_ms)
        return min(firsts, default=self._open_ms if self._end_ms else None)

    @property
    def last_close(self) -> float:
        """Close of the newest closed bar; 0.0 without one."""
        closes = self.quarters.close or self.hours.close
        return closes[-1] if closes else 0.0

    def day(self, now_ms: int) -> DayStats:
        """Statistics of the last 24 hours: closed quarters (kept until the next one closes), then the running one."""
        closed_until = self.quarters.open_ms[-1] + QUARTER_MS if self.quarters else 0
        # by the clock too: where nothing is traded no bar closes, and yesterday's leave the window all the same
        key = closed_until, now_ms // QUARTER_MS
        if self._day_key != key:
            self._day_key, self._day = key, self.quarters.stats(now_ms - DAY_MS)
        closed, minutes = self._day, self.minutes.stats(closed_until)
        if self._end_ms:
            minutes = _joined(minutes, DayStats(self._open, self._high, self._low, self._volume, self._volume * self._close))
        return _joined(closed, minutes) or DayStats(0.0, 0.0, 0.0, 0.0, 0.0)

    def day_volume(self, now_ms: int) -> tuple[float, float]:
        """Of the last 24 hours: base units, and each quarter's volume at its close."""
        stats = self.day(now_ms)
        return stats.volume, stats.quote_volume

    def day_volume_later(self, now_ms: int) -> Callable[[], tuple[float, float]]:
        """What `day_volume` gives now: worked out at once, since these bars go on."""
        volumes = self.day_volume(now_ms)
        return lambda: volumes

    def snapshot(self, *, is_raw: bool = False) -> dict[str, Any]:
        """Live quarters and the latest minutes; history comes from the source again, older minutes are let go.

        is_raw: leave the packed bars as bytes, for a writer that encodes them (as base64) elsewhere.
        """
        text: Callable[[bytes], Any] = (lambda packed: packed) if is_raw else (lambda packed: b64encode(packed).decode())
        unfinished = self.quarters.open_ms[-1] + QUARTER_MS if self.quarters else 0
        return {
            "quarters": text(self.quarters.packed(self.start_ms)),
            "minutes": text(self.minutes.packed(min(unfinished, self._open_ms - self._minutes_saved_ms))),
            "running": list(self._running()) if self._end_ms else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put a snapshot on top of the source's history (a series fresh from the constructor)."""
        quarters = unpack_bars(state["quarters"])
        self.quarters.extend(quarters)
        self.minutes.extend(unpack_bars(state["minutes"]))
        running = state["running"]
        if running is not None:
            self._resume(running)
            whole = aggregate(self.minutes.between(self._open_ms - self._open_ms % QUARTER_MS, self._open_ms - 1), QUARTER_MS)
            self._quarter = whole[0] if whole else None
            hour_now = self._open_ms - self._open_ms % HOUR_MS
            first = self.hours.open_ms[-1] + HOUR_MS if self.hours else 0
            self.hours.extend(aggregate(self.quarters.between(first, hour_now - 1), HOUR_MS))


def _joined(first: DayStats | None, then: DayStats | None) -> DayStats | None:
    if first is None or then is None:
        return then if first is None else first
    return DayStats(
        first.open,
        max(first.high, then.high),
        min(first.low, then.low),
        first.volume + then.volume,
        first.quote_volume + then.quote_volume,
    )


def unpack_bars(text: str) -> list[Bar]:
    """The bars of a packed column block, from its base64 text."""
    values = array("d")
    values.frombytes(b64decode(text))
    flat = iter(values)
    return [Bar(int(ms), *rest) for ms, *rest in zip(flat, flat, flat, flat, flat, flat, strict=True)]
