"""What the kill switch cancels and what it must leave."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from risk_builders import BTC, NOW
from trading_system.domain.orders import OpenOrder, OrderKind, OrderPurpose, Side, VenueOrderId
from trading_system.domain.units import Qty
from trading_system.safety.kill_switch import KillPlan, plan_kill


def an_order(order_id: str, kind: OrderKind, *, reduce_only: bool) -> OpenOrder:
    return OpenOrder(
        VenueOrderId(order_id), None, BTC, Side.SELL, kind, Qty(D(1)), Qty(D(0)), None, None, None, reduce_only, NOW, "untouched"
    )


@pytest.mark.parametrize(
    ("purpose", "kind", "reduce_only", "fate"),
    [
        (OrderPurpose.ENTRY, OrderKind.LIMIT, False, "cancel"),
        (OrderPurpose.TP1, OrderKind.LIMIT, True, "cancel"),
        (OrderPurpose.TP2, OrderKind.TAKE_PROFIT_TRIGGER, True, "cancel"),
        (OrderPurpose.STOP, OrderKind.STOP, True, "preserve"),
        (OrderPurpose.TP1, OrderKind.STOP, True, "preserve"),
        (OrderPurpose.STOP, OrderKind.OTHER, True, "preserve"),
        (OrderPurpose.CLOSE, OrderKind.LIMIT, True, "preserve"),
        (OrderPurpose.ENTRY, OrderKind.STOP, False, "cancel"),
        (None, OrderKind.LIMIT, False, "foreign"),
        (None, OrderKind.STOP, True, "foreign"),
    ],
)
def test_each_order_has_its_fate(purpose: OrderPurpose | None, kind: OrderKind, reduce_only: bool, fate: str) -> None:
    order = an_order("1", kind, reduce_only=reduce_only)

    plan = plan_kill([order], lambda _: purpose)

    assert plan == KillPlan(**{name: (order,) if name == fate else () for name in ("cancel", "preserve", "foreign")})


def test_the_count_of_preserved_stops_includes_those_placed_by_hand() -> None:
    ours, theirs = an_order("1", OrderKind.STOP, reduce_only=True), an_order("2", OrderKind.STOP, reduce_only=True)

    assert plan_kill([ours, theirs], lambda order: OrderPurpose.STOP if order is ours else None).preserved_stops == 2
