"""Requests as the front judges them: found, authenticated, charged, parsed. No HTTP involved."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from fakes.kraken_server_rig import KEYS, an_exchange
from trading_system.sim.kraken_server.auth import sign_request
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.encoding import encode
from trading_system.sim.kraken_server.envelope import Answer
from trading_system.sim.kraken_server.rate_budget import RateBudget
from trading_system.sim.kraken_server.routes import Api, ApiRequest
from trading_system.sim.model import MarketMode

V3 = "/derivatives/api/v3/"
ENTRY = {"orderType": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "size": "0.01", "limitPrice": "70000"}


class Client:
    """Signs and asks; the answer's payload as a client decodes it."""

    def __init__(self) -> None:
        self.exchange = an_exchange()
        self.desk = Desk(self.exchange, "account")
        self.api = Api(self.desk, KEYS, RateBudget())

    def answer(self, method: str, path: str, params: Mapping[str, Any] | None = None, *, body: str = "", now_s: float = 0.0) -> Answer:
        query = urlencode(params or {}, doseq=True)
        authent = sign_request(KEYS.secret_bytes, query + body, "", path)
        return self.api.answer(ApiRequest(method, path, query, body, KEYS.key, authent), now_s)

    def get(self, name: str, **params: Any) -> Any:
        return self._decoded(self.answer("GET", V3 + name, params))

    def post(self, name: str, **params: Any) -> Any:
        return self._decoded(self.answer("POST", V3 + name, params))

    def history(self, name: str, **params: Any) -> Any:
        return self._decoded(self.answer("GET", f"/api/history/{name}", params))

    @staticmethod
    def _decoded(answer: Answer) -> Any:
        return msgspec.json.decode(answer.body)


@pytest.fixture
def client() -> Client:
    return Client()


def test_an_unknown_path_is_404() -> None:
    answer = Client().answer("GET", V3 + "nonsense")

    assert (answer.status, answer.payload["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", [V3 + "accounts", "/api/history/v2/orders"])
def test_a_private_request_with_a_wrong_signature_is_refused_with_http_200(client: Client, path: str) -> None:
    answer = client.api.answer(ApiRequest("GET", path, "", "", KEYS.key, "d3Jvbmc="), 0.0)

    assert (answer.status, answer.payload["result"], answer.payload["error"]) == (200, "error", "authenticationError")


def test_a_signature_made_for_other_parameters_is_refused(client: Client) -> None:
    authent = sign_request(KEYS.secret_bytes, urlencode(ENTRY), "", V3 + "sendorder")
    moved = urlencode(ENTRY | {"limitPrice": "71000"})

    answer = client.api.answer(ApiRequest("POST", V3 + "sendorder", moved, "", KEYS.key, authent), 0.0)

    assert answer.payload["error"] == "authenticationError"
    assert client.exchange.open_orders() == ()


def test_an_order_is_accepted_from_the_form_body_too(client: Client) -> None:
    answer = client.answer("POST", V3 + "sendorder", body=urlencode(ENTRY))

    assert answer.payload["sendStatus"]["status"] == "placed"


def test_a_missing_argument_is_named_as_missing(client: Client) -> None:
    assert client.post("sendorder", **{k: v for k, v in ENTRY.items() if k != "size"})["error"] == "requiredArgumentMissing"


@pytest.mark.parametrize(("name", "value"), [("size", "much"), ("limitPrice", "NaN"), ("reduceOnly", "maybe"), ("processBefore", "soon")])
def test_a_malformed_argument_is_named(client: Client, name: str, value: str) -> None:
    assert client.post("sendorder", **(ENTRY | {name: value}))["error"] == f"invalidArgument: {name}"


def test_an_unknown_symbol_is_a_bad_request(client: Client) -> None:
    answer = client.answer("GET", V3 + "orderbook", {"symbol": "PF_NOPEUSD"})

    assert answer.status == 400
    assert answer.payload["errors"] == [{"code": 11, "message": "Argument invalid: symbol"}]


def test_over_budget_is_told_with_http_200_and_changes_nothing(client: Client) -> None:
    answers = [client.answer("POST", V3 + "sendorder", ENTRY | {"cliOrdId": f"c{n}"}) for n in range(51)]

    assert (answers[-1].status, answers[-1].payload["error"]) == (200, "apiLimitExceeded")
    assert len(client.exchange.open_orders()) == 50


@pytest.mark.parametrize(
    ("method", "name", "params", "points"),
    [
        ("GET", "accounts", {}, 2),
        ("GET", "orders/status", {}, 1),
        ("POST", "orders/status", {}, 1),
        ("GET", "fills", {}, 2),
        ("GET", "fills", {"lastFillTime": "2026-09-07T00:00:00.000Z"}, 25),
        ("POST", "sendorder", ENTRY, 10),
        ("POST", "cancelallorders", {}, 25),
        ("POST", "cancelallordersafter", {"timeout": "0"}, 25),
        ("POST", "batchorder", {"json": '{"batchOrder":[{"order":"cancel","order_id":"x"},{"order":"cancel","order_id":"y"}]}'}, 11),
    ],
)
def test_each_endpoint_costs_its_published_points(method: str, name: str, params: dict[str, str], points: int) -> None:
    budget, exchange = RateBudget(), an_exchange()
    api = Api(Desk(exchange, "account"), KEYS, budget)
    query = urlencode(params)
    api.answer(ApiRequest(method, V3 + name, query, "", KEYS.key, sign_request(KEYS.secret_bytes, query, "", V3 + name)), 0.0)

    assert budget.left(0.0)["trading"] == 500 - points


def test_a_resting_limit_order_is_answered_with_its_place_event(client: Client) -> None:
    status = client.post("sendorder", **ENTRY, cliOrdId="c1")["sendStatus"]

    order_id = status["order_id"]
    at = "2026-09-07T00:00:01.000Z"
    assert status == {
        "status": "placed",
        "receivedTime": at,
        "order_id": order_id,
        "cliOrdId": "c1",
        "orderEvents": [
            {
                "type": "PLACE",
                "order": {
                    "orderId": order_id, "cliOrdId": "c1", "type": "lmt", "symbol": "PF_XBTUSD", "side": "buy", "quantity": 0.01,
                    "filled": 0, "limitPrice": 70000, "reduceOnly": False, "timestamp": at, "lastUpdateTimestamp": at,
                },
                "reducedQuantity": None,
            }
        ],
    }  # fmt: skip


def test_a_market_order_is_answered_as_an_ioc_with_its_execution(client: Client) -> None:
    status = client.post("sendorder", orderType="mkt", symbol="PF_XBTUSD", side="buy", size="0.02")["sendStatus"]

    (event,) = status["orderEvents"]
    assert (event["type"], event["amount"], event["price"]) == ("EXECUTION", 0.02, 80002)
    assert event["orderPriorExecution"]["type"] == "ioc"
    assert (event["orderPriorExecution"]["quantity"], event["orderPriorExecution"]["filled"]) == (0.02, 0)


def test_a_stop_is_answered_and_listed_without_a_limit_price(client: Client) -> None:
    stop = {"orderType": "stp", "symbol": "PF_XBTUSD", "side": "sell", "size": "0.01", "stopPrice": "78000"}
    status = client.post("sendorder", **stop, triggerSignal="mark", reduceOnly="true", cliOrdId="sl-1")["sendStatus"]
    (row,) = client.get("openorders")["openOrders"]
    (known,) = client.get("orders/status", cliOrdIds=["sl-1"])["orders"]

    trigger = status["orderEvents"][0]["orderTrigger"]
    assert (trigger["type"], trigger["triggerSide"], trigger["triggerSignal"]) == ("ioc", "trigger_below", "mark_price")
    assert (trigger["limitPrice"], trigger["triggerPrice"], trigger["reduceOnly"]) == (None, 78000, True)
    assert "limitPrice" not in row
    assert (row["orderType"], row["stopPrice"], row["triggerSignal"], row["status"]) == ("stp", 78000, "mark", "untouched")
    assert (known["status"], known["order"]["type"]) == ("TRIGGER_PLACED", "TRIGGER_ORDER")
    assert known["order"]["priceTriggerOptions"] == {
        "triggerPrice": 78000, "triggerSignal": "MARK_PRICE", "triggerSide": "TRIGGER_BELOW",
    }  # fmt: skip


def test_a_refused_order_is_a_success_answer_with_the_venues_word(client: Client) -> None:
    answer = client.answer("POST", V3 + "sendorder", ENTRY | {"orderType": "post", "limitPrice": "90000"})

    assert (answer.status, answer.payload["result"]) == (200, "success")
    assert answer.payload["sendStatus"]["status"] == "postWouldExecute"
    assert answer.payload["sendStatus"]["orderEvents"][0]["reason"] == "POST_WOULD_EXECUTE"


def test_an_order_is_edited_and_cancelled_by_its_client_id(client: Client) -> None:
    client.post("sendorder", **ENTRY, cliOrdId="c1")

    edit = client.post("editorder", cliOrdId="c1", size="0.02", limitPrice="70100")["editStatus"]
    cancel = client.post("cancelorder", cliOrdId="c1")["cancelStatus"]
    again = client.post("cancelorder", cliOrdId="c1")["cancelStatus"]

    assert (edit["status"], edit["orderEvents"][0]["new"]["limitPrice"], edit["orderEvents"][0]["new"]["quantity"]) == (
        "edited",
        70100,
        0.02,
    )
    assert (cancel["status"], cancel["cliOrdId"], cancel["orderEvents"][0]["type"]) == ("cancelled", "c1", "CANCEL")
    assert (again["status"], again["orderEvents"]) == ("notFound", [])


def test_cancel_all_takes_triggers_too(client: Client) -> None:
    client.post("sendorder", **ENTRY)
    client.post("sendorder", orderType="stp", symbol="PF_XBTUSD", side="sell", size="0.01", stopPrice="78000")

    status = client.post("cancelallorders", symbol="pf_xbtusd")["cancelStatus"]

    assert (status["status"], status["cancelOnly"], len(status["cancelledOrders"])) == ("cancelled", "PF_XBTUSD", 2)
    assert client.get("openorders")["openOrders"] == []


def test_a_batch_judges_each_instruction_alone(client: Client) -> None:
    batch = {
        "batchOrder": [
            {"order": "send", "order_tag": 0, **ENTRY, "cliOrdId": "b 1"},
            {"order": "send", "order_tag": 1, "symbol": "PF_XBTUSD", "side": "buy", "size": "0.01"},
            {"order": "cancel", "order_id": "nothing"},
        ]
    }
    answer = client.answer("POST", V3 + "batchorder", body="json=" + msgspec.json.encode(batch).decode())

    rows = answer.payload["batchStatus"]
    assert [row["status"] for row in rows] == ["placed", "requiredArgumentMissing", "notFound"]
    assert (rows[0]["cliOrdId"], rows[0]["order_tag"]) == ("b 1", "0")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"batchOrder":[]}', '{"batchOrder":[1]}'])
def test_a_batch_that_cannot_be_read_is_refused_whole(client: Client, text: str) -> None:
    assert client.answer("POST", V3 + "batchorder", {"json": text}).payload["result"] == "error"


def test_fills_page_backwards_by_time_and_carry_no_fee(client: Client) -> None:
    market = {"orderType": "mkt", "symbol": "PF_XBTUSD", "side": "buy", "size": "0.01"}
    client.post("sendorder", **market)
    client.exchange.advance_to(client.exchange.now_ms + 5_000)
    client.post("sendorder", **market)

    newest, oldest = client.get("fills")["fills"]
    (page,) = client.get("fills", lastFillTime=newest["fillTime"])["fills"]

    assert page == oldest
    assert newest["fillTime"] == "2026-09-07T00:00:06.000Z"
    assert not {"fee", "fee_paid"} & newest.keys()


def test_positions_vanish_when_flat(client: Client) -> None:
    client.post("sendorder", orderType="mkt", symbol="PF_XBTUSD", side="sell", size="0.01")
    (row,) = client.get("openpositions")["openPositions"]
    client.post("sendorder", orderType="mkt", symbol="PF_XBTUSD", side="buy", size="0.01", reduceOnly="true")

    assert (row["side"], row["symbol"], row["size"], row["price"]) == ("short", "PF_XBTUSD", 0.01, 79998)
    assert "maxFixedLeverage" not in row
    assert client.get("openpositions")["openPositions"] == []


def test_a_trade_is_two_rows_of_the_account_log(client: Client) -> None:
    client.post("sendorder", orderType="mkt", symbol="PF_XBTUSD", side="buy", size="0.02")

    log = client.history("v3/account-log", info="futures trade", sort="asc")
    cash, position = log["logs"]

    assert log["accountUid"] == "account"
    assert (cash["asset"], cash["contract"], cash["fee"]) == ("usd", "pf_xbtusd", 0.80002)
    assert (position["asset"], position["old_balance"], position["new_balance"]) == ("pf_xbtusd", 0, 0.02)
    assert cash["execution"] == client.get("fills")["fills"][0]["fill_id"]
    assert cash["new_balance"] - cash["old_balance"] == pytest.approx(-0.80002)


def test_account_log_filters_by_time_id_and_count(client: Client) -> None:
    for _ in range(3):
        client.post("sendorder", orderType="mkt", symbol="PF_XBTUSD", side="buy", size="0.01")
        client.exchange.advance_to(client.exchange.now_ms + 1_000)

    everything = client.history("v3/account-log", sort="asc")["logs"]
    since = client.history("v3/account-log", since=str(client.exchange.now_ms - 2_000), sort="asc")["logs"]

    assert [row["id"] for row in everything] == sorted(row["id"] for row in everything)
    assert client.history("v3/account-log", count="2")["logs"] == everything[::-1][:2]
    assert since == everything[-4:]
    assert client.history("v3/account-log", **{"from": everything[-1]["id"]})["logs"] == everything[-1:]


def test_order_history_pages_with_its_token(client: Client) -> None:
    for price in ("70000", "70100", "70200"):
        client.post("sendorder", **(ENTRY | {"limitPrice": price}))

    first = client.history("v2/orders", count="2")
    second = client.history("v2/orders", count="2", continuation_token=first["continuationToken"])
    prices = [element["event"]["OrderPlaced"]["order"]["limitPrice"] for element in first["elements"] + second["elements"]]

    assert prices == ["70200", "70100", "70000"]
    assert "continuationToken" not in second
    assert first["elements"][0]["event"]["OrderPlaced"]["order"]["filled"] == "0"


def test_a_closed_position_shows_in_the_position_history(client: Client) -> None:
    client.post("sendorder", orderType="mkt", symbol="PF_XBTUSD", side="buy", size="0.01")
    client.post("sendorder", orderType="mkt", symbol="PF_XBTUSD", side="sell", size="0.01", reduceOnly="true")

    changes = [e["event"]["PositionUpdate"]["positionChange"] for e in client.history("v3/positions")["elements"]]
    (closed,) = client.history("v3/positions", closed="true")["elements"]

    assert changes == ["close", "open"]
    assert closed["event"]["PositionUpdate"]["executionSize"] == "0.01"


def test_market_modes_show_in_instruments_tickers_and_refusals(client: Client) -> None:
    client.exchange.set_mode("PF_XBTUSD", MarketMode.POST_ONLY)
    instrument = next(row for row in client.get("instruments")["instruments"] if row["symbol"] == "PF_XBTUSD")
    ticker = client.get("tickers/pf_xbtusd")["ticker"]
    refused = client.post("sendorder", orderType="mkt", symbol="PF_XBTUSD", side="buy", size="0.01")["sendStatus"]

    assert (instrument["postOnly"], instrument["tradeable"], ticker["postOnly"], ticker["suspended"]) == (True, True, True, False)
    assert refused["status"] == "marketIsPostOnly"


def test_leverage_preferences_are_listed_and_mark_the_position_as_isolated(client: Client) -> None:
    client.post("sendorder", orderType="mkt", symbol="PF_XBTUSD", side="buy", size="0.01")
    client.answer("PUT", V3 + "leveragepreferences", {"symbol": "PF_XBTUSD", "maxLeverage": "5"})
    isolated = client.get("openpositions")["openPositions"][0]
    listed = client.get("leveragepreferences")["leveragePreferences"]
    client.answer("PUT", V3 + "leveragepreferences", {"symbol": "PF_XBTUSD"})

    assert isolated["maxFixedLeverage"] == 5
    assert listed == [{"symbol": "PF_XBTUSD", "maxLeverage": 5}]
    assert "maxFixedLeverage" not in client.get("openpositions")["openPositions"][0]


def test_size_precision_and_symbols_follow_the_venues_spelling(client: Client) -> None:
    rows = {row["symbol"]: row for row in client.get("instruments")["instruments"]}

    assert (rows["PF_XBTUSD"]["contractValueTradePrecision"], rows["PF_DOGEUSD"]["contractValueTradePrecision"]) == (4, 0)
    assert (rows["PF_XBTUSD"]["base"], rows["PF_XBTUSD"]["pair"]) == ("BTC", "BTC:USD")
    assert client.get("tickers/PF_XBTUSD")["ticker"]["pair"] == "XBT:USD"


def test_candles_are_text_ascending_and_paged_with_the_running_one_last(client: Client) -> None:
    def page(**params: Any) -> Any:
        return msgspec.json.decode(client.answer("GET", "/api/charts/v1/trade/PF_XBTUSD/15m", params).body)

    start_s = client.exchange.now_ms // 1000 - 2_500 * 900
    first = page(**{"from": start_s})
    second = page(**{"from": first["candles"][-1]["time"] // 1000 + 1})

    times = [row["time"] for row in first["candles"] + second["candles"]]
    assert (len(first["candles"]), first["more_candles"], second["more_candles"]) == (2000, True, False)
    assert times == list(range(times[0], times[0] + 2_500 * 900_000, 900_000))
    assert times[-1] <= client.exchange.now_ms < times[-1] + 900_000
    assert first["candles"][0]["open"] == "80000"
    assert len(page()["candles"]) == 2000


@pytest.mark.parametrize("path", ["index/PF_XBTUSD/1h", "trade/PF_NOPEUSD/1h", "trade/PF_XBTUSD/2h"])
def test_a_chart_that_does_not_exist_is_a_bad_request(client: Client, path: str) -> None:
    assert client.answer("GET", f"/api/charts/v1/{path}").status == 400


def test_chart_listings_name_types_symbols_and_resolutions(client: Client) -> None:
    listings = [client.answer("GET", f"/api/charts/v1{path}").payload for path in ("", "/mark", "/mark/PF_XBTUSD")]

    assert listings[0] == ["mark", "spot", "trade"]
    assert listings[1] == ["PF_XBTUSD", "PF_DOGEUSD"]
    assert listings[2][-2:] == ["1d", "1w"]


def test_mark_candles_have_no_volume(client: Client) -> None:
    payload = msgspec.json.decode(client.answer("GET", "/api/charts/v1/mark/PF_DOGEUSD/4h").body)

    assert {row["volume"] for row in payload["candles"]} == {"0"}


def test_a_decimal_reaches_the_wire_digit_for_digit() -> None:
    assert encode({"x": Decimal("0.1234567890123456789"), "y": Decimal("80000.10")}) == b'{"x":0.1234567890123456789,"y":80000.10}'
