"""From what was read of the account to the journal: fills first, then orders, then positions. The shell over the pure judges.

One look, one call of `absorb`. It asks the venue for nothing but the status of single orders: of those that the look did not list,
and of the stops of a position that has more than one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from trading_system.domain import events as ev
from trading_system.domain.account import AccountFlow, FeedEvent, FeedFill, FeedOrder, FeedPositions, FeedReset, FlowKind
from trading_system.domain.actions import CancelOrder
from trading_system.domain.errors import InvariantViolation, ReadFailed
from trading_system.domain.orders import ClientOrderId, Fill, FillId, OpenOrder, OrderLife, OrderStatus, PositionId
from trading_system.domain.positions import CloseReason, OrderState
from trading_system.domain.protocols import Account, Clock
from trading_system.domain.symbols import Symbol
from trading_system.execution.bookkeeping import closed_event
from trading_system.execution.fills import attribute_fill
from trading_system.execution.journal import Journal
from trading_system.execution.reconcile import (
    AdjustQuantity,
    Adopt,
    AdoptPending,
    CancelLeftover,
    Defer,
    Finding,
    MarketFacts,
    Orphan,
    Quarantine,
    Reappear,
    ReconcileRules,
    StrangeOrder,
    Unmanaged,
    WriteOff,
    reconcile,
)
from trading_system.execution.resolution import SettleTimes, orders_to_look_up, resolve_orders
from trading_system.execution.venue_reads import Streaks, VenueReads


@dataclass(frozen=True, slots=True)
class BooksReport:
    """What one look changed. `actions` are for the gateway; `doubles` and strange orders are for a human, at once.

    refused: events the books would not take (each is a bug or a contradiction worth an alert), never silently dropped.
    """

    fills: tuple[Fill, ...] = ()
    fees: int = 0
    events: tuple[ev.JournalEvent, ...] = ()
    findings: tuple[Finding, ...] = ()
    actions: tuple[CancelOrder, ...] = ()
    doubles: tuple[OpenOrder, ...] = ()
    refused: tuple[str, ...] = ()
    alive: frozenset[ClientOrderId] = frozenset()
    """Orders that were looked up by name and are there."""


class AccountBooks:
    """Owns the memory between looks; all lasting state is in the journal."""

    def __init__(self, journal: Journal, account: Account, clock: Clock, rules: ReconcileRules) -> None:
        self._journal = journal
        self._account = account
        self._clock = clock
        self._rules = rules
        self._orders_memory = Streaks()
        self._positions_memory = Streaks()
        self._newest_look_s = float("-inf")

    @property
    def adopts_phantoms(self) -> bool:
        """True when a position that only the venue knows is taken in and protected."""
        return self._rules.adopt_phantoms

    def begin(self) -> int:
        """At the start of a process: intents without an outcome are unknown now. Returns how many there were."""
        state, now = self._journal.state, self._clock.now()
        hanging = [o for orders in state.open_orders_of.values() for o in orders.values() if o.state is OrderState.INTENDED]
        for order in hanging:
            self._journal.record(ev.OrderUnknown(now, order.client_order_id, "the process ended before the answer"), protective=True)
        return len(hanging)

    def book_fills(self, fills: Iterable[Fill]) -> tuple[Fill, ...]:
        """Book what is new, oldest first; late fees of known fills too. Fills are true, whatever the disk does."""
        state, booked = self._journal.state, list[Fill]()
        for fill in sorted(fills, key=_fill_order):
            if fill.fill_id not in state.fills:
                position_id, purpose = attribute_fill(fill, state)
                self._journal.record(ev.FillBooked(self._clock.now(), fill, position_id, purpose), protective=True)
                booked.append(fill)
            elif fill.fee_usd is not None and fill.fill_id in state.fees_missing:
                self._journal.record(ev.FeeBooked(self._clock.now(), fill.fill_id, fill.fee_usd), durable=False, protective=True)
        return tuple(booked)

    def book_flows(self, flows: Iterable[AccountFlow]) -> tuple[AccountFlow, ...]:
        """Book rows of the account log that are new: fees on their fills, funding on its position, the rest as flows."""
        return tuple(flow for flow in flows if self._book_flow(flow))

    def _book_flow(self, flow: AccountFlow) -> bool:
        state, now = self._journal.state, self._clock.now()
        event: ev.JournalEvent
        if flow.kind is FlowKind.FEE and flow.fill_id is not None:
            fill_id = FillId(flow.fill_id)
            if fill_id not in state.fees_missing:
                return False
            event = ev.FeeBooked(now, fill_id, -flow.amount)
        elif flow.kind is FlowKind.FUNDING and flow.symbol is not None:
            event = ev.FundingBooked(now, flow.flow_id, flow.symbol, self._holder(flow.symbol, flow), flow.amount)
        else:
            event = ev.FlowBooked(now, flow)
        return self._journal.record(event, durable=False, protective=True)

    def _holder(self, symbol: Symbol, flow: AccountFlow) -> PositionId | None:
        """The position on `symbol` that was held when the money moved."""
        state = self._journal.state
        candidates = [position_id for position_id in (state.active_by_symbol.get(symbol),) if position_id is not None]
        candidates += [key for key in reversed(state.closed[-200:]) if state.positions[key].symbol == symbol]
        for position_id in candidates:
            position = state.positions[position_id]
            began = position.tally.first_fill_at
            ended = None if position.closure is None else position.closure.at
            if began is not None and began <= flow.at and (ended is None or flow.at <= ended):
                return position_id
        return None

    async def absorb(
        self,
        reads: VenueReads,
        facts: Mapping[Symbol, MarketFacts],
        before_waiting: Callable[[], Awaitable[None]] | None = None,
        account: Account | None = None,
    ) -> BooksReport:
        """Book one look at the account. Failed parts of it conclude nothing; looks that arrive out of order only bring fills.

        before_waiting: awaited once the fills are booked, if orders have to be looked up: that may take as long as a slow answer.
        account: through which they are looked up, when not through the usual one.
        """
        known_fees = len(self._journal.state.fees_missing)
        fills = self.book_fills(reads.fills or ())
        fees = max(0, known_fees - len(self._journal.state.fees_missing))
        ids = orders_to_look_up(self._journal.state, reads)
        if ids and before_waiting is not None:
            await before_waiting()
        statuses = await self._look_up(ids, account or self._account)
        if reads.started_s < self._newest_look_s:
            return BooksReport(fills, fees)
        self._newest_look_s = reads.started_s
        refused: list[str] = []
        resolution = resolve_orders(self._journal.state, reads, statuses, self._orders_memory, self._settle_times(), self._clock.now())
        self._orders_memory = resolution.memory
        events = [event for event in resolution.events if self._record(event, refused)]
        reconciliation = reconcile(self._journal.state, reads, self._positions_memory, facts, self._rules)
        self._positions_memory = reconciliation.memory
        actions: list[CancelOrder] = []
        for finding in reconciliation.findings:
            changes = self._changes_of(finding, reads.at, actions)
            events += [change for change in changes if self._record(change, refused)]
        alive = frozenset(s.client_order_id for s in statuses or () if s.client_order_id is not None and s.life is OrderLife.ALIVE)
        return BooksReport(fills, fees, tuple(events), reconciliation.findings, tuple(actions), resolution.doubles, tuple(refused), alive)

    @staticmethod
    async def _look_up(ids: tuple[ClientOrderId, ...], account: Account) -> tuple[OrderStatus, ...] | None:
        if not ids:
            return ()
        try:
            return await account.order_status(ids)
        except ReadFailed:
            return None

    def _settle_times(self) -> SettleTimes:
        """The process seconds of the rules as market time at the present pace."""
        now, base = self._clock.now(), SettleTimes(entry=timedelta(seconds=self._rules.unknown_settle_s))

        def market(process: timedelta) -> timedelta:
            return self._clock.market_in(process.total_seconds()) - now

        return SettleTimes(market(base.entry), market(base.exit), market(base.listing), self._rules.gap_s, base.lag_s)

    def _record(self, event: ev.JournalEvent, refused: list[str]) -> bool:
        """Write what was found. One contradiction must not keep the rest from the books."""
        try:
            return self._journal.record(event, protective=True)
        except InvariantViolation as error:
            refused.append(f"{type(event).__name__}: {error}")
            return False

    def _changes_of(self, finding: Finding, read_at: datetime, actions: list[CancelOrder]) -> tuple[ev.JournalEvent, ...]:
        now = self._clock.now()
        match finding:
            case Adopt():
                return _adoption_events(finding, now)
            case AdoptPending() | AdjustQuantity():
                return (
                    ev.QuantityAdjusted(
                        read_at, finding.position_id, finding.adjustment_id, finding.delta, finding.price, finding.evidence
                    ),
                )
            case Orphan():
                return (ev.PositionOrphaned(now, finding.position_id, finding.evidence),)
            case Reappear():
                return (ev.PositionReappeared(now, finding.position_id, finding.evidence),)
            case Quarantine():
                return (ev.PositionQuarantined(now, finding.position_id, finding.evidence),)
            case WriteOff():
                gone = closed_event(self._journal.state.positions[finding.position_id], CloseReason.WRITTEN_OFF, finding.evidence, now)
                return (ev.DestructiveActionJustified(now, "write off", finding.position_id, finding.evidence), gone)
            case CancelLeftover():
                actions.append(finding.action)
                return ()
            case Unmanaged() | StrangeOrder() | Defer():
                return ()
            case _:
                assert_never(finding)

    def on_feed(self, event: FeedEvent) -> FeedReaction:
        """Take a private event at once. Its absence, or a "gone", concludes nothing: that asks for a look."""
        match event:
            case FeedFill():
                return FeedReaction(self.book_fills((event.fill,)), read_now=False)
            case FeedOrder():
                return FeedReaction((), read_now=self._on_feed_order(event))
            case FeedPositions():
                return FeedReaction((), read_now=False)
            case FeedReset():
                return FeedReaction((), read_now=True)
            case _:
                assert_never(event)

    def _on_feed_order(self, event: FeedOrder) -> bool:
        key = event.client_order_id
        order = None if key is None else self._journal.state.orders.get(key)
        if order is None:
            known = self._journal.state.by_venue_id.get(event.venue_order_id)
            order = None if known is None else self._journal.state.orders[known]
        if order is None or not order.is_open:
            return False
        if event.gone_reason is None and order.venue_order_id is None:
            refused: list[str] = []
            placed = ev.OrderPlaced(self._clock.now(), order.client_order_id, event.venue_order_id, None, "private feed")
            self._record(placed, refused)
        return event.gone_reason is not None


def _adoption_events(finding: Adopt, now: datetime) -> tuple[ev.JournalEvent, ...]:
    events: list[ev.JournalEvent] = []
    if finding.displaces is not None:
        events.append(ev.EntryDisplaced(now, finding.displaces, finding.evidence))
    events.append(ev.PositionAdopted(now, finding.plan, finding.entry_price, finding.evidence))
    if finding.stop is not None:
        events.append(ev.StopAdopted(now, finding.stop, "an existing stop protects it"))
    return tuple(events)


@dataclass(frozen=True, slots=True)
class FeedReaction:
    """fills: newly booked. read_now: look at the account without waiting for the next poll."""

    fills: tuple[Fill, ...]
    read_now: bool


def _fill_order(fill: Fill) -> tuple[datetime, str]:
    return fill.at, fill.fill_id
