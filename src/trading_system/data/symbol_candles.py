"""The four series of one symbol: takes answers of the venue, keeps 1h, 4h and 1d made of 15m. Pure.

Aggregation keeps no state of its own: when the last child of a longer bar arrives, the bar is made of the children that
lie in the child series. A missing child means no bar, never a bar of what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from trading_system.data.bar_series import BarSeries, Gap, Merge, is_sound
from trading_system.data.candle_schedule import CandleParameters, FetchRange, SeriesAsk, plan_fetch
from trading_system.data.candle_updates import BarFault, ClosedBar, Correction, Merged, SeriesGap
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.domain.tuples import maker_of

_closed_bar: Final = maker_of(ClosedBar)
_HOUR_MS: Final = Timeframe.H1.ms
_PARENT: Final = {Timeframe.M15: Timeframe.H1, Timeframe.H1: Timeframe.H4, Timeframe.H4: Timeframe.D1}


class Lane(NamedTuple):
    """One series with its fetch memory. Tuples of these are walked instead of dicts by enum: an enum's hash is slow."""

    timeframe: Timeframe
    series: BarSeries
    ask: SeriesAsk


class SymbolCandles:
    """Bars and fetch memory of one symbol."""

    __slots__ = ("_chain", "_parameters", "_quiet_until_ms", "is_loaded", "lanes", "loaded", "series", "symbol")

    def __init__(self, symbol: Symbol, parameters: CandleParameters) -> None:
        self.symbol = symbol
        self.series = {t: BarSeries(t, parameters.capacity[t]) for t in Timeframe}
        self.lanes = tuple(Lane(t, series, SeriesAsk()) for t, series in self.series.items())
        self.loaded: set[Timeframe] = set()
        self.is_loaded = False
        """True once every timeframe was read."""
        self._quiet_until_ms = 0
        self._parameters = parameters
        # parent series by child, so that the per-bar path looks nothing up by enum
        self._chain = {self.series[c]: self.series[p] for c, p in _PARENT.items()}

    def note_loaded(self, timeframe: Timeframe) -> None:
        """One timeframe was read in full."""
        self.loaded.add(timeframe)
        self.is_loaded = len(self.loaded) == len(self.series)

    def is_quiet(self, now_ms: int) -> bool:
        """True while no series can have anything to ask for: every expected bar is there, and no boundary has passed since."""
        return now_ms < self._quiet_until_ms

    def wanted(self, now_ms: int, *, is_probe: bool) -> Iterator[tuple[Lane, FetchRange]]:
        """What to ask for now, series by series, 15m first. Each is looked at when the one before it was merged: that may have made it.

        is_probe: the feed was ill, so 15m are asked for even when nothing is due.
        """
        closed_by_ms = now_ms - self._parameters.close_grace_ms
        for lane in self.lanes:
            found = None if closed_by_ms < lane.series.complete_until_ms else self._plan(lane, now_ms)
            if found is None and is_probe and lane is self.lanes[0] and (newest := lane.series.newest_open_ms) is not None:
                found = FetchRange(newest, newest)
            if found is not None:
                yield lane, found

    def _plan(self, lane: Lane, now_ms: int) -> FetchRange | None:
        """What to ask for now in one series that lacks its newest bar."""
        series, parameters = lane.series, self._parameters
        resume = series.resume_open_ms(parameters.hole_depth)
        return plan_fetch(lane.timeframe, series.newest_open_ms, lane.ask, now_ms, parameters, resume_open_ms=resume)

    def note_checked(self) -> None:
        """After a refresh: nothing can be due before the first series has its next bar; now, when one is there already."""
        complete_until_ms = min([lane.series.complete_until_ms for lane in self.lanes])
        self._quiet_until_ms = complete_until_ms + self._parameters.close_grace_ms

    def hydrate(self, timeframe: Timeframe, bars: Iterable[Bar], now_ms: int) -> int:
        """Take stored bars; return how many. They are history: nothing is new, nothing is saved again."""
        series, count = self.series[timeframe], 0
        for bar in bars:
            if is_sound(bar) and bar.open_ms % series.step_ms == 0 and bar.open_ms + series.step_ms <= now_ms:
                count += series.merge(bar) is Merge.APPENDED
        return count

    def merge(self, timeframe: Timeframe, bars: Iterable[Bar], wanted: FetchRange, *, is_first: bool = False) -> Merged:
        """Take one answer of the venue. `is_first`: a start load, whose bars are history and not news.

        What was closed is what had closed when the question was asked (`wanted.until_ms`): a bar that closes while the
        answer travels is still the running one in it.
        """
        result = Merged()
        series = self.series[timeframe]
        step, until_ms = series.step_ms, wanted.until_ms
        newest = series.newest
        for bar in bars:
            if bar == newest:
                continue  # the newest bar read once more: by far the most frequent case
            if bar.open_ms == until_ms and series.newest_open_ms == until_ms - step and not is_first and is_sound(bar):
                self._append(series, bar, result)  # the one bar that was waited for
                continue
            fault = _fault_of(bar, wanted, step)
            if fault is not None:
                result.reject(self.symbol, timeframe, fault, bar.open_ms)
            elif bar.open_ms > until_ms:
                result.running += 1
            else:
                self._take(series, bar, result, is_first)
        return result

    def _append(self, series: BarSeries, bar: Bar, result: Merged) -> None:
        """`_take` for a sound bar that follows the newest: nothing to look up, and no gap."""
        series.append(bar)
        result.to_save.setdefault(series.timeframe, []).append(bar)
        result.new_bars.append(_closed_bar((self.symbol, series.timeframe, bar)))
        if not (bar.open_ms + series.step_ms) % _HOUR_MS:
            self._update_parent(series, bar.open_ms, Merge.APPENDED, result)

    def _take(self, series: BarSeries, bar: Bar, result: Merged, is_first: bool) -> None:
        """Merge one bar and whatever longer bars it completes or changes."""
        newest_before = series.newest_open_ms
        if newest_before is None or bar.open_ms > newest_before:
            before = None
        else:
            before = series.find(bar.open_ms)
            if before == bar:
                return
        merge = series.merge(bar)
        if merge is Merge.DUPLICATE or merge is Merge.TOO_OLD:
            return
        result.to_save.setdefault(series.timeframe, []).append(bar)
        if merge is Merge.APPENDED:
            if not is_first:
                result.new_bars.append(ClosedBar(self.symbol, series.timeframe, bar))
            if newest_before is not None and bar.open_ms - newest_before != series.step_ms:
                gap = Gap(newest_before + series.step_ms, bar.open_ms - series.step_ms)
                result.gaps.append(SeriesGap(self.symbol, series.timeframe, gap))
        else:
            # volume alone decides nothing, so it rebuilds nothing
            result.must_rebuild |= merge is not Merge.VOLUME_CORRECTED
            if before is not None and merge is Merge.CORRECTED:
                result.corrections.append(Correction(self.symbol, series.timeframe, before, bar))
        if not is_first:
            self._update_parent(series, bar.open_ms, merge, result)

    def _update_parent(self, child: BarSeries, child_open_ms: int, merge: Merge, result: Merged) -> None:
        parent = self._chain.get(child)
        if parent is None:
            return
        length = parent.step_ms
        if merge is Merge.APPENDED and (child_open_ms + child.step_ms) % length:
            return  # not the last child: the longer bar is still running
        made = child.aggregate(child_open_ms - child_open_ms % length, length)
        # a longer bar whose predecessor is missing waits: the fetch that brings the predecessor brings it too
        if made is not None and (parent.newest_open_ms is None or made.open_ms <= parent.newest_open_ms + length):
            self._take(parent, made, result, is_first=False)


def _fault_of(bar: Bar, wanted: FetchRange, step_ms: int) -> BarFault | None:
    """What is wrong with a bar of an answer. The running bar may be in it, and the next one while the answer travels."""
    if bar.open_ms > wanted.until_ms + 2 * step_ms:
        return BarFault.FUTURE
    if bar.open_ms < wanted.since_ms:
        return BarFault.UNASKED
    if bar.open_ms % step_ms:
        return BarFault.MISALIGNED
    return None if is_sound(bar) else BarFault.UNSOUND
