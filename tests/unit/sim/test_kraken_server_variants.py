"""Isolated margin, trailing stops, maintenance and the open points, as a client of the front meets them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from fakes.front_client import BTC, V3, FrontClient
from fakes.kraken_server_rig import KEYS
from fakes.scripted_market import START_MS
from trading_system.sim.kraken_server.auth import sign_request
from trading_system.sim.kraken_server.routes import ApiRequest
from trading_system.sim.read_models import ReadDelays

LISTS = (("openorders", "openOrders"), ("openpositions", "openPositions"), ("fills", "fills"))
STOP = {"orderType": "stp", "symbol": BTC, "side": "sell", "size": "0.01", "stopPrice": "70000", "reduceOnly": "true"}
TRAILING = {
    "orderType": "trailing_stop", "symbol": BTC, "side": "sell", "size": "0.01", "reduceOnly": "true", "triggerSignal": "mark",
    "trailingStopMaxDeviation": "2", "trailingStopDeviationUnit": "PERCENT",
}  # fmt: skip


def test_a_leverage_preference_that_would_break_margin_is_http_500_code_92() -> None:
    client = FrontClient()
    client.buy("0.5")  # 40,000 USD

    status, answer = client.ask("PUT", "leveragepreferences", symbol=BTC, maxLeverage=2)

    assert (status, answer["errors"]) == (500, [{"code": 92, "message": "INSUFFICIENT_MARGIN"}])
    assert client.get("leveragepreferences")["leveragePreferences"] == []
    assert client.ask("PUT", "leveragepreferences", symbol=BTC, maxLeverage=1000)[1]["error"] == "invalidArgument: maxLeverage"


def test_an_isolated_position_shows_in_the_balances_feed_apart_from_the_cross_block() -> None:
    client = FrontClient()
    client.ask("PUT", "leveragepreferences", symbol=BTC, maxLeverage=5)
    client.buy()
    flex = client.feed("balances")["flex_futures"]
    (position,) = client.feed("open_positions")["positions"]

    own = flex["isolated"][BTC]
    assert own["margin_equity"] + flex["cross"]["margin_equity"] == flex["margin_equity"]
    assert flex["cross"]["initial_margin"] == 0
    assert own["initial_margin"] == flex["initial_margin"] == position["initial_margin"]
    assert abs(position["effective_leverage"] - 5) < Decimal("0.01")


def test_a_trailing_stop_is_placed_listed_and_told_with_its_distance() -> None:
    client = FrontClient()
    client.buy()
    status = client.send(**TRAILING)["sendStatus"]
    (row,) = client.get("openorders")["openOrders"]
    (told,) = client.feed("open_orders")["orders"]

    assert status["status"] == "placed"
    assert (row["orderType"], row["trailingStopMaxDeviation"], row["trailingStopDeviationUnit"]) == ("trailing_stop", 2, "PERCENT")
    assert row["stopPrice"] == 78_400
    assert told["trailing_stop_options"] == {"max_deviation": 2, "unit": "PERCENT"}


def test_a_venue_without_trailing_stops_answers_http_400_code_11() -> None:
    status, answer = FrontClient(accepts_trailing_stops=False).ask("POST", "sendorder", **TRAILING)

    assert (status, answer["errors"]) == (400, [{"code": 11, "message": "invalid order type"}])


def test_maintenance_is_in_the_notifications_and_then_closes_the_private_side_only() -> None:
    for http_status in (503, 200):
        client = FrontClient(maintenance_status=http_status)
        client.exchange.announce_maintenance(START_MS + 60_000, 5)
        (note,) = client.get("notifications")["notifications"]
        told = client.feed("notifications_auth")["notifications"][0]
        client.exchange.advance_to(START_MS + 60_000)
        status, answer = client.ask("GET", "accounts")

        assert (note["type"], note["priority"], told["expected_downtime_minutes"]) == ("maintenance", "high", 5)
        assert (status, answer["error"]) == (http_status, "Unavailable")
        assert client.ask("GET", "tickers")[0] == 200


def test_open_points_of_listings_follow_their_switches() -> None:
    usual, other = FrontClient(), FrontClient(stop_word="stop", fills_show_fees=True, fills_page=1, batch_max=1)
    for client in (usual, other):
        client.buy()
        client.buy()
        client.send(**STOP)

    assert [client.get("openorders")["openOrders"][0]["orderType"] for client in (usual, other)] == ["stp", "stop"]
    assert [len(client.get("fills")["fills"]) for client in (usual, other)] == [2, 1]
    assert ["fee_paid" in client.get("fills")["fills"][0] for client in (usual, other)] == [False, True]
    items = 'json={"batchOrder":[{"order":"cancel","order_id":"a"},{"order":"cancel","order_id":"b"}]}'
    answers = [client.ask("POST", "batchorder", items)[1]["result"] for client in (usual, other)]
    assert answers == ["success", "error"]


def test_maker_protection_is_in_the_instrument_row_only_where_it_is_on() -> None:
    rows = [FrontClient(maker_protection_ms=ms).get("instruments")["instruments"][0] for ms in (0, 20)]

    assert [row.get("makerProtectionMillis") for row in rows] == [None, 20]


def test_listings_lag_and_order_status_does_not() -> None:
    client = FrontClient()
    client.desk.reads.set_delays(ReadDelays(1_000, 1_000, 1_000))
    client.buy()
    order_id = client.send(**STOP)["sendStatus"]["order_id"]
    listed = [client.get(name)[name_of] for name, name_of in LISTS]
    client.exchange.advance_to(client.exchange.now_ms + 1_000)
    later = [len(client.get(name)[name_of]) for name, name_of in LISTS]

    assert listed == [[], [], []]
    assert later == [1, 1, 1]
    assert len(client.get("orders/status", orderIds=order_id)["orders"]) == 1


def test_the_volume_and_the_tiers_that_decide_fees_are_listed() -> None:
    client = FrontClient()
    client.buy()
    (volume,) = client.get("feeschedules/volumes")["volumesByFeeSchedule"].values()
    tiers = client.get("feeschedules")["feeSchedules"][0]["tiers"]

    assert volume == float(client.exchange.traded_30_days()) > 0
    assert (tiers[0], tiers[-1]["usdVolume"]) == ({"makerFee": 0.02, "takerFee": 0.05, "usdVolume": 0}, 1_000_000_000)


def test_a_settlement_shows_in_fills_log_and_instruments() -> None:
    client = FrontClient()
    client.buy()
    client.exchange.announce_delisting(BTC, START_MS + 60_000)
    client.exchange.advance_to(START_MS + 61_000)
    row = next(row for row in client.get("instruments")["instruments"] if row["symbol"] == BTC)

    assert client.get("fills")["fills"][0]["fillType"] == "settlement"
    assert client.get("openpositions")["openPositions"] == []
    assert client.get("notifications")["notifications"][0]["type"] == "settlement"
    assert (row["isExpired"], row["tradeable"]) == (True, False)


def test_the_order_book_may_list_its_bids_worst_first() -> None:
    usual, other = (FrontClient(bids_ascending=way).get("orderbook", symbol=BTC)["orderBook"] for way in (False, True))

    assert usual["bids"] == other["bids"][::-1]
    assert usual["bids"][0][0] > usual["bids"][1][0]
    assert usual["asks"] == other["asks"]


def test_a_client_id_that_is_too_long_has_either_word() -> None:
    order = {"orderType": "lmt", "symbol": BTC, "side": "buy", "size": "0.01", "limitPrice": "70000", "cliOrdId": "x" * 101}
    words = [
        FrontClient(long_id_word=word).send(**order)["sendStatus"]["status"] for word in ("clientOrderIdTooLong", "clientOrderIdTooBig")
    ]

    assert words == ["clientOrderIdTooLong", "clientOrderIdTooBig"]


def test_nonces_are_judged_only_where_they_are_to_be() -> None:
    def errors(*, is_strict: bool) -> list[str | None]:
        client = FrontClient(checks_nonces=is_strict)
        path, found = V3 + "openorders", []
        for nonce in ("20000", "19990", "20000", "20001", "9000", ""):
            authent = sign_request(KEYS.secret_bytes, "", nonce, path)
            answer = client.api.answer(ApiRequest("GET", path, "", "", KEYS.key, authent, nonce), 0.0)
            found.append(msgspec.json.decode(answer.body).get("error"))
        return found

    assert errors(is_strict=True) == [None, None, "nonceDuplicate", None, "nonceBelowThreshold", None]
    assert errors(is_strict=False) == [None] * 6


def test_the_self_trade_strategy_and_a_relative_limit_survive_a_snapshot_and_the_command_log() -> None:
    client = FrontClient()
    records: list[Any] = []
    client.exchange._on_commit = records.append
    client.ask("PUT", "self-trade-strategy", strategy="CANCEL_MAKER_ANY")
    client.buy("0.02")
    client.send(**STOP, limitPriceOffsetValue="1", limitPriceOffsetUnit="PERCENT")
    restored, replayed = FrontClient().exchange, FrontClient().exchange
    restored.restore_state(msgspec.json.decode(msgspec.json.encode(client.exchange.snapshot_state())))
    for record in records:
        replayed.apply_commit(record)

    for other in (restored, replayed):
        assert other.self_trade is client.exchange.self_trade
        assert other.open_orders() == client.exchange.open_orders()
    assert restored.open_orders()[0].limit_offset is not None
