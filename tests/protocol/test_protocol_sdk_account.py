"""python-kraken-sdk, unmodified, on the rarer account pages: public events, unwind queue, CSV, self-trade, moving money."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.kraken_server_rig import KEYS, a_server
from fakes.scripted_market import START_MS
from trading_system.sim.kraken_server.server import KrakenServer

kraken = pytest.importorskip("kraken.futures", reason="python-kraken-sdk is not installed: make venv")
errors = pytest.importorskip("kraken.exceptions")

BTC = "PF_XBTUSD"
ORDER = {"orderType": "lmt", "symbol": BTC, "side": "buy", "size": "0.01", "limitPrice": "79000"}


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server({"PF_XBTUSD": {0: 80_000.0, 60: 81_000.0, 120: 77_000.0}, "PF_DOGEUSD": {0: 0.2}})
    yield server
    await server.close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def client(server: KrakenServer) -> AsyncIterator[Any]:
    async with kraken.FuturesAsyncClient(KEYS.key, KEYS.secret, url=server.address.base_url) as client:
        yield client


def blocking(server: KrakenServer, kind: str) -> Any:
    return getattr(kraken, kind)(KEYS.key, KEYS.secret, url=server.address.base_url)


async def send(client: Any, **changes: Any) -> dict[str, Any]:
    answer = await client.request("POST", "/derivatives/api/v3/sendorder", post_params=ORDER | changes)
    status: dict[str, Any] = answer["sendStatus"]
    return status


async def test_public_events_of_a_market_tell_orders_without_names_and_mark_prices(server: KrakenServer, client: Any) -> None:
    placed = await send(client, cliOrdId="mine")
    server.advance_to(START_MS + 190_000)
    market = blocking(server, "Market")
    orders = await asyncio.to_thread(market.get_public_order_events, BTC)
    prices = await asyncio.to_thread(market.get_public_mark_price_events, BTC)
    other = await asyncio.to_thread(market.get_public_order_events, "PF_DOGEUSD")

    first = orders["elements"][-1]["event"]["OrderPlaced"]["order"]
    assert (first["uid"], first["tradeable"], first["limitPrice"]) == (placed["order_id"], BTC, "79000")
    assert not {"accountUid", "clientId"} & set(first)
    assert "accountUid" not in orders
    assert other["elements"] == []
    assert [float(row["event"]["MarkPriceChanged"]["price"]) for row in prices["elements"][::-1]] == [80_000, 81_000, 77_000, 77_000]
    assert [row["timestamp"] for row in prices["elements"][::-1]][:2] == [START_MS + 60_000, START_MS + 120_000]


async def test_the_unwind_queue_lists_open_positions(server: KrakenServer, client: Any) -> None:
    await send(client, orderType="mkt", size="0.1")
    before = await asyncio.to_thread(blocking(server, "User").get_unwind_queue)
    server.advance_to(START_MS + 62_000)
    after = await asyncio.to_thread(blocking(server, "User").get_unwind_queue)

    assert before["queue"] == [{"symbol": BTC, "percentile": 20}]
    assert after["queue"] == [{"symbol": BTC, "percentile": 80}]  # a gain of more than half of its margin


async def test_the_account_log_comes_as_csv(server: KrakenServer, client: Any) -> None:
    await send(client, orderType="mkt", size="0.1")
    answer = await asyncio.to_thread(blocking(server, "User").get_account_log_csv)
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.headers["Content-Type"].startswith("text/csv")
    assert [(row["asset"], row["info"]) for row in rows] == [
        ("pf_xbtusd", "futures trade"), ("usd", "futures trade"), ("usd", "cross-exchange transfer"),
    ]  # fmt: skip
    assert rows[0]["new_balance"] == "0.1"


async def test_there_are_no_subaccounts(server: KrakenServer) -> None:
    answer = await asyncio.to_thread(blocking(server, "User").get_subaccounts)

    assert (answer["subaccounts"], answer["masterAccountUid"]) == ([], server.desk.account_uid)


async def test_an_order_that_meets_our_own_is_refused_until_makers_are_to_be_cancelled(server: KrakenServer, client: Any) -> None:
    path = "/derivatives/api/v3/self-trade-strategy"
    maker = await send(client, limitPrice="79999")
    refused = await send(client, side="sell", orderType="ioc", limitPrice="79900", size="0.5")
    default = (await client.request("GET", path))["strategy"]
    chosen = (await client.request("PUT", path, post_params={"strategy": "CANCEL_MAKER_SELF"}))["strategy"]
    taken = await send(client, side="sell", orderType="ioc", limitPrice="79900", size="0.5")
    history = await client.request("GET", "/api/history/v2/orders")
    unknown = await client.request("PUT", path, post_params={"strategy": "HOPE"})

    assert (default, refused["status"], chosen, taken["status"]) == ("REJECT_TAKER", "selfFill", "CANCEL_MAKER_SELF", "placed")
    assert unknown["error"] == "invalidArgument: strategy"
    ended = {
        body["order"]["uid"]: body["reason"]
        for row in history["elements"]
        for kind, body in row["event"].items()
        if kind == "OrderCancelled"
    }
    assert ended == {maker["order_id"]: "would_execute_self"}
    assert (await client.request("GET", "/derivatives/api/v3/openorders"))["openOrders"] == []


async def test_a_trigger_may_have_its_limit_relative_to_its_trigger_price(server: KrakenServer, client: Any) -> None:
    await send(client, orderType="mkt", size="0.02")
    stop = {"orderType": "stp", "side": "sell", "size": "0.01", "limitPrice": "", "stopPrice": "78000", "triggerSignal": "mark"}
    near = await send(client, **stop, limitPriceOffsetValue="50", limitPriceOffsetUnit="QUOTE_CURRENCY")
    far = await send(client, **stop, limitPriceOffsetValue="2", limitPriceOffsetUnit="PERCENT")
    both = await send(client, **stop | {"limitPrice": "77000"}, limitPriceOffsetValue="2", limitPriceOffsetUnit="PERCENT")
    without_unit = await send(client, **stop, limitPriceOffsetValue="2")
    server.advance_to(START_MS + 122_000)
    (resting,) = (await client.request("GET", "/derivatives/api/v3/openorders"))["openOrders"]
    fills = (await client.request("GET", "/derivatives/api/v3/fills"))["fills"]

    assert near["orderEvents"][0]["orderTrigger"]["type"] == "lmt"
    assert (both["status"], without_unit["status"]) == ("invalidPrice", "invalidOrderType")
    assert (resting["order_id"], resting["orderType"], resting["limitPrice"]) == (near["order_id"], "lmt", 77_950)
    assert fills[0]["order_id"] == far["order_id"]


async def test_money_leaves_whole_or_not_at_all(server: KrakenServer, client: Any) -> None:
    await send(client, orderType="mkt", size="0.1")
    path, before = "/derivatives/api/v3/withdrawal", server.exchange.account().balance
    answers = [await client.request("POST", path, post_params={"amount": amount, "currency": "USD"}) for amount in ("100000", "-1", "1000")]

    assert [answer.get("error") for answer in answers] == ["insufficientFunds", "invalidAmount", None]
    assert server.exchange.account().balance == before - 1_000


async def test_a_transfer_is_refused_where_there_is_nothing_to_move(server: KrakenServer, client: Any) -> None:
    funding = blocking(server, "Funding")
    empty = await asyncio.to_thread(funding.initiate_wallet_transfer, "5", "cash", "flex", "USD")
    with pytest.raises(errors.KrakenInvalidAccountError):
        await asyncio.to_thread(funding.initiate_wallet_transfer, "5", "flex", "fi_xbtusd", "USD")
    with pytest.raises(errors.KrakenInvalidUnitError):
        await asyncio.to_thread(funding.initiate_wallet_transfer, "5", "cash", "flex", "XBT")
    with pytest.raises(errors.KrakenInvalidAccountError):
        await asyncio.to_thread(funding.initiate_subaccount_transfer, "5", "a", "b", "c", "d", "USD")

    assert empty["error"] == "insufficientFunds"
