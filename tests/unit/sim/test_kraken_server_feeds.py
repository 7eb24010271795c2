"""The WebSocket protocol, frame by frame, without a socket."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.kraken_server_rig import KEYS, an_exchange
from trading_system.sim.kraken_server.auth import sign_challenge
from trading_system.sim.kraken_server.book_feed import BookFeed
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.feed_hub import FeedHub
from trading_system.sim.kraken_server.feed_session import FeedSession
from trading_system.sim.model import BookRows, CancelRequest, SendRequest

CHALLENGE = "226aee50-88fc-4618-a42a-34f7709570b2"
SIGNED = {"api_key": KEYS.key, "original_challenge": CHALLENGE, "signed_challenge": sign_challenge(KEYS.secret_bytes, CHALLENGE)}


class Connection:
    """A session whose frames are collected."""

    def __init__(self) -> None:
        self.exchange = an_exchange({"PF_XBTUSD": {0: 80_000.0, 60: 79_000.0}, "PF_DOGEUSD": {0: 0.2}})
        desk = Desk(self.exchange, "account")
        self.hub = FeedHub(desk)
        self.exchange.subscribe(self.hub.on_event)
        self.frames: list[str] = []
        self.session = FeedSession(desk, self.hub, KEYS, CHALLENGE, self.frames.append)
        self.session.open()
        self.now_s = 0.0

    def say(self, **message: Any) -> list[dict[str, Any]]:
        """Send one request; return what came back."""
        return self.say_text(json.dumps(message))

    def say_text(self, text: str) -> list[dict[str, Any]]:
        self.frames.clear()
        self.session.receive(text, self.now_s)
        return self.heard()

    def pass_time(self, seconds: int) -> list[dict[str, Any]]:
        self.frames.clear()
        self.exchange.advance_to(self.exchange.now_ms + seconds * 1000)
        self.now_s += seconds
        self.hub.publish(self.now_s)
        return self.heard()

    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(frame) for frame in self.frames]


@pytest.fixture
def connection() -> Connection:
    return Connection()


def an_order(**changes: Any) -> SendRequest:
    return SendRequest(
        **{"symbol": "PF_XBTUSD", "order_type": "lmt", "side": "buy", "size": Decimal("0.01"), "limit_price": Decimal(70_000)} | changes
    )


def test_the_first_frame_is_the_info_event(connection: Connection) -> None:
    assert connection.heard() == [{"event": "info", "version": 1}]


def test_a_challenge_is_given_for_the_right_key_only(connection: Connection) -> None:
    assert connection.say(event="challenge", api_key=KEYS.key) == [{"event": "challenge", "message": CHALLENGE}]
    assert connection.say(event="challenge", api_key="other")[0]["event"] == "alert"


@pytest.mark.parametrize(
    "feed", ["fills", "open_orders", "open_orders_verbose", "open_positions", "balances", "account_log", "notifications_auth"]
)
def test_a_private_feed_echoes_the_signature_and_starts_with_its_snapshot(connection: Connection, feed: str) -> None:
    subscribed, snapshot = connection.say(event="subscribe", feed=feed, **SIGNED)

    assert subscribed == {"event": "subscribed", "feed": feed, **SIGNED}
    assert snapshot["feed"] in (feed, f"{feed}_snapshot")


@pytest.mark.parametrize("changed", [{"signed_challenge": "d3Jvbmc="}, {"original_challenge": "other"}, {"api_key": "other"}])
def test_a_private_feed_is_refused_without_a_good_signature(connection: Connection, changed: dict[str, str]) -> None:
    answer = connection.say(event="subscribe", feed="fills", **(SIGNED | changed))

    assert answer == [{"event": "alert", "message": "Failed to subscribe to authenticated feed"}]
    assert not connection.session.is_subscribed("fills")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("{", {"event": "error", "message": "Json Error"}),
        ("[]", {"event": "error", "message": "Json Error"}),
        ('{"event":"subscribe"}', {"event": "error", "message": "Invalid feed"}),
        ('{"event":"subscribe","feed":"liquidations"}', {"event": "alert", "message": "Invalid feed"}),
        ('{"event":"subscribe","feed":"ticker","product_ids":["PF_NOPEUSD"]}', {"event": "error", "message": "Invalid product id"}),
        ('{"event":"subscribe","feed":"ticker"}', {"event": "error", "message": "Invalid product id"}),
    ],
)
def test_a_wrong_request_is_told_and_the_connection_lives_on(connection: Connection, text: str, answer: dict[str, str]) -> None:
    assert connection.say_text(text) == [answer]
    assert connection.say(event="subscribe", feed="heartbeat")[0]["event"] == "subscribed"


def test_subscribing_twice_is_alerted_and_the_snapshot_comes_again(connection: Connection) -> None:
    connection.say(event="subscribe", feed="fills", **SIGNED)
    alert, snapshot = connection.say(event="subscribe", feed="fills", **SIGNED)

    assert alert == {"event": "alert", "message": "Already subscribed to feed, re-requesting"}
    assert snapshot["feed"] == "fills_snapshot"


def test_after_unsubscribing_nothing_more_comes(connection: Connection) -> None:
    connection.say(event="subscribe", feed="ticker", product_ids=["PF_XBTUSD", "PF_DOGEUSD"])
    answer = connection.say(event="unsubscribe", feed="ticker", product_ids=["PF_XBTUSD"])
    tickers = [message["product_id"] for message in connection.pass_time(2)]

    assert answer == [{"event": "unsubscribed", "feed": "ticker", "product_ids": ["PF_XBTUSD"]}]
    assert tickers == ["PF_DOGEUSD"]


def test_unsubscribing_from_what_was_never_subscribed_fails(connection: Connection) -> None:
    assert connection.say(event="unsubscribe", feed="heartbeat") == [{"event": "unsubscribed_failed", "feed": "heartbeat"}]


def test_more_than_a_hundred_requests_in_a_second_are_refused(connection: Connection) -> None:
    for _ in range(100):
        connection.say(event="subscribe", feed="heartbeat")

    assert connection.say(event="subscribe", feed="heartbeat")[0]["message"] == "Rate limit exceeded"
    connection.now_s += 1.1
    assert connection.say(event="subscribe", feed="heartbeat")[0]["event"] == "alert"


def test_a_placed_and_a_cancelled_order_are_told_in_their_two_shapes(connection: Connection) -> None:
    connection.say(event="subscribe", feed="open_orders", **SIGNED)
    placed = connection.exchange.send(an_order(cli_ord_id="c1"))
    (new,) = connection.pass_time(0)
    connection.exchange.cancel(CancelRequest(placed.order_id))
    (gone,) = connection.pass_time(0)

    assert (new["is_cancel"], new["reason"]) == (False, "new_placed_order_by_user")
    assert (new["order"]["qty"], new["order"]["filled"], new["order"]["direction"], new["order"]["type"]) == (0.01, 0, 0, "limit")
    assert gone == {
        "feed": "open_orders",
        "order_id": placed.order_id,
        "cli_ord_id": "c1",
        "is_cancel": True,
        "reason": "cancelled_by_user",
    }


def test_a_fill_is_told_with_its_fee_and_followed_by_the_whole_position_list(connection: Connection) -> None:
    for feed in ("fills", "open_positions", "balances", "account_log"):
        connection.say(event="subscribe", feed=feed, **SIGNED)
    connection.exchange.send(an_order(order_type="mkt", size=Decimal("0.02"), limit_price=None))
    messages = connection.pass_time(0)
    by_feed = {message["feed"]: message for message in messages}
    (fill,) = by_feed["fills"]["fills"]

    assert (fill["instrument"], fill["buy"], fill["qty"], fill["price"]) == ("PF_XBTUSD", True, 0.02, 80002)
    assert (fill["fee_paid"], fill["fee_currency"], fill["fill_type"], fill["remaining_order_qty"]) == (0.80002, "USD", "taker", 0)
    assert [row["balance"] for row in by_feed["open_positions"]["positions"]] == [0.02]
    assert by_feed["balances"]["flex_futures"]["balance_value"] == 9999.19998
    assert by_feed["account_log"]["new_entry"]["info"] == "futures trade"


def test_a_flat_account_sends_an_empty_position_list(connection: Connection) -> None:
    connection.say(event="subscribe", feed="open_positions", **SIGNED)
    connection.exchange.send(an_order(order_type="mkt", limit_price=None))
    connection.pass_time(0)
    connection.exchange.send(an_order(order_type="mkt", side="sell", limit_price=None, reduce_only=True))

    assert connection.pass_time(0)[-1]["positions"] == []


def test_a_stop_that_fires_is_told_with_its_reasons_before_the_position_is_gone(connection: Connection) -> None:
    connection.exchange.send(an_order(order_type="mkt", limit_price=None))
    stop = an_order(order_type="stp", side="sell", limit_price=None, stop_price=Decimal(79_500), trigger_signal="mark", reduce_only=True)
    connection.exchange.send(stop)
    connection.pass_time(0)
    for feed in ("open_orders", "fills", "open_positions"):
        connection.say(event="subscribe", feed=feed, **SIGNED)
    messages = connection.pass_time(61)

    assert "stop_order_triggered" in [message.get("reason") for message in messages]
    assert [message["feed"] for message in messages if message["feed"] == "fills"] == ["fills"]
    assert [message["positions"] for message in messages if message["feed"] == "open_positions"] == [[]]


def test_only_the_verbose_feed_tells_of_a_post_order_that_failed(connection: Connection) -> None:
    connection.say(event="subscribe", feed="open_orders", **SIGNED)
    connection.exchange.send(an_order(order_type="post", limit_price=Decimal(90_000)))

    assert connection.pass_time(0) == []


def test_the_verbose_feed_tells_the_whole_post_order_that_failed(connection: Connection) -> None:
    connection.say(event="subscribe", feed="open_orders_verbose", **SIGNED)
    connection.exchange.send(an_order(order_type="post", limit_price=Decimal(90_000)))
    (told,) = connection.pass_time(0)

    assert (told["feed"], told["is_cancel"], told["reason"]) == ("open_orders_verbose", True, "post_order_failed_because_it_would_filled")
    assert (told["order"]["limit_price"], told["order"]["type"]) == (90_000, "limit")


def test_heartbeats_and_tickers_come_once_a_second(connection: Connection) -> None:
    connection.say(event="subscribe", feed="heartbeat")
    connection.say(event="subscribe", feed="ticker", product_ids=["PF_XBTUSD"])
    messages = connection.pass_time(1)
    connection.frames.clear()
    connection.hub.publish(connection.now_s + 0.5)
    ticker = next(message for message in messages if message["feed"] == "ticker")

    assert sorted(message["feed"] for message in messages) == ["heartbeat", "ticker"]
    assert connection.frames == []
    assert (ticker["markPrice"], ticker["pair"], ticker["leverage"]) == (80000, "XBT:USD", "50x")
    assert ticker["next_funding_rate_time"] % 3_600_000 == 0


def test_public_trades_come_once_each_and_in_order(connection: Connection) -> None:
    snapshot = connection.say(event="subscribe", feed="trade", product_ids=["PF_XBTUSD"])[1]
    seqs = [message["seq"] for _ in range(3) for message in connection.pass_time(2)]

    assert snapshot["feed"] == "trade_snapshot"
    assert seqs == list(range(snapshot["trades"][0]["seq"] + 1, snapshot["trades"][0]["seq"] + 7))


def applied(snapshot: dict[str, Any], deltas: list[dict[str, Any]]) -> tuple[dict[float, float], dict[float, float]]:
    sides = {"buy": {row["price"]: row["qty"] for row in snapshot["bids"]}, "sell": {row["price"]: row["qty"] for row in snapshot["asks"]}}
    for delta in deltas:
        if delta["qty"] == 0:
            del sides[delta["side"]][delta["price"]]
        else:
            sides[delta["side"]][delta["price"]] = delta["qty"]
    return sides["buy"], sides["sell"]


def test_book_deltas_lead_without_a_gap_from_the_snapshot_to_the_present_book(connection: Connection) -> None:
    snapshot = connection.say(event="subscribe", feed="book", product_ids=["PF_XBTUSD"])[1]
    deltas = [message for _ in range(4) for message in connection.pass_time(20)]
    book = connection.exchange.book("PF_XBTUSD")

    assert [delta["seq"] for delta in deltas] == list(range(snapshot["seq"] + 1, snapshot["seq"] + 1 + len(deltas)))
    assert deltas
    bids, asks = applied(snapshot, deltas)
    assert (bids, asks) == ({float(p): float(q) for p, q in book.bids}, {float(p): float(q) for p, q in book.asks})


LEVELS = st.dictionaries(st.integers(1, 30), st.integers(1, 5), max_size=12)


@given(st.lists(LEVELS, min_size=1, max_size=6))
def test_any_sequence_of_books_is_told_exactly(books: list[dict[int, int]]) -> None:
    def rows(levels: dict[int, int]) -> BookRows:
        side = tuple((Decimal(price), Decimal(size)) for price, size in levels.items())
        return BookRows("PF_XBTUSD", 0, 0, side, ())

    feed = BookFeed(rows(books[0]))
    snapshot = feed.snapshot()
    deltas = [message for levels in books[1:] for message in feed.advance(rows(levels))]

    assert [delta["seq"] for delta in deltas] == list(range(2, 2 + len(deltas)))
    assert applied(snapshot, deltas)[0] == {Decimal(price): Decimal(size) for price, size in books[-1].items()}
