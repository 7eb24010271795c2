"""The books against the venue: a closed set of findings, none of which destroys anything. Pure.

What exists only on the venue is adopted and protected; what exists only in the books is looked for and, at worst, handed to a
human; what cannot be explained yet is deferred. Absence never leads to a close, and failed readings never reach a conclusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, TypeAlias

from trading_system.domain.account import VenuePosition
from trading_system.domain.actions import CancelOrder
from trading_system.domain.orders import OpenOrder, OrderKind, OrderPurpose, PositionId
from trading_system.domain.positions import EntryPlan, Lineage, OrderState, OwnOrder, Position, PositionState
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO, Price, Usd
from trading_system.execution.ledger import LedgerState
from trading_system.execution.order_ids import adopted_position_id, foreign_key, is_ours
from trading_system.execution.position_view import is_through
from trading_system.execution.resolution import position_on
from trading_system.execution.stop_plan import emergency_stop
from trading_system.execution.venue_reads import StreakCounter, Streaks, VenueReads

_MAY_BE_THE_LAST: Final = "it may be the position we just closed, from a snapshot that lags"


@dataclass(frozen=True, slots=True)
class MarketFacts:
    """What is needed to protect a position found on a market. `liquidation_price` where somebody computed it."""

    mark: Price | None
    tick: Decimal
    size_step: Decimal
    liquidation_price: Price | None = None


@dataclass(frozen=True, slots=True)
class ReconcileRules:
    """Seconds: of the process where looks are compared, of the market where fills are.

    orphan_after_s: how long fills may lag behind positions before a missing position counts as unexplained.
    """

    adopt_phantoms: bool = True
    looks_needed: int = 2
    gap_s: float = 2.0
    orphan_after_s: float = 20.0
    settle_s: float = 10.0
    """A position right after one of our fills is adopted only when a second look agrees."""
    lag_s: float = 60.0
    """How far the list of positions may lag: for so long after one of our fills, what it shows may be from before that fill."""
    adopted_stop_distance: Decimal = Decimal("0.02")
    adopted_liquidation_share: Decimal = Decimal("0.25")
    """Of the way from mark to liquidation, kept between a stop placed for an adopted position and liquidation."""
    unknown_settle_s: float = 60.0
    """Process seconds beyond its deadline after which an entry nobody has seen may be given up."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """PHANTOM: only on the venue. `stop`: an existing reduce-only stop that already protects it.

    displaces: the position whose unfilled entry held the symbol's place in the books.
    """

    plan: EntryPlan
    entry_price: Price
    stop: OwnOrder | None
    evidence: str
    displaces: PositionId | None = None


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """PHANTOM under the policy `alert_only`."""

    symbol: Symbol
    evidence: str


@dataclass(frozen=True, slots=True)
class AdoptPending:
    """PENDING_ADOPTED: our entry shows up as a position before its fills do."""

    position_id: PositionId
    adjustment_id: str
    delta: Decimal
    price: Price
    evidence: str


@dataclass(frozen=True, slots=True)
class AdjustQuantity:
    """QTY_DIFF that no fill explains."""

    position_id: PositionId
    adjustment_id: str
    delta: Decimal
    price: Price
    evidence: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """ORPHANED: only in the books, unexplained."""

    position_id: PositionId
    evidence: str


@dataclass(frozen=True, slots=True)
class Reappear:
    position_id: PositionId
    evidence: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The venue holds the other direction."""

    position_id: PositionId
    evidence: str


@dataclass(frozen=True, slots=True)
class WriteOff:
    """An ORPHANED one in whose place the venue holds the other direction: that one is to be adopted next."""

    position_id: PositionId
    evidence: str


@dataclass(frozen=True, slots=True)
class CancelLeftover:
    """An order of ours whose position is over."""

    action: CancelOrder


@dataclass(frozen=True, slots=True)
class StrangeOrder:
    """An order with an id of our format that this journal never wrote: another daemon on this account, or a lost journal."""

    order: OpenOrder


@dataclass(frozen=True, slots=True)
class Defer:
    """Seen, not yet explained: wait for the next look."""

    symbol: Symbol
    why: str


Finding: TypeAlias = (
    Adopt | Unmanaged | AdoptPending | AdjustQuantity | Orphan | Reappear | Quarantine | WriteOff | CancelLeftover | StrangeOrder | Defer
)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    findings: tuple[Finding, ...]
    memory: Streaks = field(default_factory=Streaks)


def reconcile(
    state: LedgerState,
    reads: VenueReads,
    memory: Streaks,
    facts: Mapping[Symbol, MarketFacts],
    rules: ReconcileRules,
) -> Reconciliation:
    """Compare. Fills of this look must be booked and its orders resolved before."""
    if reads.positions is None:
        return Reconciliation((), memory)
    counter = StreakCounter(memory, reads.started_s, rules.gap_s)
    compare = _Comparison(state, reads, counter, facts, rules)
    findings: list[Finding] = []
    listed = {position.symbol: position for position in reads.positions}
    for symbol, venue in sorted(listed.items()):
        active = state.active_on(symbol)
        findings += compare.phantom(venue) if active is None else compare.both(active, venue)
    for symbol, position_id in sorted(state.active_by_symbol.items()):
        if symbol not in listed:
            findings += compare.books_only(state.positions[position_id])
    findings += compare.leftovers()
    findings += compare.strangers()
    return Reconciliation(tuple(findings), counter.done())


@dataclass(frozen=True, slots=True)
class _Comparison:
    state: LedgerState
    reads: VenueReads
    counter: StreakCounter
    facts: Mapping[Symbol, MarketFacts]
    rules: ReconcileRules

    def _is_stale(self, symbol: Symbol) -> bool:
        """True when a fill of ours is newer than the reading of positions: the reading proves nothing."""
        newest = self.state.newest_fill_at.get(symbol)
        return newest is not None and newest >= self.reads.at

    def phantom(self, venue: VenuePosition) -> list[Finding]:
        symbol = venue.symbol
        if self._is_stale(symbol):
            return [Defer(symbol, "the reading is older than our newest fill")]
        streak = self.counter.count(f"phantom {symbol}", f"{venue.direction.value} {venue.qty}")
        newest = self.state.newest_fill_at.get(symbol)
        if newest is not None:
            age_s = (self.reads.at - newest).total_seconds()
            if age_s < self.rules.settle_s and streak.count < self.rules.looks_needed:
                return [Defer(symbol, "a fill is recent: a second look must agree")]
            if self._may_be_the_last(venue):
                return [Defer(symbol, _MAY_BE_THE_LAST)]
        return self._taken_in(venue)

    def _taken_in(self, venue: VenuePosition, displaces: PositionId | None = None) -> list[Finding]:
        """What is to happen with a position that is surely there and in no book."""
        symbol = venue.symbol
        evidence = f"venue lists {venue.direction.value} {venue.qty} at {venue.entry_price}, read at {self.reads.at.isoformat()}"
        if not self.rules.adopt_phantoms:
            return [Unmanaged(symbol, evidence)]
        market = self.facts.get(symbol)
        if market is None or self.reads.open_orders is None:
            return [Defer(symbol, "its market or its orders could not be read")]
        position_id = adopted_position_id(symbol, self.reads.at)
        if position_id in self.state.positions:
            return [Defer(symbol, "its name is taken until the next second")]
        return [replace(self._adoption(position_id, venue, market, evidence), displaces=displaces)]

    def _may_lag(self, symbol: Symbol) -> bool:
        """True while a list of positions read now may be from before our newest fill."""
        newest = self.state.newest_fill_at.get(symbol)
        return newest is not None and (self.reads.at - newest).total_seconds() < self.rules.lag_s

    def _may_be_the_last(self, venue: VenuePosition) -> bool:
        """True when the position we closed last on that symbol had this direction, was at least this large, and ended so lately
        that a list may still be from before its end. Later fills, ours or another's, do not make it any later."""
        for position_id in reversed(self.state.closed):
            position = self.state.positions[position_id]
            if position.symbol == venue.symbol:
                closed_at = None if position.closure is None else position.closure.at
                ended = [moment for moment in (position.tally.last_fill_at, closed_at) if moment is not None]
                return (
                    position.direction is venue.direction
                    and venue.qty <= position.tally.entered
                    and bool(ended)
                    and (self.reads.at - max(ended)).total_seconds() < self.rules.lag_s
                    and not self._was_opened_since(position, venue)
                )
        return False

    def _was_opened_since(self, closed: Position, venue: VenuePosition) -> bool:
        """True when a fill of nobody we know, later than our close, explains the position: then it is no lagging snapshot."""
        ended = closed.tally.last_fill_at
        return any(
            fill.symbol == venue.symbol
            and fill.side is venue.direction.entry_side
            and fill.fill_id not in self.state.fill_position
            and (ended is None or fill.at > ended)
            for fill in self.state.fills.values()
        )

    def _adoption(self, position_id: PositionId, venue: VenuePosition, market: MarketFacts, evidence: str) -> Adopt:
        stop = self._best_stop(position_id, venue, market)
        mark = market.mark if market.mark is not None else venue.entry_price
        price = emergency_stop(
            venue.direction,
            venue.entry_price,
            mark,
            market.tick,
            self.rules.adopted_stop_distance,
            self.rules.adopted_liquidation_share,
            market.liquidation_price,
        )
        if stop is not None and stop.trigger_price is not None:
            price = stop.trigger_price
        plan = EntryPlan(
            position_id=position_id,
            symbol=venue.symbol,
            direction=venue.direction,
            lineage=Lineage.ADOPTED,
            planned_at=self.reads.at,
            qty=venue.qty,
            reference_price=Price(mark),
            stop_price=price,
            notional=Usd(venue.qty * mark),
        )
        return Adopt(plan, venue.entry_price, stop, evidence)

    def _best_stop(self, position_id: PositionId, venue: VenuePosition, market: MarketFacts) -> OwnOrder | None:
        """The stop that protects most, then the nearest to mark, among reduce-only stops on the losing side, before liquidation."""
        fitting = [
            order
            for order in self.reads.open_orders or ()
            if order.symbol == venue.symbol
            and order.venue_order_id not in self.state.by_venue_id
            and protects_position(order, venue.direction.exit_side.value, venue, market)
        ]
        if not fitting:
            return None
        sign = venue.direction.sign
        best = max(fitting, key=lambda o: (min(o.qty, venue.qty), sign * (o.trigger_price or ZERO), o.venue_order_id))
        return OwnOrder(
            client_order_id=foreign_key(best.venue_order_id),
            position_id=position_id,
            symbol=best.symbol,
            purpose=OrderPurpose.STOP,
            attempt=0,
            side=best.side,
            qty=best.qty,
            intended_at=best.received_at,
            trigger_price=best.trigger_price,
            state=OrderState.LIVE,
            venue_order_id=best.venue_order_id,
            placed_at=best.received_at,
            is_foreign=True,
        )

    def both(self, position: Position, venue: VenuePosition) -> list[Finding]:
        symbol, position_id = position.symbol, position.position_id
        read = f"venue lists {venue.direction.value} {venue.qty}, read at {self.reads.at.isoformat()}"
        if self._is_stale(symbol) or self.reads.at <= position.plan.planned_at:
            return []
        if venue.direction is not position.direction:
            return self._wrong_side(position, venue, read)
        if position.state is PositionState.ORPHANED:
            return [Reappear(position_id, read)]
        delta = venue.qty - position.qty
        if self._is_explained(position, venue, delta):
            return []
        streak = self.counter.count(f"qty {position_id}", str(venue.qty))
        adjustment_id = f"adj-{position_id}-{position.tally.entered}-{position.tally.exited}-{venue.qty}"
        evidence = f"{read}; {position.qty} in the books"
        if position.state.awaits_entry:
            if self._may_be_the_last(venue):
                return [Defer(symbol, _MAY_BE_THE_LAST)]
            return [AdoptPending(position_id, adjustment_id, delta, venue.entry_price, evidence)]
        if streak.count < self.rules.looks_needed:
            return [Defer(symbol, f"{evidence}: fills first")]
        if venue.qty < position.tally.entered - position.tally.exited and self._may_lag(symbol):
            # less than the fills come to: believing an old list would take a part of the stop away
            return [Defer(symbol, f"{evidence}: the list may be from before our newest fill")]
        return [AdjustQuantity(position_id, adjustment_id, delta, venue.entry_price, evidence)]

    def _is_explained(self, position: Position, venue: VenuePosition, delta: Decimal) -> bool:
        market = self.facts.get(position.symbol)
        step = market.size_step if market is not None else ZERO
        return delta == 0 or abs(delta) < step or venue.qty <= 0

    def _wrong_side(self, position: Position, venue: VenuePosition, read: str) -> list[Finding]:
        if position.state is PositionState.QUARANTINED or (position.qty <= 0 and not position.state.awaits_entry):
            return []  # known already; or ours is out by its fills and this is another one, adopted once ours is closed
        streak = self.counter.count(f"side {position.position_id}", venue.direction.value)
        evidence = f"{read}; the books say {position.direction.value} {position.qty}"
        if streak.count < self.rules.looks_needed or self._may_be_the_last(venue):
            return [Defer(position.symbol, evidence)]
        if position.state.awaits_entry and position.qty <= 0:
            # an entry of which nothing is filled keeps nobody's stop waiting: what is held takes its place, its order stays watched
            return self._taken_in(venue, position.position_id)
        if position.state is PositionState.ORPHANED and self.rules.adopt_phantoms:
            # it was gone already; kept any longer, it would keep what is there now from being protected
            return [WriteOff(position.position_id, evidence)]
        return [Quarantine(position.position_id, evidence)]

    def books_only(self, position: Position) -> list[Finding]:
        """In the books, not on the venue. An entry in flight, or one that is out by its fills, is no finding."""
        if position.qty <= 0 or position.state is PositionState.ORPHANED:
            return []
        key = f"gone {position.position_id}"
        if not self.reads.is_complete or self._may_lag(position.symbol):
            self.counter.keep(key)
            return [Defer(position.symbol, "not listed, but the look was not complete, or may be from before our newest fill")]
        streak = self.counter.count(key)
        waited_s = streak.last_s - streak.first_s
        if streak.count < self.rules.looks_needed or waited_s < self.rules.orphan_after_s:
            return [Defer(position.symbol, f"not listed in {streak.count} complete looks; its fills are awaited")]
        evidence = f"not listed in {streak.count} complete looks over {waited_s:.0f} s, and no fill explains it"
        return [Orphan(position.position_id, evidence)]

    def leftovers(self) -> list[Finding]:
        findings: list[Finding] = []
        for orders in self.state.open_orders_of.values():
            for order in orders.values():
                if self.state.positions[order.position_id].state.is_active or order.is_foreign or order.state is not OrderState.LIVE:
                    continue
                if order.cancel_requested_at is not None and (self.reads.at - order.cancel_requested_at).total_seconds() < 10:
                    continue
                evidence = self._leftover_evidence(order)
                if evidence is not None:
                    action = CancelOrder(order.position_id, order.client_order_id, "its position is over", evidence)
                    findings.append(CancelLeftover(action))
        return findings

    def _leftover_evidence(self, order: OwnOrder) -> str | None:
        if order.purpose.is_entry:
            return "an entry of an intent that was given up is alive"
        if not self.reads.is_complete or self._is_stale(order.symbol) or position_on(self.reads.positions, order.symbol) is not None:
            self.counter.keep(f"left {order.client_order_id}")
            return None
        streak = self.counter.count(f"left {order.client_order_id}")
        if streak.count < self.rules.looks_needed:
            return None
        return f"no position on {order.symbol} in {streak.count} complete looks"

    def strangers(self) -> list[Finding]:
        return [
            StrangeOrder(order)
            for order in self.reads.open_orders or ()
            if is_ours(order.client_order_id)
            and order.client_order_id not in self.state.orders
            # adopted as protection under the venue's name for it: known
            and order.venue_order_id not in self.state.by_venue_id
        ]


def protects_position(order: OpenOrder, exit_side: str, venue: VenuePosition, market: MarketFacts) -> bool:
    """True when this open order is a reduce-only stop that limits the loss of that position before it is liquidated."""
    trigger = order.trigger_price
    if order.kind is not OrderKind.STOP or not order.reduce_only or order.side.value != exit_side or trigger is None:
        return False
    if market.mark is not None and is_through(venue.direction, market.mark, trigger):
        return False
    liquidation = market.liquidation_price
    return liquidation is None or not is_through(venue.direction, trigger, liquidation)
