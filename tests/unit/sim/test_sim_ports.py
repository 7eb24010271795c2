"""SimVenue: the daemon's ports over the in-process exchange."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sim_builders import BTC, START_MS, D, Venue
from trading_system.domain.account import FeedFill, FeedOrder, FeedPositions, FeedReset, FlowKind
from trading_system.domain.market import Timeframe, TradingStatus
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    Direction,
    EntryOrder,
    EntryStyle,
    ExitOrder,
    FillKind,
    OrderKind,
    OrderLife,
    OutcomeUnknown,
    Placed,
    Rejected,
    Side,
    StopAmendment,
    StopOrder,
    TakeProfitOrder,
    VenueOrderId,
)
from trading_system.domain.protocols import Account, MarketData, Orders, PrivateFeed
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty, from_ms
from trading_system.sim.model import MarketMode
from trading_system.sim.ports import SimVenue

SYMBOL = Symbol("BTC/USD")
START = from_ms(START_MS)


def an_entry(client_id: str = "en-1", qty: str = "0.01", style: EntryStyle = EntryStyle.IOC, limit: int = 80_200) -> EntryOrder:
    deadline = START + timedelta(hours=1)
    return EntryOrder(ClientOrderId(client_id), SYMBOL, Side.BUY, Qty(D(qty)), style, Price(D(limit)), deadline)


def a_stop(trigger: int = 79_000, qty: str = "0.01") -> StopOrder:
    return StopOrder(ClientOrderId("sl-1"), SYMBOL, Side.SELL, Qty(D(qty)), Price(D(trigger)))


def test_the_venue_satisfies_the_four_ports() -> None:
    venue = SimVenue(Venue().exchange)
    ports: tuple[MarketData, Account, Orders, PrivateFeed] = (venue, venue, venue, venue)
    assert all(port is venue for port in ports)


async def test_an_entry_with_stop_and_take_profit_lives_and_ends_as_the_daemon_expects() -> None:
    world = Venue()
    venue = SimVenue(world.exchange)

    assert isinstance(await venue.submit(an_entry()), Placed)
    (position,) = await venue.positions()
    assert (position.direction, position.qty) == (Direction.LONG, D("0.01"))
    stop = await venue.submit(a_stop())
    assert isinstance(stop, Placed)
    target = TakeProfitOrder(ClientOrderId("tp-1"), SYMBOL, Side.SELL, Qty(D("0.02")), Price(D(82_000)))
    taken = await venue.submit(target)
    assert isinstance(taken, Placed)
    assert taken.reduced_qty == D("0.01")
    assert {order.kind for order in await venue.open_orders()} == {OrderKind.STOP, OrderKind.LIMIT}

    amendment = StopAmendment(ClientOrderId("sl-1"), stop.venue_order_id, SYMBOL, Qty(D("0.01")), Price(D(79_500)))
    assert await venue.amend_stop(amendment) == Placed(stop.venue_order_id)
    world.price(79_400.0)

    assert await venue.positions() == ()
    assert await venue.open_orders() == ()
    fills = await venue.fills(START)
    assert [fill.kind for fill in fills] == [FillKind.TAKER, FillKind.TAKER]
    assert fills[0].at <= fills[1].at
    flows = await venue.flows(START)
    assert [(flow.kind, flow.fill_id) for flow in flows][1:] == [(FlowKind.FEE, fill.fill_id) for fill in fills]
    (status,) = await venue.order_status([ClientOrderId("sl-1")])
    assert (status.life, status.filled_qty) == (OrderLife.FILLED, D("0.01"))


async def test_refusals_and_a_used_id_are_told_apart() -> None:
    venue = SimVenue(Venue().exchange)
    await venue.submit(an_entry(style=EntryStyle.LIMIT, limit=70_000))

    assert await venue.submit(an_entry(style=EntryStyle.LIMIT, limit=70_000)) == OutcomeUnknown("id already in use")
    assert await venue.submit(an_entry("en-2", style=EntryStyle.POST_ONLY)) == Rejected("postWouldExecute")
    exit_order = ExitOrder(ClientOrderId("cl-1"), SYMBOL, Side.SELL, Qty(D("0.01")), None)
    assert await venue.submit(exit_order) == Rejected("wouldNotReducePosition")


async def test_cancel_outcomes() -> None:
    venue = SimVenue(Venue().exchange)
    placed = await venue.submit(an_entry(style=EntryStyle.LIMIT, limit=70_000))
    assert isinstance(placed, Placed)
    await venue.submit(an_entry("en-2"))

    assert await venue.cancel(SYMBOL, None, placed.venue_order_id) is CancelOutcome.CANCELLED
    assert await venue.cancel(SYMBOL, ClientOrderId("en-2"), None) is CancelOutcome.ALREADY_FILLED
    assert await venue.cancel(SYMBOL, None, VenueOrderId("nobody")) is CancelOutcome.ALREADY_GONE


async def test_quotes_books_and_bars_speak_canonical_symbols() -> None:
    world = Venue().price(80_000.0)
    venue = SimVenue(world.exchange)
    world.exchange.set_mode(BTC, MarketMode.POST_ONLY)

    btc, _ = await venue.tickers()
    book = await venue.order_book(SYMBOL)
    assert (btc.symbol, btc.bid, btc.status) == (SYMBOL, book.bids[0].price, TradingStatus.POST_ONLY)
    assert btc.at == from_ms(world.exchange.now_ms)
    bars = await venue.candles(SYMBOL, Timeframe.M15, START_MS - 900_000, START_MS)
    assert [bar.open_ms for bar in bars] == [START_MS - 900_000, START_MS]
    assert [instrument.status for instrument in await venue.instruments()] == [TradingStatus.POST_ONLY, TradingStatus.OPEN]


async def test_a_quiet_market_keeps_its_ticker_but_not_its_time() -> None:
    world = Venue()
    venue = SimVenue(world.exchange)
    before = await venue.tickers()
    world.price(80_100.0)

    btc, doge = await venue.tickers()

    assert btc.mark != before[0].mark
    assert (doge.mark, doge.at) == (before[1].mark, btc.at)


async def test_the_feed_tells_order_fill_and_positions_in_order() -> None:
    world = Venue()
    venue = SimVenue(world.exchange)
    feed = venue.events()
    assert isinstance(await anext(feed), FeedReset)

    await venue.submit(an_entry())

    told = [await anext(feed) for _ in range(3)]
    assert [type(event) for event in told] == [FeedFill, FeedPositions, FeedOrder]
    fill, _, gone = told
    assert isinstance(fill, FeedFill)
    assert fill.fill.fee_usd == fill.fill.qty * fill.fill.price * D("0.0005")
    assert isinstance(gone, FeedOrder)
    assert gone.gone_reason == "full_fill"


async def test_a_reader_that_falls_behind_is_told_to_read_everything_again() -> None:
    world = Venue()
    venue = SimVenue(world.exchange, feed_size=3)
    for number in range(5):
        await venue.submit(an_entry(f"en-{number}", style=EntryStyle.LIMIT, limit=70_000))

    feed = venue.events()
    told = [await asyncio.wait_for(anext(feed), 1) for _ in range(3)]

    assert isinstance(told[1], FeedReset)
    assert isinstance(told[2], FeedOrder)
