"""Rows about the account: positions, the wallet, the account log. Part of `sim.model`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class PositionRow:
    symbol: str
    is_long: bool
    size: Decimal
    """Unsigned, base units."""
    entry_price: Decimal
    opened_ms: int
    """Time of the latest fill that changed it."""
    mark_price: Decimal
    index_price: Decimal
    unrealized_pnl: Decimal
    unrealized_funding: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    liquidation_price: Decimal | None
    """Mark at which equity meets maintenance, other markets standing still; None when no price > 0 does."""
    max_fixed_leverage: Decimal | None = None
    """Set when the position is isolated."""


@dataclass(frozen=True, slots=True)
class IsolatedRow:
    """An isolated position's own purse: `margin` is what was set aside of the balance for it."""

    symbol: str
    margin: Decimal
    pnl: Decimal
    unrealized_funding: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal

    @property
    def equity(self) -> Decimal:
        """All that this position can lose."""
        return self.margin + self.pnl + self.unrealized_funding


@dataclass(frozen=True, slots=True)
class AccountRow:
    """The flex wallet in USD."""

    at_ms: int
    balance: Decimal
    """Cash: deposits + realised P&L - fees - funding, exact."""
    pnl: Decimal
    unrealized_funding: Decimal
    initial_margin: Decimal
    initial_margin_with_orders: Decimal
    maintenance_margin: Decimal
    isolated: tuple[IsolatedRow, ...] = ()

    @property
    def total_unrealized(self) -> Decimal:
        return self.pnl + self.unrealized_funding

    @property
    def portfolio_value(self) -> Decimal:
        return self.balance + self.pnl + self.unrealized_funding

    @property
    def margin_equity(self) -> Decimal:
        """USD has no haircut, so this equals the portfolio value."""
        return self.portfolio_value

    @property
    def cross_equity(self) -> Decimal:
        """What the cross positions and new orders can lean on."""
        return self.margin_equity - sum((row.equity for row in self.isolated), Decimal(0))

    @property
    def available_margin(self) -> Decimal:
        own = sum((row.initial_margin for row in self.isolated), Decimal(0))
        return self.cross_equity - (self.initial_margin_with_orders - own)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One row of the account log. A trade is two rows: the cash leg (asset usd) and the position leg (asset = market)."""

    entry_id: int
    booking_uid: str
    at_ms: int
    info: str
    """futures trade, futures liquidation, futures assignor, futures unwind bankrupt, settlement, funding rate change,
    cross-exchange transfer."""
    asset: str
    contract: str | None
    """Venue symbol, upper case here."""
    old_balance: Decimal
    new_balance: Decimal
    trade_price: Decimal | None = None
    mark_price: Decimal | None = None
    realized_pnl: Decimal | None = None
    fee: Decimal | None = None
    execution: str | None = None
    funding_rate: Decimal | None = None
    """Relative, of the hour."""
    realized_funding: Decimal | None = None
    """Signed: positive = received."""
    old_average_entry_price: Decimal | None = None
    new_average_entry_price: Decimal | None = None
    liquidation_fee: Decimal | None = None
    """Charged beside `fee`; part of the difference between the balances."""
