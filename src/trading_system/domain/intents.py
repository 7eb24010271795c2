"""From "we would like to enter" to "this may be sent". `Approved` is the only type the execution gateway takes.

A refusal is a value with its numbers. `SizingTrace` keeps every step from the wish to the final size, so that a log line,
the audit file and `explain-size` tell the same story.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

from trading_system.domain.exposure import ExposureItem
from trading_system.domain.market import Tier
from trading_system.domain.orders import Direction, EntryStyle, PositionId, Side
from trading_system.domain.signals import Regime, Signal
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty, Usd


@dataclass(frozen=True, slots=True)
class EntryIntent:
    """A winner of the auction on its way to the risk manager. Its levels are still the signal's floats."""

    position_id: PositionId
    signal: Signal
    created_at: datetime

    @property
    def symbol(self) -> Symbol:
        return self.signal.symbol

    @property
    def direction(self) -> Direction:
        return self.signal.direction


class RefusalReason(Enum):
    """Why an entry was refused. `.value` is the word in logs and in the database."""

    STOP_WRONG_SIDE = "STOP_WRONG_SIDE"
    STOP_DISTANCE = "STOP_DISTANCE"
    MODE_NOT_NORMAL = "MODE_NOT_NORMAL"
    MARKET_CLOSED = "MARKET_CLOSED"
    QUOTE_UNUSABLE = "QUOTE_UNUSABLE"
    QUOTE_STALE = "QUOTE_STALE"
    CLOCK_SKEW = "CLOCK_SKEW"
    PRICE_MOVED = "PRICE_MOVED"
    INDEX_DEVIATION = "INDEX_DEVIATION"
    PENDING_ORDER = "PENDING_ORDER"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    LIVE_EXPOSURE = "LIVE_EXPOSURE"
    LEFTOVER_ORDER = "LEFTOVER_ORDER"
    EQUITY_UNUSABLE = "EQUITY_UNUSABLE"
    LOSS_STATE_STALE = "LOSS_STATE_STALE"
    DRAWDOWN = "DRAWDOWN"
    DAILY_LOSS = "DAILY_LOSS"
    WEEKLY_LOSS = "WEEKLY_LOSS"
    SYMBOL_PAUSED = "SYMBOL_PAUSED"
    LOSS_STREAK = "LOSS_STREAK"
    FREQUENCY_HOUR = "FREQUENCY_HOUR"
    FREQUENCY_DAY = "FREQUENCY_DAY"
    POSITIONS_MAX = "POSITIONS_MAX"
    OPEN_RISK = "OPEN_RISK"
    DAILY_LOSS_ROOM = "DAILY_LOSS_ROOM"
    WEEKLY_LOSS_ROOM = "WEEKLY_LOSS_ROOM"
    SIZE_ZERO = "SIZE_ZERO"
    MARGIN_UTILIZATION = "MARGIN_UTILIZATION"
    AVAILABLE_MARGIN = "AVAILABLE_MARGIN"
    EXPOSURE_CAP = "EXPOSURE_CAP"
    NOTIONAL_BELOW_MINIMUM = "NOTIONAL_BELOW_MINIMUM"
    LIQUIDATION_TOO_CLOSE = "LIQUIDATION_TOO_CLOSE"
    LIQUIDATION_BUFFER = "LIQUIDATION_BUFFER"
    STRESS = "STRESS"
    COST_TOO_HIGH = "COST_TOO_HIGH"
    REWARD_TOO_LOW = "REWARD_TOO_LOW"
    SPREAD = "SPREAD"
    BOOK_TOO_THIN = "BOOK_TOO_THIN"
    BOOK_UNAVAILABLE = "BOOK_UNAVAILABLE"
    SLIPPAGE = "SLIPPAGE"


@dataclass(frozen=True, slots=True)
class Clamp:
    """One reduction (or a cap that did not bind: before == after). Notionals in USD; `cap` is the room it left."""

    name: str
    text: str
    cap: Usd
    before: Usd
    after: Usd

    @property
    def binds(self) -> bool:
        return self.after < self.before


@dataclass(frozen=True, slots=True)
class SizingTrace:
    """How the size came about: method and wish first, then every clamp in order, then the floor to the size step."""

    method: str
    equity: Usd
    stop_distance: Decimal
    """Fraction of the reference price."""
    wanted: Usd
    clamps: tuple[Clamp, ...]
    final_qty: Qty
    final_notional: Usd

    @property
    def binding(self) -> Clamp | None:
        """The clamp that decided the size: the last one that reduced it."""
        return next((clamp for clamp in reversed(self.clamps) if clamp.binds), None)


@dataclass(frozen=True, slots=True)
class Refused:
    """No, with its numbers. `note` is for people; nothing branches on it."""

    reason: RefusalReason
    limit: Decimal
    actual: Decimal
    note: str = ""
    trace: SizingTrace | None = None
    """Set when sizing had begun."""


@dataclass(frozen=True, slots=True)
class TakeProfitTarget:
    """One profit target: at `r_multiple` R from the reference, `share` of the entry; `price` on the tick."""

    r_multiple: Decimal
    share: Decimal
    price: Price


@dataclass(frozen=True, slots=True)
class Approved:
    """An entry that passed every gate. Built by the risk manager only; the gateway takes nothing else.

    qty is on the size step; limit_price bounds the entry (worst price paid); stop_price is rounded to the tick on the side
    that does not increase the loss. `exposure` is this order in every measure (kind IN_FLIGHT): its notional and planned
    margin are taken at the worst of mark and limit.
    """

    intent: EntryIntent
    approved_at: datetime
    tier: Tier
    style: EntryStyle
    qty: Qty
    mark_price: Price
    limit_price: Price
    stop_price: Price
    take_profits: tuple[TakeProfitTarget, ...]
    exposure: ExposureItem
    planned_leverage: Decimal
    open_risk: Usd
    expected_cost_bps: Decimal
    trace: SizingTrace

    @property
    def position_id(self) -> PositionId:
        return self.intent.position_id

    @property
    def symbol(self) -> Symbol:
        return self.intent.symbol

    @property
    def direction(self) -> Direction:
        return self.intent.direction

    @property
    def side(self) -> Side:
        return self.intent.direction.entry_side

    @property
    def signal(self) -> Signal:
        return self.intent.signal

    @property
    def notional(self) -> Usd:
        return self.exposure.notional

    @property
    def planned_margin(self) -> Usd:
        return self.exposure.planned_margin

    @property
    def regime(self) -> Regime:
        return self.intent.signal.regime

    @property
    def score(self) -> float:
        return self.intent.signal.score


EntryDecision: TypeAlias = Approved | Refused
