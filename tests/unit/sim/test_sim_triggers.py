"""Stops and take-profits: what fires them, how they fill, what reduce-only means when they do."""

from __future__ import annotations

import pytest

from sim_builders import D, ScriptedPath, Venue, a_spec
from trading_system.sim.model import EditRequest, MarketMode, OrderFeed, OrderState


def test_a_mark_stop_sells_the_position_and_ignores_a_wick_of_last() -> None:
    venue = Venue()
    venue.send("mkt", "buy", "0.01")
    venue.send("stp", "sell", "0.01", stop_price="79000", trigger_signal="mark", reduce_only=True)

    venue.price(78_000.0, index=80_000.0, seconds=1)  # last is far below the stop, mark hardly moves
    assert venue.position() == D("0.01")
    venue.price(78_950.0, index=78_950.0, seconds=60)

    assert venue.position() == 0
    assert venue.exchange.fills()[0].price < 78_950
    reasons = [event.reason for event in venue.events if isinstance(event, OrderFeed)]
    assert reasons[-2:] == ["stop_order_triggered", "full_fill"]


@pytest.mark.parametrize("signal", ["mark", "index", "last"])
def test_each_signal_fires_on_its_own_price(signal: str) -> None:
    venue = Venue()
    venue.send("stp", "sell", "0.01", stop_price="79000", trigger_signal=signal)

    venue.price(78_900.0, index=80_000.0, seconds=1)  # last only
    assert (venue.position() != 0) == (signal == "last")
    venue.price(81_000.0, index=78_000.0, seconds=1)  # index at once; mark follows the premium slowly

    assert (venue.position() != 0) == (signal in ("last", "index", "mark"))


def test_a_take_profit_is_the_mirror_of_a_stop() -> None:
    venue = Venue()
    venue.send("mkt", "buy", "0.01")
    venue.send("take_profit", "sell", "0.01", stop_price="81000", trigger_signal="mark", reduce_only=True)

    venue.price(79_000.0)
    assert venue.position() == D("0.01")
    venue.price(81_100.0)

    assert venue.position() == 0


def test_a_reduce_only_trigger_is_accepted_flat_and_ends_when_it_fires_on_nothing() -> None:
    venue = Venue()
    placed = venue.send("stp", "sell", "0.01", stop_price="79000", trigger_signal="mark", reduce_only=True)
    assert placed.status == "placed"

    venue.price(78_000.0)

    assert venue.exchange.open_orders() == ()
    assert venue.position() == 0
    (row,) = venue.exchange.order_status(order_ids=[str(placed.order_id)])
    assert (row.state, row.update_reason) == (OrderState.TRIGGER_ACTIVATION_FAILURE, "would_not_reduce_position")


def test_a_stop_larger_than_the_position_only_closes_it() -> None:
    venue = Venue()
    venue.send("mkt", "sell", "0.01")
    venue.send("stp", "buy", "0.05", stop_price="81000", trigger_signal="mark", reduce_only=True)

    venue.price(81_500.0)

    assert venue.position() == 0
    assert venue.exchange.fills()[0].size == D("0.01")


def test_a_triggered_stop_market_in_a_thin_book_leaves_a_rest_of_the_position() -> None:
    venue = Venue(ScriptedPath([a_spec(depth_usd=20_000)], [80_000.0]), deposit_usd=D(1_000_000))
    venue.send("lmt", "buy", "1", limit_price="79000")
    venue.price(78_900.0)
    venue.send("stp", "sell", "1", stop_price="78000", trigger_signal="mark", reduce_only=True)

    venue.price(77_900.0)

    assert 0 < venue.position() < 1
    assert venue.exchange.open_orders() == ()
    last = [event for event in venue.events if isinstance(event, OrderFeed)][-1]
    assert (last.is_gone, last.reason) == (True, "ioc_order_failed_because_it_would_not_be_executed")


def test_a_stop_limit_rests_as_a_limit_order_when_the_market_jumped_past_it() -> None:
    venue = Venue()
    venue.send("mkt", "buy", "0.01")
    venue.send("stp", "sell", "0.01", stop_price="79000", limit_price="78900", trigger_signal="mark", reduce_only=True)

    venue.price(78_000.0)

    (order,) = venue.exchange.open_orders()
    assert (order.is_trigger, order.limit_price, venue.position()) == (False, D(78_900), D("0.01"))


def test_a_stop_moves_in_place_by_one_edit() -> None:
    venue = Venue()
    venue.send("mkt", "buy", "0.02")
    placed = venue.send("stp", "sell", "0.01", stop_price="78000", trigger_signal="mark", reduce_only=True)

    assert venue.exchange.edit(EditRequest(order_id=placed.order_id, size=D("0.02"), stop_price=D(79_000))).status == "edited"
    venue.price(78_900.0)

    assert venue.position() == 0


def test_a_stop_inside_a_continuous_move_fills_near_its_level_and_a_gap_fills_at_the_new_price() -> None:
    prices = {}
    for continuous in (True, False):
        venue = Venue()
        venue.send("mkt", "buy", "0.01")
        venue.send("stp", "sell", "0.01", stop_price="79000", trigger_signal="mark", reduce_only=True)
        venue.price(76_000.0, seconds=300, continuous=continuous)
        prices[continuous] = venue.exchange.fills()[0].price

    assert 78_900 < prices[True] < 79_000
    assert 75_900 < prices[False] < 76_000


def test_triggers_rest_in_a_suspended_market_and_fire_when_it_is_online_again() -> None:
    venue = Venue()
    venue.send("mkt", "buy", "0.01")
    venue.send("stp", "sell", "0.01", stop_price="79000", trigger_signal="mark", reduce_only=True)
    venue.exchange.set_mode("PF_XBTUSD", MarketMode.SUSPENDED)

    venue.price(78_000.0)
    assert len(venue.exchange.open_orders()) == 1
    venue.exchange.set_mode("PF_XBTUSD", MarketMode.ONLINE)
    venue.price(78_000.0)

    assert venue.position() == 0


@pytest.mark.parametrize(("share", "least"), [("0", "0.01"), ("0.000001", "0.0094")])
def test_a_trigger_that_fires_into_an_empty_or_thin_book_leaves_the_rest_of_the_position(share: str, least: str) -> None:
    venue = Venue()
    venue.send("mkt", "buy", "0.01")
    venue.send("stp", "sell", "0.01", stop_price="79000", trigger_signal="mark", reduce_only=True)
    venue.exchange.set_depth("PF_XBTUSD", D(share))

    venue.price(78_000.0)

    assert D(least) <= venue.position() <= D("0.01")
    assert not venue.exchange.open_orders(), "it fired, and what it did not fill is dropped"
    again = Venue()
    again.exchange.restore_state(venue.exchange.snapshot_state())
    assert again.send("mkt", "sell", "0.005", reduce_only=True).status in ("iocWouldNotExecute", "placed")
    venue.exchange.set_depth("PF_XBTUSD", D(1))
    assert venue.send("mkt", "sell", "0.01", reduce_only=True).status == "placed"
    assert venue.position() == 0


def test_a_depth_that_is_no_share_is_refused() -> None:
    for share in ("-0.1", "1.1", "NaN"):
        with pytest.raises(ValueError, match="share"):
            Venue().exchange.set_depth("PF_XBTUSD", D(share))


def test_resting_reduce_only_limits_shrink_with_the_position_and_end_with_it() -> None:
    venue = Venue()
    venue.send("mkt", "buy", "0.03")
    taken = venue.send("lmt", "sell", "0.05", limit_price="82000", reduce_only=True)
    assert taken.reduced_quantity == D("0.03")

    venue.send("mkt", "sell", "0.02")
    assert venue.exchange.open_orders()[0].unfilled == D("0.01")
    venue.send("mkt", "sell", "0.01")

    assert venue.exchange.open_orders() == ()
    assert venue.position() == 0


@pytest.mark.parametrize(
    ("mode", "lmt", "post", "stop"),
    [
        (MarketMode.POST_ONLY, "marketIsPostOnly", "placed", "placed"),
        (MarketMode.CANCEL_ONLY, "marketInactive", "marketInactive", "marketInactive"),
        (MarketMode.SUSPENDED, "marketSuspended", "marketSuspended", "marketSuspended"),
    ],
)
def test_market_modes_refuse_by_kind_of_order(mode: MarketMode, lmt: str, post: str, stop: str) -> None:
    venue = Venue()
    venue.exchange.set_mode("PF_XBTUSD", mode)

    assert venue.send("lmt", "buy", "0.01", limit_price="79000").status == lmt
    assert venue.send("post", "buy", "0.01", limit_price="79000").status == post
    assert venue.send("stp", "sell", "0.01", stop_price="70000").status == stop


def test_in_post_only_mode_nothing_executes_and_the_book_stays_uncrossed() -> None:
    venue = Venue()
    venue.send("lmt", "buy", "0.01", limit_price="79000")
    venue.exchange.set_mode("PF_XBTUSD", MarketMode.POST_ONLY)

    venue.price(78_000.0)

    book = venue.exchange.book("PF_XBTUSD")
    assert venue.position() == 0
    assert book.bids[0] == (D(79_000), D("0.01"))
    assert book.asks[0][0] > 79_000
