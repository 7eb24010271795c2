"""The measures of exposure against hand-made numbers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest

from risk_builders import LEVELS_A, an_item
from trading_system.domain.exposure import (
    ExitCosts,
    ExposureItem,
    ExposureKind,
    StressResult,
    liquidation_price,
    maintenance_margin,
    open_notional,
    open_risk,
    planned_leverage,
    planned_margin,
    planned_utilization,
    positions_count,
    stress_shocks,
    stress_stops,
)
from trading_system.domain.market import MarginLevel
from trading_system.domain.orders import Direction
from trading_system.risk.caps import notional_for_margin

FREE = ExitCosts(D(0), D(0))
COSTS = ExitCosts()
STEEP = (MarginLevel(D(0), D("0.10"), D("0.05")), MarginLevel(D(1000), D("0.20"), D("0.10")), MarginLevel(D(2000), D("0.50"), D("0.25")))


@pytest.mark.parametrize(
    ("notional", "leverage_max", "leverage"),
    [("1000", "7", "7"), ("1000", "2", "2"), ("4999999", "7", "7"), ("10000000", "7", "5"), ("60000000", "7", "2")],
)
def test_planned_leverage_is_the_least_of_ours_the_tiers_and_the_venues_at_that_size(
    notional: str, leverage_max: str, leverage: str
) -> None:
    assert planned_leverage(D(notional), LEVELS_A, D(leverage_max)) == D(leverage)


def test_an_order_counts_at_the_worse_of_mark_and_limit_a_position_at_mark() -> None:
    assert an_item(qty="10", mark="100", entry="103", kind=ExposureKind.UNKNOWN).notional == 1030
    assert an_item(qty="10", mark="100", entry="97", kind=ExposureKind.IN_FLIGHT).notional == 1000
    assert an_item(qty="10", mark="100", entry="103").notional == 1000


@pytest.mark.parametrize(
    ("item", "risk"),
    [
        (an_item(stop="98"), D(20) + D(980) * D("0.0015")),
        (an_item(direction=Direction.SHORT, stop="102"), D(20) + D(1020) * D("0.0015")),
        (an_item(mark="110", entry="100", stop="100"), D(0)),
        (an_item(mark="110", entry="100", stop="99.99"), D("100.1") + D("999.9") * D("0.0015")),
        (an_item(mark="90", entry="100", stop="100", direction=Direction.SHORT), D(0)),
        (an_item(stop=None), D(1000)),
        (an_item(mark="97", entry="100", stop="98"), D(0)),
        (an_item(mark="100", entry="101", stop="98", kind=ExposureKind.IN_FLIGHT), D(30) + D(980) * D("0.0015")),
    ],
    ids=["long", "short", "at break-even", "a tick short of it", "short in profit", "naked", "already past its stop", "order above mark"],
)
def test_open_risk(item: ExposureItem, risk: D) -> None:
    assert open_risk(item, COSTS) == risk


def test_totals_add_longs_and_shorts_and_count_markets_once() -> None:
    items = (an_item("A/USD"), an_item("B/USD", Direction.SHORT, stop="102"), an_item("A/USD", kind=ExposureKind.RESTING))

    assert open_notional(items) == 3000
    assert positions_count(items) == 2
    assert planned_utilization(items, D("3000")) == pytest.approx(D(1) / 7)
    assert planned_utilization(items, D(0)) is None


def test_a_long_is_liquidated_where_equity_meets_maintenance() -> None:
    item = an_item(qty="100", stop=None)  # notional 10,000

    price = liquidation_price(item, (), D("2000"), FREE)

    assert price is not None
    assert D("2000") + 100 * (price - 100) == pytest.approx(100 * price * D("0.01"))


def test_others_stand_at_their_stops_and_still_hold_maintenance() -> None:
    item, other = an_item(qty="100", stop=None), an_item("SOL/USD", qty="50", stop="96")

    alone, together = liquidation_price(item, (), D("2000"), FREE), liquidation_price(item, (other,), D("2000"), FREE)

    assert alone is not None
    assert together is not None
    assert (together - alone) * 100 * D("0.99") == pytest.approx(50 * 4 + 5000 * D("0.01"))


def test_an_unlevered_long_cannot_be_liquidated() -> None:
    assert liquidation_price(an_item(qty="10"), (), D("1001"), FREE) is None


@pytest.mark.parametrize(
    ("equity", "price"),
    [
        ("100", D(1000) / D("10.5")),  # dies inside its own level, below the next at 100
        ("150", D(100)),  # alive just below 100, dead at the step of the rate
        ("250", D("1150") / D("11")),
    ],
)
def test_a_short_meets_higher_margin_levels_on_the_way_up(equity: str, price: D) -> None:
    item = replace(an_item(qty="10", mark="90", stop=None, direction=Direction.SHORT), margin_levels=STEEP)

    found = liquidation_price(item, (), D(equity), FREE)

    assert found == pytest.approx(price)


def test_stress_finds_the_worst_common_move() -> None:
    items = (an_item("A/USD", qty="40"), an_item("B/USD", Direction.SHORT, qty="10", stop="102"))

    assert stress_shocks(items, D("1000"), (D("0.05"), D("0.20"))) == StressResult("all prices -20.00 %", D("400.00"), D("40.0000"))


def test_all_stops_with_a_gap_lose_more_than_open_risk() -> None:
    items = (an_item("A/USD", stop="98"), an_item("B/USD", Direction.SHORT, stop="102"))

    result = stress_stops(items, D("1000"), (D("0.01"), D("0.02")), FREE)

    assert result.equity == D(1000) - 10 * (D(100) - D("97.02")) - 10 * (D("104.04") - D(100))
    assert result.maintenance == maintenance_margin(items[0], D("97.02")) + maintenance_margin(items[1], D("104.04"))


@pytest.mark.parametrize(
    ("margin", "notional"),
    [("0", "0"), ("-5", "-5"), ("50", "350"), ("150", "999.99"), ("220", "1100"), ("500", "1999.99"), ("1200", "2400")],
)
def test_the_notional_for_a_margin_stays_below_the_step_of_a_level_it_cannot_pay(margin: str, notional: str) -> None:
    found = notional_for_margin(D(margin), STEEP, D(7))

    assert found == D(notional)
    if found > 0:
        assert planned_margin(found, STEEP, D(7)) <= D(margin)
