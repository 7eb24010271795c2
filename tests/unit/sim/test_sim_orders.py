"""Orders on the embedded exchange: each type, each refusal, edits and cancels."""

from __future__ import annotations

from typing import Any

import pytest

from sim_builders import BTC, DOGE, D, ScriptedPath, Venue, a_spec
from trading_system.sim.model import (
    CancelEvent,
    CancelRequest,
    EditRequest,
    ExecutionEvent,
    OrderFeed,
    OrderState,
    OrderType,
    PlaceEvent,
    RejectEvent,
)


def test_a_limit_order_below_the_market_rests_and_is_listed() -> None:
    venue = Venue()

    result = venue.send("lmt", "buy", "0.01", limit_price="79000", cli_ord_id="c1")

    (order,) = venue.exchange.open_orders()
    assert (result.status, result.order_id, result.events) == ("placed", order.order_id, (PlaceEvent(order),))
    assert (order.order_type, order.unfilled, order.status_word) == (OrderType.LMT, D("0.01"), "untouched")
    assert venue.exchange.order_status(cli_ord_ids=["c1"])[0].state is OrderState.ENTERED_BOOK


def test_a_crossing_limit_order_executes_as_taker_and_leaves_the_rest_in_the_book() -> None:
    venue = Venue(ScriptedPath([a_spec(depth_usd=10_000)], [80_000.0]), deposit_usd=D(1_000_000)).price(80_000.0)

    result = venue.send("lmt", "buy", "1", limit_price="80050")

    assert [type(event) for event in result.events][-1] is PlaceEvent
    assert all(isinstance(event, ExecutionEvent) for event in result.events[:-1])
    (order,) = venue.exchange.open_orders()
    assert 0 < order.filled < 1
    assert order.filled == venue.position() == sum(fill.size for fill in venue.exchange.fills())
    assert all(fill.price <= 80_050 and fill.fill_type == "taker" for fill in venue.exchange.fills())


def test_a_market_order_is_an_ioc_with_a_one_percent_guard_and_drops_what_the_thin_book_lacks() -> None:
    venue = Venue(ScriptedPath([a_spec(depth_usd=10_000)], [80_000.0]), deposit_usd=D(1_000_000)).price(80_000.0)

    result = venue.send("mkt", "buy", "5")

    assert result.status == "placed"
    assert isinstance(result.events[-1], CancelEvent)
    cancelled = result.events[-1].order
    assert cancelled.order_type is OrderType.IOC
    assert cancelled.limit_price == 80_808  # the ask is 80008
    assert max(fill.price for fill in venue.exchange.fills()) <= cancelled.limit_price
    assert venue.exchange.open_orders() == ()


def test_fill_or_kill_is_refused_whole_when_the_depth_is_short() -> None:
    venue = Venue(ScriptedPath([a_spec(depth_usd=10_000)], [80_000.0]), deposit_usd=D(1_000_000)).price(80_000.0)

    assert venue.send("fok", "buy", "5", limit_price="80100").status == "iocWouldNotExecute"
    assert venue.send("fok", "buy", "0.001", limit_price="80100").status == "placed"
    assert venue.position() == D("0.001")


def test_post_only_that_would_execute_is_refused_with_a_reject_event() -> None:
    result = Venue().send("post", "buy", "0.01", limit_price="80100")

    assert result.status == "postWouldExecute"
    assert isinstance(result.events[0], RejectEvent)
    assert result.events[0].reason == "POST_WOULD_EXECUTE"


def test_an_ioc_away_from_the_market_would_not_execute() -> None:
    assert Venue().send("ioc", "buy", "0.01", limit_price="79000").status == "iocWouldNotExecute"


REFUSALS: list[tuple[str, dict[str, Any]]] = [
    ("invalidOrderType", {"order_type": "liquidation"}),
    ("invalidSide", {"side": "long"}),
    ("invalidSize", {"size": "0.00005"}),
    ("invalidSize", {"size": "0"}),
    ("invalidSize", {"size": "0.01005"}),
    ("invalidPrice", {"limit_price": "79000.5"}),
    ("invalidPrice", {"limit_price": None}),
    ("invalidPrice", {"order_type": "stp"}),
    ("clientOrderIdTooLong", {"cli_ord_id": "x" * 101}),
    ("wouldProcessAfterSpecifiedTime", {"process_before_ms": 1}),
    ("marketInactive", {"symbol": "PF_NONEUSD"}),
    ("wouldNotReducePosition", {"reduce_only": True}),
    ("maxPositionViolation", {"size": "1300"}),
    ("insufficientAvailableFunds", {"size": "100"}),
]


@pytest.mark.parametrize(("word", "change"), REFUSALS)
def test_a_faulty_request_is_answered_with_the_venues_word(word: str, change: dict[str, Any]) -> None:
    venue = Venue()
    request = {"order_type": "lmt", "side": "buy", "size": "0.01", "limit_price": "79000", **change}

    assert venue.send(**request).status == word
    assert venue.exchange.open_orders() == ()


def test_a_client_id_is_unique_among_open_orders_and_free_again_when_its_order_left() -> None:
    venue = Venue()
    venue.send("lmt", "buy", "0.01", limit_price="79000", cli_ord_id="c1")

    assert venue.send("lmt", "buy", "0.01", limit_price="79000", cli_ord_id="c1").status == "clientOrderIdAlreadyExist"
    assert venue.exchange.cancel(CancelRequest(cli_ord_id="c1")).status == "cancelled"
    assert venue.send("lmt", "buy", "0.01", limit_price="79000", cli_ord_id="c1").status == "placed"


def test_a_resting_order_fills_in_part_at_a_touch_and_whole_when_the_market_goes_through_it() -> None:
    venue = Venue()
    venue.send("lmt", "buy", "0.1", limit_price="79000")

    venue.price(79_000.0, volume=-0.2)
    assert venue.position() == D("0.05")  # a quarter of what was traded there
    venue.price(78_900.0)

    assert venue.position() == D("0.1")
    assert {(fill.price, fill.fill_type) for fill in venue.exchange.fills()} == {(D(79_000), "maker")}
    reasons = [event.reason for event in venue.events if isinstance(event, OrderFeed)]
    assert reasons == ["new_placed_order_by_user", "partial_fill", "full_fill"]


def test_an_order_that_meets_our_own_resting_order_is_refused() -> None:
    venue = Venue(ScriptedPath([a_spec(depth_usd=10_000)], [80_000.0]), deposit_usd=D(1_000_000)).price(80_000.0)
    venue.send("lmt", "sell", "1", limit_price="80020")

    assert venue.send("ioc", "buy", "2", limit_price="80100").status == "selfFill"
    assert venue.position() == 0


def test_an_edit_moves_price_and_size_and_keeps_the_id() -> None:
    venue = Venue()
    placed = venue.send("lmt", "buy", "0.01", limit_price="79000")

    result = venue.exchange.edit(EditRequest(order_id=placed.order_id, size=D("0.02"), limit_price=D(79_100)))

    (order,) = venue.exchange.open_orders()
    assert (result.status, order.order_id, order.quantity, order.limit_price) == ("edited", placed.order_id, D("0.02"), D(79_100))


def test_an_edit_across_the_market_executes_as_taker_after_edit() -> None:
    venue = Venue()
    placed = venue.send("lmt", "buy", "0.01", limit_price="79000")

    assert venue.exchange.edit(EditRequest(order_id=placed.order_id, limit_price=D(80_200))).status == "edited"

    assert [fill.fill_type for fill in venue.exchange.fills()] == ["takerAfterEdit"]
    assert venue.exchange.open_orders() == ()


def test_edits_of_unknown_orders_and_of_limits_with_a_stop_price_are_refused() -> None:
    venue = Venue()
    placed = venue.send("lmt", "buy", "0.01", limit_price="79000")

    assert venue.exchange.edit(EditRequest(order_id="nobody", size=D(1))).status == "orderForEditNotFound"
    assert venue.exchange.edit(EditRequest(order_id=placed.order_id, stop_price=D(1))).status == "orderForEditNotAStop"
    assert venue.exchange.open_orders()[0].limit_price == 79_000


def test_cancel_tells_cancelled_filled_and_not_found_apart() -> None:
    venue = Venue()
    resting = venue.send("lmt", "buy", "0.01", limit_price="79000")
    filled = venue.send("ioc", "buy", "0.01", limit_price="80100", cli_ord_id="f1")

    assert venue.exchange.cancel(CancelRequest(order_id=resting.order_id)).status == "cancelled"
    assert venue.exchange.cancel(CancelRequest(cli_ord_id="f1")).status == "filled"
    venue.price(80_000.0, seconds=6)
    assert venue.exchange.cancel(CancelRequest(order_id=filled.order_id)).status == "notFound"
    assert venue.exchange.order_status(order_ids=[str(filled.order_id)]) == ()


def test_cancel_all_takes_triggers_too_and_spares_other_markets() -> None:
    venue = Venue()
    venue.send("stp", "sell", "0.01", stop_price="70000")
    venue.send("lmt", "buy", "100", symbol=DOGE, limit_price="0.09")

    assert len(venue.exchange.cancel_all(BTC).cancelled) == 1
    assert [order.symbol for order in venue.exchange.open_orders()] == [DOGE]
    assert venue.exchange.cancel_all(BTC).status == "noOrdersToCancel"


def test_the_dead_mans_switch_cancels_everything_at_its_time_and_can_be_disarmed() -> None:
    venue = Venue()
    venue.send("lmt", "buy", "0.01", limit_price="79000")
    venue.exchange.cancel_all_after(60)
    venue.exchange.advance_to(venue.exchange.now_ms + 59_000)
    assert len(venue.exchange.open_orders()) == 1

    venue.exchange.advance_to(venue.exchange.now_ms + 2_000)

    assert venue.exchange.open_orders() == ()
    assert venue.exchange.cancel_all_after(0).trigger_ms is None


def test_our_own_order_stands_in_the_book() -> None:
    venue = Venue()
    before = venue.exchange.book(BTC)
    venue.send("lmt", "buy", "0.5", limit_price=str(before.bids[0][0] + 1))

    after = venue.exchange.book(BTC)

    assert after.bids[0] == (before.bids[0][0] + 1, D("0.5"))
    assert after.bids[0][0] < after.asks[0][0]
    assert venue.exchange.quote(BTC).bid == after.bids[0][0]
