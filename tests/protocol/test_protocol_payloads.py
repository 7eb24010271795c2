"""Names and kinds of every field of every answer and frame, as the protocol's public pages list them; written out by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.kraken_server_rig import a_server
from fakes.payload_fields import differences
from fakes.raw_strangers import RawClient, RawFeed
from fakes.scripted_market import START_MS, a_market
from fakes.venue_fields import (
    BATCH_ROW,
    CANDLE,
    EVENT_ORDER,
    EVENT_TRIGGER,
    EXECUTION,
    FILL,
    FLEX,
    HISTORY_ORDER,
    INSTRUMENT,
    INSTRUMENT_STATUS,
    LOG,
    MARGIN_LEVEL,
    OPEN_ORDER,
    PAGE,
    POSITION,
    PUBLIC_EXECUTION,
    PUBLIC_ORDER,
    SEND_STATUS,
    STATUS_ORDER,
    STATUS_ROW,
    TICKER,
    TRADE,
    WS_BOOK,
    WS_DELTA,
    WS_FILL,
    WS_FLEX,
    WS_LITE,
    WS_NOTE,
    WS_ORDER,
    WS_POSITION,
    WS_TICKER,
    WS_TRADE,
)
from trading_system.sim.kraken_server.server import KrakenServer

BTC = "PF_XBTUSD"
STOP = {"orderType": "stp", "side": "sell", "stopPrice": "70000", "triggerSignal": "mark", "reduceOnly": "true"}
NEVER = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server({BTC: {0: 80_000.0, 30: 80_050.0}}, specs=[a_market(funding="0.0001")], speed=0.0)
    yield server
    await server.close()


@pytest.fixture
async def client(server: KrakenServer) -> AsyncIterator[RawClient]:
    async with RawClient(server) as client:
        yield client


def check(payload: Any, fields: str) -> Any:
    assert differences(payload, fields) == []
    return payload


def envelope(payload: Any, key: str, kind: str) -> Any:
    check(payload, f"result success, serverTime iso, {key} {kind}")
    return payload[key]


async def test_public_rows_of_v3(client: RawClient, server: KrakenServer) -> None:
    server.advance_to(START_MS + 3_700_000)
    (instrument,) = envelope(await client.get("instruments"), "instruments", "list")
    check(instrument, INSTRUMENT)
    for level in (*instrument["marginLevels"], *instrument["retailMarginLevels"]):
        check(level, MARGIN_LEVEL)
    check(await client.get(f"instruments/{BTC}/status"), f"result success, serverTime iso, {INSTRUMENT_STATUS}")
    (status,) = envelope(await client.get("instruments/status"), "instrumentStatus", "list")
    check(status, f"symbol str, {INSTRUMENT_STATUS}")
    ticker, index = envelope(await client.get("tickers"), "tickers", "list")
    check(ticker, TICKER)
    check(index, "symbol in_xbtusd, last num, lastTime iso")
    check(envelope(await client.get(f"tickers/{BTC}"), "ticker", "obj"), TICKER)
    book = check(envelope(await client.get("orderbook", symbol=BTC), "orderBook", "obj"), "bids list, asks list")
    assert all(len(level) == 2 and isinstance(level[0], int | float) for level in (*book["bids"], *book["asks"]))
    for trade in envelope(await client.get("history", symbol=BTC), "history", "list"):
        check(trade, TRADE)
    (schedule,) = envelope(await client.get("feeschedules"), "feeSchedules", "list")
    check(check(schedule, "uid uuid, name str, tiers list")["tiers"][0], "makerFee num, takerFee num, usdVolume num")
    for rate in envelope(await client.get("/derivatives/api/v4/historicalfundingrates", symbol=BTC), "rates", "list"):
        check(rate, "timestamp isos, fundingRate num, relativeFundingRate num")


async def test_charts_and_public_histories(client: RawClient, server: KrakenServer) -> None:
    await client.send(orderType="lmt", side="buy", limitPrice="79000", cliOrdId="mine")
    server.advance_to(START_MS + 130_000)
    for tick_type in ("trade", "mark", "spot"):
        page = check(await client.get(f"/api/charts/v1/{tick_type}/{BTC}/1h"), "candles list, more_candles bool")
        for candle in page["candles"]:
            check(candle, CANDLE)
    market = f"/api/history/v3/market/{BTC}"
    element = check(await client.get(f"{market}/executions"), PAGE)["elements"][0]
    execution = check(check(element, "uid uuid, timestamp ms, event obj")["event"]["Execution"], "execution obj, takerReducedQuantity str")
    for side in ("makerOrder", "takerOrder"):
        check(check(execution["execution"], PUBLIC_EXECUTION)[side], PUBLIC_ORDER)
    (placed,) = check(await client.get(f"{market}/orders"), PAGE)["elements"]
    check(placed["event"]["OrderPlaced"]["order"], f"{PUBLIC_ORDER}, filled numstr")
    price = check(await client.get(f"{market}/price"), PAGE)["elements"][0]
    check(price["event"]["MarkPriceChanged"], "price numstr")


async def test_wallet_positions_and_fills(client: RawClient, server: KrakenServer) -> None:
    await client.send(orderType="mkt", side="buy", cliOrdId="c1")
    accounts = envelope(await client.get("accounts"), "accounts", "obj")
    check(accounts, "cash obj, flex obj")
    check(accounts["cash"], "type cashAccount, balances obj")
    check(check(accounts["flex"], FLEX)["currencies"]["USD"], "quantity num, value num, collateral num, available num")
    (position,) = envelope(await client.get("openpositions"), "openPositions", "list")
    check(position, POSITION)
    await client.ask("PUT", "leveragepreferences", symbol=BTC, maxLeverage="5")
    (isolated,) = envelope(await client.get("openpositions"), "openPositions", "list")
    assert check(isolated, POSITION)["maxFixedLeverage"] == 5
    (fill,) = envelope(await client.get("fills"), "fills", "list")
    check(fill, FILL)
    (leverage,) = envelope(await client.get("leveragepreferences"), "leveragePreferences", "list")
    check(leverage, "symbol str, maxLeverage num")
    check(await client.ask("PUT", "pnlpreferences", symbol=BTC, pnlPreference="USD"), "result success, serverTime iso")
    (preference,) = envelope(await client.get("pnlpreferences"), "preferences", "list")
    check(preference, "symbol str, pnlCurrency USD")
    server.exchange.announce_maintenance(START_MS + 600_000, 10)
    (note,) = envelope(await client.get("notifications"), "notifications", "list")
    check(note, "type maintenance, priority low|medium|high, note str, effectiveTime iso")
    (queued,) = envelope(await client.get("unwindqueue"), "queue", "list")
    check(queued, "symbol str, percentile int")
    check(await client.get("feeschedules/volumes"), "result success, serverTime iso, volumesByFeeSchedule obj")
    asked = {"orderType": "mkt", "symbol": BTC, "side": "buy", "size": "1"}
    check(await client.get("initialmargin", **asked), "result success, serverTime iso, initialMargin num, price num")
    sizes = "maxBuySize num, buyPrice num, maxSellSize num, sellPrice num"
    check(await client.get("initialmargin/maxordersize", **asked), f"result success, serverTime iso, {sizes}")


async def test_answers_to_orders_and_their_events(client: RawClient) -> None:
    resting = check(await client.send(orderType="lmt", side="buy", limitPrice="79000", cliOrdId="rest"), SEND_STATUS)
    (place,) = resting["orderEvents"]
    check(check(place, "type PLACE, order obj, reducedQuantity num?")["order"], EVENT_ORDER)
    taken = check(await client.send(orderType="mkt", side="buy"), SEND_STATUS)
    check(check(taken["orderEvents"][0], EXECUTION)["orderPriorExecution"], EVENT_ORDER)
    stop = check(await client.send(**STOP), SEND_STATUS)
    check(check(stop["orderEvents"][0], "type PLACE, orderTrigger obj, reducedQuantity num?")["orderTrigger"], EVENT_TRIGGER)
    refused = await client.send(orderType="post", side="buy", limitPrice="81000")
    check(refused, "?order_id uuid, status postWouldExecute, receivedTime iso, ?cliOrdId str, orderEvents list")
    check(check(refused["orderEvents"][0], "type REJECT, uid uuid, order obj, reason POST_WOULD_EXECUTE")["order"], EVENT_ORDER)
    edited = (await client.ask("POST", "editorder", cliOrdId="rest", size="0.02"))["editStatus"]
    check(edited, "status edited, orderId uuid, ?cliOrdId str, receivedTime iso, orderEvents list")
    edit = check(edited["orderEvents"][0], "type EDIT, old obj, new obj, reducedQuantity num?")
    check(edit["old"], EVENT_ORDER)
    check(edit["new"], EVENT_ORDER)
    cancelled = (await client.ask("POST", "cancelorder", cliOrdId="rest"))["cancelStatus"]
    check(cancelled, "status cancelled, order_id uuid, ?cliOrdId str, receivedTime iso, orderEvents list")
    check(check(cancelled["orderEvents"][0], "type CANCEL, uid uuid, order obj")["order"], EVENT_ORDER)
    unknown = (await client.ask("POST", "cancelorder", order_id=NEVER))["cancelStatus"]
    check(unknown, "status notFound, order_id uuid, receivedTime iso, orderEvents list")
    everything = (await client.ask("POST", "cancelallorders"))["cancelStatus"]
    check(everything, "receivedTime iso, cancelOnly all, status cancelled, cancelledOrders list, orderEvents list")
    check(everything["cancelledOrders"][0], "order_id uuid, ?cliOrdId str")
    check(everything["orderEvents"][0], "type CANCEL, uid uuid, orderTrigger obj")
    check((await client.ask("POST", "cancelallordersafter", timeout=60))["status"], "currentTime iso, triggerTime iso")
    assert (await client.ask("POST", "cancelallordersafter", timeout=0))["status"]["triggerTime"] == "0"
    batch = [
        {"order": "send", "order_tag": "1", "orderType": "lmt", "symbol": BTC, "side": "buy", "size": "0.01", "limitPrice": "79000"},
        {"order": "cancel", "order_id": NEVER},
        {"order": "send", "order_tag": "2", "orderType": "lmt", "symbol": BTC, "side": "buy"},
    ]
    for row in (await client.ask("POST", "batchorder", "json=" + json.dumps({"batchOrder": batch})))["batchStatus"]:
        check(row, BATCH_ROW)


async def test_listings_of_orders(client: RawClient) -> None:
    limit = await client.send(orderType="lmt", side="buy", limitPrice="79000", cliOrdId="rest")
    await client.send(orderType="mkt", side="buy")
    await client.send(**STOP)
    trail = {"trailingStopMaxDeviation": "2", "trailingStopDeviationUnit": "PERCENT"}
    await client.send(**STOP | {"orderType": "trailing_stop"}, **trail)
    await client.send(**STOP, limitPriceOffsetValue="1", limitPriceOffsetUnit="PERCENT")
    rows = envelope(await client.get("openorders"), "openOrders", "list")
    for row in rows:
        check(row, OPEN_ORDER)
    by_type = {row["orderType"]: row for row in rows if "limitPriceOffsetValue" not in row}
    assert ("limitPrice" in by_type["lmt"], "limitPrice" in by_type["stp"], "stopPrice" in by_type["lmt"]) == (True, False, False)
    for method in ("GET", "POST"):
        statuses = envelope(await client.ask(method, "orders/status"), "orders", "list")
        for row in statuses:
            check(check(row, STATUS_ROW)["order"], STATUS_ORDER)
        assert {row["status"] for row in statuses} == {"ENTERED_BOOK", "FULLY_EXECUTED", "TRIGGER_PLACED"}
    trigger = next(row["order"] for row in statuses if row["status"] == "TRIGGER_PLACED")
    options = "triggerPrice num, triggerSignal MARK_PRICE|LAST_PRICE|SPOT_PRICE, triggerSide TRIGGER_BELOW|TRIGGER_ABOVE"
    check(trigger["priceTriggerOptions"], options)
    (known,) = envelope(await client.get("orders/status", orderIds=[limit["order_id"], NEVER]), "orders", "list")
    assert known["order"]["cliOrdId"] == "rest"


async def test_private_histories(client: RawClient, server: KrakenServer) -> None:
    await client.send(orderType="lmt", side="buy", limitPrice="79000", cliOrdId="rest")
    await client.ask("POST", "editorder", cliOrdId="rest", size="0.02")
    await client.ask("POST", "cancelorder", cliOrdId="rest")
    await client.send(orderType="post", side="buy", limitPrice="81000")
    await client.send(orderType="mkt", side="buy")
    await client.send(**STOP | {"stopPrice": "80020"})
    await client.send(**STOP)
    server.advance_to(START_MS + 3_700_000)
    log = check(await client.get("/api/history/v3/account-log"), "accountUid uuid, logs list")
    for entry in log["logs"]:
        check(entry, LOG)
    events = {}
    for name in ("orders", "triggers", "executions"):
        page = check(await client.get(f"/api/history/v2/{name}"), PAGE)
        assert page["len"] == len(page["elements"])
        for element in page["elements"]:
            ((kind, body),) = check(element, "uid uuid, timestamp ms, event obj")["event"].items()
            events[kind] = body
    assert events.keys() == {
        *("OrderPlaced", "OrderUpdated", "OrderCancelled", "OrderRejected", "Execution"),
        *("OrderTriggerPlaced", "OrderTriggerActivated"),
    }
    for kind in ("OrderPlaced", "OrderCancelled", "OrderRejected"):
        check(check(events[kind], "order obj, reason str, reducedQuantity str, algoId str")["order"], HISTORY_ORDER)
    for name in ("oldOrder", "newOrder"):
        check(check(events["OrderUpdated"], "oldOrder obj, newOrder obj, reason str, reducedQuantity str, algoId str")[name], HISTORY_ORDER)
    trigger = check(events["OrderTriggerPlaced"]["orderTrigger"], HISTORY_ORDER)["triggerOptions"]
    check(trigger, "triggerPrice numstr, triggerSignal MarkPrice|LastPrice|SpotPrice, triggerSide Above|Below")
    check(events["Execution"], "execution obj, takerReducedQuantity str")
    positions = check(await client.get("/api/history/v3/positions"), PAGE)["elements"]
    update = """accountUid uuid, tradeable str, oldPosition numstr, newPosition numstr, positionChange str, oldAverageEntryPrice numstr,
    newAverageEntryPrice numstr, executionUid uuid, executionPrice numstr, executionSize numstr, realizedPnL str, fee str, feeCurrency USD,
    updateReason str, timestamp ms"""
    for element in positions:
        check(element["event"]["PositionUpdate"], update)


async def test_errors(client: RawClient) -> None:
    error = "result error, error {word}, serverTime iso"
    check(await client.get("orderbook"), error.format(word="requiredArgumentMissing"))
    bad = check(await client.get("orderbook", symbol="PF_NOBODYUSD"), "status BAD_REQUEST, result error, errors list, serverTime iso")
    check(bad["errors"][0], "code int, message str")
    check(await client.get("nonsense"), "status NOT_FOUND, result error, errors list, serverTime iso")
    async with client.http.get(f"{client._server.address.base_url}/derivatives/api/v3/accounts") as response:
        check(await response.json(), error.format(word="authenticationError"))


async def test_frames_of_every_feed() -> None:
    server = await a_server({BTC: {0: 80_000.0, 3: 80_050.0}}, specs=[a_market()], speed=2.0)
    try:
        async with RawClient(server) as client, RawFeed(client, server) as feed:
            for product_feed in ("ticker", "ticker_lite", "trade", "book"):
                await feed.subscribe(product_feed, BTC)
            private = ("fills", "open_orders", "open_orders_verbose", "open_positions", "balances", "account_log", "notifications_auth")
            for name in ("heartbeat", *private):
                await feed.subscribe(name)
            check(await feed.event("subscribed"), "event subscribed, feed ticker, product_ids list")
            check(await feed.of("ticker"), WS_TICKER)
            check(await feed.of("ticker_lite"), WS_LITE)
            snapshot = check(await feed.of("trade_snapshot"), "feed trade_snapshot, product_id str, trades list")
            check(snapshot["trades"][0], WS_TRADE)
            book = check(await feed.of("book_snapshot"), WS_BOOK)
            check(book["bids"][0], "price num, qty num")
            check(await feed.of("heartbeat"), "feed heartbeat, time ms")
            check(await feed.of("fills_snapshot"), "feed fills_snapshot, account uuid, fills list")
            for name in ("open_orders_snapshot", "open_orders_verbose_snapshot"):
                check(await feed.of(name), f"feed {name}, account uuid, orders list")
            position_message = "feed open_positions, account uuid, positions list, seq int, timestamp ms"
            check(await feed.of("open_positions"), position_message)
            balances = "account uuid, holding obj, futures obj, flex_futures obj, timestamp ms, seq int"
            check(check(await feed.of("balances_snapshot"), f"feed balances_snapshot, {balances}")["flex_futures"], WS_FLEX)
            log = check(await feed.of("account_log_snapshot"), "feed account_log_snapshot, logs list")
            check(log["logs"][0], LOG)
            check(await feed.of("notifications_auth"), "feed notifications_auth, notifications list")
            await client.send(orderType="lmt", side="buy", limitPrice="79000", cliOrdId="rest")
            await client.send(orderType="mkt", side="buy", cliOrdId="entry")
            await client.send(**STOP)
            await client.ask("POST", "cancelorder", cliOrdId="rest")
            server.exchange.announce_maintenance(server.exchange.now_ms + 600_000, 10)
            placed = check(await feed.of("open_orders"), "feed open_orders, order obj, is_cancel bool, reason new_placed_order_by_user")
            check(placed["order"], WS_ORDER)
            fills = check(await feed.of("fills"), "feed fills, username uuid, fills list")
            check(fills["fills"][0], WS_FILL)
            filled = check(await feed.of("open_orders"), "feed open_orders, order obj, is_cancel bool, reason full_fill")
            stop = await feed.of("open_orders")
            gone = check(await feed.of("open_orders"), "feed open_orders, order_id uuid, cli_ord_id str, is_cancel bool, reason str")
            position = check(await feed.of("open_positions"), position_message)["positions"][0]
            changed = check(await feed.of("balances"), f"feed balances, {balances}")["flex_futures"]
            entry = check(await feed.of("account_log"), "feed account_log, new_entry obj")["new_entry"]
            note = check(await feed.of("notifications_auth"), "feed notifications_auth, notifications list")["notifications"][0]
            check(await feed.of("book"), WS_DELTA)
            check(await feed.of("trade"), WS_TRADE)
            for text in ("{", '{"event":"subscribe","feed":"book","product_ids":["PF_NOBODYUSD"]}'):
                await feed.tell(text)
                check(await feed.event("error"), "event error, message str")
            await feed.subscribe("book", BTC)
            again = await feed.event("alert")
    finally:
        await server.close()

    assert (filled["is_cancel"], filled["order"]["qty"], gone["is_cancel"]) == (True, 0, True)
    check(stop["order"], WS_ORDER)
    check(position, WS_POSITION)
    check(changed, WS_FLEX)
    check(changed["currencies"]["USD"], "quantity num, value num, collateral_value num, available num, haircut num, conversion_spread num")
    check(entry, LOG)
    check(note, WS_NOTE)
    assert again == {"event": "alert", "message": "Already subscribed to feed, re-requesting"}
