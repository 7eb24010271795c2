"""The read side of the ledger: the questions other rooms ask about positions and orders, each O(1) or O(open)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading_system.domain.exposure import ExposureItem, ExposureKind, exposure_item
from trading_system.domain.market import MarginLevel
from trading_system.domain.orders import ClientOrderId, FillId, OrderPurpose, PositionId
from trading_system.domain.positions import CloseReason, OrderState, OwnOrder, Position, PositionState
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO, Price, Qty, Usd
from trading_system.execution.ledger import LedgerState
from trading_system.execution.order_ids import is_ours


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What an exposure is computed with: mark price, the venue's margin levels, and our maximum leverage on this market."""

    mark: Price
    margin_levels: tuple[MarginLevel, ...]
    leverage_max: Decimal


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """A finished round trip, as reports show it. Money in USD; fees paid and funding received are positive."""

    position: Position
    closed_at: datetime
    reason: CloseReason
    gross: Usd
    fees: Usd
    funding: Usd

    @property
    def net(self) -> Usd:
        return Usd(self.gross - self.fees + self.funding)

    @property
    def held(self) -> timedelta:
        """From the first fill to the booking of the close."""
        first = self.position.tally.first_fill_at
        return self.closed_at - (first if first is not None else self.position.plan.planned_at)


class PositionRegistry:
    """Reads of one journal's state. Holds nothing itself, so it is never behind."""

    def __init__(self, state: LedgerState) -> None:
        self._state = state

    @property
    def state(self) -> LedgerState:
        return self._state

    def active(self) -> tuple[Position, ...]:
        """Every position that occupies a symbol, oldest first."""
        return tuple(self._state.positions[position_id] for position_id in self._state.active_by_symbol.values())

    def held(self) -> tuple[Position, ...]:
        """Active positions with a quantity."""
        return tuple(position for position in self.active() if position.qty > 0)

    def by_symbol(self, symbol: Symbol) -> Position | None:
        """The active position on `symbol`."""
        return self._state.active_on(symbol)

    def get(self, position_id: PositionId) -> Position | None:
        return self._state.positions.get(position_id)

    def order(self, key: ClientOrderId) -> OwnOrder | None:
        return self._state.orders.get(key)

    def open_orders(self, position_id: PositionId) -> tuple[OwnOrder, ...]:
        """Orders of the position that have not ended."""
        return tuple(self._state.orders_of(position_id).values())

    def all_open_orders(self) -> tuple[OwnOrder, ...]:
        """Every order of ours that has not ended, closed positions' leftovers included."""
        return tuple(order for orders in self._state.open_orders_of.values() for order in orders.values())

    def in_flight(self) -> tuple[OwnOrder, ...]:
        """Orders that were intended and have no answer yet."""
        return tuple(order for order in self.all_open_orders() if order.state is OrderState.INTENDED)

    def unknown(self) -> tuple[OwnOrder, ...]:
        """Orders of which nobody knows whether the venue has them."""
        return tuple(order for order in self.all_open_orders() if order.state is OrderState.UNKNOWN)

    def is_ours(self, client_order_id: str | None) -> bool:
        """True for ids with our format, in this journal or not."""
        return is_ours(client_order_id)

    def has_fill(self, fill_id: FillId) -> bool:
        return fill_id in self._state.fills

    def attempts(self, position_id: PositionId, purpose: OrderPurpose) -> int:
        """How many orders of that purpose were ever intended for the position."""
        return self._state.attempts.get((position_id, purpose), 0)

    def entry_is_settled(self, position_id: PositionId) -> bool:
        """True when every entry order ended and every execution the venue told of is booked."""
        return entry_is_settled(self._state, position_id)

    def leftover_on(self, symbol: Symbol) -> OwnOrder | None:
        """An open order of a position on `symbol` that is over, or None. Blocks a new entry there."""
        for order in self.all_open_orders():
            if order.symbol == symbol and not self._state.positions[order.position_id].state.is_active:
                return order
        return None

    def exposure_items(self, terms: Mapping[Symbol, MarketTerms]) -> tuple[ExposureItem, ...]:
        """Positions and entries, in flight, resting or unknown, at full size. KeyError when a held symbol has no terms."""
        items: list[ExposureItem] = []
        for position in self.active():
            items += self._items_of(position, terms[position.symbol])
        return tuple(items)

    def _items_of(self, position: Position, terms: MarketTerms) -> Iterable[ExposureItem]:
        entry = position.average_entry
        if position.qty > 0 and entry is not None:
            stop = self._live_stop(position)
            yield self._item(position, terms, ExposureKind.POSITION, position.qty, entry, stop)
        open_entries = [order for order in self._state.orders_of(position.position_id).values() if order.purpose.is_entry]
        for order in open_entries:
            kind = {OrderState.INTENDED: ExposureKind.IN_FLIGHT, OrderState.UNKNOWN: ExposureKind.UNKNOWN}.get(
                order.state, ExposureKind.RESTING
            )
            price = order.limit_price if order.limit_price is not None else position.plan.reference_price
            yield self._item(position, terms, kind, order.remaining, price, position.plan.stop_price)
        if position.state.awaits_entry and not open_entries and position.qty <= 0:
            # its fate is being booked right now (or its fills are awaited): it still counts whole
            yield self._item(
                position, terms, ExposureKind.UNKNOWN, position.plan.qty, position.plan.reference_price, position.plan.stop_price
            )

    def _live_stop(self, position: Position) -> Price | None:
        """The worst trigger among the live stops when they cover the position, else None (all of it is at risk)."""
        stops = [o for o in self._state.orders_of(position.position_id).values() if o.protects > 0 and o.trigger_price is not None]
        if sum((order.protects for order in stops), ZERO) < position.qty:
            return None
        triggers = [order.trigger_price for order in stops if order.trigger_price is not None]
        return min(triggers) if position.direction.sign > 0 else max(triggers)

    @staticmethod
    def _item(position: Position, terms: MarketTerms, kind: ExposureKind, qty: Qty, entry_price: Price, stop: Price | None) -> ExposureItem:
        return exposure_item(
            symbol=position.symbol,
            direction=position.direction,
            kind=kind,
            qty=qty,
            mark=terms.mark,
            entry_price=entry_price,
            stop_price=stop,
            margin_levels=terms.margin_levels,
            leverage_max=terms.leverage_max,
        )

    def closed_trades(self, since: datetime | None = None) -> tuple[ClosedTrade, ...]:
        """Closed positions, oldest first; late fees and funding are in."""
        trades: list[ClosedTrade] = []
        for position_id in self._state.closed:
            position = self._state.positions[position_id]
            closure = position.closure
            if closure is None or position.state is not PositionState.CLOSED or (since is not None and closure.at < since):
                continue
            trades.append(
                ClosedTrade(position, closure.at, closure.reason, closure.gross, Usd(position.tally.fees), Usd(position.tally.funding))
            )
        return tuple(trades)


def entry_is_settled(state: LedgerState, position_id: PositionId) -> bool:
    """True when every entry order of the position ended and all executions the venue told of are booked."""
    prefix = f"ts-{position_id}-{OrderPurpose.ENTRY.value}-"
    for attempt in range(1, state.attempts.get((position_id, OrderPurpose.ENTRY), 0) + 1):
        order = state.orders.get(ClientOrderId(f"{prefix}{attempt}"))
        if order is None or not order.is_settled:
            return False
    return True
