"""Gives the registry's positions and orders the market facts that turn them into exposure."""

from __future__ import annotations

from typing import Final

from trading_system.data.market_registry import MarketRegistry
from trading_system.domain.market import MarginLevel
from trading_system.domain.positions import Position
from trading_system.domain.units import ONE, ZERO, Price
from trading_system.execution.registry import MarketTerms, PositionRegistry
from trading_system.live.quotes import QuoteBook
from trading_system.risk.limits import RiskLimits
from trading_system.risk.situation import ExposureBook

UNLISTED_MARGIN: Final = (MarginLevel(ZERO, initial=ONE, maintenance=ONE / 2),)
"""A held market the venue no longer lists: no leverage is assumed."""


def build_exposure(positions: PositionRegistry, markets: MarketRegistry, quotes: QuoteBook, limits: RiskLimits) -> ExposureBook:
    """Everything that is or may become exposure, each at full size, and the markets with a leftover order of ours."""
    active = positions.active()
    terms = {position.symbol: terms_of(position, markets, quotes, limits) for position in active}
    leftovers = frozenset(
        order.symbol for order in positions.all_open_orders() if not positions.state.positions[order.position_id].state.is_active
    )
    return ExposureBook(positions.exposure_items(terms), leftovers)


def terms_of(position: Position, markets: MarketRegistry, quotes: QuoteBook, limits: RiskLimits) -> MarketTerms:
    """Mark, margin levels and our leverage on the position's market; the entry price stands in while no mark was ever told."""
    instrument = markets.instrument(position.symbol)
    return MarketTerms(
        mark=mark_of(position, quotes),
        margin_levels=instrument.margin_levels if instrument is not None else UNLISTED_MARGIN,
        leverage_max=limits.leverage_for(markets.tier(position.symbol)),
    )


def mark_of(position: Position, quotes: QuoteBook) -> Price:
    """The mark as last told, else the average entry, else the price it was planned at."""
    return quotes.mark(position.symbol) or position.average_entry or position.plan.reference_price
