"""What the tests of position plans share: states to plan from, and the question itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from execution_builders import (
    BTC,
    D,
    a_fill,
    a_position_id,
    a_view,
    an_order,
    at,
    booked,
    ledger,
    placed,
    protected_events,
)
from trading_system.domain import events as ev
from trading_system.domain.actions import (
    Action,
)
from trading_system.domain.orders import ClientOrderId, Direction, OrderPurpose
from trading_system.domain.positions import Targets
from trading_system.domain.units import Price, Qty
from trading_system.execution.ledger import LedgerState
from trading_system.execution.position_manager import Plan, plan
from trading_system.execution.position_view import NEW_WATCH, MarketView, PositionParameters, Watch

PID = a_position_id()
ENTRY, STOP, TP1 = (ClientOrderId(f"ts-{PID}-{word}-1") for word in ("en", "sl", "tp1"))
PARAMS = PositionParameters()
TARGETS = Targets(Qty(D(10)), Qty(D(4)), Qty(D(4)), Price(D(105)), Price(D("112.5")))


def planned(
    state: LedgerState, view: MarketView | None = None, watch: Watch = NEW_WATCH, params: PositionParameters = PARAMS, s: float = 10
) -> Plan:
    position = state.active_on(BTC)
    assert position is not None
    return plan(state, position, a_view() if view is None else view, watch, params, now=at(s), now_s=s)


def actions(state: LedgerState, view: MarketView | None = None, watch: Watch = NEW_WATCH, **kwargs: Any) -> tuple[Action, ...]:
    return planned(state, view, watch, **kwargs).actions


def complete(*more: ev.JournalEvent, direction: Direction = Direction.LONG) -> LedgerState:
    """Protected, entry complete, both take-profits resting."""
    side = direction.sign
    targets = replace(TARGETS, tp1_price=Price(D(100) + 5 * side), tp2_price=Price(D(100) + D("12.5") * side))
    tp1 = an_order(OrderPurpose.TP1, qty="4", direction=direction, limit_price=targets.tp1_price)
    tp2 = an_order(OrderPurpose.TP2, qty="4", direction=direction, limit_price=targets.tp2_price)
    return ledger(
        *protected_events(direction=direction),
        ev.EntryCompleted(at(3), PID, targets, "filled"),
        ev.OrderIntended(at(3), tp1),
        placed(OrderPurpose.TP1),
        ev.OrderIntended(at(3), tp2),
        placed(OrderPurpose.TP2),
        *more,
    )


def after_tp1(*more: ev.JournalEvent) -> LedgerState:
    shrunk = (ev.AmendIntended(at(6), STOP, Qty(D(6)), Price(D(95)), "size"), ev.AmendConfirmed(at(6), STOP, Qty(D(6)), Price(D(95))))
    return complete(booked(a_fill("f2", "4", OrderPurpose.TP1, "105", seconds=5), OrderPurpose.TP1), *shrunk, *more)
