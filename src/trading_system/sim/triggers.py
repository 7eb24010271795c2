"""When a trigger order fires, and which level of a continuous move is met first. Pure."""

from __future__ import annotations

from decimal import Decimal

from trading_system.sim.model import OrderRow


def has_fired(order: OrderRow, price: Decimal) -> bool:
    """True when the watched price is at or beyond the stop price on the firing side."""
    assert order.stop_price is not None
    return price <= order.stop_price if order.fires_below else price >= order.stop_price


def level_on_the_way(level: float, before: float, after: float) -> float | None:
    """Distance (>= 0) from `before` at which a move to `after` meets `level`; None when it does not pass it.

    A level that was already behind `before` is not on the way.
    """
    if before <= level <= after or after <= level <= before:
        return abs(level - before)
    return None
