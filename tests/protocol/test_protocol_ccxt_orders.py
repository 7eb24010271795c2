"""Unmodified ccxt and every order: each type, each trigger, edits, batches, refusals, what the histories say afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from fakes.kraken_server_rig import a_ccxt_client, a_server
from fakes.scripted_market import START_MS, a_market
from trading_system.sim.kraken_server.server import KrakenServer
from trading_system.sim.model import SendRequest

BTC = "BTC/USD:USD"


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server({"PF_XBTUSD": {0: 80_000.0, 60: 77_500.0, 120: 85_500.0}, "PF_DOGEUSD": {0: 0.2}})
    yield server
    await server.close()


@pytest.fixture
async def client(server: KrakenServer) -> AsyncIterator[Any]:
    client = a_ccxt_client(server)
    await client.load_markets()
    yield client
    await client.close()


async def send_raw(client: Any, order: Mapping[str, str | None]) -> None:
    """Send what the unified call would put right or refuse itself, and judge the answer as the unified call does."""
    answer = await client.privatePostSendorder({name: value for name, value in order.items() if value is not None})
    client.verify_order_action_success(answer["sendStatus"]["status"], "createOrder", ["filled"])


@pytest.mark.parametrize(
    ("order_type", "price", "params", "first_event", "filled"),
    [
        ("limit", 79_000, {}, "PLACE", 0.0),
        ("limit", 81_000, {}, "EXECUTION", 0.01),
        ("limit", 79_000, {"postOnly": True}, "PLACE", 0.0),
        ("limit", 80_100, {"orderType": "ioc"}, "EXECUTION", 0.01),
        ("limit", 80_100, {"orderType": "fok"}, "EXECUTION", 0.01),
        ("market", None, {}, "EXECUTION", 0.01),
    ],
)
async def test_an_order_of_each_type_is_answered_with_what_happened(
    client: Any, order_type: str, price: float | None, params: dict[str, Any], first_event: str, filled: float
) -> None:
    order = await client.create_order(BTC, order_type, "buy", 0.01, price, params)
    trades = await client.fetch_my_trades(BTC)

    assert order["info"]["orderEvents"][0]["type"] == first_event
    assert (order["filled"], sum(trade["amount"] for trade in trades)) == (filled, filled)
    assert {trade["order"] for trade in trades} <= {order["id"]}


@pytest.mark.parametrize("signal", ["mark", "index", "last"])
@pytest.mark.parametrize(
    ("kind", "trigger", "limit", "listed", "fires_at_s"),
    [
        ("stopLossPrice", 78_000, None, "stp", 62),
        ("stopLossPrice", 78_000, 77_000, "stp", 62),
        ("takeProfitPrice", 85_000, None, "take_profit", 122),
        ("takeProfitPrice", 85_000, 84_900, "take_profit", 122),
    ],
)
async def test_a_reduce_only_trigger_rests_and_closes_the_position_when_its_price_comes(
    client: Any, server: KrakenServer, signal: str, kind: str, trigger: float, limit: float | None, listed: str, fires_at_s: int
) -> None:
    await client.create_order(BTC, "market", "buy", 0.01)
    order = await client.create_order(
        BTC, "market" if limit is None else "limit", "sell", 0.01, limit, {kind: trigger, "triggerSignal": signal, "clientOrderId": "t"}
    )
    (row,) = await client.fetch_open_orders(BTC)
    server.advance_to(START_MS + (fires_at_s - 5) * 1000)
    before = await client.fetch_positions()
    server.advance_to(START_MS + fires_at_s * 1000)
    after = await client.fetch_positions()

    assert (row["info"]["orderType"], row["info"]["triggerSignal"], row["info"]["reduceOnly"]) == (listed, signal, True)
    assert ("limitPrice" in row["info"], row["triggerPrice"], row["id"]) == (limit is not None, trigger, order["id"])
    assert (len(before), after) == (1, [])
    assert [trade["side"] for trade in await client.fetch_my_trades(BTC)] in (["buy", "sell"], ["sell", "buy"])


async def test_a_stop_moves_in_place_trigger_and_size_together(client: Any) -> None:
    await client.create_order(BTC, "market", "buy", 0.02)
    stop = await client.create_order(BTC, "market", "sell", 0.02, None, {"stopLossPrice": 78_000, "triggerSignal": "mark"})
    moved = await client.edit_order(stop["id"], BTC, "market", "sell", 0.01, None, {"stopPrice": 79_000})
    (row,) = await client.fetch_open_orders(BTC)

    assert moved["id"] == row["id"] == stop["id"]
    assert (row["triggerPrice"], row["amount"], row["info"]["reduceOnly"]) == (79_000, 0.01, True)


async def test_status_is_remembered_for_a_moment_and_the_histories_for_good(client: Any, server: KrakenServer) -> None:
    filled = await client.create_order(BTC, "market", "buy", 0.01)
    gone = await client.create_order(BTC, "limit", "buy", 0.01, 70_000)
    await client.cancel_order(gone["id"])
    stop = await client.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": 70_000, "triggerSignal": "mark"})
    await client.cancel_order(stop["id"])
    states = {(await client.fetch_order(order["id"]))["status"] for order in (filled, gone)}
    server.advance_to(server.exchange.now_ms + 6_000)
    with pytest.raises(ccxt.OrderNotFound):
        await client.fetch_order(filled["id"])

    assert states == {"closed", "canceled"}
    assert [row["id"] for row in await client.fetch_closed_orders()] == [filled["id"]]
    assert {row["id"] for row in await client.fetch_canceled_orders()} == {gone["id"]}
    triggers = await client.historyGetTriggers({})
    assert [next(iter(row["event"])) for row in triggers["elements"]] == ["OrderTriggerCancelled", "OrderTriggerPlaced"]
    executions = await client.historyGetExecutions({})
    assert executions["elements"][0]["event"]["Execution"]["execution"]["takerOrder"]["uid"] == filled["id"]


async def test_fills_older_than_a_page_are_reached_by_time(client: Any, server: KrakenServer) -> None:
    for number in range(30):
        for side in ("buy", "sell"):
            for _ in range(2):
                server.exchange.send(SendRequest("PF_XBTUSD", "mkt", side, Decimal("0.001")))
        server.advance_to(server.exchange.now_ms + 100 + number % 3)
    fills = await client.fetch_my_trades(BTC)
    seen = {fill["id"] for fill in fills}
    while fills:
        oldest = min(fill["timestamp"] for fill in fills)
        fills = await client.fetch_my_trades(BTC, params={"lastFillTime": client.iso8601(oldest)})
        assert all(fill["timestamp"] < oldest for fill in fills)
        seen |= {fill["id"] for fill in fills}

    # a page may end in the middle of a moment: what lies in that moment behind it is not given again
    assert 116 <= len(seen) <= 120


async def test_a_batch_is_judged_one_by_one(client: Any) -> None:
    orders = await client.create_orders(
        [
            {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": 70_000, "params": {"clientOrderId": "good"}},
            {"symbol": BTC, "type": "limit", "side": "buy", "amount": 500, "price": 70_000, "params": {"clientOrderId": "too much"}},
            {"symbol": BTC, "type": "market", "side": "sell", "amount": 0.01, "params": {"clientOrderId": "stop", "stopLossPrice": 75_000}},
        ]
    )
    listed = {row["clientOrderId"] for row in await client.fetch_open_orders()}
    await client.cancel_orders([order["id"] for order in orders if order["status"] == "open"])

    assert [order["status"] for order in orders] == ["open", "rejected", "open"]
    assert listed == {"good", "stop"}
    assert await client.fetch_open_orders() == []


@pytest.mark.parametrize(
    ("change", "raised"),
    [
        ({"size": "0.00001"}, ccxt.InvalidOrder),
        ({"size": "0.00015"}, ccxt.InvalidOrder),
        ({"size": "-1"}, ccxt.InvalidOrder),
        ({"size": "much"}, ccxt.BadRequest),
        ({"size": None}, ccxt.BadRequest),
        ({"symbol": None}, ccxt.BadRequest),
        ({"symbol": "PF_NOBODYUSD"}, ccxt.BadRequest),
        ({"limitPrice": "70000.5"}, ccxt.InvalidOrder),
        ({"limitPrice": None}, ccxt.InvalidOrder),
        ({"side": "up"}, ccxt.InvalidOrder),
        ({"orderType": "iceberg"}, ccxt.InvalidOrder),
        ({"orderType": "stp", "limitPrice": None}, ccxt.InvalidOrder),
        ({"size": "5000"}, ccxt.BadRequest),
        ({"size": "100"}, ccxt.InsufficientFunds),
        ({"reduceOnly": "true"}, ccxt.ExchangeError),
        ({"reduceOnly": "perhaps"}, ccxt.BadRequest),
        ({"processBefore": "yesterday"}, ccxt.BadRequest),
        ({"cliOrdId": "x" * 101}, ccxt.BadRequest),
    ],
)
async def test_a_wrong_order_is_refused_as_third_parties_know_it_and_leaves_nothing(
    client: Any, change: dict[str, str | None], raised: type[Exception]
) -> None:
    order = {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": "0.01", "limitPrice": "79000"} | change
    with pytest.raises(raised):
        await send_raw(client, order)

    assert await client.fetch_open_orders() == []
    assert await client.fetch_my_trades() == []


async def test_edits_and_cancels_of_what_is_not_there_are_refused(client: Any) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    resting = await client.create_order(BTC, "limit", "buy", 0.01, 70_000)
    with pytest.raises(ccxt.OrderNotFound):
        await client.edit_order(nobody, BTC, "limit", "buy", 0.01, 70_000)
    with pytest.raises(ccxt.InvalidOrder):
        await client.edit_order(resting["id"], BTC, "limit", "buy", 0.01, 70_000.0, {"stopPrice": 69_000})
    filled = await client.create_order(BTC, "market", "buy", 0.01)
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order(filled["id"])
    with pytest.raises(ccxt.BadRequest):
        await client.privatePostCancelorder({})

    assert [row["id"] for row in await client.fetch_open_orders()] == [resting["id"]]


async def test_wallet_positions_funding_and_ledger_tell_one_story() -> None:
    server = await a_server({"PF_XBTUSD": {0: 80_000.0}}, specs=[a_market(funding="0.0001")])
    client = a_ccxt_client(server)
    await client.load_markets()
    await client.create_order(BTC, "market", "buy", 0.1)
    crossed = (await client.fetch_positions())[0]["marginMode"]
    server.advance_to(START_MS + 2 * 3_600_000 + 5_000)  # the first hour sets the rate of the second
    paid = await client.fetch_funding_history(BTC)
    await client.create_order(BTC, "market", "sell", 0.1, None, {"reduceOnly": True})
    cash = [row for row in await client.fetch_ledger(limit=50) if row["info"]["asset"] == "usd"]
    newest = max(cash, key=lambda row: int(row["id"]))
    balance = (await client.fetch_balance())["USD"]["total"]
    history = await client.fetch_positions_history([BTC])
    positions = await client.fetch_positions()
    await client.close()
    await server.close()

    assert crossed == "cross"
    assert [row["amount"] for row in paid] == [pytest.approx(-0.8, rel=0.01)]
    assert newest["after"] == pytest.approx(balance)
    assert len(history) == 1
    assert positions == []
