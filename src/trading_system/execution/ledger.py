"""Our whole state, and the one place where it changes: `apply(state, event)`.

The fold is deterministic and atomic: what an event changes is worked out first (`ledger_rules`), as new frozen records; if it
is illegal, InvariantViolation is raised and nothing has changed. Indexes make the reads of every tick O(1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias, assert_never

from trading_system.domain.events import (
    FeeBooked,
    FillBooked,
    FlowBooked,
    FundingBooked,
    JournalCompacted,
    QuantityAdjusted,
    SessionStarted,
    SignalEmitted,
    StateNoted,
)
from trading_system.domain.orders import ClientOrderId, Fill, FillId, OrderPurpose, PositionId, VenueOrderId
from trading_system.domain.positions import OwnOrder, Position
from trading_system.domain.symbols import Symbol

Record: TypeAlias = (
    Position
    | OwnOrder
    | FillBooked
    | FeeBooked
    | FundingBooked
    | FlowBooked
    | QuantityAdjusted
    | SignalEmitted
    | StateNoted
    | SessionStarted
    | JournalCompacted
)
"""What an event changes: records to store. Some events are their own record."""

EMISSIONS_KEPT: Final = 64
NO_ORDERS: Final[dict[ClientOrderId, OwnOrder]] = {}


@dataclass(slots=True)
class LedgerState:
    """Frozen records in dicts. Read freely; write only through `apply`."""

    session: SessionStarted | None = None
    compacted: JournalCompacted | None = None
    """What was left out of this journal, when something was."""
    positions: dict[PositionId, Position] = field(default_factory=dict)
    active_by_symbol: dict[Symbol, PositionId] = field(default_factory=dict)
    closed: list[PositionId] = field(default_factory=list)
    """Closed positions in the order of their closing."""
    orders: dict[ClientOrderId, OwnOrder] = field(default_factory=dict)
    open_orders_of: dict[PositionId, dict[ClientOrderId, OwnOrder]] = field(default_factory=dict)
    """Orders that have not ended, by position."""
    by_venue_id: dict[VenueOrderId, ClientOrderId] = field(default_factory=dict)
    attempts: dict[tuple[PositionId, OrderPurpose], int] = field(default_factory=dict)
    fills: dict[FillId, Fill] = field(default_factory=dict)
    fill_position: dict[FillId, PositionId] = field(default_factory=dict)
    fill_purpose: dict[FillId, OrderPurpose] = field(default_factory=dict)
    last_exit: dict[PositionId, FillId] = field(default_factory=dict)
    """The newest fill on the closing side, by execution time (ties: by id)."""
    fees_missing: dict[FillId, PositionId | None] = field(default_factory=dict)
    flows: dict[str, datetime] = field(default_factory=dict)
    adjustments: dict[str, PositionId] = field(default_factory=dict)
    newest_fill_at: dict[Symbol, datetime] = field(default_factory=dict)
    signals: dict[Symbol, datetime] = field(default_factory=dict)
    """Newest signal per symbol (cooldowns)."""
    emissions: dict[Symbol, tuple[SignalEmitted, ...]] = field(default_factory=dict)
    """The latest signals per symbol: which setups are used up."""
    notes: dict[str, str] = field(default_factory=dict)
    """Latest JSON of other rooms' small states, by key."""

    def orders_of(self, position_id: PositionId) -> dict[ClientOrderId, OwnOrder]:
        """Orders of the position that have not ended, by id. Do not change it."""
        return self.open_orders_of.get(position_id, NO_ORDERS)

    def active_on(self, symbol: Symbol) -> Position | None:
        """The position that occupies `symbol`, or None."""
        position_id = self.active_by_symbol.get(symbol)
        return None if position_id is None else self.positions[position_id]

    def commit(self, records: Iterable[Record]) -> None:
        """Store what an event changed. Cannot fail half-way: everything was checked when the records were made."""
        for record in records:
            match record:
                case OwnOrder():
                    self._store_order(record)
                case Position():
                    self._store_position(record)
                case FillBooked():
                    self._store_fill(record)
                case FeeBooked():
                    self.fees_missing.pop(record.fill_id, None)
                case FundingBooked():
                    self.flows[record.flow_id] = record.at
                case FlowBooked():
                    self.flows[record.flow.flow_id] = record.at
                case QuantityAdjusted():
                    self.adjustments[record.adjustment_id] = record.position_id
                case SignalEmitted():
                    self.signals[record.symbol] = record.at
                    kept = (*self.emissions.get(record.symbol, ()), record)
                    self.emissions[record.symbol] = kept[-EMISSIONS_KEPT:]
                case StateNoted():
                    self.notes[record.key] = record.json
                case SessionStarted():
                    self.session = record
                case JournalCompacted():
                    self.compacted = record
                case _:
                    assert_never(record)

    def _store_position(self, position: Position) -> None:
        position_id, symbol = position.plan.position_id, position.plan.symbol
        before = self.positions.get(position_id)
        self.positions[position_id] = position
        if position.state.is_active:
            self.active_by_symbol[symbol] = position_id
        elif before is None or before.state.is_active:
            if self.active_by_symbol.get(symbol) == position_id:
                del self.active_by_symbol[symbol]
            if position.closure is not None:
                self.closed.append(position_id)

    def _store_order(self, order: OwnOrder) -> None:
        key = order.client_order_id
        if key not in self.orders and not order.is_foreign:
            self.attempts[order.position_id, order.purpose] = order.attempt
        self.orders[key] = order
        if order.venue_order_id is not None:
            self.by_venue_id[order.venue_order_id] = key
        if order.is_open:
            self.open_orders_of.setdefault(order.position_id, {})[key] = order
        else:
            of_position = self.open_orders_of.get(order.position_id)
            if of_position is not None:
                of_position.pop(key, None)
                if not of_position:  # every look walks these: a position of last month must not cost anything
                    del self.open_orders_of[order.position_id]

    def _store_fill(self, booked: FillBooked) -> None:
        fill = booked.fill
        self.fills[fill.fill_id] = fill
        newest = self.newest_fill_at.get(fill.symbol)
        if newest is None or fill.at > newest:
            self.newest_fill_at[fill.symbol] = fill.at
        if fill.fee_usd is None:
            self.fees_missing[fill.fill_id] = booked.position_id
        if booked.purpose is not None:
            self.fill_purpose[fill.fill_id] = booked.purpose
        if booked.position_id is not None:
            self.fill_position[fill.fill_id] = booked.position_id
            if fill.side is self.positions[booked.position_id].direction.exit_side:
                self._note_exit(booked.position_id, fill)

    def _note_exit(self, position_id: PositionId, fill: Fill) -> None:
        known = self.last_exit.get(position_id)
        if known is None or (self.fills[known].at, known) < (fill.at, fill.fill_id):
            self.last_exit[position_id] = fill.fill_id
