"""What became of an order, by evidence: the list of open orders, the status by id, the fills, the position; never by silence alone.

An order nobody knows of is held as unknown (it blocks its symbol and counts in the caps) until two complete looks, begun well
after the venue could still have acted on it, show no trace. Then it is dropped, never sent again. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from trading_system.domain import events as ev
from trading_system.domain.account import VenuePosition
from trading_system.domain.orders import ClientOrderId, OpenOrder, OrderLife, OrderPurpose, OrderStatus, VenueOrderId
from trading_system.domain.positions import EndReason, OrderState, OwnOrder
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO, Qty
from trading_system.execution.ledger import LedgerState
from trading_system.execution.ledger_orders import FROM_ABSENCE
from trading_system.execution.venue_reads import StreakCounter, Streaks, VenueReads

LOOKS_NEEDED: Final = 2


@dataclass(frozen=True, slots=True)
class SettleTimes:
    """Market time that must have passed before an absence means anything (process seconds times the pace of the market).

    entry: beyond processBefore, longer than the venue's lists lag behind what happened (a minute was seen); exit: after the intent
    of a reduce-only order; listing: after the newest news of a live order.
    gap_s: process seconds between two looks that count as two. lag_s: process seconds that the lists may be behind.
    """

    entry: timedelta = timedelta(seconds=60)
    exit: timedelta = timedelta(seconds=2)
    listing: timedelta = timedelta(seconds=1)
    gap_s: float = 2.0
    lag_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Resolution:
    """Events to record, in order, and the memory for the next look. `doubles`: listed under an id of ours a second time."""

    events: tuple[ev.JournalEvent, ...]
    memory: Streaks
    doubles: tuple[OpenOrder, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """The open orders of one look, by both ids."""

    by_venue_id: Mapping[VenueOrderId, OpenOrder]
    by_client_id: Mapping[ClientOrderId, OpenOrder]

    @staticmethod
    def of(orders: Iterable[OpenOrder]) -> Listing:
        known = tuple(orders)
        return Listing(
            {order.venue_order_id: order for order in known},
            {order.client_order_id: order for order in known if order.client_order_id is not None},
        )

    def find(self, order: OwnOrder) -> OpenOrder | None:
        """The listed order that is `order`. Under another venue id the same client id is a different order."""
        if order.venue_order_id is not None:
            return self.by_venue_id.get(order.venue_order_id)
        return self.by_client_id.get(order.client_order_id)


def orders_to_look_up(state: LedgerState, reads: VenueReads) -> tuple[ClientOrderId, ...]:
    """Ids whose status should be asked for: open in our books and not in the list that was read; and all stops of a position that
    has more than one. One of them is to go, and the list that shows the other may be an old one."""
    if reads.open_orders is None:
        return ()
    listing = Listing.of(reads.open_orders)
    found: list[ClientOrderId] = []
    for orders in state.open_orders_of.values():
        ours = [order for order in orders.values() if not order.is_foreign]
        has_two = sum(order.purpose is OrderPurpose.STOP for order in ours) > 1
        found += [
            order.client_order_id for order in ours if listing.find(order) is None or (has_two and order.purpose is OrderPurpose.STOP)
        ]
    return tuple(found)


def resolve_orders(
    state: LedgerState,
    reads: VenueReads,
    statuses: tuple[OrderStatus, ...] | None,
    memory: Streaks,
    times: SettleTimes,
    now: datetime,
) -> Resolution:
    """Judge every open order of ours. `statuses` None = that look-up failed; nothing is concluded from absence then."""
    if reads.open_orders is None:
        return Resolution((), memory)
    listing = Listing.of(reads.open_orders)
    by_id = {status.client_order_id: status for status in statuses or () if status.client_order_id is not None}
    counter = StreakCounter(memory, reads.started_s, times.gap_s)
    judge = _Judge(state, reads, counter, times, now, can_conclude=statuses is not None and reads.is_complete)
    events: list[ev.JournalEvent] = []
    for orders in tuple(state.open_orders_of.values()):
        for order in tuple(orders.values()):
            listed = listing.find(order)
            if listed is not None:
                events += judge.listed(order, listed)
            else:
                events += judge.not_listed(order, by_id.get(order.client_order_id))
    doubles: list[OpenOrder] = []
    for listed in reads.open_orders:
        known = None if listed.client_order_id is None else state.orders.get(listed.client_order_id)
        if known is None:
            continue
        if known.venue_order_id is not None and known.venue_order_id != listed.venue_order_id:
            doubles.append(listed)
        elif known.end is not None and known.end.reason in FROM_ABSENCE and reads.at > known.end.at:
            events.append(ev.OrderPlaced(now, known.client_order_id, listed.venue_order_id, None, f"listed again, {listed.status_word}"))
    return Resolution(tuple(events), counter.done(), tuple(doubles))


@dataclass(frozen=True, slots=True)
class _Judge:
    """The rules for one order, within one look."""

    state: LedgerState
    reads: VenueReads
    counter: StreakCounter
    times: SettleTimes
    now: datetime
    can_conclude: bool

    def listed(self, order: OwnOrder, listed: OpenOrder) -> list[ev.JournalEvent]:
        """Seen alive: that ends all doubt about its being there; its size and trigger are compared."""
        key, events = order.client_order_id, list[ev.JournalEvent]()
        if order.state is not OrderState.LIVE or order.venue_order_id is None:
            events.append(ev.OrderPlaced(self.now, key, listed.venue_order_id, None, f"listed, {listed.status_word}"))
        if order.purpose is OrderPurpose.STOP:
            return events + self._stop_listed(order, listed)
        total = listed.qty + listed.filled_qty
        newest = _newest_news(order)
        is_news = total < order.qty and self.reads.at >= newest + self.times.listing
        if is_news and self.counter.count(f"size {key}", str(total)).count >= LOOKS_NEEDED:
            rests = Qty(max(ZERO, total - order.filled_qty))
            events.append(ev.OrderPlaced(self.now, key, listed.venue_order_id, rests, f"listed with {total}"))
        return events

    def _stop_listed(self, order: OwnOrder, listed: OpenOrder) -> list[ev.JournalEvent]:
        key, trigger = order.client_order_id, listed.trigger_price
        if trigger is None:
            return []
        wanted = order.amending
        if wanted is not None and (listed.qty, trigger) == (wanted.qty, wanted.trigger_price):
            return [ev.AmendConfirmed(self.now, key, listed.qty, trigger, "listed")]
        as_known = (listed.qty, trigger) == (order.remaining, order.trigger_price)
        if as_known and wanted is None:
            return []
        # an older snapshot never undoes newer news, and one look is not enough
        if self.reads.at < _newest_news(order) + self.times.exit:
            return []
        if self.counter.count(f"stop {key}", f"{listed.qty} {trigger}").count < LOOKS_NEEDED:
            return []
        if as_known:
            return [ev.AmendRefused(self.now, key, "listed unchanged")]
        return [ev.AmendConfirmed(self.now, key, listed.qty, trigger, "listed so")]

    def not_listed(self, order: OwnOrder, status: OrderStatus | None) -> list[ev.JournalEvent]:
        """Not in the list: a status by id decides; without one, only repeated complete looks do."""
        key = f"absent {order.client_order_id}"
        if status is not None and not self._may_hide_fills(order, status):
            return self._by_status(order, status)
        if status is not None and order.is_uncertain:
            evidence = f"status: {status.life.value}"
            return [ev.OrderPlaced(self.now, order.client_order_id, status.venue_order_id, None, evidence)]
        if not self.can_conclude or self.reads.at < _absence_counts_from(order, self.times):
            self.counter.keep(key)
            return []
        streak = self.counter.count(key)
        needed = 1 if order.is_immediate and not order.purpose.is_entry and not order.is_uncertain else LOOKS_NEEDED
        if streak.count < needed or (order.purpose.is_entry and self._venue_holds_more(order)):
            return []
        is_empty_entry = order.purpose.is_entry and order.filled_qty <= 0 and not order.is_uncertain
        if is_empty_entry and streak.last_s - streak.first_s < self.times.lag_s:
            return []  # giving it up frees its symbol: first its fills must have had the time to show
        evidence = f"not listed, no status, no further fill in {streak.count} complete looks, the last at {self.reads.at.isoformat()}"
        if order.is_uncertain:
            return [ev.OrderEnded(self.now, order.client_order_id, EndReason.NOT_PLACED, Qty(ZERO), evidence)]
        return [ev.OrderEnded(self.now, order.client_order_id, EndReason.GONE, order.filled_qty, evidence)]

    @staticmethod
    def _may_hide_fills(order: OwnOrder, status: OrderStatus) -> bool:
        """True for an entry that is said to have ended with nothing filled: the venue was seen to say so of executed orders."""
        is_empty = status.filled_qty <= 0 and order.filled_qty <= 0
        return order.purpose.is_entry and status.life is OrderLife.CANCELLED and is_empty

    def _by_status(self, order: OwnOrder, status: OrderStatus) -> list[ev.JournalEvent]:
        key, events = order.client_order_id, list[ev.JournalEvent]()
        if order.venue_order_id is not None and order.venue_order_id != status.venue_order_id:
            return []  # the id was used again by a later packet: that is judged as a double
        if order.is_uncertain and status.life is not OrderLife.REJECTED:
            events.append(ev.OrderPlaced(self.now, key, status.venue_order_id, None, f"status: {status.life.value}"))
        evidence = f"status: {status.life.value} {status.reason}".strip()
        match status.life:
            case OrderLife.ALIVE:
                pass
            case OrderLife.FILLED:
                filled = status.filled_qty if status.filled_qty > 0 else order.qty
                events.append(ev.OrderEnded(self.now, key, EndReason.FILLED, Qty(filled), evidence))
            case OrderLife.CANCELLED:
                events.append(ev.OrderEnded(self.now, key, EndReason.CANCELLED, status.filled_qty, evidence))
            case OrderLife.REJECTED:
                rejected = ev.OrderRejected(self.now, key, status.reason or "rejected")
                ended = ev.OrderEnded(self.now, key, EndReason.REJECTED, order.filled_qty, evidence)
                events.append(rejected if order.is_uncertain else ended)
            case OrderLife.TRIGGERED:
                events.append(ev.OrderEnded(self.now, key, EndReason.TRIGGERED, order.filled_qty, evidence))
            case _:
                assert_never(status.life)
        return events

    def _venue_holds_more(self, order: OwnOrder) -> bool:
        """True while the venue lists more of the position than the booked fills explain: executions are still to come."""
        position = self.state.positions[order.position_id]
        venue = position_on(self.reads.positions, order.symbol)
        return venue is not None and venue.direction is position.direction and venue.qty > position.qty


def position_on(positions: tuple[VenuePosition, ...] | None, symbol: Symbol) -> VenuePosition | None:
    """The venue's row for `symbol`; None when there is none (or nothing was read)."""
    for position in positions or ():
        if position.symbol == symbol:
            return position
    return None


def _newest_news(order: OwnOrder) -> datetime:
    times = (order.intended_at, order.placed_at, order.changed_at, order.last_fill_at)
    return max(at for at in times if at is not None)


def _absence_counts_from(order: OwnOrder, times: SettleTimes) -> datetime:
    if not order.is_uncertain:
        return _newest_news(order) + times.listing
    if order.deadline is not None:
        return order.deadline + times.entry
    return order.intended_at + times.exit
