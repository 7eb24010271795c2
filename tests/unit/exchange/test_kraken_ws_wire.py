"""Private feed messages: events out, gaps noticed, nothing secret kept."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from kraken_builders import BTC, D

from trading_system.domain.account import FeedFill, FeedOrder, FeedPositions, VenuePosition
from trading_system.domain.orders import ClientOrderId, Direction, FillKind, Side, VenueOrderId
from trading_system.domain.units import Price, Qty
from trading_system.exchange.kraken_futures.wire_ws import (
    WsChallenge,
    WsData,
    WsNothing,
    WsRefused,
    WsSubscribed,
    parse_message,
    sign_challenge,
    subscribe_request,
)
from trading_system.exchange.kraken_futures.ws import SeqWatch

FILL = {
    "instrument": "PF_XBTUSD", "time": 1788759000300, "price": 79842.0, "seq": 7, "buy": True, "qty": 0.01, "remaining_order_qty": 0.0,
    "order_id": "o", "cli_ord_id": "c1", "fill_id": "f", "fill_type": "taker", "fee_paid": 0.39921, "fee_currency": "USD",
}  # fmt: skip
EXPECTED_SIGNATURE = "yW6IwfqqrR1I4a/gv+chIJIMIq0NkqkJ9I+2mhp+0Fnj2blcSBIH1wk8WuYdnjQpvsw2rA+pThZqfiXEJAZTNg=="
ORDER = {
    "instrument": "PF_XBTUSD", "time": 1, "qty": 0.01, "filled": 0.0, "limit_price": 70000.0, "stop_price": 0.0, "type": "limit",
    "order_id": "o", "cli_ord_id": "c1", "direction": 0, "reduce_only": False,
}  # fmt: skip


def message(**row: Any) -> Any:
    return parse_message(json.dumps(row))


def test_a_fill_brings_its_fee() -> None:
    data = message(feed="fills", username="acc", fills=[FILL])

    fill = data.events[0].fill
    assert (fill.symbol, fill.side, fill.qty, fill.price, fill.fee_usd, fill.kind) == (
        BTC,
        Side.BUY,
        D("0.01"),
        D("79842.0"),
        D("0.39921"),
        FillKind.TAKER,
    )
    assert data.seqs == (7,)


def test_an_odd_fill_does_not_hide_its_neighbour() -> None:
    odd, unreadable = {**FILL, "fill_id": "odd", "fill_type": "new"}, {**FILL, "buy": "yes"}

    data = message(feed="fills", fills=[odd, unreadable, FILL])

    assert [(event.fill.fill_id, event.fill.kind) for event in data.events] == [("odd", FillKind.OTHER), ("f", FillKind.TAKER)]
    assert [issue.is_lost for issue in data.issues] == [False, True]


def test_snapshots_of_fills_are_events_too_and_carry_no_numbers_to_watch() -> None:
    data = message(feed="fills_snapshot", account="a", fills=[FILL])

    assert isinstance(data.events[0], FeedFill)
    assert (data.seqs, data.is_snapshot) == ((), True)


@pytest.mark.parametrize(
    ("row", "gone"),
    [
        ({"order": ORDER, "is_cancel": False, "reason": "new_placed_order_by_user"}, None),
        ({"order": ORDER, "is_cancel": True, "reason": "full_fill"}, "full_fill"),
        ({"order_id": "o", "cli_ord_id": "c1", "is_cancel": True, "reason": "cancelled_by_user"}, "cancelled_by_user"),
        ({"order_id": "o", "cli_ord_id": "c1", "is_cancel": True}, "unnamed"),
    ],
)
def test_both_shapes_of_an_order_message_tell_whether_it_left_and_why(row: dict[str, Any], gone: str | None) -> None:
    symbol = BTC if "order" in row else None

    assert message(feed="open_orders", **row).events == (FeedOrder(symbol, VenueOrderId("o"), ClientOrderId("c1"), gone),)


def test_positions_are_the_whole_list_possibly_empty() -> None:
    short = {"instrument": "PF_XBTUSD", "balance": -0.5, "entry_price": 79000.0}

    assert message(feed="open_positions", account="a", positions=[], seq=3, timestamp=1).events == (FeedPositions(()),)
    assert message(feed="open_positions", positions=[short], seq=4).events == (
        FeedPositions((VenuePosition(BTC, Direction.SHORT, Qty(D("0.5")), Price(D("79000.0"))),)),
    )


def test_a_list_of_positions_with_a_hole_says_nothing_at_all() -> None:
    assert message(feed="open_positions", positions=[{"instrument": "PF_XBTUSD"}], seq=4).events == ()


@pytest.mark.parametrize("feed", ["fills", "fills_snapshot", "open_orders_snapshot", "open_positions"])
def test_a_feed_message_without_its_list_ends_the_connection_rather_than_say_empty(feed: str) -> None:
    assert isinstance(message(feed=feed), WsRefused)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"event": "info", "version": 1}, WsNothing()),
        ({"event": "challenge", "message": "abc"}, WsChallenge("abc")),
        ({"event": "subscribed", "feed": "fills", "api_key": "KEY", "signed_challenge": "SIG"}, WsSubscribed("fills")),
        ({"event": "alert", "message": "Already subscribed to feed, re-requesting"}, WsNothing()),
        ({"feed": "heartbeat", "time": 1}, WsNothing()),
        ({"feed": "brand_new"}, WsNothing()),
    ],
)
def test_control_messages_are_reduced_to_what_we_need(row: dict[str, Any], expected: object) -> None:
    assert message(**row) == expected


@pytest.mark.parametrize(
    "row", [{"event": "error", "message": "Json Error"}, {"event": "alert", "message": "x"}, {"event": "subscribed_failed"}]
)
def test_refusals_are_named(row: dict[str, Any]) -> None:
    assert isinstance(message(**row), WsRefused)


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"feed":"fills","fills":[NaN]}', b"\xff\xfe"])
def test_garbage_is_refused_and_never_raises(text: str | bytes) -> None:
    assert isinstance(parse_message(text), WsRefused)


def test_the_signature_follows_the_published_recipe() -> None:
    # computed apart from the adapter: openssl dgst over sha256("123e4567-e89b-12d3-a456-426614174000")
    signed = sign_challenge("123e4567-e89b-12d3-a456-426614174000", "c2VjcmV0")

    assert signed == EXPECTED_SIGNATURE


def test_only_private_feeds_carry_credentials() -> None:
    assert subscribe_request("heartbeat", "KEY", "c", "s") == {"event": "subscribe", "feed": "heartbeat"}
    assert subscribe_request("fills", "KEY", "c", "s")["api_key"] == "KEY"


def test_a_gap_in_the_numbers_is_noticed_until_a_feed_proves_not_to_count() -> None:
    watch = SeqWatch()

    assert [watch.gap("fills", (seq,)) for seq in (5, 6, 6, 8, 9)] == [False, False, False, True, False]
    assert [watch.gap("fills", (seq,)) for seq in (20, 30, 40, 50)] == [True, True, False, False]
    assert watch.gap("open_positions", (1, 2, 4)) is True


@pytest.mark.market_data
def test_thirty_recorded_seconds_of_the_public_feed_pass_without_complaint(market_data: Path) -> None:
    kinds: dict[str, int] = {}
    with gzip.open(market_data / "orderbook/kraken_futures_ws_2021-07-22.jsonl.gz", "rt") as lines:
        for line in lines:
            name = type(parse_message(json.dumps(json.loads(line)["msg"]))).__name__
            kinds[name] = kinds.get(name, 0) + 1

    assert WsRefused.__name__ not in kinds
    assert WsData.__name__ not in kinds
    assert kinds[WsNothing.__name__] > 7000
