"""The only caller of the order port. Intent durable → sent once → outcome written down; nothing is ever sent a second time.

The send and its bookkeeping run as a piece of their own: cancelling whoever waits abandons the wait, never the bookkeeping.
When the journal cannot write, entries and take-profits are refused; protection and exits go on from memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol, TypeVar, assert_never

from trading_system.domain import events as ev
from trading_system.domain.actions import (
    AbandonEntry,
    Action,
    ActivateBreakEven,
    ActivateTrailing,
    BeginClose,
    CancelOrder,
    ClosePartial,
    CloseStep,
    CompleteEntry,
    FinishClose,
    MoveStop,
    PlaceStop,
    PlaceTakeProfit,
    ReachFinalTarget,
    RetryEntry,
    SkipTakeProfit,
    VenueAction,
)
from trading_system.domain.errors import InvariantViolation
from trading_system.domain.intents import Approved
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    OpenOrder,
    OrderPurpose,
    OutcomeUnknown,
    Placed,
    PositionId,
    Rejected,
    SubmitOutcome,
    VenueOrderId,
)
from trading_system.domain.positions import CloseReason, OwnOrder, Position
from trading_system.domain.protocols import Clock, Orders
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO
from trading_system.execution.bookkeeping import book_decision, entry_plan_of, may_close
from trading_system.execution.journal import Journal, JournalFailed
from trading_system.execution.ledger_positions import covered_qty, is_toward_profit
from trading_system.execution.order_sender import PROCESS_WITHIN_S, OrderSender

R = TypeVar("R")
DOUBLE_AGAIN_S: Final = 10.0
"""Between two cancels of a second order under one id."""


class Spawn(Protocol):
    """Starts a piece of work that runs to its end whatever happens to the caller (the supervisor's `detach`)."""

    def __call__(self, name: str, work: Coroutine[Any, Any, Any], /) -> asyncio.Future[Any]: ...


class SendStatus(Enum):
    """What became of an entry or an action."""

    DONE = "done"
    """The venue accepted it; or, for a decision, it is in the books."""
    REJECTED = "rejected"
    """The venue said no. After a refused stop: refresh the instrument, the next plan tries again."""
    UNKNOWN = "unknown"
    """Sent, nobody knows; it is looked up and never sent again."""
    SKIPPED = "skipped"
    """Not sent: something is in flight, or the books forbid it now. `detail` says which."""


@dataclass(frozen=True, slots=True)
class EntryReport:
    """What became of an entry. `detail`: the venue's word, what was seen, or why nothing was sent."""

    position_id: PositionId
    symbol: Symbol
    status: SendStatus
    detail: str
    client_order_id: ClientOrderId | None = None


@dataclass(frozen=True, slots=True)
class ActionReport:
    action: Action
    status: SendStatus
    detail: str = ""
    client_order_id: ClientOrderId | None = None


class ExecutionGateway:
    """Performs entries and actions. One call at a time per (position, purpose); a second one is skipped, not queued."""

    def __init__(self, orders: Orders, journal: Journal, clock: Clock, spawn: Spawn, process_within_s: float = PROCESS_WITHIN_S) -> None:
        """process_within_s: process seconds after which the venue drops an entry that it has not seen yet."""
        self._sender = OrderSender(orders, journal, clock, process_within_s)
        self._journal = journal
        self._clock = clock
        self._spawn = spawn
        self._busy: set[tuple[PositionId, str]] = set()
        self._doubles_s: dict[VenueOrderId, float] = {}
        """When the cancel of a second order under one id was last asked for (process seconds)."""
        self._running: set[asyncio.Future[Any]] = set()

    @property
    def in_flight(self) -> int:
        """Calls to the venue whose outcome is not written down yet."""
        return len(self._running)

    async def drain(self) -> None:
        """Wait until every call under way has its outcome in the journal (at shutdown; bound it from outside)."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    async def open_entry(self, approved: Approved) -> EntryReport:
        """Write the intent durably, then send it once. Never raises for what the venue or the disk does."""
        now = self._clock.now()
        plan = entry_plan_of(approved, now)
        try:
            if not self._journal.record(ev.EntryPlanned(now, plan), durable=False):
                return EntryReport(plan.position_id, plan.symbol, SendStatus.SKIPPED, "planned already")
            order = self._sender.intend(
                self._journal.state.positions[plan.position_id],
                OrderPurpose.ENTRY,
                plan.qty,
                limit_price=plan.limit_price,
                protective=False,
            )
        except (InvariantViolation, JournalFailed) as error:
            return EntryReport(plan.position_id, plan.symbol, SendStatus.SKIPPED, str(error))
        return await self._shielded((plan.position_id, OrderPurpose.ENTRY.value), self._send_entry(order))

    async def _send_entry(self, order: OwnOrder) -> EntryReport:
        status, detail = _status_of(await self._sender.submit(order))
        return EntryReport(order.position_id, order.symbol, status, detail, order.client_order_id)

    async def perform(self, action: Action) -> ActionReport:
        """Do one action; what the venue, the disk or an outdated plan say is in the report."""
        match action:
            case (
                BeginClose()
                | CompleteEntry()
                | AbandonEntry()
                | SkipTakeProfit()
                | ActivateBreakEven()
                | ActivateTrailing()
                | ReachFinalTarget()
                | FinishClose()
            ):
                refused = book_decision(self._journal, action, self._clock.now())
                return ActionReport(action, SendStatus.DONE if refused is None else SendStatus.SKIPPED, refused or "")
            case PlaceStop() | MoveStop() | PlaceTakeProfit() | CancelOrder() | RetryEntry() | ClosePartial() | CloseStep():
                key = (action.position_id, _busy_key(action))
                if action.position_id not in self._journal.state.positions:
                    return ActionReport(action, SendStatus.SKIPPED, "no such position")
                if key in self._busy:
                    return ActionReport(action, SendStatus.SKIPPED, "another one is in flight")
                return await self._shielded(key, self._dispatch(action))
            case _:
                assert_never(action)

    async def _shielded(self, key: tuple[PositionId, str], work: Coroutine[Any, Any, R]) -> R:
        self._busy.add(key)
        task = self._spawn(f"order {key[0]} {key[1]}", work)
        self._running.add(task)

        def finished(done: asyncio.Future[Any]) -> None:
            self._running.discard(done)
            self._busy.discard(key)

        task.add_done_callback(finished)
        result: R | None = await asyncio.shield(task)
        if result is None:
            raise InvariantViolation(f"the bookkeeping of {key[1]} for {key[0]} failed; the log has its traceback")
        return result

    async def _dispatch(self, action: VenueAction) -> ActionReport:
        position = self._journal.state.positions[action.position_id]
        try:
            match action:
                case PlaceStop():
                    return await self._place_stop(action, position)
                case MoveStop():
                    return await self._move_stop(action, position)
                case PlaceTakeProfit():
                    return await self._place_take_profit(action, position)
                case CancelOrder():
                    return await self._cancel(action)
                case RetryEntry():
                    order = self._sender.intend(position, OrderPurpose.ENTRY, action.qty, limit_price=action.limit_price, protective=False)
                    return await self._send(action, order)
                case ClosePartial():
                    return await self._exit(action, position, OrderPurpose.REDUCE, action.reason)
                case CloseStep():
                    reason = position.close.reason if position.close is not None else CloseReason.OPERATOR
                    return await self._exit(action, position, OrderPurpose.CLOSE, reason)
                case _:
                    assert_never(action)
        except (InvariantViolation, JournalFailed) as error:
            # the books refused before anything left: the plan was made from an older state, or the disk is gone
            return ActionReport(action, SendStatus.SKIPPED, str(error))

    async def _send(self, action: VenueAction, order: OwnOrder) -> ActionReport:
        status, detail = _status_of(await self._sender.submit(order))
        return ActionReport(action, status, detail, order.client_order_id)

    async def _place_stop(self, action: PlaceStop | MoveStop, position: Position) -> ActionReport:
        if not position.state.is_active or position.qty <= 0:
            return ActionReport(action, SendStatus.SKIPPED, "nothing to protect")
        order = self._sender.intend(position, OrderPurpose.STOP, action.qty, trigger_price=action.trigger_price)
        return await self._send(action, order)

    async def _move_stop(self, action: MoveStop, position: Position) -> ActionReport:
        """In place; when that is refused or unknown: a new stop beside it. The old one goes once both are seen to rest (`stop_plan`)."""
        order = self._journal.state.orders.get(action.client_order_id)
        if order is None or order.is_foreign or not position.state.is_active:
            return ActionReport(action, SendStatus.SKIPPED, "not a stop of ours that can be moved")
        if action.trigger_price != position.stop_wanted and is_toward_profit(
            position.direction, position.stop_wanted, action.trigger_price
        ):
            self._sender.note(ev.StopWanted(self._clock.now(), position.position_id, action.trigger_price, action.why))
        if order.protects > 0 and order.amending is None:
            outcome = await self._sender.amend(order, action.qty, action.trigger_price, action.why)
            if isinstance(outcome, Placed):
                return ActionReport(action, SendStatus.DONE, "amended", order.client_order_id)
        return await self._place_stop(action, self._journal.state.positions[action.position_id])

    async def _place_take_profit(self, action: PlaceTakeProfit, position: Position) -> ActionReport:
        resting = sum((o.remaining for o in self._journal.state.orders_of(position.position_id).values() if o.purpose.is_take_profit), ZERO)
        if resting + action.qty > position.qty:
            detail = f"{resting} rest already: {action.qty} more would exceed the position of {position.qty}"
            return ActionReport(action, SendStatus.SKIPPED, detail)
        order = self._sender.intend(position, action.purpose, action.qty, limit_price=action.limit_price, protective=False)
        return await self._send(action, order)

    async def _cancel(self, action: CancelOrder) -> ActionReport:
        order = self._journal.state.orders.get(action.client_order_id)
        if order is None or not order.is_open or order.is_foreign:
            return ActionReport(action, SendStatus.SKIPPED, "not an open order of ours")
        position = self._journal.state.positions[order.position_id]
        if order.purpose is OrderPurpose.STOP and position.state.is_active:
            without = covered_qty(self._journal.state, order.position_id) - order.protects
            if without < position.qty:
                return ActionReport(action, SendStatus.SKIPPED, f"{position.qty - without} of {position.qty} would be without a stop")
        outcome = await self._cancel_known(order, action.why, action.evidence)
        status = SendStatus.UNKNOWN if outcome is CancelOutcome.UNKNOWN else SendStatus.DONE
        return ActionReport(action, status, outcome.value, order.client_order_id)

    async def cancel_double(self, double: OpenOrder) -> None:
        """A packet that was taken twice left a second entry in the book: it goes before it fills. Asked for every 10 s at most."""
        known = None if double.client_order_id is None else self._journal.state.orders.get(double.client_order_id)
        now_s = self._clock.monotonic()
        if (
            known is None
            or not known.purpose.is_entry
            or now_s - self._doubles_s.get(double.venue_order_id, -DOUBLE_AGAIN_S) < DOUBLE_AGAIN_S
        ):
            return
        self._doubles_s[double.venue_order_id] = now_s
        task = self._spawn(f"cancel double {double.venue_order_id}", self._sender.cancel_double(double))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)

    async def _cancel_known(self, order: OwnOrder, why: str, evidence: str) -> CancelOutcome:
        if order.purpose is OrderPurpose.STOP:
            justified = ev.DestructiveActionJustified(self._clock.now(), "cancel stop", order.client_order_id, evidence)
            self._journal.record(justified, durable=False, protective=True)
        return await self._sender.cancel(order, why, evidence)

    async def _exit(self, action: ClosePartial | CloseStep, position: Position, purpose: OrderPurpose, reason: CloseReason) -> ActionReport:
        if not position.state.is_active or position.qty <= 0:
            return ActionReport(action, SendStatus.SKIPPED, "nothing to close")
        if not may_close(position, reason):
            return ActionReport(action, SendStatus.SKIPPED, "not opened by this program: only a human may close it")
        justified = ev.DestructiveActionJustified(self._clock.now(), purpose.name.lower(), position.position_id, action.evidence)
        self._journal.record(justified, durable=False, protective=True)
        order = self._sender.intend(position, purpose, min(action.qty, position.qty), limit_price=action.limit_price)
        return await self._send(action, order)


def _busy_key(action: VenueAction) -> str:
    """What may run only once at a time per position."""
    match action:
        case PlaceStop() | MoveStop():
            return OrderPurpose.STOP.value
        case PlaceTakeProfit():
            return action.purpose.value
        case CancelOrder():
            return action.client_order_id
        case RetryEntry():
            return OrderPurpose.ENTRY.value
        case ClosePartial() | CloseStep():
            return OrderPurpose.CLOSE.value
        case _:
            assert_never(action)


def _status_of(outcome: SubmitOutcome) -> tuple[SendStatus, str]:
    match outcome:
        case Placed():
            return SendStatus.DONE, outcome.venue_order_id
        case Rejected():
            return SendStatus.REJECTED, outcome.reason
        case OutcomeUnknown():
            return SendStatus.UNKNOWN, outcome.evidence
        case _:
            assert_never(outcome)
