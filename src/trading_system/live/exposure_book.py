"""Describes everything that is or may become exposure, each at full size, in the one form that all measures read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from trading_system.data.market_registry import MarketRegistry
from trading_system.domain.exposure import ExposureItem, ExposureKind, exposure_item
from trading_system.domain.market import MarginLevel
from trading_system.domain.orders import OrderPurpose, PositionId
from trading_system.domain.positions import OrderState, OwnOrder, Position
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ONE, ZERO, Price, Qty
from trading_system.live.quotes import QuoteBook
from trading_system.risk.limits import RiskLimits
from trading_system.risk.situation import ExposureBook


class PositionReader(Protocol):
    """What the caps need to know of the journal."""

    def active(self) -> Sequence[Position]: ...

    def open_orders_of(self, position_id: PositionId) -> Sequence[OwnOrder]: ...

    def leftover_symbols(self) -> Iterable[Symbol]: ...


def build_exposure(positions: PositionReader, markets: MarketRegistry, quotes: QuoteBook, limits: RiskLimits) -> ExposureBook:
    """One item per position and per entry that is not known to be dead."""
    items: list[ExposureItem] = []
    for position in positions.active():
        items.extend(_items_of(position, positions.open_orders_of(position.position_id), markets, quotes, limits))
    return ExposureBook(tuple(items), frozenset(positions.leftover_symbols()))


def _items_of(
    position: Position, orders: Sequence[OwnOrder], markets: MarketRegistry, quotes: QuoteBook, limits: RiskLimits
) -> Iterable[ExposureItem]:
    symbol = position.symbol
    instrument = markets.instrument(symbol)
    levels = instrument.margin_levels if instrument is not None else UNLISTED_MARGIN
    leverage_max = limits.leverage_for(markets.tier(symbol))
    mark = quotes.mark(symbol) or position.average_entry or position.plan.reference_price

    def item(kind: ExposureKind, qty: Qty, entry: Price, stop: Price | None) -> ExposureItem:
        return exposure_item(
            symbol=symbol,
            direction=position.direction,
            kind=kind,
            qty=qty,
            mark=mark,
            entry_price=entry,
            stop_price=stop,
            margin_levels=levels,
            leverage_max=leverage_max,
        )

    if position.qty > 0:
        yield item(ExposureKind.POSITION, position.qty, position.average_entry or mark, resting_stop(orders))
    entries = [order for order in orders if order.purpose is OrderPurpose.ENTRY and order.remaining > 0]
    for order in entries:
        limit = order.limit_price or position.plan.limit_price or position.plan.reference_price
        yield item(_kind_of(order), order.remaining, limit, position.plan.stop_price)
    if not entries and position.state.awaits_entry and not position.tally.has_entered:
        # planned, and its order not written yet (or its end not digested yet): it counts at full size until it is settled
        plan = position.plan
        yield item(ExposureKind.IN_FLIGHT, plan.qty, plan.limit_price or plan.reference_price, plan.stop_price)


UNLISTED_MARGIN: Final = (MarginLevel(ZERO, initial=ONE, maintenance=ONE / 2),)
"""A held market the venue no longer lists: no leverage is assumed."""


def resting_stop(orders: Iterable[OwnOrder]) -> Price | None:
    """The trigger of the live stop that protects most; None while none surely rests."""
    stops = [order for order in orders if order.protects > 0 and order.trigger_price is not None]
    return max(stops, key=lambda order: order.protects).trigger_price if stops else None


def _kind_of(order: OwnOrder) -> ExposureKind:
    match order.state:
        case OrderState.INTENDED:
            return ExposureKind.IN_FLIGHT
        case OrderState.UNKNOWN:
            return ExposureKind.UNKNOWN
        case OrderState.LIVE | OrderState.ENDED:
            return ExposureKind.RESTING
