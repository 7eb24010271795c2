"""Who takes part in the auction: new candidates and our open positions, valued on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading_system.domain.errors import ConfigError
from trading_system.domain.intents import EntryIntent
from trading_system.domain.orders import Direction, PositionId
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Usd, decimal_of


@dataclass(frozen=True, slots=True)
class AuctionLimits:
    """Figures of the auction. Scores and costs in points of the signal score; ages in seconds; utilisation as a fraction."""

    planned_utilization_max: Decimal = Decimal("0.90")
    positions_max: int = 8
    cluster_max: int = 4
    opens_max: int = 5
    closes_max: int = 5
    trades_max: int = 5
    lock_age_s: int = 15 * 60
    entry_cost: Decimal = Decimal("2")
    exit_cost: Decimal = Decimal("2")
    open_r_weight: Decimal = Decimal("5")
    advantage_min: Decimal = Decimal("10")
    winner_r_max: Decimal = Decimal("1")
    may_replace_winners: bool = False

    def __post_init__(self) -> None:
        for key in ("positions_max", "cluster_max", "opens_max", "trades_max"):
            if getattr(self, key) < 1:
                raise ConfigError(f"auction.{key} = {getattr(self, key)}: must be >= 1")
        if not 0 < self.planned_utilization_max < 1:
            raise ConfigError(f"auction.planned_utilization_max = {self.planned_utilization_max}: must be in (0, 1)")
        if self.advantage_min < 0:
            raise ConfigError(f"auction.advantage_min = {self.advantage_min}: must be >= 0, or equals would be swapped for ever")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A signal that passed the checks before the auction. cluster: leader symbol of its market, or the setup label."""

    intent: EntryIntent
    cluster: str

    @property
    def symbol(self) -> Symbol:
        return self.intent.symbol

    @property
    def direction(self) -> Direction:
        return self.intent.direction

    def value(self, limits: AuctionLimits) -> Decimal:
        """Score less the cost of entering."""
        return decimal_of(self.intent.signal.score) - limits.entry_cost


@dataclass(frozen=True, slots=True)
class Holding:
    """A position of ours. open_r: profit now in units of its initial risk; planned_margin in USD."""

    position_id: PositionId
    symbol: Symbol
    direction: Direction
    cluster: str
    entry_score: Decimal
    open_r: Decimal
    opened_at: datetime
    planned_margin: Usd
    is_protected: bool
    is_closing: bool = False
    is_adopted: bool = False

    def value(self, limits: AuctionLimits) -> Decimal:
        """What keeping it is worth: entry score, plus what it has earned in R, less the cost of leaving."""
        return self.entry_score + limits.open_r_weight * self.open_r - limits.exit_cost

    def lock(self, now: datetime, limits: AuctionLimits) -> str | None:
        """Why it may not be closed for a rival, or None."""
        if self.is_adopted:
            return "adopted"
        if self.is_closing:
            return "closing"
        if not self.is_protected:
            return "unprotected"
        if (now - self.opened_at).total_seconds() < limits.lock_age_s:
            return "young"
        if self.open_r > limits.winner_r_max and not limits.may_replace_winners:
            return "winner"
        return None
