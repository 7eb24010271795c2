"""Rules of the fold for orders and fills. An order's state only moves forward; fills beat words.

The trap it avoids: a late acknowledgement, an old snapshot or the word "cancelled" undoing an execution that was seen.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final, TypeAlias

from trading_system.domain import events as ev
from trading_system.domain.errors import InvariantViolation
from trading_system.domain.orders import ClientOrderId, OrderPurpose
from trading_system.domain.positions import EndReason, OrderEnd, OrderState, OwnOrder, Position, PositionState, StopTarget
from trading_system.domain.units import ZERO, Qty
from trading_system.execution.fills import add_fill, order_of_fill
from trading_system.execution.ledger import LedgerState, Record
from trading_system.execution.ledger_positions import require_position, settle
from trading_system.execution.position_state import PositionEvent, next_state

Changes: TypeAlias = tuple[Record, ...] | None

FROM_ABSENCE: Final = frozenset({EndReason.NOT_PLACED, EndReason.REJECTED, EndReason.GONE})
"""Ends that positive evidence (a fill, the order seen alive) takes back."""


def require_order(state: LedgerState, key: ClientOrderId) -> OwnOrder:
    """The order, or InvariantViolation."""
    order = state.orders.get(key)
    if order is None:
        raise InvariantViolation(f"no order {key} in the journal")
    return order


def _with_position(state: LedgerState, order: OwnOrder) -> tuple[Record, ...]:
    """The changed order, and its position if the change of protection moved it."""
    before = state.positions[order.position_id]
    after = settle(state, before, order)
    return (order,) if after is before else (order, after)


def intended(state: LedgerState, event: ev.OrderIntended) -> Changes:
    order = event.order
    key = order.client_order_id
    if key in state.orders:
        raise InvariantViolation(f"order {key} exists already: nothing is sent twice")
    position = require_position(state, order.position_id)
    if not position.state.is_active:
        raise InvariantViolation(f"{order.position_id} is {position.state.value}: no orders for it")
    if order.state is not OrderState.INTENDED or order.is_foreign or order.qty <= 0 or order.symbol != position.symbol:
        raise InvariantViolation(f"order {key} is not a fresh intent of {order.position_id}")
    expected = state.attempts.get((order.position_id, order.purpose), 0) + 1
    if order.attempt != expected:
        raise InvariantViolation(f"order {key}: attempt {order.attempt} where {expected} is next")
    direction = position.direction
    if order.side is not (direction.entry_side if order.purpose.is_entry else direction.exit_side):
        raise InvariantViolation(f"order {key}: {order.side.value} is the wrong side for a {direction.value}")
    _refuse_second(state, order)
    if order.purpose.is_entry:
        _refuse_excess_entry(position, order)
    return (order,)


def _refuse_second(state: LedgerState, order: OwnOrder) -> None:
    """Stops may overlap (they are reduce-only and coverage must not gap); everything else is one at a time."""
    if order.purpose is OrderPurpose.STOP:
        return
    for other in state.orders_of(order.position_id).values():
        if other.purpose is order.purpose:
            raise InvariantViolation(f"order {order.client_order_id}: {other.client_order_id} has not ended")


def _refuse_excess_entry(position: Position, order: OwnOrder) -> None:
    if not position.is_own or position.targets is not None:
        raise InvariantViolation(f"{position.position_id} takes no (more) entries")
    if position.state not in (PositionState.PENDING, PositionState.OPEN, PositionState.PROTECTED):
        raise InvariantViolation(f"{position.position_id} is {position.state.value}: no entry orders")
    if position.tally.entered + max(ZERO, position.tally.adjusted) + order.qty > position.plan.qty:
        raise InvariantViolation(f"order {order.client_order_id}: {order.qty} more than the {position.plan.qty} that were approved")


def placed(state: LedgerState, event: ev.OrderPlaced) -> Changes:
    order = require_order(state, event.client_order_id)
    if order.venue_order_id is not None and order.venue_order_id != event.venue_order_id:
        return ()  # a packet the venue took twice: the first one is our order, the other shows as a double and by its fills
    qty = order.qty
    if event.reduced_qty is not None:
        qty = Qty(min(qty, order.filled_qty + event.reduced_qty)) if order.is_open else qty
    revived = order.end is not None and order.end.reason in FROM_ABSENCE
    alive = order.is_open or revived
    after = replace(
        order,
        venue_order_id=event.venue_order_id,
        placed_at=order.placed_at if order.placed_at is not None else event.at,
        changed_at=event.at if order.changed_at is None or qty != order.qty else order.changed_at,
        qty=qty,
        state=OrderState.LIVE if alive else order.state,
        end=None if revived else order.end,
    )
    if after == order:
        return None
    return _with_position(state, _ended_by_fills(after))


def _ended_by_fills(order: OwnOrder) -> OwnOrder:
    """An order whose fills reach its size is over, whatever else was said about it."""
    if order.filled_qty < order.qty or order.last_fill_at is None:
        return order
    end = OrderEnd(EndReason.FILLED, order.last_fill_at, order.filled_qty, "fills")
    return replace(order, state=OrderState.ENDED, end=end, amending=None)


def rejected(state: LedgerState, event: ev.OrderRejected) -> Changes:
    order = require_order(state, event.client_order_id)
    if not order.is_uncertain:
        return ()  # it was seen alive or filled: that beats the word
    end = OrderEnd(EndReason.REJECTED, event.at, Qty(ZERO), event.reason)
    return _with_position(state, replace(order, state=OrderState.ENDED, end=end))


def unknown(state: LedgerState, event: ev.OrderUnknown) -> Changes:
    order = require_order(state, event.client_order_id)
    if order.state is not OrderState.INTENDED:
        return ()
    return (replace(order, state=OrderState.UNKNOWN),)


def amend_intended(state: LedgerState, event: ev.AmendIntended) -> Changes:
    order = require_order(state, event.client_order_id)
    if order.state is not OrderState.LIVE or order.purpose is not OrderPurpose.STOP or order.is_foreign:
        raise InvariantViolation(f"{order.client_order_id} is not a live stop of ours: it cannot be moved")
    if order.amending is not None:
        raise InvariantViolation(f"{order.client_order_id} has an amendment without an outcome")
    return _with_position(state, replace(order, amending=StopTarget(event.qty, event.trigger_price), changed_at=event.at))


def amend_confirmed(state: LedgerState, event: ev.AmendConfirmed) -> Changes:
    order = require_order(state, event.client_order_id)
    if not order.is_open:
        return ()
    qty = Qty(order.filled_qty + event.qty)
    if order.amending is None and order.qty == qty and order.trigger_price == event.trigger_price:
        return None
    return _with_position(state, replace(order, qty=qty, trigger_price=event.trigger_price, amending=None, changed_at=event.at))


def amend_refused(state: LedgerState, event: ev.AmendRefused) -> Changes:
    order = require_order(state, event.client_order_id)
    return () if order.amending is None else _with_position(state, replace(order, amending=None))


def cancel_requested(state: LedgerState, event: ev.CancelRequested) -> Changes:
    order = require_order(state, event.client_order_id)
    if order.is_foreign:
        raise InvariantViolation(f"{order.client_order_id} is not ours: it is never cancelled")
    after = replace(order, cancel_requested_at=event.at)  # the newest: asked again, it is given time again
    position = state.positions[order.position_id]
    if order.purpose.is_entry and position.state is PositionState.PENDING:
        return (after, replace(position, state=next_state(position.state, PositionEvent.CANCEL_REQUESTED)))
    return (after,)


def ended(state: LedgerState, event: ev.OrderEnded) -> Changes:
    order = require_order(state, event.client_order_id)
    if not order.is_open:
        return None
    end = OrderEnd(event.reason, event.at, event.filled_qty, event.evidence)
    return _with_position(state, replace(order, state=OrderState.ENDED, end=end, amending=None))


def stop_adopted(state: LedgerState, event: ev.StopAdopted) -> Changes:
    order = event.order
    known = state.orders.get(order.client_order_id)
    if known is not None and known.is_open:
        return None
    position = require_position(state, order.position_id)
    if not order.is_foreign or order.state is not OrderState.LIVE or order.side is not position.direction.exit_side:
        raise InvariantViolation(f"{order.client_order_id} cannot protect {order.position_id}")
    return _with_position(state, order)


def fill_booked(state: LedgerState, event: ev.FillBooked) -> Changes:
    fill = event.fill
    if fill.fill_id in state.fills:
        return None
    records: list[Record] = []
    order = order_of_fill(fill, state)
    if order is not None:
        order = _filled(order, event)
        records.append(order)
    if event.position_id is not None:
        position = require_position(state, event.position_id)
        if not position.state.is_active and position.state is not PositionState.CANCELLED:
            raise InvariantViolation(f"{event.position_id} is {position.state.value}: fill {fill.fill_id} cannot belong to it")
        if not position.state.is_active and position.symbol in state.active_by_symbol:
            raise InvariantViolation(f"{position.symbol} is occupied: fill {fill.fill_id} cannot revive {event.position_id}")
        tally = add_fill(position.tally, fill, position.direction, event.purpose)
        changed = order if order is not None and order.position_id == event.position_id else None
        records.append(settle(state, replace(position, tally=tally), changed))
    records.append(event)
    return tuple(records)


def _filled(order: OwnOrder, event: ev.FillBooked) -> OwnOrder:
    fill = event.fill
    revived = order.end is not None and order.end.reason in FROM_ABSENCE
    filled: Decimal = order.filled_qty + fill.qty
    after = replace(
        order,
        filled_qty=Qty(filled),
        last_fill_at=fill.at if order.last_fill_at is None else max(order.last_fill_at, fill.at),
        venue_order_id=order.venue_order_id if order.venue_order_id is not None else fill.venue_order_id,
        # a fill proves that the venue has it
        state=OrderState.LIVE if order.is_open or revived else order.state,
        end=None if revived else order.end,
    )
    return _ended_by_fills(after)
