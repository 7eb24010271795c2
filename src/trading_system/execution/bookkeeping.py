"""Decisions that change only the books: from an action to its journal event, or to the reason why it does not apply any more."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, assert_never

from trading_system.domain import events as ev
from trading_system.domain.actions import (
    AbandonEntry,
    ActivateBreakEven,
    ActivateTrailing,
    BeginClose,
    BookAction,
    CompleteEntry,
    FinishClose,
    ReachFinalTarget,
    SkipTakeProfit,
)
from trading_system.domain.errors import InvariantViolation
from trading_system.domain.intents import Approved
from trading_system.domain.positions import CloseReason, EntryPlan, Lineage, Position
from trading_system.domain.units import Price, Usd, decimal_of
from trading_system.execution.journal import Journal

CLOSES_ADOPTED: Final = frozenset({CloseReason.OPERATOR})
"""A position we did not open is closed on a human's order only."""


def entry_plan_of(approved: Approved, now: datetime) -> EntryPlan:
    """The facts of an approved entry as the journal keeps them."""
    signal = approved.signal
    atr_4h: Decimal | None = decimal_of(signal.atr_4h) if signal.atr_4h > 0 else None
    return EntryPlan(
        position_id=approved.position_id,
        symbol=approved.symbol,
        direction=approved.direction,
        lineage=Lineage.INTENT,
        planned_at=now,
        qty=approved.qty,
        reference_price=approved.mark_price,
        stop_price=approved.stop_price,
        limit_price=approved.limit_price,
        take_profits=approved.take_profits,
        style=approved.style,
        regime=approved.regime,
        tier=approved.tier,
        setup=signal.setup,
        score=approved.score,
        signal_at_ms=signal.at_ms,
        atr_4h=atr_4h,
        notional=approved.notional,
        planned_leverage=approved.planned_leverage,
        planned_margin=approved.planned_margin,
        open_risk=approved.open_risk,
        equity=approved.trace.equity,
        premise_price=None if signal.premise_price is None else Price(decimal_of(signal.premise_price)),
    )


def may_close(position: Position, reason: CloseReason) -> bool:
    """True when the daemon may close this position for that reason."""
    return position.is_own or reason in CLOSES_ADOPTED


def closed_event(position: Position, reason: CloseReason, evidence: str, at: datetime) -> ev.PositionClosed:
    """The closing record with the sums as booked now."""
    tally = position.tally
    return ev.PositionClosed(
        at, position.position_id, reason, tally.average_exit, position.gross, Usd(tally.fees), Usd(tally.funding), evidence
    )


def book_decision(journal: Journal, action: BookAction, at: datetime) -> str | None:
    """Write the decision; return why not when it no longer applies. Nothing here waits for a disk that does not work."""
    position = journal.state.positions.get(action.position_id)
    if position is None:
        return "no such position"
    if isinstance(action, BeginClose):
        if not may_close(position, action.reason):
            return f"{action.position_id} was not opened by this program: only a human may close it"
        justification = ev.DestructiveActionJustified(at, "close", action.position_id, action.evidence)
        journal.record(justification, durable=False, protective=True)
    try:
        journal.record(_decision_event(action, position, at), protective=True)
    except InvariantViolation as error:
        return str(error)
    return None


def _decision_event(action: BookAction, position: Position, at: datetime) -> ev.JournalEvent:
    key = action.position_id
    match action:
        case BeginClose():
            return ev.CloseRequested(at, key, action.reason, action.evidence)
        case CompleteEntry():
            return ev.EntryCompleted(at, key, action.targets, action.why)
        case AbandonEntry():
            return ev.EntryAbandoned(at, key, action.why)
        case SkipTakeProfit():
            return ev.TakeProfitSkipped(at, key, action.purpose, action.why)
        case ActivateBreakEven():
            return ev.BreakEvenActivated(at, key, action.price, action.why)
        case ActivateTrailing():
            return ev.TrailingActivated(at, key, action.multiple, action.why)
        case ReachFinalTarget():
            return ev.FinalTargetReached(at, key, action.why)
        case FinishClose():
            return closed_event(position, action.reason, action.evidence, at)
        case _:
            assert_never(action)
