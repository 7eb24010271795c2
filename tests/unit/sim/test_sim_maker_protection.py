"""Maker protection: what could take is held some milliseconds; makers, triggers and cancels pass at once."""

from __future__ import annotations

import json

from sim_builders import BTC, DOGE, START_MS, D, ScriptedPath, Venue
from trading_system.sim.exchange import SimExchange
from trading_system.sim.model import CancelRequest, EditRequest, OrderFeed
from trading_system.sim.variants import ExchangeVariants


def a_protected_venue(markets: int = 1) -> Venue:
    return Venue(variants=ExchangeVariants(maker_protection_ms=20, maker_protection_markets=markets))


def after(venue: Venue, ms: int) -> Venue:
    venue.exchange.advance_to(venue.exchange.now_ms + ms)
    return venue


def test_a_taking_order_executes_only_when_it_is_released() -> None:
    venue = a_protected_venue()
    result = venue.send("mkt", "buy", "0.01")

    assert result.status == "placed"
    assert len(venue.exchange.open_orders()) == 1
    assert after(venue, 19).position() == 0
    assert after(venue, 1).position() == D("0.01")
    assert venue.exchange.open_orders() == ()


def test_post_only_orders_triggers_and_other_markets_are_not_held() -> None:
    venue = a_protected_venue()
    assert venue.send("mkt", "buy", "100", symbol=DOGE).status == "placed"
    assert venue.position(DOGE) == 100

    venue.send("post", "buy", "0.01", limit_price="79999")
    venue.send("stp", "sell", "0.01", stop_price="70000", trigger_signal="mark", reduce_only=True)

    assert venue.exchange.book(BTC, 1).bids[0][0] == 79_999
    assert len(venue.exchange.open_orders()) == 2
    assert (venue.exchange.hold_ms(BTC), venue.exchange.hold_ms(DOGE)) == (20, 0)


def test_a_held_order_that_is_cancelled_takes_what_it_can_and_drops_the_rest() -> None:
    venue = a_protected_venue()
    resting = venue.send("lmt", "buy", "0.01", limit_price="79000")
    taking = venue.send("lmt", "buy", "0.02", limit_price="80500")
    words = [venue.exchange.cancel(CancelRequest(order.order_id)).status for order in (resting, taking)]

    after(venue, 20)

    assert words == ["cancelled", "cancelled"]
    assert venue.position() == D("0.02")
    assert venue.exchange.open_orders() == ()
    gone = {event.order.order_id: event.reason for event in venue.events if isinstance(event, OrderFeed) and event.is_gone}
    assert gone[resting.order_id or ""] == "ioc_order_failed_because_it_would_not_be_executed"


def test_an_edit_that_could_take_is_held_too() -> None:
    venue = a_protected_venue()
    venue.send("lmt", "buy", "0.01", limit_price="79000", cli_ord_id="a")
    after(venue, 20)

    assert venue.exchange.edit(EditRequest(cli_ord_id="a", limit_price=D(80_500))).status == "edited"
    assert after(venue, 19).position() == 0
    assert after(venue, 1).position() == D("0.01")


def test_what_the_account_cannot_carry_any_more_at_release_ends_there() -> None:
    venue = a_protected_venue()
    for _ in range(2):
        assert venue.send("lmt", "buy", "5", limit_price="80500").status == "placed"  # each alone would fit

    after(venue, 20)

    assert [event.reason for event in venue.events if isinstance(event, OrderFeed) and event.is_gone][-1] == "not_enough_margin"
    assert venue.exchange.account().margin_equity >= 0


def test_a_restart_during_the_hold_releases_on_time() -> None:
    venue = a_protected_venue()
    venue.send("mkt", "buy", "0.01")
    restored, replayed = (SimExchange(ScriptedPath(), venue.exchange.config) for _ in range(2))
    restored.restore_state(json.loads(json.dumps(venue.exchange.snapshot_state())))
    for record in venue.commits:
        replayed.apply_commit(record)

    for exchange in (venue.exchange, restored, replayed):
        assert exchange.positions() == ()
        exchange.advance_to(START_MS + 20)
    assert restored.executions() == replayed.executions() == venue.exchange.executions()
    assert len(restored.executions()) > 0
