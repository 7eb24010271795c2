"""What may be sent and what may be cancelled: P2 one entry per intent, P4 and P5 the seat belt, P7 evidence, P15 exits only reduce."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from trading_system.domain.events import (
    CancelRequested,
    DestructiveActionJustified,
    EntryPlanned,
    OrderIntended,
    PositionAdopted,
    PositionOrphaned,
    PositionQuarantined,
)
from trading_system.domain.modes import Mode
from trading_system.domain.orders import OrderPurpose
from trading_system.domain.positions import EntryPlan
from trading_system.domain.symbols import to_venue
from trading_system.domain.units import ZERO, to_ms
from trading_system.execution.order_ids import OrderName, parse_client_order_id
from trading_system.sim.model import OrderRow
from trading_system.torture.checker import Checker, Journaled, Violation
from trading_system.torture.venue_log import Actor, Cancelled, Edited, Executed, Sent, Standing, VenueLog, VenueRecord, is_stop

_NOT_EVIDENCE: Final = ("none", "null", "failed", "missing", "error")
"""Words that begin an "evidence" which is the absence of one."""


def _name(client_order_id: str | None) -> OrderName | None:
    return None if client_order_id is None else parse_client_order_id(client_order_id)


class EntryChecker(Checker):
    """P2: an intent reaches the book once, whatever was lost, repeated or restarted, and never before it was durable.

    An intent may have several attempts (re-pricing); together they never stand for more than was planned. Packets that the
    network repeated are not the daemon's doing. `duplicates` counts the violations of that kind.
    """

    def __init__(self) -> None:
        self._plans: dict[str, EntryPlan] = {}
        self._intended: set[str] = set()
        self._accepted: dict[str, str] = {}
        self._open: dict[str, Decimal] = {}
        self._filled: dict[str, Decimal] = {}
        self.duplicates = 0

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        match record.event:
            case EntryPlanned():
                self._plans[record.event.plan.position_id] = record.event.plan
            case OrderIntended():
                self._intended.add(record.event.order.client_order_id)
            case _:
                pass
        return ()

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        match record:
            case Sent(actor=Actor.DAEMON, is_accepted=True, is_entry=True):
                yield from self._judge(record)
            case Executed():
                name = _name(record.fill.cli_ord_id)
                if name is not None and name.purpose is OrderPurpose.ENTRY:
                    self._filled[name.position_id] = self._filled.get(name.position_id, ZERO) + record.fill.size
            case _:
                pass

    def _judge(self, record: Sent) -> Iterable[Violation]:
        request = record.request
        key, name = request.cli_ord_id, _name(request.cli_ord_id)
        if key is None or name is None or name.purpose is not OrderPurpose.ENTRY:
            text = f"an order that may raise the position has the id {key}: {request.side} {request.size}"
            yield Violation("P2" if name is None else "P15", record.at_ms, request.symbol, text)
            return
        if key not in self._intended:
            yield Violation("P2", record.at_ms, request.symbol, f"{key} reached the book before its intent was durable")
        if key in self._accepted:
            self.duplicates += 1
            yield Violation("P2", record.at_ms, request.symbol, f"{key} was accepted a second time")
        self._accepted[key] = str(record.order_id)
        plan = self._plans.get(name.position_id)
        before = self._open.get(name.position_id, ZERO)
        self._open[name.position_id] = before + request.size
        if plan is not None and before and self._filled.get(name.position_id, ZERO) + request.size > plan.qty:
            self.duplicates += 1
            text = f"{key}: {request.size} more although {self._filled.get(name.position_id, ZERO)} of {plan.qty} were filled"
            yield Violation("P2", record.at_ms, request.symbol, text)


class SeatBeltChecker(Checker):
    """P4 and P5: a stop is cancelled only where others cover the position, and cover never drops before the position does.

    A cancel may be seconds on its way, and cannot be called back. Of the stops that rested beside the cancelled one when the request
    became durable, and that no earlier request of the daemon was to take away, those that somebody else took away since count as if
    they rested: nobody could know that when the cancel left. Whatever the daemon itself took away, and a position that grew, count
    against it all the same. mode: the daemon's; under KILL_SWITCH its clean-up cancels no stop at all.
    """

    def __init__(self, log: VenueLog | None = None) -> None:
        """log: what rests when a cancel is asked for; without it a cancel is judged by its arrival alone."""
        self.mode = Mode.NORMAL
        self._log = log
        self._kill_reasons: dict[str, str] = {}
        self._asked: set[str] = set()
        """Client ids of stops whose cancel the daemon asked for."""
        self._beside: dict[str, tuple[OrderRow, ...]] = {}
        """By venue id of a stop that is to go: what rested beside it when the newest request left."""
        self._executed: set[str] = set()

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        if isinstance(record.event, CancelRequested):
            self._kill_reasons[record.event.client_order_id] = record.event.why.lower()
            self._note_beside(record.event.client_order_id)
        return ()

    def _note_beside(self, key: str) -> None:
        self._asked.add(key)
        order = None if self._log is None else self._log.find(None, key)
        if self._log is not None and order is not None and is_stop(order):
            stops = self._log.standing(order.symbol).stops
            self._beside[order.order_id] = tuple(s for s in stops if s.order_id != order.order_id and s.cli_ord_id not in self._asked)

    def _taken_by_others(self, record: Cancelled, order: OrderRow) -> Decimal:
        """Cover that was there when this cancel was asked for, and that neither the daemon nor an execution has taken away since."""
        resting = {stop.order_id for stop in record.before.stops}
        gone = (s for s in self._beside.get(order.order_id, ()) if s.order_id not in resting)
        return sum((s.unfilled for s in gone if s.cli_ord_id not in self._asked and s.order_id not in self._executed), ZERO)

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        match record:
            case Cancelled(actor=Actor.DAEMON):
                yield from self._judge_cancel(record)
            case Executed():
                self._executed.add(record.fill.order_id)
            case Edited(actor=Actor.DAEMON) if record.order is not None and not _fired(record, record.order):
                yield from self._judge_cover(record.at_ms, record.order.symbol, record.before, record.after, "an amendment")
            case Sent(actor=Actor.DAEMON):
                # a stop that fires at once reduces the position with its cover; an entry raises the position alone
                if not record.is_entry:
                    yield from self._judge_cover(record.at_ms, record.request.symbol, record.before, record.after, "a send")
            case _:
                pass

    def _judge_cancel(self, record: Cancelled) -> Iterable[Violation]:
        order = record.order
        if order is None or not is_stop(order):
            return
        position, symbol = abs(record.before.position), order.symbol
        others = record.before.covered - sum((s.unfilled for s in record.before.stops if s.order_id == order.order_id), ZERO)
        lost = self._taken_by_others(record, order)
        if position and others + lost < position:
            text = f"stop {order.cli_ord_id or order.order_id} was cancelled while {others} of {position} was covered by others"
            yield Violation("P4", record.at_ms, symbol, text)
        why = self._kill_reasons.get(order.cli_ord_id or "", "")
        if position and self.mode is Mode.KILL_SWITCH and "kill" in why:
            yield Violation("P4", record.at_ms, symbol, f"the kill switch cancelled the stop {order.cli_ord_id}")
        yield from self._judge_cover(record.at_ms, symbol, record.before, record.after, "a cancel", lost)

    def _judge_cover(
        self, at_ms: int, symbol: str, before: Standing, after: Standing, what: str, lost: Decimal = ZERO
    ) -> Iterable[Violation]:
        if after.position and after.covered + lost < min(before.covered, abs(after.position)):
            text = f"{what} took cover from {before.covered} to {after.covered} at a position of {after.position}"
            yield Violation("P5", at_ms, symbol, text)


def _fired(record: Edited, order: OrderRow) -> bool:
    """True when the amended stop did what it is for: it fired at once, whatever it met in the book. The venue took it, not the daemon."""
    is_edit = record.status == "edited" and record.request.size != 0
    return is_edit and all(stop.order_id != order.order_id for stop in record.after.stops)


class EvidenceChecker(Checker):
    """P7: a close, and the cancel of a stop, has its explicit evidence in the journal first; nothing foreign is ever cancelled.

    A position that the venue has held for longer than any reading may lag is never given up as an orphan, and none is handed to a
    human as turned while the venue has not held the other side.
    """

    def __init__(self, lag_ms: int = 90_000) -> None:
        self._lag_ms = lag_ms
        self._justified: dict[str, str] = {}
        self._held_since: dict[str, int] = {}
        self._plans: dict[str, EntryPlan] = {}
        self._held: dict[str, list[tuple[int, Decimal]]] = {}
        """By market, every size it came to."""

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        match record.event:
            case DestructiveActionJustified():
                self._justified[record.event.subject] = record.event.evidence
            case EntryPlanned() | PositionAdopted():
                self._plans[record.event.plan.position_id] = record.event.plan
            case PositionOrphaned():
                plan = self._plans.get(record.event.position_id)
                symbol = "" if plan is None else to_venue(plan.symbol)
                since = self._held_since.get(symbol)
                if since is not None and record.at_ms - since > self._lag_ms:
                    held_s = (record.at_ms - since) // 1000
                    text = f"{record.event.position_id} was given up as an orphan; the venue has held it for {held_s} s"
                    yield Violation("P7", record.at_ms, symbol, text)
            case PositionQuarantined():
                yield from self._judge_turn(record.at_ms, record.event.position_id)
            case _:
                pass

    def _judge_turn(self, at_ms: int, position_id: str) -> Iterable[Violation]:
        """Other sides held before this position was planned are no reason."""
        plan = self._plans.get(position_id)
        turned = () if plan is None else self._held.get(to_venue(plan.symbol), ())
        if plan is not None and not any(size * plan.direction.sign < 0 and ms >= to_ms(plan.planned_at) for ms, size in turned):
            yield Violation("P7", at_ms, to_venue(plan.symbol), f"{position_id} was taken for turned; the venue never held the other side")

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        match record:
            case Executed():
                self._held.setdefault(record.fill.symbol, []).append((record.at_ms, record.after))
                if not record.after or record.before * record.after < 0:
                    self._held_since.pop(record.fill.symbol, None)
                if record.after:
                    self._held_since.setdefault(record.fill.symbol, record.at_ms)
            case Sent(actor=Actor.DAEMON):
                name = _name(record.request.cli_ord_id)
                if name is not None and name.purpose in (OrderPurpose.CLOSE, OrderPurpose.REDUCE):
                    yield from self._judge(record.at_ms, record.request.symbol, "a close", name.position_id)
            case Cancelled(actor=Actor.DAEMON) if record.order is not None:
                order = record.order
                if _name(order.cli_ord_id) is None:
                    text = f"an order that is not ours was cancelled: {order.cli_ord_id or order.order_id}"
                    yield Violation("P7", record.at_ms, order.symbol, text)
                elif is_stop(order):
                    yield from self._judge(record.at_ms, order.symbol, "the cancel of a stop", str(order.cli_ord_id))
            case _:
                pass

    def _judge(self, at_ms: int, symbol: str, what: str, subject: str) -> Iterable[Violation]:
        evidence = self._justified.get(subject)
        if evidence is None:
            yield Violation("P7", at_ms, symbol, f"{what} ({subject}) without a justification in the journal")
        elif not evidence.strip() or evidence.strip().lower().startswith(_NOT_EVIDENCE):
            yield Violation("P7", at_ms, symbol, f"{what} ({subject}) rests on {evidence!r}, which is no evidence")


class ExitChecker(Checker):
    """P15: what is not an entry is reduce-only, and no execution of it raises or turns a position."""

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        match record:
            case Sent(actor=Actor.DAEMON | Actor.NETWORK):
                name = _name(record.request.cli_ord_id)
                if name is not None and name.purpose is not OrderPurpose.ENTRY and not record.request.reduce_only:
                    yield Violation("P15", record.at_ms, record.request.symbol, f"{record.request.cli_ord_id} is not reduce-only")
            case Executed():
                name = _name(record.fill.cli_ord_id)
                if name is not None and name.purpose is not OrderPurpose.ENTRY:
                    turned = record.before * record.after < 0
                    if turned or abs(record.after) >= abs(record.before):
                        text = f"{record.fill.cli_ord_id} took the position from {record.before} to {record.after}"
                        yield Violation("P15", record.at_ms, record.fill.symbol, text)
            case _:
                pass
