"""Trailing stops: they follow the better price, never the worse one, and fire where they stood last."""

from __future__ import annotations

import json

import pytest

from sim_builders import D, ScriptedPath, Venue
from trading_system.sim.exchange import SimExchange
from trading_system.sim.model import EditRequest, OrderFeed, OrderType
from trading_system.sim.variants import ExchangeVariants


def a_trailing_long(deviation: str = "1000", unit: str = "QUOTE_CURRENCY", signal: str = "mark") -> Venue:
    venue = Venue()
    venue.send("mkt", "buy", "0.01")
    result = venue.send(
        "trailing_stop", "sell", "0.01", reduce_only=True, trigger_signal=signal,
        trailing_deviation=D(deviation), trailing_unit=unit, cli_ord_id="t",
    )  # fmt: skip
    assert result.status == "placed"
    return venue


def stop_of(venue: Venue) -> object:
    (order,) = venue.exchange.open_orders()
    assert order.order_type is OrderType.TRAILING_STOP
    return order.stop_price


def test_it_follows_a_rising_price_and_stays_when_the_price_falls_back() -> None:
    venue = a_trailing_long()
    assert stop_of(venue) == 79_000
    stops = [stop_of(venue.price(mid)) for mid in (80_500.0, 82_000.0, 81_500.0)]

    assert stops == [79_500, 81_000, 81_000]


def test_it_fires_where_it_stood_last() -> None:
    venue = a_trailing_long()
    venue.price(82_000.0).price(80_990.0)

    assert venue.position() == 0
    assert venue.exchange.open_orders() == ()
    assert venue.exchange.account().pnl == 0


def test_inside_a_continuous_move_it_fills_near_its_level() -> None:
    venue = a_trailing_long(signal="last")
    venue.price(82_000.0).price(70_000.0, continuous=True)

    assert 80_900 < venue.exchange.fills()[0].price <= 81_000


def test_a_percentage_keeps_its_distance_in_proportion() -> None:
    venue = a_trailing_long("5", "PERCENT")
    assert stop_of(venue) == 76_000

    assert stop_of(venue.price(90_000.0)) == 85_500


def test_a_buy_trails_a_falling_price() -> None:
    venue = Venue()
    venue.send("mkt", "sell", "0.01")
    trailing = {"trailing_deviation": D(500), "trailing_unit": "QUOTE_CURRENCY", "trigger_signal": "index"}
    venue.send("trailing_stop", "buy", "0.01", reduce_only=True, **trailing)

    assert stop_of(venue.price(79_000.0)) == 79_500
    assert venue.price(79_600.0).position() == 0


@pytest.mark.parametrize(
    ("word", "change"),
    [
        ("invalidPrice", {"trailing_deviation": None}),
        ("invalidPrice", {"trailing_deviation": D(0)}),
        ("invalidPrice", {"trailing_deviation": D("0.05")}),
        ("invalidPrice", {"trailing_deviation": D(51)}),
        ("invalidOrderType", {"trailing_unit": "BPS"}),
    ],
)
def test_a_distance_that_cannot_be_is_refused(word: str, change: dict[str, object]) -> None:
    request = {"trailing_deviation": D(2), "trailing_unit": "PERCENT", **change}

    assert Venue().send("trailing_stop", "sell", "0.01", **request).status == word


def test_where_the_venue_knows_no_trailing_stops_the_type_is_invalid() -> None:
    venue = Venue(variants=ExchangeVariants(accepts_trailing_stops=False))

    assert venue.send("trailing_stop", "sell", "0.01", trailing_deviation=D(2), trailing_unit="PERCENT").status == "invalidOrderType"


def test_its_distance_can_be_edited_but_not_its_prices() -> None:
    venue = a_trailing_long()
    edit = venue.exchange.edit

    assert edit(EditRequest(cli_ord_id="t", stop_price=D(70_000))).status == "cannotEditTriggerPriceOfTrailingStop"
    assert edit(EditRequest(cli_ord_id="t", limit_price=D(70_000))).status == "cannotEditLimitPriceOfTrailingStop"
    assert edit(EditRequest(cli_ord_id="t", trailing_deviation=D(200))).status == "edited"
    assert stop_of(venue) == 79_800


def test_following_is_silent_on_the_feed_and_survives_a_restart() -> None:
    venue = a_trailing_long()
    told = len([event for event in venue.events if isinstance(event, OrderFeed)])
    venue.price(82_000.0)
    restored = SimExchange(ScriptedPath())
    restored.restore_state(json.loads(json.dumps(venue.exchange.snapshot_state())))

    assert len([event for event in venue.events if isinstance(event, OrderFeed)]) == told
    assert restored.open_orders() == venue.exchange.open_orders()
