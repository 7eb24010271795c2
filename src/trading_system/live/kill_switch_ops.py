"""Makes the mode true on the venue: when halted, entries and take-profits are cancelled, every stop stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trading_system.domain.actions import CancelOrder
from trading_system.domain.orders import OpenOrder, OrderPurpose
from trading_system.domain.positions import OrderState, OwnOrder
from trading_system.execution.execution_gateway import ExecutionGateway
from trading_system.execution.registry import PositionRegistry
from trading_system.live.account_view import AccountView
from trading_system.live.losses import LossBook
from trading_system.live.venue_control import VenueControl
from trading_system.safety.invariant_monitor import InvariantMonitor
from trading_system.safety.kill_switch import plan_kill

HALT_CAUSE = "halt"


class ModeHost(Protocol):
    """What enforcing the mode needs."""

    @property
    def monitor(self) -> InvariantMonitor: ...
    @property
    def control(self) -> VenueControl: ...
    @property
    def gateway(self) -> ExecutionGateway: ...
    @property
    def positions(self) -> PositionRegistry: ...
    @property
    def account_view(self) -> AccountView: ...
    @property
    def losses(self) -> LossBook: ...


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """What a halt did to orders this time. preserved: reduce-only stops left resting, whoever placed them."""

    cancelled: tuple[OwnOrder, ...] = ()
    preserved: tuple[OpenOrder, ...] = ()
    is_newly_done: bool = False


async def enforce_mode(host: ModeHost) -> CleanupReport:
    """Close or open the write gate as the mode says; when halted, clean up until a complete look shows nothing left."""
    if not host.monitor.mode.is_halted:
        host.control.reopen(HALT_CAUSE)
        if _entries_stopped(host.losses):
            return CleanupReport(await _cancel(host, lambda purpose: purpose.is_entry, "loss limit hit: resting entries are cancelled"))
        return CleanupReport()
    host.control.close_entries(HALT_CAUSE)
    cancelled = await _cancel(host, lambda purpose: purpose.is_entry or purpose.is_take_profit, "halted")
    reads, record = host.account_view.reads, host.monitor.kill_record
    if reads is None or reads.open_orders is None:
        return CleanupReport(cancelled)
    purposes = {order.venue_order_id: order.purpose for order in host.positions.all_open_orders() if not order.is_foreign}
    plan = plan_kill(reads.open_orders, lambda order: purposes.get(order.venue_order_id))
    is_done = not cancelled and not plan.cancel and reads.is_complete and record is not None and not record.cleanup_done
    if is_done:
        host.monitor.note_cleanup_done()
    stops = tuple(order for order in (*plan.preserve, *plan.foreign) if order.reduce_only)
    return CleanupReport(cancelled, stops, is_done)


def _entries_stopped(losses: LossBook) -> bool:
    standing = losses.standing
    return standing is not None and (standing.is_day_stopped or standing.is_week_stopped)


async def _cancel(host: ModeHost, applies: PurposeTest, why: str) -> tuple[OwnOrder, ...]:
    """Cancel our live orders of these purposes, each once per call; protective orders never qualify."""
    done: list[OwnOrder] = []
    for order in host.positions.all_open_orders():
        is_due = order.state is OrderState.LIVE and not order.is_foreign and not order.is_immediate and order.cancel_requested_at is None
        if is_due and applies(order.purpose) and order.purpose is not OrderPurpose.STOP:
            await host.gateway.perform(CancelOrder(order.position_id, order.client_order_id, why, f"mode {host.monitor.mode.value}"))
            done.append(order)
    return tuple(done)


class PurposeTest(Protocol):
    def __call__(self, purpose: OrderPurpose, /) -> bool: ...
