"""What the venue says about the account: balances, positions, money movements, feed events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

from trading_system.domain.orders import ClientOrderId, Direction, Fill, VenueOrderId
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty, Usd


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """The flex (multi-collateral) wallet, in USD, as the venue computes it. Never built from missing fields."""

    at: datetime
    balance_value: Usd
    portfolio_value: Usd
    collateral_value: Usd
    margin_equity: Usd
    initial_margin: Usd
    initial_margin_with_orders: Usd
    maintenance_margin: Usd
    available_margin: Usd
    unrealized_pnl: Usd
    unrealized_funding: Usd

    @property
    def equity_for_sizing(self) -> Usd:
        """The smaller of portfolio value and margin equity."""
        return min(self.portfolio_value, self.margin_equity)

    @property
    def venue_utilization(self) -> Decimal:
        """initialMarginWithOrders / marginEquity; 1 when there is no equity to divide by."""
        return self.initial_margin_with_orders / self.margin_equity if self.margin_equity > 0 else Decimal(1)


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """An open position as the venue lists it. A flat market has no row."""

    symbol: Symbol
    direction: Direction
    qty: Qty
    entry_price: Price
    is_isolated: bool = False


class FlowKind(Enum):
    """Rows of the account log that are not trades."""

    FUNDING = "funding"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    CONVERSION = "conversion"
    INTEREST = "interest"
    FEE = "fee"
    LIQUIDATION_FEE = "liquidation_fee"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class AccountFlow:
    """One money movement of the account log. `amount` is signed: positive = the account received it."""

    flow_id: str
    at: datetime
    kind: FlowKind
    amount: Usd
    symbol: Symbol | None = None
    fill_id: str | None = None
    """Set on FEE rows: the fill whose fee this is."""


@dataclass(frozen=True, slots=True)
class FeedFill:
    """The private feed told an execution (with its fee)."""

    fill: Fill


@dataclass(frozen=True, slots=True)
class FeedOrder:
    """An open order appeared, changed or left. `gone_reason` None = alive."""

    symbol: Symbol | None
    venue_order_id: VenueOrderId
    client_order_id: ClientOrderId | None
    gone_reason: str | None


@dataclass(frozen=True, slots=True)
class FeedPositions:
    """The venue sent its list of open positions (whole, possibly empty)."""

    positions: tuple[VenuePosition, ...]


@dataclass(frozen=True, slots=True)
class FeedReset:
    """The feed was (re)connected or a gap was seen: everything must be read again."""

    why: str


FeedEvent: TypeAlias = FeedFill | FeedOrder | FeedPositions | FeedReset
