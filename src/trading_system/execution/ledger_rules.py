"""What each journal event changes, and which events are illegal. Pure: reads the state, returns new records or raises.

None means: already known, nothing to write. An empty tuple means: worth writing, but no state changes.
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from trading_system.domain import events as ev
from trading_system.domain.errors import InvariantViolation
from trading_system.execution import ledger_orders as orders
from trading_system.execution import ledger_positions as positions
from trading_system.execution.ledger import LedgerState, Record

Changes: TypeAlias = tuple[Record, ...] | None


def changes_of(state: LedgerState, event: ev.JournalEvent) -> Changes:
    """Records to store for `event`; InvariantViolation when it is illegal now."""
    match event:
        case ev.OrderIntended():
            return orders.intended(state, event)
        case ev.OrderPlaced():
            return orders.placed(state, event)
        case ev.FillBooked():
            return orders.fill_booked(state, event)
        case ev.OrderEnded():
            return orders.ended(state, event)
        case ev.AmendIntended():
            return orders.amend_intended(state, event)
        case ev.AmendConfirmed():
            return orders.amend_confirmed(state, event)
        case ev.AmendRefused():
            return orders.amend_refused(state, event)
        case ev.OrderRejected():
            return orders.rejected(state, event)
        case ev.OrderUnknown():
            return orders.unknown(state, event)
        case ev.CancelRequested():
            return orders.cancel_requested(state, event)
        case ev.StopAdopted():
            return orders.stop_adopted(state, event)
        case ev.FeeBooked():
            return positions.fee_booked(state, event)
        case ev.FundingBooked():
            return positions.funding_booked(state, event)
        case ev.EntryPlanned():
            return positions.entry_planned(state, event)
        case ev.EntryCompleted():
            return positions.entry_completed(state, event)
        case ev.EntryAbandoned():
            return positions.entry_abandoned(state, event)
        case ev.EntryDisplaced():
            return positions.entry_displaced(state, event)
        case ev.StopWanted():
            return positions.stop_wanted(state, event)
        case ev.BreakEvenActivated():
            return positions.break_even_activated(state, event)
        case ev.TrailingActivated():
            return positions.trailing_activated(state, event)
        case ev.FinalTargetReached():
            return positions.final_target_reached(state, event)
        case ev.TakeProfitSkipped():
            return positions.take_profit_skipped(state, event)
        case ev.CloseRequested():
            return positions.close_requested(state, event)
        case ev.PositionClosed():
            return positions.closed(state, event)
        case ev.PositionAdopted():
            return positions.adopted(state, event)
        case ev.QuantityAdjusted():
            return positions.quantity_adjusted(state, event)
        case ev.PositionOrphaned():
            return positions.orphaned(state, event)
        case ev.PositionReappeared():
            return positions.reappeared(state, event)
        case ev.PositionQuarantined():
            return positions.quarantined(state, event)
        case ev.PositionReleased():
            return positions.released(state, event)
        case ev.FlowBooked():
            return None if event.flow.flow_id in state.flows else (event,)
        case ev.StateNoted():
            return None if state.notes.get(event.key) == event.json else (event,)
        case ev.SignalEmitted():
            return (event,)
        case ev.SessionStarted():
            return _session_started(state, event)
        case ev.JournalCompacted():
            return _compacted(state, event)
        case ev.DecisionNoted() | ev.DestructiveActionJustified():
            return ()
        case _:
            assert_never(event)


def apply(state: LedgerState, event: ev.JournalEvent) -> bool:
    """Change `state` by `event`; False when it was already known. Raises InvariantViolation and changes nothing when illegal."""
    changes = changes_of(state, event)
    if changes is None:
        return False
    state.commit(changes)
    return True


def _session_started(state: LedgerState, event: ev.SessionStarted) -> Changes:
    first = state.session
    if first is not None:
        for name, was, now in (
            ("mode", first.mode, event.mode),
            ("venue", first.venue, event.venue),
            ("account", first.account, event.account),
        ):
            if was != now:
                raise InvariantViolation(f"this journal belongs to {name} {was!r} and cannot be used for {name} {now!r}")
        if event.epoch <= first.epoch:
            raise InvariantViolation(f"epoch {event.epoch} does not follow epoch {first.epoch}: is another process writing here?")
    return (event,)


def _compacted(state: LedgerState, event: ev.JournalCompacted) -> Changes:
    if state != LedgerState():
        raise InvariantViolation("a journal is compacted at its beginning or not at all")
    return (event,)
