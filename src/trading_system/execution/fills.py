"""Adding executions up. Fills are a set by id: any order of arrival and any repetition give the same sums.

The trap it avoids: cumulative counters that are added as if they were increments, and an invented correction that stays
when the real fill turns up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from trading_system.domain.orders import ClientOrderId, Direction, Fill, FillId, FillKind, OrderPurpose, PositionId, VenueOrderId
from trading_system.domain.positions import CloseReason, OwnOrder, Position, PositionState, Tally
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO, Price

CLOCK_TOLERANCE: Final = timedelta(seconds=2)
"""Our clock and the venue's may differ by this much when a fill is judged older than a reading."""


class FillContext(Protocol):
    """What must be known to say to whom a fill belongs (the ledger, as read here)."""

    @property
    def positions(self) -> Mapping[PositionId, Position]: ...
    @property
    def orders(self) -> Mapping[ClientOrderId, OwnOrder]: ...
    @property
    def active_by_symbol(self) -> Mapping[Symbol, PositionId]: ...
    @property
    def by_venue_id(self) -> Mapping[VenueOrderId, ClientOrderId]: ...
    @property
    def fills(self) -> Mapping[FillId, Fill]: ...


def order_of_fill(fill: Fill, ledger: FillContext) -> OwnOrder | None:
    """The order of ours that this fill belongs to, by client id or by the venue's id."""
    if fill.client_order_id is not None and fill.client_order_id in ledger.orders:
        return ledger.orders[fill.client_order_id]
    key = ledger.by_venue_id.get(fill.venue_order_id)
    return None if key is None else ledger.orders[key]


def attribute_fill(fill: Fill, ledger: FillContext) -> tuple[PositionId | None, OrderPurpose | None]:
    """(position, purpose) to book `fill` under.

    An order of ours decides while its position is active, or was cancelled and its symbol is still free (an entry that was
    taken for not placed). Everything else on a symbol belongs to the position that is active there, as the venue nets it;
    but an adopted position already contains every execution up to the reading it was taken from.
    """
    active_id = ledger.active_by_symbol.get(fill.symbol)
    order = order_of_fill(fill, ledger)
    if order is not None:
        purpose = None if order.is_foreign else order.purpose
        if active_id == order.position_id or (active_id is None and _may_revive(ledger.positions[order.position_id], order)):
            return order.position_id, purpose
    else:
        purpose = None
    if active_id is None:
        return None, purpose
    active = ledger.positions[active_id]
    before_us = active.plan.planned_at
    if fill.at + CLOCK_TOLERANCE < before_us or (not active.is_own and fill.at <= before_us):
        return None, purpose
    return active_id, purpose


def _may_revive(position: Position, order: OwnOrder) -> bool:
    return position.state is PositionState.CANCELLED and order.purpose is OrderPurpose.ENTRY


def add_fill(tally: Tally, fill: Fill, direction: Direction, purpose: OrderPurpose | None) -> Tally:
    """The sums with `fill` in them. The caller has made sure that it is new."""
    value = fill.qty * fill.price
    fees = tally.fees if fill.fee_usd is None else tally.fees + fill.fee_usd
    first, last = _span(tally, fill.at)
    if fill.side is direction.entry_side:
        return replace(
            tally,
            entered=tally.entered + fill.qty,
            entry_cost=tally.entry_cost + value,
            fees=fees,
            adjusted=_absorb(tally, fill, 1),
            first_fill_at=first,
            last_fill_at=last,
        )
    return replace(
        tally,
        exited=tally.exited + fill.qty,
        exit_value=tally.exit_value + value,
        tp1_filled=tally.tp1_filled + fill.qty if purpose is OrderPurpose.TP1 else tally.tp1_filled,
        tp2_filled=tally.tp2_filled + fill.qty if purpose is OrderPurpose.TP2 else tally.tp2_filled,
        fees=fees,
        adjusted=_absorb(tally, fill, -1),
        first_fill_at=first,
        last_fill_at=last,
    )


def _span(tally: Tally, at: datetime) -> tuple[datetime, datetime]:
    first = at if tally.first_fill_at is None else min(tally.first_fill_at, at)
    last = at if tally.last_fill_at is None else max(tally.last_fill_at, at)
    return first, last


def _absorb(tally: Tally, fill: Fill, sign: int) -> Decimal:
    """What is left of the unexplained correction once this fill explains its part of it."""
    if tally.adjusted * sign <= 0 or tally.adjusted_at is None or fill.at > tally.adjusted_at + CLOCK_TOLERANCE:
        return tally.adjusted
    return sign * max(ZERO, abs(tally.adjusted) - fill.qty)


def adjust(tally: Tally, delta: Decimal, price: Price, at: datetime) -> Tally:
    """Correct the quantity by `delta` (in the position's direction, signed) as read at `at`."""
    return replace(
        tally,
        adjusted=tally.adjusted + delta,
        adjusted_price=price,
        adjusted_at=at,
        first_fill_at=tally.first_fill_at if tally.first_fill_at is not None or delta <= 0 else at,
    )


def exit_reason(position: Position, last_exit: Fill | None, purpose: OrderPurpose | None) -> CloseReason:
    """Why a position that is out by its fills ended: the kind of its last exit decides, then our own request."""
    if last_exit is not None:
        match last_exit.kind:
            case FillKind.LIQUIDATION:
                return CloseReason.LIQUIDATION
            case FillKind.SETTLEMENT:
                return CloseReason.SETTLEMENT
            case FillKind.ASSIGNMENT | FillKind.UNWIND:
                return CloseReason.DELEVERAGED
            case FillKind.MAKER | FillKind.TAKER | FillKind.OTHER:
                pass
    match purpose:
        case OrderPurpose.STOP:
            return CloseReason.STOP
        case OrderPurpose.TP1 | OrderPurpose.TP2:
            return CloseReason.TAKE_PROFIT
        case OrderPurpose.CLOSE | OrderPurpose.REDUCE if position.close is not None:
            return position.close.reason
        case OrderPurpose.CLOSE | OrderPurpose.REDUCE | OrderPurpose.ENTRY | None:
            return CloseReason.BY_HAND
