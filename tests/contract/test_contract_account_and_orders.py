"""The Account and Orders ports, on every adapter: outcomes are values, reads are whole, and both tell the same story."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from fakes.scripted_market import START_MS
from fakes.venue_under_test import ADAPTERS, BTC, VenueUnderTest, a_move, a_stop, a_target, a_venue_under_test, an_exit
from trading_system.domain.account import FlowKind, VenuePosition
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    Direction,
    EntryStyle,
    FillKind,
    OrderKind,
    OrderLife,
    OutcomeUnknown,
    Placed,
    Rejected,
    Side,
    VenueOrderId,
)
from trading_system.domain.units import from_ms
from trading_system.sim.model import MarketMode, SendRequest

D = Decimal
START = from_ms(START_MS)
NOBODY = VenueOrderId("00000000-0000-0000-0000-000000000000")


@pytest.fixture(params=ADAPTERS)
async def venue(request: pytest.FixtureRequest) -> AsyncIterator[VenueUnderTest]:
    async with a_venue_under_test(request.param, {"PF_XBTUSD": {0: 80_000.0, 60: 77_500.0}, "PF_DOGEUSD": {0: 0.2}}) as venue:
        yield venue


async def placed(venue: VenueUnderTest, order: Any) -> VenueOrderId:
    outcome = await venue.orders.submit(order)
    assert isinstance(outcome, Placed)
    return outcome.venue_order_id


async def test_a_new_account_is_explicitly_empty(venue: VenueUnderTest) -> None:
    account = venue.account
    snapshot = await account.snapshot()

    assert (await account.positions(), await account.open_orders(), await account.fills(START)) == ((), (), ())
    assert await account.order_status([ClientOrderId("nobody")]) == ()
    assert [(flow.kind, flow.amount) for flow in await account.flows(START - timedelta(seconds=1))] == [(FlowKind.DEPOSIT, 10_000)]
    assert (snapshot.portfolio_value, snapshot.margin_equity, snapshot.available_margin, snapshot.initial_margin) == (
        10_000,
        10_000,
        10_000,
        0,
    )


async def test_an_entry_fills_and_is_a_position_with_fills_fees_and_margin(venue: VenueUnderTest) -> None:
    entry = await placed(venue, venue.entry(qty="0.1"))
    fills = await venue.account.fills(START)
    snapshot = await venue.account.snapshot()
    flows = await venue.account.flows(START)

    assert await venue.account.positions() == (VenuePosition(BTC, Direction.LONG, D("0.1"), D(80_002)),)  # type: ignore[arg-type]
    assert [(fill.venue_order_id, fill.client_order_id, fill.side, fill.kind) for fill in fills] == [
        (entry, "en-1", Side.BUY, FillKind.TAKER)
    ]
    assert (fills[0].qty, fills[0].price) == (D("0.1"), 80_002)
    assert {flow.fill_id: flow.amount for flow in flows if flow.kind is FlowKind.FEE} == {fills[0].fill_id: D("-4.0001")}
    assert snapshot.initial_margin == pytest.approx(D("160.004"))
    assert snapshot.portfolio_value == snapshot.balance_value + snapshot.unrealized_pnl


async def test_each_kind_of_order_is_listed_as_what_it_is(venue: VenueUnderTest) -> None:
    await placed(venue, venue.entry(qty="0.03"))
    stop = await placed(venue, a_stop(qty="0.03"))
    target = await placed(venue, a_target(qty="0.02"))
    resting = await placed(venue, venue.entry("79000", name="en-2", style=EntryStyle.LIMIT))
    listed = {order.venue_order_id: order for order in await venue.account.open_orders()}

    assert set(listed) == {stop, target, resting}
    assert (listed[stop].kind, listed[stop].trigger_price, listed[stop].limit_price, listed[stop].trigger_signal) == (
        OrderKind.STOP,
        78_000,
        None,
        "mark",
    )
    assert (listed[target].kind, listed[target].limit_price, listed[target].reduce_only) == (OrderKind.LIMIT, 82_000, True)
    assert (listed[resting].side, listed[resting].reduce_only, listed[resting].qty, listed[resting].filled_qty) == (
        Side.BUY,
        False,
        D("0.01"),
        0,
    )


async def test_a_stop_moves_in_place_and_fires_when_mark_passes_it(venue: VenueUnderTest) -> None:
    await placed(venue, venue.entry(qty="0.02"))
    stop = await placed(venue, a_stop(qty="0.01"))
    moved = await venue.orders.amend_stop(a_move(stop, "78500", "0.02"))
    (listed,) = await venue.account.open_orders()
    venue.advance_to(START_MS + 65_000)
    fills = await venue.account.fills(START)

    assert moved == Placed(stop)
    assert (listed.venue_order_id, listed.trigger_price, listed.qty) == (stop, 78_500, D("0.02"))
    assert (await venue.account.positions(), await venue.account.open_orders()) == ((), ())
    assert [(fill.client_order_id, fill.side) for fill in fills] == [("en-1", Side.BUY), ("sl-1", Side.SELL)]


async def test_fills_are_oldest_first_and_begin_at_the_moment_asked_for(venue: VenueUnderTest) -> None:
    await placed(venue, venue.entry())
    venue.advance_to(venue.exchange.now_ms + 2_000)
    since = venue.now
    await placed(venue, an_exit())

    everything, later = await venue.account.fills(START), await venue.account.fills(since)

    assert [fill.side for fill in everything] == [Side.BUY, Side.SELL]
    assert later == everything[1:]


async def test_more_fills_than_a_page_come_whole(venue: VenueUnderTest) -> None:
    for number in range(125):
        venue.exchange.send(SendRequest("PF_XBTUSD", "mkt", "buy" if number % 2 else "sell", D("0.001")))
        if number % 3:  # some of them share their moment, and pages end anywhere
            venue.advance_to(venue.exchange.now_ms + 1)

    fills = await venue.account.fills(START)

    assert len(fills) == len({fill.fill_id for fill in fills}) == 125
    assert [fill.at for fill in fills] == sorted(fill.at for fill in fills)


@pytest.mark.parametrize(
    ("refused", "word"),
    [
        (lambda venue: venue.entry("81000", style=EntryStyle.POST_ONLY), "postWouldExecute"),
        (lambda venue: venue.entry("79000"), "iocWouldNotExecute"),
        (lambda venue: venue.entry("79000", "100", style=EntryStyle.LIMIT), "insufficientAvailableFunds"),
        (lambda venue: venue.entry("79000", "5000", style=EntryStyle.LIMIT), "maxPositionViolation"),
        (lambda venue: replace(venue.entry(), process_before=START), "wouldProcessAfterSpecifiedTime"),
        (lambda _venue: an_exit(), "wouldNotReducePosition"),
        (lambda _venue: a_target(), "wouldNotReducePosition"),
    ],
)
async def test_a_refusal_is_a_value_with_the_venues_word_and_leaves_nothing(venue: VenueUnderTest, refused: Any, word: str) -> None:
    assert await venue.orders.submit(refused(venue)) == Rejected(word)
    assert (await venue.account.open_orders(), await venue.account.fills(START)) == ((), ())


async def test_a_closed_market_refuses_entries_and_still_cancels(venue: VenueUnderTest) -> None:
    resting = await placed(venue, venue.entry("79000", style=EntryStyle.LIMIT))
    venue.exchange.set_mode("PF_XBTUSD", MarketMode.SUSPENDED)

    assert await venue.orders.submit(venue.entry(name="en-2")) == Rejected("marketSuspended")
    assert await venue.orders.cancel(BTC, None, resting) is CancelOutcome.CANCELLED


async def test_a_client_id_in_use_proves_nothing_about_this_order(venue: VenueUnderTest) -> None:
    await placed(venue, venue.entry("79000", style=EntryStyle.LIMIT))

    assert isinstance(await venue.orders.submit(venue.entry("78000", style=EntryStyle.LIMIT)), OutcomeUnknown)
    assert len(await venue.account.open_orders()) == 1


async def test_a_reduce_only_order_that_is_too_large_is_shrunk_and_says_so(venue: VenueUnderTest) -> None:
    await placed(venue, venue.entry(qty="0.01"))

    target = await venue.orders.submit(a_target(qty="0.05"))

    assert isinstance(target, Placed)
    assert target.reduced_qty == D("0.01")
    assert [order.qty for order in await venue.account.open_orders()] == [D("0.01")]


async def test_a_cancel_says_whether_the_order_was_there_gone_or_filled(venue: VenueUnderTest) -> None:
    resting = await placed(venue, venue.entry("79000", name="en-2", style=EntryStyle.LIMIT))
    filled = await placed(venue, venue.entry())
    cancel = venue.orders.cancel

    assert await cancel(BTC, ClientOrderId("en-2"), None) is CancelOutcome.CANCELLED
    assert await cancel(BTC, None, resting) is CancelOutcome.ALREADY_GONE
    assert await cancel(BTC, None, NOBODY) is CancelOutcome.ALREADY_GONE
    assert await cancel(BTC, None, filled) is CancelOutcome.ALREADY_FILLED


async def test_status_names_the_life_of_each_known_id_and_says_nothing_of_others(venue: VenueUnderTest) -> None:
    await placed(venue, venue.entry("79000", name="rests", style=EntryStyle.LIMIT))
    await placed(venue, venue.entry(name="filled"))
    await placed(venue, a_stop(name="waits"))
    gone = await placed(venue, venue.entry("79000", name="gone", style=EntryStyle.LIMIT))
    await venue.orders.cancel(BTC, None, gone)
    names = [ClientOrderId(name) for name in ("rests", "filled", "waits", "gone", "nobody")]

    lives = {status.client_order_id: status.life for status in await venue.account.order_status(names)}

    assert lives == {"rests": OrderLife.ALIVE, "filled": OrderLife.FILLED, "waits": OrderLife.ALIVE, "gone": OrderLife.CANCELLED}
    assert await venue.account.order_status([]) == ()


async def test_both_adapters_tell_the_same_story_to_the_last_digit() -> None:
    stories = []
    for adapter in ADAPTERS:
        async with a_venue_under_test(adapter, {"PF_XBTUSD": {0: 80_000.0, 60: 77_500.0}, "PF_DOGEUSD": {0: 0.2}}) as venue:
            stories.append([item async for item in _story(venue)])

    assert stories[0] == stories[1]


async def _story(venue: VenueUnderTest) -> AsyncIterator[Any]:
    account, orders = venue.account, venue.orders
    yield await orders.submit(venue.entry(qty="0.5"))
    stop = await orders.submit(a_stop(qty="0.2"))
    yield stop
    yield await orders.submit(a_target(qty="0.7"))
    yield await orders.submit(venue.entry("79000", "0.05", "en-2", EntryStyle.POST_ONLY))
    assert isinstance(stop, Placed)
    yield await orders.amend_stop(a_move(stop.venue_order_id, "78100", "0.5"))
    yield sorted(await account.open_orders(), key=lambda order: order.venue_order_id)
    yield await account.positions()
    statuses = await account.order_status([ClientOrderId("en-1"), ClientOrderId("sl-1")])
    yield {status.client_order_id: replace(status, reason="") for status in statuses}  # a text for people, worded by each
    venue.advance_to(START_MS + 65_000)
    yield await account.positions()
    # the plain listing of fills tells no fee (the account log does), and fills of one moment come in any order
    yield sorted((replace(fill, fee_usd=None) for fill in await account.fills(START)), key=lambda fill: (fill.at, fill.fill_id))
    yield [(flow.kind, flow.amount, flow.at, flow.symbol, flow.fill_id) for flow in await account.flows(START)]
    yield replace(await account.snapshot(), at=START)
