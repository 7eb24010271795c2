"""Every kind of order that can rest, through both unmodified clients: placed, listed, edited, cancelled, remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import ccxt
import pytest

from fakes.kraken_server_rig import KEYS, a_ccxt_client, a_server
from fakes.scripted_market import START_MS
from trading_system.sim.kraken_server.server import KrakenServer

sdk = pytest.importorskip("kraken.futures", reason="python-kraken-sdk is not installed: make venv")

BTC = "BTC/USD:USD"
TRAIL = {"trailingStopMaxDeviation": "5", "trailingStopDeviationUnit": "PERCENT", "triggerSignal": "mark"}
# orderType, its prices, what an edit changes, the listed field that shows it
RESTING = {
    "lmt": ({"limitPrice": "79000"}, {"limitPrice": "78900"}, "limitPrice"),
    "post": ({"limitPrice": "79000"}, {"limitPrice": "78900"}, "limitPrice"),
    "stp": ({"stopPrice": "81000", "triggerSignal": "mark"}, {"stopPrice": "81100"}, "stopPrice"),
    "stp with limit": ({"stopPrice": "81000", "limitPrice": "81200", "triggerSignal": "last"}, {"limitPrice": "81300"}, "limitPrice"),
    "take_profit": ({"stopPrice": "79000", "triggerSignal": "index"}, {"stopPrice": "78900"}, "stopPrice"),
    "take_profit with limit": ({"stopPrice": "79000", "limitPrice": "79100", "triggerSignal": "mark"}, {"stopPrice": "78900"}, "stopPrice"),
    "trailing_stop": (TRAIL, {"trailingStopMaxDeviation": "4", "trailingStopDeviationUnit": "PERCENT"}, "trailingStopMaxDeviation"),
}
LISTED = {"lmt": "lmt", "post": "lmt", "stp": "stp", "take_profit": "take_profit", "trailing_stop": "trailing_stop"}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server({"PF_XBTUSD": {0: 80_000.0, 60: 85_500.0}, "PF_DOGEUSD": {0: 0.2}})
    yield server
    await server.close()


@pytest.fixture
async def client(server: KrakenServer) -> AsyncIterator[Any]:
    client = a_ccxt_client(server)
    await client.load_markets()
    yield client
    await client.close()


@pytest.mark.parametrize("name", RESTING)
async def test_ccxt_takes_every_resting_order_through_its_whole_life(client: Any, server: KrakenServer, name: str) -> None:
    prices, edit, shown = RESTING[name]
    kind = name.partition(" ")[0]
    placed = await client.create_order(BTC, "limit", "buy", 0.01, None, {"orderType": kind, "clientOrderId": "mine", **prices})
    (listed,) = await client.fetch_open_orders(BTC)
    known = await client.fetch_order(placed["id"])
    await client.edit_order(placed["id"], BTC, "limit", "buy", 0.02, None, edit)
    (changed,) = await client.fetch_open_orders(BTC)
    cancelled = await client.cancel_order(placed["id"])
    left = await client.fetch_open_orders(BTC)
    ended = await client.fetch_order(placed["id"])
    read_history = client.historyGetOrders if kind in ("lmt", "post") else client.historyGetTriggers
    ((told, body),) = (await read_history({}))["elements"][0]["event"].items()

    assert (placed["status"], placed["clientOrderId"], known["status"]) == ("open", "mine", "open")
    assert (listed["id"], listed["info"]["orderType"], listed["amount"]) == (placed["id"], LISTED[kind], 0.01)
    assert (changed["amount"], float(changed["info"][shown])) == (0.02, float(edit[shown]))
    assert (cancelled["status"], ended["status"], left) == ("canceled", "canceled", [])
    assert (told, body["order"]["uid"]) == ("OrderCancelled" if kind in ("lmt", "post") else "OrderTriggerCancelled", placed["id"])


@pytest.mark.parametrize("name", RESTING)
async def test_the_sdk_takes_every_resting_order_through_its_whole_life(server: KrakenServer, name: str) -> None:
    prices, edit, shown = RESTING[name]
    kind = name.partition(" ")[0]
    trade, user = (make(KEYS.key, KEYS.secret, url=server.address.base_url) for make in (sdk.Trade, sdk.User))

    async def ask(call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return await asyncio.to_thread(call, *args, **named)

    prices = {key: "spot" if value == "index" else value for key, value in prices.items()}  # its word for the index
    change = {"cliOrdId": "mine", "size": "0.02", **edit}
    placed = (await ask(trade.create_order, kind, "0.01", "PF_XBTUSD", "buy", cliOrdId="mine", **prices))["sendStatus"]
    (listed,) = (await ask(user.get_open_orders))["openOrders"]
    (known,) = (await ask(trade.get_orders_status, cliOrdIds=["mine"]))["orders"]
    if kind == "trailing_stop":  # its edit_order has no parameter for the distance
        edited = (await ask(trade.request, "POST", "/derivatives/api/v3/editorder", post_params=change))["editStatus"]
    else:
        edited = (await ask(trade.edit_order, **change))["editStatus"]
    (changed,) = (await ask(user.get_open_orders))["openOrders"]
    cancelled = (await ask(trade.cancel_order, order_id=placed["order_id"]))["cancelStatus"]
    left = (await ask(user.get_open_orders))["openOrders"]
    (ended,) = (await ask(trade.get_orders_status, orderIds=[placed["order_id"]]))["orders"]

    assert (placed["status"], known["status"] in ("ENTERED_BOOK", "TRIGGER_PLACED"), edited["status"]) == ("placed", True, "edited")
    assert (listed["order_id"], listed["orderType"], listed["unfilledSize"]) == (placed["order_id"], LISTED[kind], 0.01)
    assert (changed["unfilledSize"], float(changed[shown])) == (0.02, float(edit[shown]))
    assert (cancelled["status"], ended["status"], left) == ("cancelled", "CANCELLED", [])


async def test_ccxt_trails_a_stop_behind_a_rising_price(client: Any, server: KrakenServer) -> None:
    await client.create_order(BTC, "market", "buy", 0.01)
    await client.create_order(BTC, "market", "sell", 0.01, None, {"orderType": "trailing_stop", "reduceOnly": True, **TRAIL})
    (before,) = await client.fetch_open_orders(BTC)
    server.advance_to(START_MS + 62_000)
    (after,) = await client.fetch_open_orders(BTC)

    assert float(before["info"]["stopPrice"]) == pytest.approx(76_000, abs=5)
    assert float(after["info"]["stopPrice"]) == pytest.approx(81_225, abs=5)


async def test_the_sdk_takes_profit_when_the_price_comes(server: KrakenServer) -> None:
    trade, user = (make(KEYS.key, KEYS.secret, url=server.address.base_url) for make in (sdk.Trade, sdk.User))
    await asyncio.to_thread(trade.create_order, "mkt", "0.01", "PF_XBTUSD", "buy")
    target = {"stopPrice": "85000", "triggerSignal": "mark", "reduceOnly": True, "cliOrdId": "target"}
    await asyncio.to_thread(trade.create_order, "take_profit", "0.01", "PF_XBTUSD", "sell", **target)
    before = (await asyncio.to_thread(user.get_open_positions))["openPositions"]
    server.advance_to(START_MS + 62_000)
    after = (await asyncio.to_thread(user.get_open_positions))["openPositions"]
    fills = (await asyncio.to_thread(trade.get_fills))["fills"]

    assert (len(before), after) == (1, [])
    assert (fills[0]["cliOrdId"], fills[0]["side"], fills[0]["price"] > 85_000) == ("target", "sell", True)


async def test_the_sdk_pages_fills_and_candles_to_their_beginning(server: KrakenServer) -> None:
    market, trade = (make(KEYS.key, KEYS.secret, url=server.address.base_url) for make in (sdk.Market, sdk.Trade))
    for number in range(12):
        await asyncio.to_thread(trade.create_order, "mkt", "0.01", "PF_XBTUSD", "sell" if number % 2 else "buy")
        server.advance_to(server.exchange.now_ms + 10)
    seen, last = [], None
    while page := (await asyncio.to_thread(trade.get_fills, **({} if last is None else {"lastFillTime": last})))["fills"]:
        seen += [fill["fill_id"] for fill in page]
        last = page[-1]["fillTime"]
    since, opens = START_MS // 1000 - 2_500 * 3_600, []
    for _ in range(3):
        answer = await asyncio.to_thread(market.get_ohlc, "trade", "PF_XBTUSD", "1h", from_=since)
        opens += [candle["time"] for candle in answer["candles"]]
        since = opens[-1] // 1000 + 1
        if not answer["more_candles"]:
            break

    assert len(seen) == len(set(seen)) == len(server.exchange.executions())
    assert opens == list(range(START_MS - 2_500 * 3_600_000, START_MS + 1, 3_600_000))


async def test_ccxt_is_refused_an_order_without_each_of_its_arguments(client: Any) -> None:
    whole = {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": "0.01", "limitPrice": "79000"}
    for name in ("orderType", "symbol", "side", "size"):
        with pytest.raises(ccxt.BadRequest, match="requiredArgumentMissing"):
            await client.privatePostSendorder({key: value for key, value in whole.items() if key != name})

    assert await client.fetch_open_orders() == []
