"""FaultyVenue: each fault class does what it says, is counted, and stops in the quiet phase."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_builders import BTC, START_MS, D, ScriptedPath
from trading_system.domain.account import FeedFill, FeedReset, FlowKind
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar
from trading_system.domain.orders import ClientOrderId, EntryOrder, EntryStyle, FillKind, OutcomeUnknown, Placed, Rejected, Side, StopOrder
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty, from_ms
from trading_system.sim.exchange import SimExchange
from trading_system.sim.fault_data import distort_bars
from trading_system.sim.fault_plan import FaultKind, FaultPlan, Moment, Window, draw_moments, draw_plan, draw_windows, plan_of
from trading_system.sim.fault_reads import PastValues
from trading_system.sim.faults import FaultyVenue
from trading_system.sim.model import SendRequest
from trading_system.sim.rng import seeded
from trading_system.wiring.clock import LoopClock
from trading_system.wiring.virtual_loop import VirtualLoop, run_virtual

SYMBOL = Symbol("BTC/USD")
START = from_ms(START_MS)


class World:
    """An exchange, a faulty venue on it, and the acts with their actors."""

    def __init__(self, loop: VirtualLoop, plan: FaultPlan, *windows: Window, moments: tuple[Moment, ...] = ()) -> None:
        self.clock = LoopClock(loop, START)
        self.exchange = SimExchange(ScriptedPath())
        self.actors: list[str] = []
        self.venue = FaultyVenue(self.exchange, plan, self.clock, act_as=self.actors.append)
        self.venue._coming += windows
        self.venue._moments += moments

    @property
    def position(self) -> Any:
        return sum((row.size for row in self.exchange.positions()), D(0))

    async def wait(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        await self.venue.catch_up()


def in_world(
    test: Callable[[World], Awaitable[None]], *windows: Window, until_s: float = 1e9, moments: tuple[Moment, ...] = (), **rates: float
) -> None:
    async def run(loop: VirtualLoop) -> None:
        await test(World(loop, plan_of(1, until_s, **rates), *windows, moments=moments))

    run_virtual(run)


def an_entry(number: int = 1, seconds: float = 3600) -> EntryOrder:
    key = ClientOrderId(f"en-{number}")
    return EntryOrder(key, SYMBOL, Side.BUY, Qty(D("0.01")), EntryStyle.IOC, Price(D(80_200)), START + timedelta(seconds=seconds))


def a_stop(number: int = 1) -> StopOrder:
    return StopOrder(ClientOrderId(f"sl-{number}"), SYMBOL, Side.SELL, Qty(D("0.01")), Price(D(79_000)))


# --- requests ---------------------------------------------------------------------------------------------------------


def test_without_faults_everything_works_and_nothing_is_counted() -> None:
    async def run(world: World) -> None:
        assert isinstance(await world.venue.submit(an_entry()), Placed)
        assert isinstance(await world.venue.submit(a_stop()), Placed)
        assert (len(await world.venue.positions()), len(await world.venue.open_orders()), len(await world.venue.fills(START))) == (1, 1, 1)
        assert not world.venue.counts

    in_world(run)


def test_a_lost_request_is_unknown_after_the_deadline_and_never_existed() -> None:
    async def run(world: World) -> None:
        assert isinstance(await world.venue.submit(an_entry()), OutcomeUnknown)
        assert (world.clock.monotonic(), world.position) == (10.0, 0)
        assert world.venue.counts == {"request_lost": 1}

    in_world(run, request_lost=1.0)


def test_a_lost_answer_is_unknown_and_the_order_was_filled() -> None:
    async def run(world: World) -> None:
        assert isinstance(await world.venue.submit(an_entry()), OutcomeUnknown)
        assert world.position == D("0.01")

    in_world(run, answer_lost=1.0)


def test_a_late_acceptance_happens_even_when_the_caller_is_dead() -> None:
    async def run(world: World) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await world.venue.submit(an_entry())
        assert world.position == 0
        await world.wait(46)
        assert world.position == D("0.01")

    in_world(run, accepted_late=1.0)


def test_a_late_packet_is_refused_by_the_venue_after_its_own_deadline() -> None:
    async def run(world: World) -> None:
        for number in range(20):
            await world.venue.submit(an_entry(number, seconds=5 + world.clock.monotonic()))
        await world.wait(60)
        assert 0 < world.position < D("0.1")

    in_world(run, accepted_late=1.0)


def test_a_duplicated_packet_is_accepted_twice_once_the_first_is_filled() -> None:
    async def run(world: World) -> None:
        assert isinstance(await world.venue.submit(an_entry()), Placed)
        await world.wait(4)
        assert world.position == D("0.02")
        assert world.actors == ["network", "daemon"]

    in_world(run, duplicated=1.0)


def test_delays_end_in_an_answer_or_in_the_unknown() -> None:
    async def run(world: World) -> None:
        outcomes = [await world.venue.submit(an_entry(number)) for number in range(12)]
        assert {type(outcome) for outcome in outcomes} == {Placed, OutcomeUnknown}
        await world.wait(10)
        assert world.position == D("0.12")

    in_world(run, delayed=1.0)


def test_refusals_of_one_kind_leave_the_other_kinds_alone() -> None:
    async def run(world: World) -> None:
        assert isinstance(await world.venue.submit(an_entry()), Placed)
        assert isinstance(await world.venue.submit(a_stop()), Rejected)
        assert world.venue.disturbed_ms(BTC) is not None

    in_world(run, stop_rejected=1.0)


# --- windows ----------------------------------------------------------------------------------------------------------


def test_an_outage_stops_everything_and_says_so() -> None:
    async def run(world: World) -> None:
        await world.venue.catch_up()
        assert not world.venue.is_reachable()
        assert not world.venue.accepts_stops(BTC)
        assert not world.venue.would_show(BTC, START_MS)
        with pytest.raises(ReadFailed):
            await world.venue.open_orders()
        assert isinstance(await world.venue.submit(an_entry()), OutcomeUnknown)
        await world.wait(60)
        assert world.position == 0
        assert world.venue.is_reachable()

    in_world(run, Window(FaultKind.OUTAGE, 0.0, 60.0))


def test_a_failing_read_fails_alone() -> None:
    async def run(world: World) -> None:
        with pytest.raises(ReadFailed):
            await world.venue.positions()
        assert await world.venue.open_orders() == ()
        assert not world.venue.would_show(BTC, START_MS - 1)

    in_world(run, Window(FaultKind.READS_FAIL, 0.0, 60.0, "positions"))


def test_a_stale_read_shows_the_past_and_each_model_has_its_own_lag() -> None:
    async def run(world: World) -> None:
        await world.wait(1)
        await world.venue.submit(an_entry())
        await world.venue.submit(a_stop())
        await world.wait(5)
        assert await world.venue.open_orders() == ()
        assert len(await world.venue.positions()) == 1
        assert await world.venue.fills(START) == ()
        assert not world.venue.would_show(BTC, world.exchange.now_ms - 5_000)
        await world.wait(12)
        assert len(await world.venue.open_orders()) == 1
        assert await world.venue.fills(START) == ()
        await world.wait(30)
        assert len(await world.venue.fills(START)) == 1

    in_world(run, Window(FaultKind.READS_STALE, 0.0, 600.0, "orders", 10.0), Window(FaultKind.READS_STALE, 0.0, 600.0, "fills", 40.0))


def test_refused_stops_are_refused_and_then_taken() -> None:
    async def run(world: World) -> None:
        await world.venue.submit(an_entry())
        assert isinstance(await world.venue.submit(a_stop()), Rejected)
        assert not world.venue.accepts_stops(BTC)
        assert world.venue.executes(BTC)
        await world.wait(31)
        assert isinstance(await world.venue.submit(a_stop()), Placed)

    in_world(run, Window(FaultKind.STOPS_REFUSED, 0.0, 30.0))


def test_a_closed_market_opens_again_when_its_windows_are_over() -> None:
    async def run(world: World) -> None:
        assert await world.venue.submit(an_entry()) == Rejected("marketIsPostOnly")
        assert not world.venue.executes(BTC)
        assert world.venue.accepts_stops(BTC)
        await world.wait(31)
        assert isinstance(await world.venue.submit(an_entry()), Placed)

    in_world(run, Window(FaultKind.MARKET_MODE, 0.0, 20.0, BTC, 0.1), Window(FaultKind.MARKET_MODE, 10.0, 30.0, "", 0.1))


# --- the acts of others -----------------------------------------------------------------------------------------------


def test_a_stop_vanishes_by_the_venue_and_a_position_is_closed_by_a_human() -> None:
    async def run(world: World) -> None:
        await world.venue.submit(an_entry())
        await world.venue.submit(a_stop())
        await world.wait(10)
        assert await world.venue.open_orders() == ()
        assert await world.venue.positions() == ()
        assert world.actors == ["venue", "daemon", "human", "daemon"]
        assert world.venue.counts == {"stop_vanishes": 1, "human_close": 1}

    in_world(run, moments=(Moment(FaultKind.STOP_VANISHES, 5.0, 0.1), Moment(FaultKind.HUMAN_CLOSE, 6.0, 0.1)))


def test_a_human_trades_and_moves_money() -> None:
    async def run(world: World) -> None:
        before = await world.venue.snapshot()
        await world.wait(10)
        assert await world.venue.positions() != ()
        assert (await world.venue.snapshot()).balance_value != before.balance_value
        assert all(fill.client_order_id is None for fill in await world.venue.fills(START))

    in_world(run, moments=(Moment(FaultKind.HUMAN_ORDER, 5.0, 0.3), Moment(FaultKind.MONEY_MOVES, 6.0, 0.1)))


def test_the_venue_takes_a_part_or_the_whole_of_a_position_away() -> None:
    async def run(world: World) -> None:
        await world.venue.submit(an_entry())
        await world.venue.submit(a_stop())
        await world.wait(5)
        assert world.position == D("0.006")
        await world.wait(5)
        assert world.position == 0
        assert await world.venue.open_orders() == ()
        assert [fill.kind for fill in await world.venue.fills(START)][-2:] == [FillKind.UNWIND, FillKind.UNWIND]
        assert set(world.actors) == {"venue", "daemon"}

    in_world(run, moments=(Moment(FaultKind.FORCED_CLOSE, 4.0, 0.6), Moment(FaultKind.FORCED_CLOSE, 8.0, 0.1)))


def test_funding_out_of_its_turn_costs_a_share_of_the_balance_and_is_in_the_account_log() -> None:
    async def run(world: World) -> None:
        await world.venue.submit(an_entry())
        before = (await world.venue.snapshot()).balance_value
        await world.wait(5)
        paid = before - (await world.venue.snapshot()).balance_value
        assert abs(paid / before - D("0.017")) < D("0.0001")
        assert sum(flow.amount for flow in await world.venue.flows(START) if flow.kind is FlowKind.FUNDING) == -paid

    in_world(run, moments=(Moment(FaultKind.FUNDING_DEBIT, 4.0, 0.5),))


def test_an_order_vanishes_without_a_word() -> None:
    async def run(world: World) -> None:
        await world.venue.submit(an_entry())
        await world.venue.submit(a_stop())
        await world.wait(5)
        assert await world.venue.open_orders() == ()
        assert await world.venue.order_status([ClientOrderId("sl-1")]) == ()
        assert world.venue.counts == {"order_vanishes": 1}

    in_world(run, moments=(Moment(FaultKind.ORDER_VANISHES, 4.0, 0.5),))


@pytest.mark.parametrize("kind", ["unwind", "charge_funding"])
def test_what_the_venue_does_by_force_is_played_again_from_its_record(kind: str) -> None:
    records: list[Mapping[str, Any]] = []
    exchange, again = SimExchange(ScriptedPath(), on_commit=records.append), SimExchange(ScriptedPath())
    exchange.send(SendRequest("PF_XBTUSD", "mkt", "buy", D("0.01")))
    assert exchange.unwind("PF_XBTUSD", D("0.4")) if kind == "unwind" else exchange.charge_funding("PF_XBTUSD", D(50))
    for record in records:
        again.apply_commit(record)

    assert again.snapshot_state() == exchange.snapshot_state()
    assert records[-1]["accepted"]


def test_an_act_without_an_object_is_not_counted() -> None:
    async def run(world: World) -> None:
        await world.wait(10)
        assert not world.venue.counts

    kinds = (FaultKind.STOP_VANISHES, FaultKind.HUMAN_CLOSE, FaultKind.ORDER_VANISHES, FaultKind.FORCED_CLOSE, FaultKind.FUNDING_DEBIT)
    in_world(run, moments=tuple(Moment(kind, 5.0 + number, 0.1) for number, kind in enumerate(kinds)))


# --- the feed and the data --------------------------------------------------------------------------------------------


async def told_by(world: World, entries: int) -> list[Any]:
    told: list[Any] = []

    async def listen() -> None:
        async for event in world.venue.events():
            told.append(event)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(listen())
        await world.clock.sleep(0.1)
        for number in range(entries):
            await world.venue.submit(an_entry(number))
        await world.clock.sleep(1)
        task.cancel()
    return told


@pytest.mark.parametrize(("fault", "fills"), [("feed_gap", 0), ("feed_duplicate", 6), ("feed_reorder", 3)])
def test_the_feed_loses_doubles_and_mixes_up_its_events(fault: str, fills: int) -> None:
    async def run(world: World) -> None:
        told = await told_by(world, 3)
        seen = [event.fill.fill_id for event in told if isinstance(event, FeedFill)]
        assert len(seen) == fills
        assert world.venue.counts[fault] > 0

    in_world(run, **{fault: 1.0 if fault != "feed_reorder" else 0.5})


def test_a_silent_feed_says_nothing_and_a_new_process_begins_with_a_reset() -> None:
    async def run(world: World) -> None:
        await world.wait(1)
        assert await told_by(world, 2) == []
        await world.wait(30)
        world.venue.reconnect()
        assert await told_by(world, 0) == [FeedReset("connected")]

    in_world(run, Window(FaultKind.FEED_SILENT, 0.0, 20.0))


def test_quotes_are_crossed_empty_zero_old_or_ten_times_too_high() -> None:
    async def run(world: World) -> None:
        good = (await World(asyncio.get_running_loop(), plan_of(1, 0.0)).venue.tickers())[0]  # type: ignore[arg-type]
        seen = set()
        for _ in range(60):
            quote = (await world.venue.tickers())[0]
            seen.add((quote.bid is None, quote.bid == 0, quote.mark is not None and good.mark is not None and quote.mark > 5 * good.mark))
        assert len(seen) >= 4

    in_world(run, quote_garbage=1.0)


@given(st.integers(0, 10_000))
def test_bar_garbage_hits_what_it_counts(seed: int) -> None:
    bars = [Bar(n * 900_000, 10.0, 11.0, 9.0, 10.5, 1.0) for n in range(50)]

    told, hit = distort_bars(bars, 0.2, seeded(seed))

    unharmed = [bar for bar in told if bar in bars and not math.isnan(bar.close)]
    assert len({bar.open_ms for bar in unharmed}) >= 50 - hit
    assert distort_bars(bars, 0.0, seeded(seed)) == (tuple(bars), 0)


# --- plans ------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 100_000))
def test_a_plan_is_a_function_of_its_seed_and_ends_when_it_says(seed: int) -> None:
    plan = draw_plan(seed, 7200.0)
    windows, moments = draw_windows(plan, ("A", "B")), draw_moments(plan)

    assert (plan, windows, moments) == (draw_plan(seed, 7200.0), draw_windows(plan, ("A", "B")), draw_moments(plan))
    assert all(0 <= w.from_s < w.to_s <= 7200.0 and w.kind.is_window and plan.rate(w.kind) > 0 for w in windows)
    assert all(0 <= m.at_s <= 7200.0 and m.kind.is_moment for m in moments)


def test_the_swarm_switches_every_class_on_in_some_seed_and_off_in_another() -> None:
    plans = [draw_plan(seed, 3600.0) for seed in range(60)]

    for kind in FaultKind:
        assert len({plan.rate(kind) > 0 for plan in plans}) == 2, kind


def test_in_the_quiet_phase_nothing_is_lost_any_more() -> None:
    async def run(world: World) -> None:
        assert isinstance(await world.venue.submit(an_entry()), OutcomeUnknown)
        await world.wait(60)
        assert world.venue.is_quiet
        assert isinstance(await world.venue.submit(an_entry(2)), Placed)

    in_world(run, until_s=60.0, request_lost=1.0)


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=20), st.integers(0, 120_000))
def test_a_past_value_is_never_newer_than_asked(steps: list[int], lag: int) -> None:
    past: PastValues[int] = PastValues()
    times, now = [], 0
    for step in steps:
        now += step
        past.note(now, now)
        times.append(now)

    expected = [at for at in times if at <= now - lag]
    assert past.at(now - lag) == (expected[-1] if expected else times[0]) or (not expected and past.at(now - lag) <= now)
