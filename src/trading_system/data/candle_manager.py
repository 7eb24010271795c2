"""Closed bars of every managed symbol: fetched, merged, aggregated, handed out once and in order of time.

The trap it avoids: a running bar frozen for ever as closed. A bar passes only when its close lies in the past, the newest
one is read again with the next, and a difference is a correction that rebuilds the symbol's engine.

15m bars come from the venue; 1h, 4h and 1d are made of them locally, and a bar with a missing child is fetched.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median
from typing import Final

from trading_system.data.bar_series import BarSeries, same_prices
from trading_system.data.candle_schedule import CandleParameters, FetchRange, plan_start, window_start
from trading_system.data.candle_updates import (
    AuditMismatch,
    AuditReport,
    BarUpdates,
    CandleReport,
    ClosedBar,
    FetchFailure,
    HealthChange,
    Merged,
    ReportBuilder,
)
from trading_system.data.data_health import HealthBook
from trading_system.data.health_file import HealthFile
from trading_system.data.symbol_candles import Lane, SymbolCandles
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import CandleStore, Clock, MarketData
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import to_ms

Progress = Callable[[int, int], None]
"""Called with (series loaded, series in all)."""

_FETCH_ERRORS: Final = (ReadFailed, OSError, TimeoutError, ValueError)
_LONG_ANSWER: Final = 200
"""Bars from which on an answer is merged with a breath of the loop after it."""
_PARENTS: Final = (Timeframe.H1, Timeframe.H4, Timeframe.D1)


class CandleManager:
    """One per process, owned by the loop. `store` None: nothing is hydrated or saved (backtest, torture)."""

    def __init__(
        self,
        market_data: MarketData,
        clock: Clock,
        store: CandleStore | None = None,
        parameters: CandleParameters | None = None,
        health: HealthBook | None = None,
        health_file: HealthFile | None = None,
    ) -> None:
        self.parameters = parameters or CandleParameters()
        self.health = health or HealthBook()
        self._health_file = health_file
        self._market_data = market_data
        self._clock = clock
        self._store = store
        self._symbols: dict[Symbol, SymbolCandles] = {}
        # reads one after another queue for nothing
        self._slots = asyncio.Semaphore(self.parameters.concurrency) if self.parameters.concurrency > 1 else None
        self._one_by_one = asyncio.Lock()
        self._new_bars: list[ClosedBar] = []
        self._rebuild: dict[Symbol, None] = {}
        """In order of arrival; a dict because a set's order is not a function of the inputs."""
        self._gone: dict[Symbol, None] = {}
        self._audit_turn = 0

    async def start(self, symbols: Iterable[Symbol], progress: Progress | None = None) -> CandleReport:
        """Hydrate from the store, then read every timeframe of every symbol from the venue, then merge.

        A symbol whose reads fail is loaded by a later `refresh`; a failing store is reported and costs only time.
        """
        wanted = tuple(dict.fromkeys(symbols))
        self._track(wanted)
        report = ReportBuilder()
        if self._store is not None:
            await self._hydrate(self._store, report)
        return await self._refresh(report, progress)

    async def refresh(self, symbols: Iterable[Symbol]) -> CandleReport:
        """Read what is due of `symbols` (new ones in full; others are dropped). Never raises for a failed read."""
        self._track(tuple(dict.fromkeys(symbols)))
        return await self._refresh(ReportBuilder(), None)

    def drain(self) -> BarUpdates:
        """Hand out everything since the last call, once: bars by close time, and symbols whose engine must be rebuilt.

        A bar of a symbol in `rebuild` is not listed: `history(symbol)` contains it.
        """
        new_bars = [entry for entry in self._new_bars if entry.symbol not in self._rebuild and entry.symbol in self._symbols]
        new_bars.sort(key=_feed_key)
        rebuild = tuple(s for s in self._rebuild if s in self._symbols)
        updates = BarUpdates(tuple(new_bars), rebuild, tuple(s for s in self._gone if s not in self._symbols))
        self._new_bars, self._rebuild, self._gone = [], {}, {}
        return updates

    def history(self, symbol: Symbol) -> Iterator[ClosedBar]:
        """All kept bars of a symbol in feeding order, for a warm-up; empty when it is not loaded yet."""
        candles = self._symbols.get(symbol)
        if candles is None or not candles.is_loaded:
            return iter(())
        return heapq.merge(*(_feed(symbol, series) for series in candles.series.values()), key=_feed_key)

    def has_news(self, symbol: Symbol) -> bool:
        """True while bars of the symbol were read and not handed out yet."""
        return symbol in self._rebuild or any(entry.symbol == symbol for entry in self._new_bars)

    def is_loaded(self, symbol: Symbol) -> bool:
        """True once every timeframe was read from the venue: one fresh bar never looks like a history."""
        candles = self._symbols.get(symbol)
        return candles is not None and candles.is_loaded

    def closes(self, symbol: Symbol, timeframe: Timeframe, limit: int) -> tuple[Sequence[int], Sequence[float]]:
        """Open times and closes of the newest `limit` closed bars, oldest first; empty for an unknown symbol."""
        series = self.series(symbol, timeframe)
        return series.closes(limit) if series is not None else ((), ())

    def series(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries | None:
        """The series itself, for reading only."""
        candles = self._symbols.get(symbol)
        return candles.series[timeframe] if candles else None

    def bar_count(self, symbol: Symbol, timeframe: Timeframe) -> int:
        series = self.series(symbol, timeframe)
        return len(series) if series is not None else 0

    def newest_close_ms(self, symbol: Symbol, timeframe: Timeframe) -> int | None:
        """When the newest closed bar closed, market ms; None without one."""
        candles = self._symbols.get(symbol)
        return None if candles is None else candles.series[timeframe].newest_close_ms

    def volume_ratio(self, symbol: Symbol, lookback: int = 96) -> float | None:
        """Volume of the newest 15m bar ÷ median of the `lookback` before it; None without bars or with a zero median."""
        series = self.series(symbol, Timeframe.M15)
        if series is None or len(series) < 2:
            return None
        volumes = series.volumes(lookback + 1)
        typical = median(volumes[:-1])
        return volumes[-1] / typical if typical > 0 else None

    async def audit(self, symbols: Iterable[Symbol]) -> AuditReport:
        """Compare the newest local 1h, 4h and 1d bars with the venue's own; where they differ the venue's is taken over."""
        found: list[AuditMismatch] = []
        report = ReportBuilder()
        async with asyncio.TaskGroup() as group:
            for symbol in symbols:
                candles = self._symbols.get(symbol)
                if candles is not None and candles.is_loaded:
                    for timeframe in _PARENTS:
                        group.create_task(self._audit_series(candles, timeframe, found, report))
        return AuditReport(tuple(sorted(found, key=lambda m: (m.symbol, m.timeframe.ms, m.ours.open_ms))), report.build())

    async def audit_next(self, count: int = 1) -> AuditReport:
        """Audit the next `count` symbols in turn: called once per cycle this goes round the universe."""
        names = sorted(self._symbols)
        if not names:
            return await self.audit(())
        chosen = [names[(self._audit_turn + i) % len(names)] for i in range(min(count, len(names)))]
        self._audit_turn = (self._audit_turn + len(chosen)) % len(names)
        return await self.audit(chosen)

    def _track(self, wanted: tuple[Symbol, ...]) -> None:
        if wanted == tuple(self._symbols):
            return
        known = self._symbols
        self._symbols = {s: known.get(s) or SymbolCandles(s, self.parameters) for s in wanted}
        self._gone.update((s, None) for s in known if s not in self._symbols)
        self.health.keep_only(wanted)

    async def _hydrate(self, store: CandleStore, report: ReportBuilder) -> None:
        """Symbol by symbol: the loop breathes in between, and no whole universe of bars is in memory at once."""
        now_ms = to_ms(self._clock.now())
        since_ms = {timeframe: window_start(timeframe, now_ms, self.parameters) for timeframe in Timeframe}
        for candles in tuple(self._symbols.values()):
            try:
                stored = await store.load(candles.symbol, since_ms)
            except _FETCH_ERRORS as error:
                report.store_failure = f"{type(error).__name__}: {error}"
                return
            for timeframe, bars in stored.items():
                report.hydrated += candles.hydrate(timeframe, bars, now_ms)
                await self._clock.sleep(0)

    async def _refresh(self, report: ReportBuilder, progress: Progress | None) -> CandleReport:
        now_ms = to_ms(self._clock.now())
        loading = sum(not c.is_loaded for c in self._symbols.values()) * len(Timeframe)
        step = _counter(loading, progress)
        due, health = [], self.health
        is_spotless = health.is_spotless
        for candles in self._symbols.values():
            if candles.is_quiet(now_ms) and candles.is_loaded and (is_spotless or health.is_healthy(candles.symbol)):
                continue
            if is_spotless or health.take_turn(candles.symbol, now_ms):
                due.append(candles)
            else:
                report.skipped.append(candles.symbol)
        if self.parameters.concurrency == 1:
            # one after another needs no tasks: in a backtest, where nothing waits, they would be most of the work
            for candles in due:
                if candles.is_loaded:
                    await self._refresh_symbol(candles, now_ms, report)
                else:
                    await self._load_symbol(candles, now_ms, report, step)
        else:
            async with asyncio.TaskGroup() as group:
                for candles in due:
                    group.create_task(self._read_symbol(candles, now_ms, report, step))
        if self._health_file is not None:
            failure = await asyncio.to_thread(self._health_file.save, self.health)
            report.store_failure = report.store_failure or failure
        return report.build()

    async def _read_symbol(self, candles: SymbolCandles, now_ms: int, report: ReportBuilder, step: Callable[[], None]) -> None:
        if candles.is_loaded:
            await self._refresh_symbol(candles, now_ms, report)
        else:
            await self._load_symbol(candles, now_ms, report, step)

    async def _load_symbol(self, candles: SymbolCandles, now_ms: int, report: ReportBuilder, step: Callable[[], None]) -> None:
        """Read all four timeframes; the symbol counts as loaded only when all came."""

        async def load(lane: Lane) -> None:
            series = lane.series
            wanted = plan_start(
                lane.timeframe, series.oldest_open_ms, series.newest_open_ms, series.is_contiguous(), now_ms, self.parameters
            )
            if await self._fetch_into(candles, lane, wanted, now_ms, report, is_first=True):
                candles.note_loaded(lane.timeframe)
            step()

        missing = [x for x in candles.lanes if x.timeframe not in candles.loaded and not x.ask.is_within_floor(now_ms, self.parameters)]
        if not missing:
            return
        async with asyncio.TaskGroup() as group:
            for lane in missing:
                group.create_task(load(lane))
        self._book_health(candles.symbol, all(lane.timeframe in candles.loaded for lane in missing), now_ms, report)
        if candles.is_loaded:
            self._rebuild[candles.symbol] = None

    async def _refresh_symbol(self, candles: SymbolCandles, now_ms: int, report: ReportBuilder) -> None:
        """15m first; what it could not make of the longer frames is fetched."""
        is_asked, is_read = False, True
        is_probe = not self.health.is_spotless and not self.health.is_healthy(candles.symbol)
        for lane, wanted in candles.wanted(now_ms, is_probe=is_probe):
            is_asked = True
            is_read = await self._fetch_into(candles, lane, wanted, now_ms, report) and is_read
        candles.note_checked()
        if is_asked:
            self._book_health(candles.symbol, is_read, now_ms, report)

    async def _fetch_into(
        self, candles: SymbolCandles, lane: Lane, wanted: FetchRange, now_ms: int, report: ReportBuilder, *, is_first: bool = False
    ) -> bool:
        """Read one range and merge it. False when the read failed."""
        bars = await self._fetch(candles.symbol, lane.timeframe, wanted, report)
        if bars is None:
            lane.ask.note_failed(now_ms)
            return False
        lane.ask.note(now_ms, wanted.until_ms)
        if len(bars) < _LONG_ANSWER:
            self._merge(candles, lane, bars, wanted, report, is_first=is_first)
            return True
        # fifty whole histories that arrive together would hold the loop for as long as all of them take
        async with self._one_by_one:
            self._merge(candles, lane, bars, wanted, report, is_first=is_first)
            await self._clock.sleep(0)
        return True

    def _merge(
        self, candles: SymbolCandles, lane: Lane, bars: tuple[Bar, ...], wanted: FetchRange, report: ReportBuilder, *, is_first: bool
    ) -> None:
        merged = candles.merge(lane.timeframe, bars, wanted, is_first=is_first)
        self._take_over(candles, merged, report)

    def _take_over(self, candles: SymbolCandles, merged: Merged, report: ReportBuilder) -> None:
        report.add(merged)
        self._new_bars.extend(merged.new_bars)
        if merged.must_rebuild and candles.is_loaded:
            self._rebuild[candles.symbol] = None
        if self._store is not None:
            for timeframe, bars in merged.to_save.items():
                self._store.save(candles.symbol, timeframe, bars)

    async def _fetch(self, symbol: Symbol, timeframe: Timeframe, wanted: FetchRange, report: ReportBuilder) -> tuple[Bar, ...] | None:
        if self._slots is not None:
            await self._slots.acquire()
        report.requests += 1
        try:
            return await self._market_data.candles(symbol, timeframe, wanted.since_ms, wanted.until_ms)
        except _FETCH_ERRORS as error:
            report.failures.append(FetchFailure(symbol, timeframe, f"{type(error).__name__}: {error}"))
            return None
        finally:
            if self._slots is not None:
                self._slots.release()

    def _book_health(self, symbol: Symbol, is_read: bool, now_ms: int, report: ReportBuilder) -> None:
        if is_read and self.health.is_spotless:
            return  # nothing ever failed: there is nothing to heal
        before = self.health.state(symbol)
        if is_read:
            self.health.succeeded(symbol, now_ms)
        else:
            self.health.failed(symbol, now_ms)
        now = self.health.state(symbol)
        if now is not before:
            report.health.append(HealthChange(symbol, before, now))

    async def _audit_series(self, candles: SymbolCandles, timeframe: Timeframe, found: list[AuditMismatch], report: ReportBuilder) -> None:
        newest = candles.series[timeframe].newest_open_ms
        if newest is None:
            return
        wanted = FetchRange(newest - (self.parameters.audit_bars - 1) * timeframe.ms, newest)
        bars = await self._fetch(candles.symbol, timeframe, wanted, report)
        for bar in bars or ():
            ours = candles.series[timeframe].find(bar.open_ms)
            if ours is not None and not same_prices(ours, bar):
                found.append(AuditMismatch(candles.symbol, timeframe, ours, bar))
        if bars:
            self._take_over(candles, candles.merge(timeframe, bars, wanted), report)


def _feed(symbol: Symbol, series: BarSeries) -> Iterator[ClosedBar]:
    timeframe = series.timeframe
    return (ClosedBar(symbol, timeframe, bar) for bar in series.tail())


def _feed_key(entry: ClosedBar) -> tuple[int, int]:
    """By close time; of bars that close together the longer frame first, so that a 15m close sees all that is closed by then."""
    length = entry.timeframe.ms
    return entry.bar.open_ms + length, -length


def _counter(total: int, progress: Progress | None) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return step
