"""Unmodified ccxt against the embedded exchange over loopback."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import ccxt
import pytest

from fakes.kraken_server_rig import a_ccxt_client, a_server
from fakes.scripted_market import START_MS
from trading_system.sim.kraken_server.server import KrakenServer

BTC = "BTC/USD:USD"


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server({"PF_XBTUSD": {0: 80_000.0, 30: 77_500.0}, "PF_DOGEUSD": {0: 0.2}})
    yield server
    await server.close()


@pytest.fixture
async def client(server: KrakenServer) -> AsyncIterator[Any]:
    client = a_ccxt_client(server)
    await client.load_markets()
    yield client
    await client.close()


async def test_markets_have_the_steps_of_the_instruments(client: Any) -> None:
    market = client.market(BTC)

    assert (market["id"], market["linear"], market["contractSize"]) == ("PF_XBTUSD", True, 1.0)
    assert market["precision"] == {"amount": 0.0001, "price": 1.0}


async def test_tickers_book_and_public_trades_parse(client: Any, server: KrakenServer) -> None:
    server.advance_to(START_MS + 5_000)
    tickers = await client.fetch_tickers()
    book = await client.fetch_order_book(BTC)
    trades = await client.fetch_trades(BTC, limit=3)
    rate = await client.fetch_funding_rate(BTC)

    assert tickers[BTC]["bid"] == book["bids"][0][0] == 79_998.0
    assert tickers["DOGE/USD:USD"]["last"] == pytest.approx(0.2)
    assert book["asks"][0][0] == 80_002.0
    assert [trade["amount"] for trade in trades] == [0.5, 0.5, 0.5]
    assert rate["markPrice"] == 80_000.0


async def test_candles_are_paged_from_since(client: Any) -> None:
    since = START_MS - 2_500 * 900_000
    first = await client.fetch_ohlcv(BTC, "15m", since=since, limit=2_000)
    second = await client.fetch_ohlcv(BTC, "15m", since=first[-1][0] + 1, limit=2_000)

    assert [bar[0] for bar in first + second] == list(range(since, START_MS + 1, 900_000))
    assert first[0][1:5] == [80_000.0, 80_080.0, 79_920.0, 80_000.0]


async def test_an_order_lives_through_placement_listing_edit_and_cancel(client: Any) -> None:
    placed = await client.create_order(BTC, "limit", "buy", 0.01, 70_000, {"clientOrderId": "c1"})
    edited = await client.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 70_100)
    (listed,) = await client.fetch_open_orders(BTC)
    known = await client.fetch_order(placed["id"])
    cancelled = await client.cancel_order(placed["id"])

    assert (placed["status"], placed["filled"], placed["clientOrderId"]) == ("open", 0.0, "c1")
    assert (edited["status"], edited["id"]) == ("open", placed["id"])
    assert (listed["id"], listed["amount"], listed["info"]["limitPrice"]) == (placed["id"], 0.02, 70_100)
    assert (known["status"], known["amount"]) == ("open", 0.02)
    assert cancelled["status"] == "canceled"
    assert await client.fetch_open_orders() == []


async def test_a_market_order_fills_and_shows_in_trades_position_and_balance(client: Any) -> None:
    order = await client.create_order(BTC, "market", "buy", 0.02)
    (trade,) = await client.fetch_my_trades(BTC)
    (position,) = await client.fetch_positions()
    balance = await client.fetch_balance()

    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.02, 80_002.0)
    assert (trade["order"], trade["amount"], trade["takerOrMaker"]) == (order["id"], 0.02, "taker")
    assert (position["symbol"], position["side"], position["contracts"], position["entryPrice"]) == (BTC, "long", 0.02, 80_002.0)
    assert balance["USD"]["total"] == pytest.approx(9_999.19998)
    assert balance["info"]["accounts"]["flex"]["initialMargin"] == pytest.approx(32.0, rel=0.01)


async def test_an_ioc_beyond_the_touch_is_not_fillable(client: Any) -> None:
    with pytest.raises(ccxt.OrderNotFillable):
        await client.create_order(BTC, "limit", "buy", 0.01, 79_000, {"orderType": "ioc"})


async def test_a_post_order_that_would_take_is_refused(client: Any) -> None:
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await client.create_order(BTC, "limit", "buy", 0.01, 81_000, {"postOnly": True})
    assert await client.fetch_open_orders() == []


async def test_a_stop_on_the_mark_price_closes_the_position_when_it_fires(client: Any, server: KrakenServer) -> None:
    await client.create_order(BTC, "market", "buy", 0.01)
    stop = await client.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": 78_000, "triggerSignal": "mark"})
    target = await client.create_order(BTC, "limit", "sell", 0.01, 85_000, {"takeProfitPrice": 85_000, "triggerSignal": "mark"})
    before = {order["id"]: order["info"]["orderType"] for order in await client.fetch_open_orders()}
    server.advance_to(START_MS + 60_000)

    trades = await client.fetch_my_trades(BTC)
    assert before == {stop["id"]: "stp", target["id"]: "take_profit"}
    assert (trades[-1]["side"], trades[-1]["amount"]) == ("sell", 0.01)
    assert await client.fetch_positions() == []


async def test_refusals_become_the_exceptions_third_parties_know(client: Any) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        await client.create_order(BTC, "limit", "buy", 100, 79_000)
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order("00000000-0000-0000-0000-000000000000")
    await client.create_order(BTC, "limit", "buy", 0.01, 70_000, {"clientOrderId": "twice"})
    with pytest.raises(ccxt.DuplicateOrderId):
        await client.create_order(BTC, "limit", "buy", 0.01, 70_000, {"clientOrderId": "twice"})


async def test_a_wrong_secret_is_an_authentication_error(server: KrakenServer) -> None:
    client = a_ccxt_client(server, secret=base64.b64encode(b"wrong" * 12).decode())
    try:
        with pytest.raises(ccxt.AuthenticationError):
            await client.fetch_balance()
    finally:
        await client.close()


async def test_spending_the_budget_raises_rate_limit_exceeded(client: Any) -> None:
    for _ in range(20):
        await client.cancel_all_orders()
    with pytest.raises(ccxt.RateLimitExceeded):
        await client.cancel_all_orders()


async def test_escaped_client_order_ids_survive_signing_and_batches(client: Any) -> None:
    order = await client.create_order(BTC, "limit", "buy", 0.01, 70_000, {"clientOrderId": "a b+c/é=1"})
    batch = await client.create_orders(
        [{"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": 70_000, "params": {"clientOrderId": "b 1"}}]
    )
    await client.cancel_orders([order["id"]])

    assert order["clientOrderId"] == "a b+c/é=1"
    assert batch[0]["status"] == "open"
    assert [row["clientOrderId"] for row in await client.fetch_open_orders()] == ["b 1"]


async def test_history_leverage_and_ledger_endpoints_parse(client: Any) -> None:
    order = await client.create_order(BTC, "market", "buy", 0.02)
    resting = await client.create_order(BTC, "limit", "buy", 0.01, 70_000)
    await client.cancel_order(resting["id"])
    await client.set_leverage(5, BTC)

    assert [row["id"] for row in await client.fetch_closed_orders()] == [order["id"]]
    assert resting["id"] in [row["id"] for row in await client.fetch_canceled_orders()]
    assert (await client.fetch_leverage(BTC))["longLeverage"] == 5
    assert {row["type"] for row in await client.fetch_ledger()} >= {"transfer", "trade"}
    assert (await client.fetch_leverage_tiers([BTC]))[BTC][0]["maxLeverage"] == 50
    assert (await client.fetch_trading_fees())[BTC]["taker"] == 0.0005
    assert len(await client.fetch_funding_rate_history(BTC)) == 3_000
    assert await client.fetch_positions_history() == []


async def test_the_dead_mans_switch_cancels_in_market_time(client: Any, server: KrakenServer) -> None:
    await client.create_order(BTC, "limit", "buy", 0.01, 70_000)
    await client.cancel_all_orders_after(10_000)
    server.advance_to(server.exchange.now_ms + 9_000)
    still = await client.fetch_open_orders()
    server.advance_to(server.exchange.now_ms + 2_000)

    assert len(still) == 1
    assert await client.fetch_open_orders() == []
