"""The later switches of the open points, and words that only rare states of a market give, as a client of the front meets them."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from fakes.front_client import BTC, V3, FrontClient
from fakes.kraken_server_rig import KEYS, SPECS, an_exchange
from fakes.scripted_market import START_MS, ScriptedMarket
from sim_builders import D, ScriptedPath, Venue
from trading_system.domain.market import Bar
from trading_system.sim.exchange import ExchangeConfig, SimExchange
from trading_system.sim.funding import RATE_MAX_HOURLY, past_rates
from trading_system.sim.kraken_server.auth import sign_request
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.feed_hub import FeedHub
from trading_system.sim.kraken_server.rate_budget import Pool, RateBudget
from trading_system.sim.kraken_server.routes import Api, ApiRequest
from trading_system.sim.model import SendRequest
from trading_system.sim.variants import ExchangeVariants

HOUR_MS = 3_600_000


class Listener:
    """Subscribed to everything of one feed."""

    def __init__(self, feed: str) -> None:
        self.feed = feed
        self.heard: list[dict[str, Any]] = []

    def is_subscribed(self, feed: str, product: str = "") -> bool:
        return feed == self.feed

    def products(self, feed: str) -> list[str]:
        return [BTC] if feed == self.feed else []

    def send(self, text: str) -> None:
        self.heard.append(msgspec.json.decode(text))


def test_a_taker_that_would_push_a_dislocated_market_further_is_refused() -> None:
    venue = Venue(ScriptedPath(), variants=ExchangeVariants(dislocation=D("0.05"), mark_average_ms=1))
    venue.price(90_000, index=80_000)
    taken = venue.send("mkt", "buy", "0.1")
    limit = venue.send("lmt", "buy", "0.1", limit_price="91000")
    resting = venue.send("lmt", "buy", "0.1", limit_price="80000")
    back = venue.send("mkt", "sell", "0.1")
    venue.price(80_000, index=80_000)
    later = venue.send("mkt", "buy", "0.1")

    assert [result.status for result in (taken, limit, resting, back, later)] == [
        "wouldIncreasePriceDislocation", "wouldIncreasePriceDislocation", "placed", "placed", "placed",
    ]  # fmt: skip
    assert [getattr(event, "reason", None) for event in taken.events] == ["PRICE_DISLOCATION"]


@pytest.mark.parametrize(
    ("price", "told"), [(90_000, (True, "ABOVE_UPPER_BOUND")), (70_000, (True, "BELOW_LOWER_BOUND")), (80_100, (False, None))]
)
def test_a_dislocation_shows_in_the_status_of_the_instrument(price: float, told: tuple[bool, str | None]) -> None:
    path = ScriptedPath()
    exchange = SimExchange(path, ExchangeConfig(variants=ExchangeVariants(dislocation=Decimal("0.05"), mark_average_ms=1)))
    path.then(price, index=80_000)
    exchange.advance_to(path.script[-1].at_ms)
    answer = Api(Desk(exchange, "account"), KEYS, RateBudget()).answer(ApiRequest("GET", V3 + "instruments/PF_XBTUSD/status"), 0.0)
    row = msgspec.json.decode(answer.body)

    assert (row["experiencingDislocation"], row["priceDislocationDirection"]) == told


def test_without_a_width_no_market_is_ever_dislocated() -> None:
    venue = Venue(ScriptedPath()).price(90_000, index=80_000)

    assert venue.exchange.dislocated(BTC) is None
    assert venue.send("mkt", "buy", "0.01").status == "placed"


def test_a_venue_without_history_answers_404_there_and_trades_all_the_same() -> None:
    client = FrontClient(serves_history=False)
    path = "/api/history/v3/account-log"
    authent = sign_request(KEYS.secret_bytes, "", "", path)
    answer = client.api.answer(ApiRequest("GET", path, key=KEYS.key, authent=authent), 0.0)
    public = client.api.answer(ApiRequest("GET", f"/api/history/v3/market/{BTC}/executions"), 0.0)
    client.buy()

    assert (answer.status, public.status) == (404, 200)
    assert len(client.get("fills")["fills"]) == 1


@pytest.mark.parametrize(("folds", "status"), [(True, 200), (False, 400)])
def test_symbols_in_lower_case_are_taken_by_tickers_always_and_elsewhere_by_the_switch(folds: bool, status: int) -> None:
    client = FrontClient(folds_symbol_case=folds)

    assert client.ask("GET", "orderbook", symbol="pf_xbtusd")[0] == status
    assert client.ask("GET", "tickers", symbol="pf_xbtusd")[0] == 200
    assert client.ask("GET", "tickers/pf_xbtusd")[0] == 200


@pytest.mark.parametrize("points", [2, 25])
def test_what_no_page_tells_the_price_of_costs_what_the_switch_says(points: int) -> None:
    client = FrontClient(unpublished_points=points)
    budget = RateBudget()
    client.api = Api(client.desk, KEYS, budget)
    client.get("notifications")
    client.get("feeschedules/volumes")
    client.get("accounts")

    assert budget.left(0.0)[Pool.TRADING.value] == 500 - 2 * points - 2


def test_heartbeats_come_at_the_pace_of_the_switch() -> None:
    heard = {}
    for pace in (0.5, 30.0):
        hub = FeedHub(FrontClient(heartbeat_s=pace).desk)
        listener = Listener("heartbeat")
        hub.join(listener)
        for second in range(61):
            hub.publish(1000.0 + second)
        heard[pace] = len(listener.heard)

    assert heard == {0.5: 61, 30.0: 3}


def test_cancelling_everything_may_be_denied_although_it_was_done() -> None:
    client = FrontClient(cancel_all_denies=True)
    placed = client.send(orderType="lmt", symbol=BTC, side="buy", size="0.01", limitPrice="70000")["sendStatus"]["order_id"]
    status = client.ask("POST", "cancelallorders")[1]["cancelStatus"]

    assert (status["status"], [row["order_id"] for row in status["cancelledOrders"]]) == ("noOrdersToCancel", [placed])
    assert client.get("openorders")["openOrders"] == []


@pytest.mark.parametrize(("on_thursday", "weekday"), [(False, 0), (True, 3)])
def test_candles_of_a_week_open_on_the_day_of_the_switch(on_thursday: bool, weekday: int) -> None:
    exchange = SimExchange(
        ScriptedMarket({BTC: {0: 80_000.0}}, SPECS[:1]), ExchangeConfig(variants=ExchangeVariants(weeks_open_on_thursday=on_thursday))
    )
    exchange.advance_to(START_MS + 1000)
    weeks = exchange.candles(BTC, "trade", "1w", 0, START_MS // 1000)

    assert len(weeks) > 10
    assert {(week.open_ms // 86_400_000 + 3) % 7 for week in weeks} == {weekday}
    assert {week.open_ms % 86_400_000 for week in weeks} == {0}


@pytest.mark.parametrize("client_id", [" ", "tab\there", "new\nline"])
def test_a_client_id_that_cannot_be_printed_is_invalid(client_id: str) -> None:
    status = FrontClient().send(orderType="lmt", symbol=BTC, side="buy", size="0.01", limitPrice="70000", cliOrdId=client_id)["sendStatus"]

    assert (status["status"], status["orderEvents"]) == ("clientOrderIdInvalid", [])


def test_a_reduce_only_taker_that_was_cut_says_so_in_each_execution() -> None:
    client = FrontClient()
    client.buy("0.01")
    status = client.send(orderType="mkt", symbol=BTC, side="sell", size="0.05", reduceOnly="true")["sendStatus"]

    assert [(event["type"], event["amount"], event["takerReducedQuantity"]) for event in status["orderEvents"]] == [
        ("EXECUTION", 0.01, 0.01)
    ]


def test_a_refused_edit_tells_its_reason_and_what_was_asked_for() -> None:
    client = FrontClient()
    placed = client.send(orderType="lmt", symbol=BTC, side="buy", size="0.01", limitPrice="70000")["sendStatus"]["order_id"]
    status = client.ask("POST", "editorder", orderId=placed, size="300")[1]["editStatus"]
    (event,) = status["orderEvents"]

    assert (status["status"], status["orderId"]) == ("insufficientAvailableFunds", placed)
    assert (event["type"], event["reason"], event["order"]["quantity"]) == ("REJECT", "INSUFFICIENT_MARGIN", 300)
    assert client.get("openorders")["openOrders"][0]["unfilledSize"] == 0.01


def test_public_trades_are_paged_back_to_the_oldest_that_is_kept() -> None:
    exchange = an_exchange()
    exchange.advance_to(START_MS + 1_500_000)
    api = Api(Desk(exchange, "account"), KEYS, RateBudget())
    seen, query = [], f"symbol={BTC}"
    while rows := msgspec.json.decode(api.answer(ApiRequest("GET", V3 + "history", query), 0.0).body)["history"]:
        assert len(rows) <= 100
        seen += [row["trade_id"] for row in rows]
        query = f"symbol={BTC}&lastTime={rows[-1]['time']}"
    page = msgspec.json.decode(api.answer(ApiRequest("GET", f"/api/history/v3/market/{BTC}/executions", "count=1000"), 0.0).body)

    assert seen == list(range(1500, 500, -1))
    assert page["len"] == 1000


def test_a_fresh_market_has_a_past_of_funding_rates_that_the_running_ones_join() -> None:
    exchange = an_exchange()
    before = exchange.funding_history(BTC)
    exchange.advance_to(START_MS + 2 * HOUR_MS)
    after = exchange.funding_history(BTC)

    assert after[:-2] == before
    assert {later.at_ms - earlier.at_ms for earlier, later in itertools.pairwise(after)} == {HOUR_MS}
    assert before[-1].at_ms == START_MS


def test_a_past_rate_follows_its_hour_within_the_bounds() -> None:
    hours = [Bar(0, 100.0, 110.0, 100.0, 110.0, 1.0), Bar(HOUR_MS, 110.0, 110.0, 1.0, 1.0, 1.0), Bar(2 * HOUR_MS, 1.0, 1.0, 1.0, 1.0, 1.0)]
    rising, falling = past_rates(hours, Decimal(0), 2 * HOUR_MS)
    (capped, *_) = past_rates(hours, Decimal("0.01"), HOUR_MS)

    assert (rising.at_ms, rising.relative > 0 > falling.relative) == (HOUR_MS, True)
    assert rising.absolute == rising.relative * 110
    assert capped.relative == RATE_MAX_HOURLY


def test_positions_and_balances_are_numbered_apart_without_a_gap_and_a_newcomer_continues_them() -> None:
    client = FrontClient()
    hub = FeedHub(client.desk)
    positions, balances = Listener("open_positions"), Listener("balances")
    hub.join(positions)
    hub.join(balances)
    client.exchange.subscribe(hub.on_event)
    for side in ("buy", "sell"):
        client.exchange.send(SendRequest(BTC, "mkt", side, Decimal("0.01")))
        hub.publish(1000.0)
    newcomers = [hub.first_messages(listener.feed, ())[0]["seq"] for listener in (positions, balances)]
    told = [listener.heard[-1]["seq"] for listener in (positions, balances)]
    client.exchange.send(SendRequest(BTC, "mkt", "buy", Decimal("0.01")))
    hub.publish(1000.0)

    assert newcomers == told
    for listener in (positions, balances):
        numbers = [message["seq"] for message in listener.heard]
        assert len(numbers) >= 3
        assert numbers == list(range(1, len(numbers) + 1))
