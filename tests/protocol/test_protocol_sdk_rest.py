"""python-kraken-sdk, unmodified, against the server: the second stranger. Its REST clients block, so they run in a thread."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from fakes.kraken_server_rig import KEYS, a_server
from fakes.scripted_market import START_MS
from trading_system.sim.kraken_server.charts import RESOLUTIONS
from trading_system.sim.kraken_server.server import KrakenServer

kraken = pytest.importorskip("kraken.futures", reason="python-kraken-sdk is not installed: make venv")
errors = pytest.importorskip("kraken.exceptions")

BTC = "PF_XBTUSD"


class Stranger:
    """The SDK's four clients. `ask` runs one of their calls."""

    def __init__(self, server: KrakenServer, secret: str = KEYS.secret) -> None:
        clients = (kraken.Market, kraken.Trade, kraken.User, kraken.Funding)
        self.market, self.trade, self.user, self.funding = (kind(KEYS.key, secret, url=server.address.base_url) for kind in clients)

    @staticmethod
    async def ask(call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return await asyncio.to_thread(call, *args, **named)

    async def order(self, order_type: str, side: str, size: str, **more: Any) -> dict[str, Any]:
        """Send an order and return its sendStatus."""
        answer = await self.ask(self.trade.create_order, order_type, size, BTC, side, **more)
        assert answer["result"] == "success"
        status: dict[str, Any] = answer["sendStatus"]
        return status

    async def open_orders(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self.ask(self.user.get_open_orders))["openOrders"]
        return rows


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server({"PF_XBTUSD": {0: 80_000.0, 60: 77_500.0}, "PF_DOGEUSD": {0: 0.2}})
    yield server
    await server.close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def stranger(server: KrakenServer) -> Stranger:
    return Stranger(server)


async def test_public_market_data_is_read(stranger: Stranger, server: KrakenServer) -> None:
    server.advance_to(START_MS + 5_000)
    ask, market = stranger.ask, stranger.market
    instruments = await ask(market.get_instruments)
    tickers = {row["symbol"]: row for row in (await ask(market.get_tickers))["tickers"]}
    book = (await ask(market.get_orderbook, symbol=BTC))["orderBook"]
    trades = (await ask(market.get_trade_history, symbol=BTC))["history"]
    older = (await ask(market.get_trade_history, symbol=BTC, lastTime=trades[0]["time"]))["history"]
    status = await ask(market.get_instruments_status, BTC)
    executions = await ask(market.get_public_execution_events, BTC)
    rates = await ask(stranger.funding.get_historical_funding_rates, BTC)

    assert {row["symbol"] for row in instruments["instruments"]} == {BTC, "PF_DOGEUSD"}
    assert tickers[BTC]["bid"] == book["bids"][0][0] < book["asks"][0][0] == tickers[BTC]["ask"]
    assert [row["uid"] for row in older] == [row["uid"] for row in trades[1:]]
    assert status["tradeable"] is True
    assert len((await ask(market.get_instruments_status))["instrumentStatus"]) == 2
    assert [row["event"]["Execution"]["execution"]["uid"] for row in executions["elements"]] == [row["uid"] for row in trades]
    assert rates["rates"][-1].keys() == {"timestamp", "fundingRate", "relativeFundingRate"}


async def test_charts_of_every_tick_type_and_resolution_are_listed_and_read(stranger: Stranger) -> None:
    ask, market = stranger.ask, stranger.market
    tick_types = await ask(market.get_tick_types)
    products = await ask(market.get_tradeable_products, "trade")
    resolutions = await ask(market.get_resolutions, "trade", BTC)
    lengths = {}
    for tick_type in tick_types:
        for resolution in resolutions:
            page = await ask(market.get_ohlc, tick_type, BTC, resolution, from_=START_MS // 1000 - 86_400, to=START_MS // 1000 - 1)
            lengths[tick_type, resolution] = len(page["candles"])

    assert (sorted(tick_types), products) == (["mark", "spot", "trade"], [BTC, "PF_DOGEUSD"])
    assert tuple(resolutions) == RESOLUTIONS
    assert {lengths[tick_type, "15m"] for tick_type in tick_types} == {96}
    assert {lengths[tick_type, "4h"] for tick_type in tick_types} == {6}


async def test_an_order_lives_through_placement_edit_status_and_cancel(stranger: Stranger) -> None:
    ask, trade = stranger.ask, stranger.trade
    placed = await stranger.order("lmt", "buy", "0.01", limitPrice="70000", cliOrdId="c 1+/é")
    edited = await ask(trade.edit_order, orderId=placed["order_id"], size="0.02", limitPrice="70100")
    (known,) = (await ask(trade.get_orders_status, orderIds=[placed["order_id"]]))["orders"]
    by_client_id = (await ask(trade.get_orders_status, cliOrdIds=["c 1+/é", "nobody"]))["orders"]
    (listed,) = await stranger.open_orders()
    cancelled = await ask(trade.cancel_order, cliOrdId="c 1+/é")

    assert (placed["status"], placed["orderEvents"][0]["type"]) == ("placed", "PLACE")
    assert edited["editStatus"]["status"] == "edited"
    assert (known["status"], known["order"]["quantity"], by_client_id) == ("ENTERED_BOOK", 0.02, [known])
    assert (listed["cliOrdId"], listed["limitPrice"], listed["unfilledSize"]) == ("c 1+/é", 70_100, 0.02)
    assert cancelled["cancelStatus"]["status"] == "cancelled"
    assert await stranger.open_orders() == []


async def test_every_order_type_is_taken(stranger: Stranger) -> None:
    words = {
        "mkt": (await stranger.order("mkt", "buy", "0.02"))["orderEvents"][0]["type"],
        "ioc": (await stranger.order("ioc", "buy", "0.01", limitPrice="80100"))["orderEvents"][0]["type"],
        "fok": (await stranger.order("fok", "buy", "0.01", limitPrice="80100"))["orderEvents"][0]["type"],
        "lmt": (await stranger.order("lmt", "buy", "0.01", limitPrice="79000"))["orderEvents"][0]["type"],
        "post": (await stranger.order("post", "buy", "0.01", limitPrice="79000"))["orderEvents"][0]["type"],
    }
    for signal in ("mark", "spot", "last"):
        placed = await stranger.order("stp", "sell", "0.01", stopPrice="78000", triggerSignal=signal, reduceOnly=True)
        words[f"stp {signal}"] = placed["orderEvents"][0]["orderTrigger"]["triggerSignal"]
    target = await stranger.order("take_profit", "sell", "0.01", stopPrice="85000", limitPrice="84900", reduceOnly=True)

    assert words == {
        "mkt": "EXECUTION", "ioc": "EXECUTION", "fok": "EXECUTION", "lmt": "PLACE", "post": "PLACE",
        "stp mark": "mark_price", "stp spot": "spot_price", "stp last": "last_price",
    }  # fmt: skip
    assert target["orderEvents"][0]["orderTrigger"]["triggerSide"] == "trigger_above"
    assert sorted(row["orderType"] for row in await stranger.open_orders()) == ["lmt", "lmt", "stp", "stp", "stp", "take_profit"]


async def test_a_position_is_opened_protected_stopped_and_booked(stranger: Stranger, server: KrakenServer) -> None:
    ask, user = stranger.ask, stranger.user
    await stranger.order("mkt", "buy", "0.02")
    await stranger.order("stp", "sell", "0.02", stopPrice="78000", triggerSignal="mark", reduceOnly=True, cliOrdId="sl-1")
    (position,) = (await ask(user.get_open_positions))["openPositions"]
    wallet = (await ask(user.get_wallets))["accounts"]["flex"]
    server.advance_to(START_MS + 62_000)

    fills = (await ask(stranger.trade.get_fills))["fills"]
    log = (await ask(user.get_account_log, sort="asc"))["logs"]
    kinds = [next(iter(row["event"])) for row in (await ask(user.get_trigger_events, sort="asc"))["elements"]]
    executions = (await ask(user.get_execution_events))["elements"]
    assert (position["symbol"], position["side"], position["size"]) == (BTC, "long", 0.02)
    assert wallet["marginEquity"] == pytest.approx(wallet["collateralValue"] + wallet["totalUnrealizedAsMargin"])
    assert [(row["side"], row.get("cliOrdId")) for row in fills] == [("sell", "sl-1"), ("buy", None)]
    assert log[-1]["new_balance"] == 0 or log[-2]["new_balance"] == 0  # the position leg of the exit
    assert kinds == ["OrderTriggerPlaced", "OrderTriggerActivated"]
    assert len(executions) == 2
    assert (await ask(user.get_open_positions))["openPositions"] == []
    assert (await ask(user.get_order_events))["elements"]


async def test_a_batch_places_edits_and_cancels(stranger: Stranger) -> None:
    ask, trade = stranger.ask, stranger.trade
    send = {"order": "send", "orderType": "lmt", "symbol": BTC, "side": "buy", "size": 0.01}
    first = await ask(
        trade.create_batch_order,
        [
            send | {"order_tag": "1", "limitPrice": 70_000, "cliOrdId": "a"},
            send | {"order_tag": "2", "limitPrice": 71_000, "cliOrdId": "b"},
        ],
    )
    second = await ask(
        trade.create_batch_order,
        [{"order": "edit", "cliOrdId": "a", "limitPrice": 70_500}, {"order": "cancel", "cliOrdId": "b"}],
    )
    late = await ask(trade.create_batch_order, [send | {"order_tag": "3", "limitPrice": 70_000}], processBefore="2020-01-01T00:00:00.000Z")

    assert [(row["status"], row["order_tag"]) for row in first["batchStatus"]] == [("placed", "1"), ("placed", "2")]
    assert [row["status"] for row in second["batchStatus"]] == ["edited", "cancelled"]
    assert [row["status"] for row in late["batchStatus"]] == ["wouldProcessAfterSpecifiedTime"]
    assert [(row["cliOrdId"], row["limitPrice"]) for row in await stranger.open_orders()] == [("a", 70_500)]


async def test_all_orders_are_cancelled_at_once_or_by_the_dead_mans_switch(stranger: Stranger, server: KrakenServer) -> None:
    ask, trade = stranger.ask, stranger.trade
    await stranger.order("lmt", "buy", "0.01", limitPrice="70000")
    everything = await ask(trade.cancel_all_orders, symbol=BTC)
    nothing = await ask(trade.cancel_all_orders)
    await stranger.order("lmt", "buy", "0.01", limitPrice="70000")
    armed = await ask(trade.dead_mans_switch, timeout=10)
    server.advance_to(server.exchange.now_ms + 11_000)

    assert (everything["cancelStatus"]["status"], len(everything["cancelStatus"]["cancelledOrders"])) == ("cancelled", 1)
    assert nothing["cancelStatus"]["status"] == "noOrdersToCancel"
    assert armed["status"]["triggerTime"] > armed["status"]["currentTime"]
    assert await stranger.open_orders() == []


async def test_preferences_are_set_and_listed(stranger: Stranger) -> None:
    ask, market = stranger.ask, stranger.market
    await ask(market.set_leverage_preference, BTC, maxLeverage=5)
    await ask(market.set_pnl_preference, BTC, "USD")
    isolated = await ask(market.get_leverage_preference)
    paid = await ask(market.get_pnl_preference)
    await ask(market.set_leverage_preference, BTC)

    assert isolated["leveragePreferences"] == [{"symbol": BTC, "maxLeverage": 5}]
    assert paid["preferences"] == [{"symbol": BTC, "pnlCurrency": "USD"}]
    assert (await ask(market.get_leverage_preference))["leveragePreferences"] == []
    assert (await ask(stranger.user.get_notifications))["notifications"] == []


async def test_what_is_wrong_with_a_request_becomes_the_sdks_own_exceptions(stranger: Stranger, server: KrakenServer) -> None:
    forged = Stranger(server, base64.b64encode(b"wrong" * 12).decode())
    with pytest.raises(errors.KrakenAuthenticationError):
        await forged.ask(forged.user.get_wallets)
    with pytest.raises(errors.KrakenRequiredArgumentMissingError):
        await stranger.ask(stranger.market.get_orderbook)
    with pytest.raises(errors.KrakenInsufficientAvailableFundsError):
        await stranger.order("lmt", "buy", "100", limitPrice="79000")
    with pytest.raises(Exception, match=r"400 - .*symbol"):
        await stranger.ask(stranger.market.get_orderbook, symbol="PF_NOBODYUSD")


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({"size": "0.00001"}, "invalidSize"),
        ({"size": "0.00015"}, "invalidSize"),
        ({"limitPrice": "70000.5"}, "invalidPrice"),
        ({"orderType": "whatever"}, "invalidOrderType"),
        ({"orderType": "post", "limitPrice": "81000"}, "postWouldExecute"),
        ({"orderType": "ioc"}, "iocWouldNotExecute"),
        ({"reduceOnly": True}, "wouldNotReducePosition"),
        ({"cliOrdId": "x" * 101}, "clientOrderIdTooLong"),
    ],
)
async def test_a_refused_order_is_answered_with_its_word(stranger: Stranger, order: dict[str, Any], word: str) -> None:
    asked = {"orderType": "lmt", "size": "0.01", "symbol": BTC, "side": "buy", "limitPrice": "70000"} | order
    # without its exceptions: the words themselves, whatever the SDK makes of some of them
    async with kraken.FuturesAsyncClient(KEYS.key, KEYS.secret, url=stranger.trade.url, use_custom_exceptions=False) as client:
        response = await client.request("POST", "/derivatives/api/v3/sendorder", post_params=asked)
        answer = await response.json()

    assert (response.status, answer["result"], answer["sendStatus"]["status"]) == (200, "success", word)
    assert await stranger.open_orders() == []


async def test_the_sdks_asynchronous_client_speaks_to_it_as_well(server: KrakenServer) -> None:
    async with kraken.FuturesAsyncClient(KEYS.key, KEYS.secret, url=server.address.base_url) as client:
        sent = await client.request(
            "POST",
            "/derivatives/api/v3/sendorder",
            post_params={"orderType": "lmt", "symbol": BTC, "side": "buy", "size": "0.01", "limitPrice": "70000"},
        )
        open_orders = await client.request("GET", "/derivatives/api/v3/openorders")
        margin = await client.request(
            "GET", "/derivatives/api/v3/initialmargin", query_params={"orderType": "mkt", "symbol": BTC, "side": "buy", "size": "1"}
        )

    assert [row["order_id"] for row in open_orders["openOrders"]] == [sent["sendStatus"]["order_id"]]
    assert margin["initialMargin"] == pytest.approx(1_600, rel=0.01)
