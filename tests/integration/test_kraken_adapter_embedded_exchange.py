"""The adapter against the embedded exchange: two programs that were written apart and only share the published protocol."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from kraken_adapter_loopback import BTC, Middle, an_exit

from fakes.kraken_server_rig import a_server
from fakes.scripted_market import START_MS
from trading_system.domain.account import FeedEvent, FeedFill, FeedOrder, FeedPositions, FeedReset, FlowKind
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Timeframe, TradingStatus
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    Direction,
    EntryOrder,
    EntryStyle,
    FillKind,
    OrderKind,
    OrderLife,
    Placed,
    Rejected,
    Side,
    StopAmendment,
    StopOrder,
    TakeProfitOrder,
    VenueOrderId,
)
from trading_system.domain.units import Price, Qty, from_ms
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.observer import CountingObserver
from trading_system.exchange.kraken_futures.rate_budget import RateBudget
from trading_system.exchange.kraken_futures.venue import KrakenFuturesVenue
from trading_system.exchange.kraken_futures.write_gate import WriteGate, WriteMode
from trading_system.sim.kraken_server.server import KrakenServer
from trading_system.wiring.clock import PacedClock

START = from_ms(START_MS)


def D(text: str) -> Decimal:
    return Decimal(text)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[KrakenServer]:
    running = await a_server()
    yield running
    await running.close()


@pytest_asyncio.fixture
async def venue(server: KrakenServer) -> AsyncIterator[KrakenFuturesVenue]:
    clock = PacedClock(from_ms(server.exchange.now_ms), 0.001)
    config = KrakenConfig.at(server.address.base_url, server.credentials.key, server.credentials.secret)
    opened = KrakenFuturesVenue(config, clock, WriteGate(clock, WriteMode.LIVE), RateBudget(clock), Middle())
    await opened.open()
    await opened.market_data.instruments()
    yield opened
    await opened.close()


def an_entry_at(
    server: KrakenServer, limit: str, qty: str = "0.01", client_id: str = "e-1", style: EntryStyle = EntryStyle.IOC
) -> EntryOrder:
    soon = from_ms(server.exchange.now_ms) + timedelta(seconds=5)
    return EntryOrder(ClientOrderId(client_id), BTC, Side.BUY, Qty(D(qty)), style, Price(D(limit)), soon)


def issues_of(venue: KrakenFuturesVenue) -> list[str]:
    assert isinstance(venue.observer, CountingObserver)
    return [f"{issue.where}: {issue.detail}" for issue in venue.observer.issues]


async def test_public_data_is_read_without_a_complaint(server: KrakenServer, venue: KrakenFuturesVenue) -> None:
    data = venue.market_data
    instruments = {one.symbol: one for one in await data.instruments()}
    quotes = {one.symbol: one for one in await data.tickers()}
    book = await data.order_book(BTC)
    bars = await data.candles(BTC, Timeframe.M15, START_MS - 2_500 * Timeframe.M15.ms, START_MS - 1)

    assert (instruments[BTC].tick, instruments[BTC].size_step, instruments[BTC].status) == (D("1"), D("0.0001"), TradingStatus.OPEN)
    quote = quotes[BTC]
    assert quote.bid is not None
    assert quote.ask is not None
    assert 79_000 < quote.bid < quote.ask < 81_000
    assert book.bids[0].price < book.asks[0].price
    assert [bar.open_ms for bar in bars] == [START_MS - back * Timeframe.M15.ms for back in range(2_500, 0, -1)]
    assert await venue.server_time() == from_ms(server.exchange.now_ms)
    assert venue.server_time_offset == pytest.approx(0, abs=1.0)
    assert issues_of(venue) == []


async def test_the_life_of_a_position_from_entry_to_flat(server: KrakenServer, venue: KrakenFuturesVenue) -> None:
    orders, account = venue.orders, venue.account
    before = await account.snapshot()
    assert await account.positions() == ()
    assert await account.open_orders() == ()
    assert await account.fills(START) == ()

    entry = await orders.submit(an_entry_at(server, "80100"))
    assert isinstance(entry, Placed)
    position = (await account.positions())[0]
    assert (position.symbol, position.direction, position.qty, position.is_isolated) == (BTC, Direction.LONG, D("0.01"), False)
    fills = await account.fills(START)
    assert [(fill.client_order_id, fill.side, fill.kind) for fill in fills] == [("e-1", Side.BUY, FillKind.TAKER)] * len(fills)
    assert {fill.venue_order_id for fill in fills} == {entry.venue_order_id}
    assert sum(fill.qty for fill in fills) == D("0.01")

    stop = await orders.submit(StopOrder(ClientOrderId("s-1"), BTC, Side.SELL, Qty(D("0.01")), Price(D("78000"))))
    assert isinstance(stop, Placed)
    target = TakeProfitOrder(ClientOrderId("t-1"), BTC, Side.SELL, Qty(D("0.004")), Price(D("82000")))
    assert isinstance(await orders.submit(target), Placed)
    amended = await orders.amend_stop(StopAmendment(ClientOrderId("s-1"), stop.venue_order_id, BTC, Qty(D("0.009")), Price(D("78500"))))
    assert amended == Placed(stop.venue_order_id)
    listed = {order.client_order_id: order for order in await account.open_orders()}
    seen = listed[ClientOrderId("s-1")]
    assert (seen.kind, seen.qty, seen.trigger_price, seen.limit_price) == (OrderKind.STOP, D("0.009"), D("78500"), None)
    assert (seen.reduce_only, seen.trigger_signal, seen.side) == (True, "mark", Side.SELL)
    assert (listed[ClientOrderId("t-1")].kind, listed[ClientOrderId("t-1")].qty) == (OrderKind.LIMIT, D("0.004"))
    statuses = {
        one.client_order_id: one.life
        for one in await account.order_status([ClientOrderId("s-1"), ClientOrderId("e-1"), ClientOrderId("no")])
    }
    assert statuses[ClientOrderId("s-1")] is OrderLife.ALIVE
    assert ClientOrderId("no") not in statuses

    assert await orders.cancel(BTC, ClientOrderId("t-1"), None) is CancelOutcome.CANCELLED
    assert await orders.cancel(BTC, None, stop.venue_order_id) is CancelOutcome.CANCELLED
    assert await orders.cancel(BTC, None, VenueOrderId("00000000-0000-0000-0000-000000000000")) is CancelOutcome.ALREADY_GONE
    assert isinstance(await orders.submit(an_exit()), Placed)
    assert await account.positions() == ()
    after = await account.snapshot()
    assert after.portfolio_value < before.portfolio_value

    flows = await account.flows(START)
    fees = {flow.fill_id: -flow.amount for flow in flows if flow.kind is FlowKind.FEE}
    assert set(fees) == {fill.fill_id for fill in await account.fills(START)}
    assert all(fee > 0 for fee in fees.values())
    assert issues_of(venue) == []


async def test_refusals_of_the_exchange_are_definitive_words(server: KrakenServer, venue: KrakenFuturesVenue) -> None:
    assert await venue.orders.submit(an_entry_at(server, "81000", style=EntryStyle.POST_ONLY)) == Rejected("postWouldExecute")
    assert await venue.orders.submit(an_entry_at(server, "80100", qty="9000", client_id="big")) == Rejected("maxPositionViolation")
    late = dataclasses.replace(an_entry_at(server, "80100"), process_before=START)
    assert await venue.orders.submit(late) == Rejected("wouldProcessAfterSpecifiedTime")
    assert await venue.orders.submit(an_exit()) == Rejected("wouldNotReducePosition")
    assert await venue.account.fills(START) == ()


async def test_an_exit_larger_than_the_position_only_closes_it(server: KrakenServer, venue: KrakenFuturesVenue) -> None:
    await venue.orders.submit(an_entry_at(server, "80100"))

    assert isinstance(await venue.orders.submit(an_exit(qty="5")), Placed)

    assert await venue.account.positions() == ()


async def test_a_wrong_key_reads_nothing_and_sends_nothing(server: KrakenServer) -> None:
    clock = PacedClock(from_ms(server.exchange.now_ms), 0.001)
    config = KrakenConfig.at(server.address.base_url, server.credentials.key, "d3JvbmcgYnV0IHdlbGwgZm9ybWVk")
    venue = KrakenFuturesVenue(config, clock, WriteGate(clock, WriteMode.LIVE), RateBudget(clock), Middle())
    await venue.open()
    try:
        with pytest.raises(ReadFailed, match="authenticationError"):
            await venue.account.positions()
    finally:
        await venue.close()


async def test_the_feed_tells_the_same_story_as_the_listings(server: KrakenServer, venue: KrakenFuturesVenue) -> None:
    events: list[FeedEvent] = []

    async def listen() -> None:
        async with aclosing(venue.feed.events()) as stream:
            async for event in stream:
                events.append(event)

    async def until(kind: type[FeedEvent], count: int) -> None:
        async with asyncio.timeout(5):
            while sum(isinstance(event, kind) for event in events) < count:
                await asyncio.sleep(0.01)

    task = asyncio.ensure_future(listen())
    try:
        await until(FeedReset, 1)
        assert isinstance(await venue.orders.submit(an_entry_at(server, "80100")), Placed)
        await until(FeedFill, 1)
        fills = await venue.account.fills(START)
        await until(FeedFill, len(fills))
        stop = await venue.orders.submit(StopOrder(ClientOrderId("s-1"), BTC, Side.SELL, Qty(D("0.01")), Price(D("78000"))))
        assert isinstance(stop, Placed)
        await venue.orders.cancel(BTC, None, stop.venue_order_id)
        async with asyncio.timeout(5):
            while not any(
                isinstance(event, FeedOrder) and event.venue_order_id == stop.venue_order_id and event.gone_reason for event in events
            ):
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    told = {event.fill.fill_id: event.fill for event in events if isinstance(event, FeedFill)}
    assert {key: (fill.qty, fill.price, fill.at, fill.side) for key, fill in told.items()} == {
        fill.fill_id: (fill.qty, fill.price, fill.at, fill.side) for fill in fills
    }
    assert all(fill.fee_usd is not None for fill in told.values())
    assert any(isinstance(event, FeedPositions) and event.positions for event in events)
    assert [event.why for event in events if isinstance(event, FeedReset)] == ["connected"]
    assert issues_of(venue) == []
