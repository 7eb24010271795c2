"""What the kill switch does to orders: it cancels our entries and take-profits and leaves every seat belt on. Pure plan.

The trap it avoids: a halt that cancels "all orders" and with them the stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from trading_system.domain.orders import OpenOrder, OrderKind, OrderPurpose


@dataclass(frozen=True, slots=True)
class KillPlan:
    """cancel: our entries and take-profits. preserve: stops and exits. foreign: not ours, never touched."""

    cancel: tuple[OpenOrder, ...]
    preserve: tuple[OpenOrder, ...]
    foreign: tuple[OpenOrder, ...]

    @property
    def preserved_stops(self) -> int:
        """Number of stop-type reduce-only orders left resting, whoever placed them."""
        return sum(is_protective(order) for order in (*self.preserve, *self.foreign))


@dataclass(frozen=True, slots=True)
class KillRecord:
    """The latch as it is kept in `kill_switch_state.json`. cleanup_done: nothing cancellable was left on a complete read."""

    is_active: bool
    reason: str
    by: str
    at: datetime
    cleanup_done: bool = False


def is_protective(order: OpenOrder) -> bool:
    """A reduce-only stop-type order. A type we do not know counts as one: what might protect is kept."""
    return order.reduce_only and order.kind in (OrderKind.STOP, OrderKind.OTHER)


def plan_kill(orders: Iterable[OpenOrder], purpose_of: Callable[[OpenOrder], OrderPurpose | None]) -> KillPlan:
    """Sort open orders by what the kill switch does with them. purpose_of: our purpose of an order, None = not ours."""
    cancel: list[OpenOrder] = []
    preserve: list[OpenOrder] = []
    foreign: list[OpenOrder] = []
    for order in orders:
        purpose = purpose_of(order)
        if purpose is None:
            foreign.append(order)
        elif not is_protective(order) and (purpose.is_entry or purpose.is_take_profit or not order.reduce_only):
            cancel.append(order)
        else:
            preserve.append(order)
    return KillPlan(tuple(cancel), tuple(preserve), tuple(foreign))
