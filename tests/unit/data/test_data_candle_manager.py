"""Closed bars through the manager, against a venue that also serves the running bar."""

from __future__ import annotations

import asyncio

from data_builders import ADA, BTC, D1, ETH, H1, H4, M15, FakeVenue, ManualClock, MemoryStore, a_bar, at, join, ms, truth

from trading_system.data.candle_manager import CandleManager
from trading_system.data.candle_schedule import CandleParameters, FetchRange
from trading_system.data.data_health import HealthState
from trading_system.data.symbol_candles import SymbolCandles
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import to_ms

DAYS = 4
START = ms(-24 * DAYS)


class Desk:
    """A manager, its venue and a clock; `bars` exist for four days before midnight and one after."""

    def __init__(self, *symbols: Symbol, store: MemoryStore | None = None, parameters: CandleParameters | None = None) -> None:
        self.symbols = symbols or (ADA,)
        self.clock = ManualClock(at())
        self.venue = FakeVenue(self.clock, bars={s: truth(START, 96 * (DAYS + 1)) for s in self.symbols})
        self.manager = CandleManager(self.venue, self.clock, store, parameters)

    def bars(self, symbol: Symbol, timeframe: Timeframe, limit: int | None = None) -> tuple[Bar, ...]:
        series = self.manager.series(symbol, timeframe)
        return () if series is None else tuple(series.tail(limit))

    async def started(self) -> Desk:
        await self.manager.start(self.symbols)
        self.manager.drain()
        self.venue.asked.clear()
        return self

    async def refresh_at(self, hours: float, minutes: float = 0.0) -> None:
        self.clock.moment = at(hours, minutes=minutes)
        await self.manager.refresh(self.symbols)

    async def walk(self, until_hour: float, every_minutes: int = 15) -> None:
        for minute in range(every_minutes, int(until_hour * 60) + 1, every_minutes):
            await self.refresh_at(0, minute)

    def expected(self, timeframe: Timeframe, until_ms: int, symbol: Symbol = ADA) -> list[Bar]:
        groups: dict[int, list[Bar]] = {}
        for open_ms, bar in self.venue.bars[symbol].items():
            groups.setdefault(timeframe.open_of(open_ms), []).append(bar)
        return [join(kids, o) for o, kids in sorted(groups.items()) if o + timeframe.ms <= until_ms]


async def test_a_start_reads_every_timeframe_and_asks_for_a_rebuild_not_for_single_bars() -> None:
    desk, progress = Desk(), []

    report = await desk.manager.start([ADA], lambda done, total: progress.append((done, total)))

    updates = desk.manager.drain()
    assert (report.requests, report.failures, updates.new_bars, updates.rebuild) == (4, (), (), (ADA,))
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for timeframe in Timeframe:
        assert list(desk.bars(ADA, timeframe)) == desk.expected(timeframe, ms())


async def test_history_comes_in_order_of_closing_with_the_longer_frame_first() -> None:
    desk = await Desk().started()

    fed = list(desk.manager.history(ADA))

    closes = [(e.bar.open_ms + e.timeframe.ms, -e.timeframe.ms) for e in fed]
    assert closes == sorted(closes)
    assert [e.timeframe for e in fed[-4:]] == [D1, H4, H1, M15]
    assert len(fed) == DAYS * (96 + 24 + 6 + 1)


async def test_every_closed_bar_is_handed_out_once_and_longer_ones_are_made_of_15m() -> None:
    desk = await Desk().started()
    fed = []

    for minute in range(1, 24 * 60 + 1):
        await desk.refresh_at(0, minute)
        updates = desk.manager.drain()
        assert updates.rebuild == ()
        fed += updates.new_bars

    by_frame = {t: [e.bar for e in fed if e.timeframe is t] for t in Timeframe}
    assert by_frame == {t: [b for b in desk.expected(t, ms(24)) if b.open_ms >= ms()] for t in Timeframe}
    assert {t for _, t, _, _ in desk.venue.asked} == {M15}
    assert len(desk.venue.asked) == 96


async def test_a_running_bar_never_passes_even_when_it_closes_while_the_answer_travels() -> None:
    desk = await Desk().started()
    serve = desk.venue.candles

    async def slow(symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        bars = await serve(symbol, timeframe, since_ms, until_ms)  # the running bar is in it ...
        desk.clock.moment = at(0, minutes=30, seconds=1)  # ... and its time is over when we look
        return bars

    desk.venue.candles = slow  # type: ignore[method-assign]
    desk.clock.moment = at(0, minutes=29, seconds=59)
    await desk.manager.refresh([ADA])

    assert desk.manager.newest_close_ms(ADA, M15) == ms(0, minutes=15)


async def test_a_bar_taken_while_still_running_because_our_clock_is_ahead_is_corrected_and_rebuilds_the_engine() -> None:
    desk = await Desk().started()
    running = a_bar(ms(), 77.0)
    final, desk.venue.bars[ADA][ms()] = desk.venue.bars[ADA][ms()], running
    await desk.refresh_at(0, 15)
    assert desk.manager.drain().new_bars[-1].bar == running
    desk.venue.bars[ADA][ms()] = final

    desk.clock.moment = at(0, minutes=30)
    report = await desk.manager.refresh([ADA])

    assert [(c.before, c.now) for c in report.corrections] == [(running, final)]
    assert desk.manager.drain().rebuild == (ADA,)
    assert desk.bars(ADA, M15, 2) == (final, desk.venue.bars[ADA][ms(0, minutes=15)])


async def test_a_corrected_15m_bar_corrects_the_longer_bars_made_of_it() -> None:
    desk = await Desk().started()
    await desk.walk(1)
    desk.venue.bars[ADA][ms(0, minutes=45)] = a_bar(ms(0, minutes=45), 300.0)

    await desk.refresh_at(1, 15)

    assert list(desk.bars(ADA, H1)) == desk.expected(H1, ms(1))


async def test_a_corrected_volume_rebuilds_nothing() -> None:
    desk = await Desk().started()
    await desk.refresh_at(0, 15)
    desk.manager.drain()
    desk.venue.bars[ADA][ms()] = desk.venue.bars[ADA][ms()]._replace(volume=1234.0)

    await desk.refresh_at(0, 30)

    assert desk.manager.drain().rebuild == ()
    assert desk.bars(ADA, M15, 2)[0].volume == 1234.0


async def test_a_missing_15m_bar_stays_a_gap_and_the_longer_bar_is_fetched() -> None:
    desk = await Desk().started()
    del desk.venue.bars[ADA][ms(0, minutes=30)]
    own = a_bar(ms(), 42.0)
    desk.venue.overrides[ADA, H1, ms()] = own

    reports = []
    for minute in (15, 30, 45, 60):
        desk.clock.moment = at(0, minutes=minute)
        reports.append(await desk.manager.refresh([ADA]))

    fed = desk.manager.drain().new_bars
    assert [e.bar for e in fed if e.timeframe is H1] == [own]
    assert [e.bar.open_ms for e in fed if e.timeframe is M15] == [ms(), ms(0, minutes=15), ms(0, minutes=45)]
    assert [(g.timeframe, g.gap) for r in reports for g in r.gaps] == [(M15, (ms(0, minutes=30), ms(0, minutes=30)))]


async def test_a_longer_bar_waits_for_its_missing_predecessor_which_is_fetched_with_it() -> None:
    desk = await Desk().started()
    del desk.venue.bars[ADA][ms(0, minutes=30)]

    await desk.refresh_at(2)  # one catch-up read over both hours: the first lacks a child

    assert [b.open_ms for b in desk.bars(ADA, H1, 2)] == [ms(0), ms(1)]
    fed = desk.manager.drain()
    assert [e.bar.open_ms for e in fed.new_bars if e.timeframe is H1] == [ms(0), ms(1)]
    assert fed.rebuild == ()


async def test_bars_that_come_a_cycle_late_are_plain_news() -> None:
    desk = await Desk().started()
    late = desk.venue.bars[ADA].pop(ms(0, minutes=15))
    await desk.refresh_at(0, 30)
    desk.venue.bars[ADA][late.open_ms] = late
    await desk.refresh_at(0, 45)

    assert desk.manager.drain().rebuild == ()
    assert desk.bars(ADA, M15, 3)[1] == late


async def test_a_fresh_hole_is_asked_for_again_and_filling_it_rebuilds_the_engine() -> None:
    desk = await Desk().started()
    late = desk.venue.bars[ADA].pop(ms(0, minutes=15))
    await desk.refresh_at(0, 45)  # the bar after the hole is known and fed
    desk.manager.drain()
    desk.venue.bars[ADA][late.open_ms] = late

    await desk.refresh_at(1)

    updates = desk.manager.drain()
    assert (updates.rebuild, updates.new_bars) == ((ADA,), ())
    assert list(desk.bars(ADA, M15)) == desk.expected(M15, ms(1))
    assert list(desk.bars(ADA, H1)) == desk.expected(H1, ms(1))


async def test_unsound_misaligned_and_unasked_bars_are_counted_and_left_out() -> None:
    desk = await Desk().started()
    good = desk.venue.bars[ADA][ms()]

    async def odd(symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        return (a_bar(ms(-50)), good._replace(open_ms=ms() + 1), good._replace(high=float("nan")), good)

    desk.venue.candles = odd  # type: ignore[method-assign]
    desk.clock.moment = at(0, minutes=30)
    report = await desk.manager.refresh([ADA])

    assert report.rejected_count == 3
    assert [e.bar for e in desk.manager.drain().new_bars] == [good]


async def test_one_failing_symbol_costs_the_others_nothing() -> None:
    desk = await Desk(ADA, BTC, ETH).started()
    desk.venue.failing = {BTC}

    desk.clock.moment = at(0, minutes=15)
    report = await desk.manager.refresh(desk.symbols)

    assert [e.symbol for e in desk.manager.drain().new_bars] == [ADA, ETH]
    assert [(f.symbol, f.timeframe, f.why) for f in report.failures] == [(BTC, M15, "ReadFailed: candles")]
    assert desk.manager.health.of(BTC).failures == 1


async def test_a_symbol_is_degraded_after_three_failures_asked_in_one_cycle_of_four_and_heals_after_three_successes() -> None:
    desk = await Desk().started()
    desk.venue.failing = {ADA}
    for minute in (15, 16, 17):
        await desk.refresh_at(0, minute)
    assert desk.manager.health.state(ADA) is HealthState.DEGRADED
    desk.venue.asked.clear()

    for minute in range(18, 26):
        await desk.refresh_at(0, minute)
    assert len(desk.venue.asked) == 2
    desk.venue.failing = set()
    for minute in range(26, 38):
        await desk.refresh_at(0, minute)

    assert desk.manager.health.state(ADA) is HealthState.HEALTHY
    assert desk.manager.newest_close_ms(ADA, M15) == ms(0, minutes=30)


async def test_a_symbol_whose_start_failed_is_loaded_whole_later_and_never_looks_like_a_history_before() -> None:
    desk = Desk()
    desk.venue.failing = {ADA}
    await desk.manager.start([ADA])
    assert not desk.manager.is_loaded(ADA)
    desk.venue.failing = set()

    await desk.refresh_at(0, 16)

    assert desk.manager.drain().rebuild == (ADA,)
    assert list(desk.bars(ADA, H4)) == desk.expected(H4, ms(0, minutes=16))


async def test_a_symbol_of_which_one_timeframe_is_missing_has_no_history_and_only_that_one_is_read_again() -> None:
    desk = Desk()
    serve = desk.venue.candles

    async def no_days(symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        if timeframe is D1:
            raise ReadFailed("days")
        return await serve(symbol, timeframe, since_ms, until_ms)

    desk.venue.candles = no_days  # type: ignore[method-assign]
    report = await desk.manager.start([ADA])
    assert [f.timeframe for f in report.failures] == [D1]
    assert (desk.manager.is_loaded(ADA), list(desk.manager.history(ADA)), desk.manager.drain().rebuild) == (False, [], ())
    desk.venue.candles = serve  # type: ignore[method-assign]
    desk.venue.asked.clear()

    await desk.refresh_at(0, 1)

    assert [t for _, t, _, _ in desk.venue.asked] == [D1]
    assert desk.manager.drain().rebuild == (ADA,)


async def test_a_new_symbol_is_loaded_in_full_and_one_that_left_is_dropped() -> None:
    desk = Desk(ADA, BTC)
    await desk.manager.start([ADA])
    desk.manager.drain()

    desk.clock.moment = at(0, minutes=15)
    await desk.manager.refresh([BTC])

    assert desk.manager.drain().rebuild == (BTC,)
    assert desk.manager.series(ADA, M15) is None
    assert desk.manager.bar_count(BTC, D1) == DAYS


async def test_stored_bars_are_hydrated_and_only_the_tail_is_read_from_the_venue() -> None:
    small = CandleParameters(capacity={M15: 96, H1: 24, H4: 6, D1: 2})
    store = MemoryStore()
    await Desk(store=store, parameters=small).started()
    desk = Desk(store=store, parameters=small)
    desk.clock.moment = at(1, minutes=1)

    report = await desk.manager.start([ADA])

    assert report.hydrated > 0
    assert (ADA, M15, ms(-0.25), ms(0, minutes=45)) in desk.venue.asked
    assert list(desk.bars(ADA, M15)) == desk.expected(M15, ms(1))[-96:]


async def test_a_dead_store_costs_only_time() -> None:
    desk = Desk(store=MemoryStore(is_dead=True))

    report = await desk.manager.start([ADA])

    assert report.store_failure == "ReadFailed: store"
    assert desk.manager.is_loaded(ADA)


async def test_new_and_corrected_bars_of_every_timeframe_are_saved_once() -> None:
    store = MemoryStore()
    desk = await Desk(store=store).started()
    await desk.walk(4)

    for timeframe in Timeframe:
        assert sorted(store.stored[timeframe][ADA].values()) == desk.expected(timeframe, ms(4))


async def test_the_audit_takes_the_venues_own_bar_over_ours() -> None:
    desk = await Desk().started()
    await desk.walk(1)
    desk.manager.drain()
    own = a_bar(ms(), 55.0)
    desk.venue.overrides[ADA, H1, ms()] = own

    found = await desk.manager.audit_next()

    assert [(m.timeframe, m.venues) for m in found.mismatches] == [(H1, own)]
    assert desk.bars(ADA, H1, 1) == (own,)
    assert desk.manager.drain().rebuild == (ADA,)
    assert (await desk.manager.audit_next()).mismatches == ()


async def test_after_an_outage_of_hours_everything_missing_arrives_in_order() -> None:
    desk = await Desk().started()
    desk.venue.failing = {ADA}
    await desk.walk(5, every_minutes=5)
    desk.venue.failing = set()

    for minute in range(301, 306):
        await desk.refresh_at(0, minute)

    fed = desk.manager.drain().new_bars
    closes = [e.bar.open_ms + e.timeframe.ms for e in fed]
    assert closes == sorted(closes)
    assert [e.bar for e in fed if e.timeframe is M15] == [b for b in desk.expected(M15, ms(5)) if b.open_ms >= ms()]


async def test_volume_ratio_compares_the_newest_bar_with_the_median_before_it() -> None:
    desk = await Desk().started()
    desk.venue.bars[ADA][ms()] = desk.venue.bars[ADA][ms()]._replace(volume=0.4)
    await desk.refresh_at(0, 15)

    assert desk.manager.volume_ratio(ADA) == 0.4 / 4.0
    assert desk.manager.volume_ratio(BTC) is None


async def test_no_more_than_the_allowed_number_of_reads_run_at_once() -> None:
    symbols = tuple(Symbol(f"C{i}/USD") for i in range(20))
    desk = Desk(*symbols, parameters=CandleParameters(concurrency=5))
    serve, running, most = desk.venue.candles, 0, 0

    async def counted(symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        bars = await serve(symbol, timeframe, since_ms, until_ms)
        running -= 1
        return bars

    desk.venue.candles = counted  # type: ignore[method-assign]
    await desk.manager.start(symbols)

    assert most == 5
    assert to_ms(desk.clock.now()) == ms()


def test_an_answer_that_tells_the_awaited_bar_twice_and_differently_is_a_correction() -> None:
    candles = SymbolCandles(ADA, CandleParameters())
    candles.merge(M15, [a_bar(ms(0, minutes=0))], FetchRange(ms(), ms()), is_first=True)
    awaited, other = a_bar(ms(0, minutes=15), 100.0), a_bar(ms(0, minutes=15), 101.0)

    merged = candles.merge(M15, [awaited, other], FetchRange(ms(), ms(0, minutes=15)))

    assert [entry.bar for entry in merged.new_bars] == [awaited]
    assert [(found.before, found.now) for found in merged.corrections] == [(awaited, other)]
    assert merged.must_rebuild
    assert merged.to_save == {M15: [awaited, other]}
