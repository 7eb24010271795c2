"""Naked quantity and naked seconds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from execution_builders import BTC, D, a_position_id, at, ledger, open_events, protected_events
from trading_system.domain.account import VenuePosition
from trading_system.domain.actions import PlaceStop
from trading_system.domain.orders import Direction, OpenOrder, OrderKind, Side, VenueOrderId
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty
from trading_system.execution.protection import (
    NakedLimits,
    NakedMeter,
    NakedStage,
    measure_naked,
    naked_qty,
    plan_missing_stops,
)
from trading_system.execution.reconcile import MarketFacts

LONG = VenuePosition(BTC, Direction.LONG, Qty(D(10)), Price(D(100)))
MARKET = MarketFacts(Price(D(100)), D("0.5"), D(1), Price(D(60)))
STOP = OpenOrder(
    VenueOrderId("v1"), None, BTC, Side.SELL, OrderKind.STOP, Qty(D(10)), Qty(D(0)), None, Price(D(95)), "mark", True, at(0), "untouched"
)


@pytest.mark.parametrize(
    ("change", "naked"),
    [
        ({}, 0),
        ({"qty": Qty(D(4))}, 6),
        ({"reduce_only": False}, 10),
        ({"side": Side.BUY}, 10),
        ({"trigger_price": Price(D(101))}, 10),
        ({"trigger_price": Price(D(59))}, 10),
        ({"trigger_price": None}, 10),
        ({"kind": OrderKind.LIMIT}, 10),
        ({"status_word": "entered_book"}, 0),
    ],
)
def test_only_a_live_reduce_only_stop_between_mark_and_liquidation_protects(change: dict[str, object], naked: int) -> None:
    assert naked_qty(LONG, (replace(STOP, **change),), MARKET) == naked  # type: ignore[arg-type]


def test_several_stops_add_up() -> None:
    assert naked_qty(LONG, (replace(STOP, qty=Qty(D(4))), replace(STOP, qty=Qty(D(5)))), MARKET) == 1


def test_a_rest_below_one_step_is_not_naked() -> None:
    assert measure_naked((LONG,), (replace(STOP, qty=Qty(D("9.5"))),), {BTC: MARKET}) == {}
    assert measure_naked((LONG,), (), {}) == {BTC: 10}


def test_missing_stops_are_planned_from_the_books() -> None:
    naked, covered = ledger(*open_events()), ledger(*protected_events())
    facts = {BTC: MARKET}

    assert plan_missing_stops(naked, naked.positions.values(), facts) == (
        PlaceStop(a_position_id(), Qty(D(10)), Price(D(95)), "10 of 10 without a stop"),
    )
    assert plan_missing_stops(covered, covered.positions.values(), facts) == ()


def test_the_first_detection_warns_and_the_second_is_persistent() -> None:
    meter = NakedMeter(started_s=0.0, limits=NakedLimits())
    stages = []
    for now_s in (100, 110, 115, 118, 121):
        stages += [(now_s, alarm.stage) for alarm in meter.observe({BTC: Qty(D(3))}, now_s)]

    assert stages == [(115, NakedStage.FIRST), (118, NakedStage.PERSISTENT)]
    assert meter.naked_s(BTC, 121) == 21


def test_cover_in_between_starts_anew() -> None:
    meter = NakedMeter(started_s=0.0, limits=NakedLimits())
    meter.observe({BTC: Qty(D(3))}, 100)
    meter.observe({}, 110)

    assert meter.observe({BTC: Qty(D(3))}, 116) == ()
    assert meter.naked_s(BTC, 116) == 0


def test_the_grace_after_the_start_holds_alarms_back_but_not_the_measure() -> None:
    meter = NakedMeter(started_s=0.0, limits=NakedLimits())
    assert [meter.observe({BTC: Qty(D(3))}, s) for s in (0, 30, 89)] == [(), (), ()]
    assert [alarm.naked_s for alarm in meter.observe({BTC: Qty(D(3))}, 90)] == [90]


def test_the_worst_figure_is_told_once_and_goes_on_counting() -> None:
    meter = NakedMeter(started_s=0.0, limits=NakedLimits())
    meter.observe({BTC: Qty(D(3))}, 100)
    meter.observe({BTC: Qty(D(3)), Symbol("ETH/USD"): Qty(D(1))}, 107)

    assert meter.take_worst() == 7
    assert meter.take_worst() == 0
    meter.observe({BTC: Qty(D(3))}, 109)
    assert meter.take_worst() == 9
