"""One order to the venue and its outcome to the journal. Every path between the two leaves a record.

The trap it avoids: an exception of whatever class after the request left is taken for "not placed".
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Final, assert_never

from trading_system.domain import events as ev
from trading_system.domain.errors import InvariantViolation
from trading_system.domain.orders import (
    CancelOutcome,
    EntryOrder,
    ExitOrder,
    OpenOrder,
    OrderPurpose,
    OrderRequest,
    OutcomeUnknown,
    Placed,
    Rejected,
    StopAmendment,
    StopOrder,
    SubmitOutcome,
    TakeProfitOrder,
)
from trading_system.domain.positions import EndReason, OwnOrder, Position
from trading_system.domain.protocols import Clock, Orders
from trading_system.domain.units import Price, Qty
from trading_system.execution.journal import Journal
from trading_system.execution.order_ids import client_order_id
from trading_system.safety.torn import whole

PROCESS_WITHIN_S: Final = 5.0
"""Process seconds in which the venue must have acted on an entry, or never, unless somebody says otherwise."""


class OrderSender:
    """Intent, send, outcome; used by the gateway alone."""

    def __init__(self, orders: Orders, journal: Journal, clock: Clock, process_within_s: float) -> None:
        self._orders = orders
        self._journal = journal
        self._clock = clock
        self._process_within_s = process_within_s

    def note(self, event: ev.JournalEvent) -> None:
        """Write what already happened (or protects): it is true whether the disk takes it or not."""
        self._journal.record(event, protective=True)

    def intend(
        self,
        position: Position,
        purpose: OrderPurpose,
        qty: Decimal,
        *,
        limit_price: Price | None = None,
        trigger_price: Price | None = None,
        protective: bool = True,
    ) -> OwnOrder:
        """Write the intent of the next attempt. Raises InvariantViolation, or JournalFailed unless protective: then send nothing."""
        attempt = self._journal.state.attempts.get((position.position_id, purpose), 0) + 1
        direction, now = position.direction, self._clock.now()
        order = OwnOrder(
            client_order_id=client_order_id(position.position_id, purpose, attempt),
            position_id=position.position_id,
            symbol=position.symbol,
            purpose=purpose,
            attempt=attempt,
            side=direction.entry_side if purpose.is_entry else direction.exit_side,
            qty=Qty(qty),
            intended_at=now,
            limit_price=limit_price,
            trigger_price=trigger_price,
            style=position.plan.style if purpose.is_entry else None,
            deadline=self._clock.market_in(self._process_within_s) if purpose.is_entry else None,
        )
        self._journal.record(ev.OrderIntended(now, order), protective=protective)
        return order

    async def submit(self, order: OwnOrder) -> SubmitOutcome:
        """Send an order whose intent is written, once, and write the outcome down."""
        key, request = order.client_order_id, request_of(order)
        try:
            outcome = await whole(self._orders.submit(request))
        except asyncio.CancelledError:
            self.note(ev.OrderUnknown(self._clock.now(), key, "the call was cancelled"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever went wrong after the send: the order may exist
            outcome = OutcomeUnknown(f"{type(error).__name__}: {error}")
        at = self._clock.now()
        match outcome:
            case Placed():
                self.note(ev.OrderPlaced(at, key, outcome.venue_order_id, outcome.reduced_qty))
            case Rejected():
                self.note(ev.OrderRejected(at, key, outcome.reason))
            case OutcomeUnknown():
                self.note(ev.OrderUnknown(at, key, outcome.evidence))
            case _:
                assert_never(outcome)
        return outcome

    async def amend(self, order: OwnOrder, qty: Qty, trigger: Price, why: str) -> SubmitOutcome:
        """Change a live stop in place. After an unknown outcome the journal keeps the amendment open until it is seen."""
        venue_id = order.venue_order_id
        if venue_id is None:
            return Rejected("local:no venue id yet")
        key = order.client_order_id
        self.note(ev.AmendIntended(self._clock.now(), key, qty, trigger, why))
        amendment = StopAmendment(key, venue_id, order.symbol, qty, trigger, self._clock.market_in(self._process_within_s))
        try:
            outcome = await whole(self._orders.amend_stop(amendment))
        except Exception as error:  # noqa: BLE001 - the amendment may have been made
            outcome = OutcomeUnknown(f"{type(error).__name__}: {error}")
        at = self._clock.now()
        match outcome:
            case Placed():
                rests = qty if outcome.reduced_qty is None else Qty(min(qty, outcome.reduced_qty))
                self.note(ev.AmendConfirmed(at, key, rests, trigger))
            case Rejected():
                self.note(ev.AmendRefused(at, key, outcome.reason))
            case OutcomeUnknown():
                pass  # `amending` stays set: the next readings tell
            case _:
                assert_never(outcome)
        return outcome

    async def cancel(self, order: OwnOrder, why: str, evidence: str) -> CancelOutcome:
        """Cancel one order. An entry is not ended by the answer: its fills decide, and they are looked for."""
        key = order.client_order_id
        self.note(ev.CancelRequested(self._clock.now(), key, why, evidence))
        try:
            outcome = await whole(self._orders.cancel(order.symbol, key, order.venue_order_id))
        except Exception as error:  # noqa: BLE001 - the cancel may have been made
            self.note(ev.DecisionNoted(self._clock.now(), "cancel_failed", key, f"{type(error).__name__}: {error}"))
            return CancelOutcome.UNKNOWN
        at = self._clock.now()
        known = self._journal.state.orders[key]
        match outcome:
            case CancelOutcome.ALREADY_FILLED:
                self.note(ev.OrderEnded(at, key, EndReason.FILLED, known.qty, "cancel answered: filled"))
            case CancelOutcome.CANCELLED if not order.purpose.is_entry:
                self.note(ev.OrderEnded(at, key, EndReason.CANCELLED, known.filled_qty, "cancel answered: cancelled"))
            case CancelOutcome.ALREADY_GONE if not order.purpose.is_entry:
                self.note(ev.OrderEnded(at, key, EndReason.GONE, known.filled_qty, "cancel answered: not known"))
            case CancelOutcome.CANCELLED | CancelOutcome.ALREADY_GONE | CancelOutcome.UNKNOWN:
                pass
            case _:
                assert_never(outcome)
        return outcome

    async def cancel_double(self, double: OpenOrder) -> None:
        """Cancel what rests a second time under an id of ours, by the venue's id. The order of that id in the books is another."""
        key = double.client_order_id
        if key is None:
            return
        evidence = f"listed as {double.venue_order_id} beside {self._journal.state.orders[key].venue_order_id}"
        try:
            outcome = await whole(self._orders.cancel(double.symbol, key, double.venue_order_id))
        except Exception as error:  # noqa: BLE001 - the next look tells whether it still rests
            self.note(ev.DecisionNoted(self._clock.now(), "double_not_cancelled", key, f"{evidence}; {type(error).__name__}: {error}"))
            return
        self.note(ev.DecisionNoted(self._clock.now(), "double_cancelled", key, f"{evidence}; {outcome.value}"))


def request_of(order: OwnOrder) -> OrderRequest:
    """What the order port takes, from what the journal says. InvariantViolation when a needed field is missing."""
    key, symbol, side, qty = order.client_order_id, order.symbol, order.side, order.qty
    match order.purpose:
        case OrderPurpose.ENTRY:
            if order.limit_price is None or order.style is None or order.deadline is None:
                raise InvariantViolation(f"{key}: an entry needs a limit, a style and a deadline")
            return EntryOrder(key, symbol, side, qty, order.style, order.limit_price, order.deadline)
        case OrderPurpose.STOP:
            if order.trigger_price is None:
                raise InvariantViolation(f"{key}: a stop needs a trigger")
            return StopOrder(key, symbol, side, qty, order.trigger_price)
        case OrderPurpose.TP1 | OrderPurpose.TP2:
            if order.limit_price is None:
                raise InvariantViolation(f"{key}: a take-profit needs a limit")
            return TakeProfitOrder(key, symbol, side, qty, order.limit_price)
        case OrderPurpose.CLOSE | OrderPurpose.REDUCE:
            return ExitOrder(key, symbol, side, qty, order.limit_price)
        case _:
            assert_never(order.purpose)
