"""Rules of the fold for positions: what each event does to the frozen record, and when it is illegal."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TypeAlias

from trading_system.domain import events as ev
from trading_system.domain.errors import InvariantViolation
from trading_system.domain.orders import Direction, PositionId
from trading_system.domain.positions import (
    CloseReason,
    CloseRequest,
    Closure,
    OwnOrder,
    Position,
    PositionState,
    Tally,
)
from trading_system.domain.units import ZERO
from trading_system.execution.fills import adjust
from trading_system.execution.ledger import LedgerState, Record
from trading_system.execution.position_state import PositionEvent, next_state

Changes: TypeAlias = tuple[Record, ...] | None


def require_position(state: LedgerState, position_id: PositionId) -> Position:
    """The position, or InvariantViolation."""
    position = state.positions.get(position_id)
    if position is None:
        raise InvariantViolation(f"no position {position_id} in the journal")
    return position


def covered_qty(state: LedgerState, position_id: PositionId, changed: OwnOrder | None = None) -> Decimal:
    """Sum of the sizes of its live stops, with `changed` in place of the stored order."""
    total = ZERO
    for order in state.orders_of(position_id).values():
        if changed is None or order.client_order_id != changed.client_order_id:
            total += order.protects
    return total if changed is None else total + changed.protects


def settle(state: LedgerState, position: Position, changed: OwnOrder | None = None) -> Position:
    """`position` moved along the table as far as its facts (fills, stops) say. A fixed point: settling again changes nothing."""
    before = after = position.state
    tally = position.tally
    if tally.has_entered and after in (PositionState.PENDING, PositionState.CANCEL_PENDING, PositionState.CANCELLED):
        after = next_state(after, PositionEvent.ENTRY_FILLED)
    if after in (PositionState.OPEN, PositionState.PROTECTED, PositionState.PARTIAL):
        # nothing left to protect counts as covered, so that the order of "stop ended" and "its fill" does not matter
        qty = tally.qty
        covered = qty <= 0 or covered_qty(state, position.plan.position_id, changed) >= qty
        after = next_state(after, _coverage_event(after, covered, tally)) if _moves(after, covered, tally) else after
    return position if after is before else replace(position, state=after)


def _moves(state: PositionState, covered: bool, tally: Tally) -> bool:
    if state is PositionState.OPEN:
        return covered
    return not covered or (state is PositionState.PROTECTED and tally.tp1_filled > 0)


def _coverage_event(state: PositionState, covered: bool, tally: Tally) -> PositionEvent:
    if not covered:
        return PositionEvent.STOP_LOST
    if state is PositionState.PROTECTED:
        return PositionEvent.TP1_FILLED
    return PositionEvent.STOP_CONFIRMED_AFTER_TP1 if tally.tp1_filled > 0 else PositionEvent.STOP_CONFIRMED


def entry_planned(state: LedgerState, event: ev.EntryPlanned) -> Changes:
    plan = event.plan
    _require_new(state, plan.position_id)
    if plan.qty <= 0:
        raise InvariantViolation(f"{plan.position_id}: an entry of {plan.qty} cannot be planned")
    other = state.active_on(plan.symbol)
    if other is not None:
        raise InvariantViolation(f"{plan.symbol} is occupied by {other.position_id} ({other.state.value}): no second position")
    return (Position(plan=plan, state=PositionState.PENDING, stop_wanted=plan.stop_price),)


def _require_new(state: LedgerState, position_id: PositionId) -> None:
    if position_id in state.positions:
        raise InvariantViolation(f"position {position_id} exists already; a name is never used twice")


def entry_completed(state: LedgerState, event: ev.EntryCompleted) -> Changes:
    position = require_position(state, event.position_id)
    if position.targets == event.targets:
        return None
    if not position.tally.has_entered:
        raise InvariantViolation(f"{event.position_id}: an entry without a fill cannot be complete")
    if position.targets is not None and position.tally.tp1_filled > 0:
        raise InvariantViolation(f"{event.position_id}: targets are fixed once a take-profit has filled")
    return (replace(position, targets=event.targets),)


def entry_abandoned(state: LedgerState, event: ev.EntryAbandoned) -> Changes:
    position = require_position(state, event.position_id)
    for order in state.orders_of(event.position_id).values():
        if order.purpose.is_entry:
            raise InvariantViolation(f"{event.position_id}: {order.client_order_id} may still fill, so the entry is not over")
    return (replace(position, state=next_state(position.state, PositionEvent.ENTRY_DEAD)),)


def entry_displaced(state: LedgerState, event: ev.EntryDisplaced) -> Changes:
    position = require_position(state, event.position_id)
    if position.qty > 0:
        raise InvariantViolation(f"{event.position_id} holds {position.qty}: it does not give its place away")
    return (replace(position, state=next_state(position.state, PositionEvent.DISPLACED)),)


def is_toward_profit(direction: Direction, before: Decimal, after: Decimal) -> bool:
    """True when a stop at `after` gives back less than one at `before`, or the same."""
    return (after - before) * direction.sign >= 0


def stop_wanted(state: LedgerState, event: ev.StopWanted) -> Changes:
    position = require_position(state, event.position_id)
    if position.stop_wanted == event.price:
        return None
    if not is_toward_profit(position.direction, position.stop_wanted, event.price):
        raise InvariantViolation(f"{event.position_id}: a stop moves toward profit only, not {position.stop_wanted} to {event.price}")
    return (replace(position, stop_wanted=event.price),)


def break_even_activated(state: LedgerState, event: ev.BreakEvenActivated) -> Changes:
    position = require_position(state, event.position_id)
    if position.progress.break_even_active:
        return None
    better = is_toward_profit(position.direction, position.stop_wanted, event.price)
    return (
        replace(
            position,
            progress=replace(position.progress, break_even_active=True),
            stop_wanted=event.price if better else position.stop_wanted,
        ),
    )


def trailing_activated(state: LedgerState, event: ev.TrailingActivated) -> Changes:
    position = require_position(state, event.position_id)
    known = position.progress.trail_multiple
    if position.progress.trailing_active and known is not None and event.multiple >= known:
        return None
    multiple = event.multiple if known is None else min(known, event.multiple)
    return (replace(position, progress=replace(position.progress, trailing_active=True, trail_multiple=multiple)),)


def final_target_reached(state: LedgerState, event: ev.FinalTargetReached) -> Changes:
    position = require_position(state, event.position_id)
    if position.progress.final_target_done:
        return None
    return (replace(position, progress=replace(position.progress, final_target_done=True)),)


def take_profit_skipped(state: LedgerState, event: ev.TakeProfitSkipped) -> Changes:
    position = require_position(state, event.position_id)
    if event.purpose in position.progress.skipped:
        return None
    return (replace(position, progress=replace(position.progress, skipped=(*position.progress.skipped, event.purpose))),)


def close_requested(state: LedgerState, event: ev.CloseRequested) -> Changes:
    position = require_position(state, event.position_id)
    following = next_state(position.state, PositionEvent.CLOSE_REQUESTED)
    return (replace(position, state=following, close=CloseRequest(event.reason, event.at, event.evidence)),)


def closed(state: LedgerState, event: ev.PositionClosed) -> Changes:
    position = require_position(state, event.position_id)
    following = next_state(position.state, PositionEvent.CLOSED)
    if position.tally.qty > 0 and event.reason is not CloseReason.WRITTEN_OFF:
        raise InvariantViolation(f"{event.position_id} still holds {position.tally.qty}: it cannot be closed in the books")
    if event.reason is CloseReason.WRITTEN_OFF and not position.state.needs_human:
        raise InvariantViolation(f"{event.position_id} is {position.state.value}: only a position that needs a human can be written off")
    for order in state.orders_of(event.position_id).values():
        if order.purpose.is_entry:
            raise InvariantViolation(f"{event.position_id}: {order.client_order_id} may still fill, so the position is not over")
    closure = Closure(event.reason, event.at, event.exit_price, event.gross, event.evidence)
    return (replace(position, state=following, closure=closure),)


def adopted(state: LedgerState, event: ev.PositionAdopted) -> Changes:
    plan = event.plan
    _require_new(state, plan.position_id)
    other = state.active_on(plan.symbol)
    if other is not None:
        raise InvariantViolation(f"{plan.symbol} is occupied by {other.position_id}: nothing to adopt there")
    tally = Tally(entered=plan.qty, entry_cost=plan.qty * event.entry_price, first_fill_at=event.at, last_fill_at=event.at)
    return (Position(plan=plan, state=PositionState.OPEN, stop_wanted=plan.stop_price, tally=tally),)


def quantity_adjusted(state: LedgerState, event: ev.QuantityAdjusted) -> Changes:
    if event.adjustment_id in state.adjustments:
        return None
    position = require_position(state, event.position_id)
    if not position.state.is_active:
        raise InvariantViolation(f"{event.position_id} is {position.state.value}: its quantity cannot be adjusted")
    tally = adjust(position.tally, event.delta, event.price, event.at)
    if tally.entered - tally.exited + tally.adjusted < 0:
        raise InvariantViolation(f"{event.position_id}: an adjustment by {event.delta} would make the quantity negative")
    return (settle(state, replace(position, tally=tally)), event)


def _moved(state: LedgerState, position_id: PositionId, event: PositionEvent) -> Changes:
    position = require_position(state, position_id)
    return (settle(state, replace(position, state=next_state(position.state, event))),)


def orphaned(state: LedgerState, event: ev.PositionOrphaned) -> Changes:
    return _moved(state, event.position_id, PositionEvent.ORPHANED)


def reappeared(state: LedgerState, event: ev.PositionReappeared) -> Changes:
    return _moved(state, event.position_id, PositionEvent.REAPPEARED)


def quarantined(state: LedgerState, event: ev.PositionQuarantined) -> Changes:
    return _moved(state, event.position_id, PositionEvent.QUARANTINED)


def released(state: LedgerState, event: ev.PositionReleased) -> Changes:
    return _moved(state, event.position_id, PositionEvent.RELEASED)


def fee_booked(state: LedgerState, event: ev.FeeBooked) -> Changes:
    if event.fill_id not in state.fills:
        raise InvariantViolation(f"no fill {event.fill_id} in the journal to book a fee on")
    if event.fill_id not in state.fees_missing:
        return None
    position_id = state.fees_missing[event.fill_id]
    if position_id is None:
        return (event,)
    position = state.positions[position_id]
    return (replace(position, tally=replace(position.tally, fees=position.tally.fees + event.fee_usd)), event)


def funding_booked(state: LedgerState, event: ev.FundingBooked) -> Changes:
    if event.flow_id in state.flows:
        return None
    if event.position_id is None:
        return (event,)
    position = require_position(state, event.position_id)
    return (replace(position, tally=replace(position.tally, funding=position.tally.funding + event.amount)), event)
