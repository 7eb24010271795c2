"""Markets, quotes, bars. Bars are float (they feed signals); everything an order is priced from is Decimal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from trading_system.domain.symbols import Symbol
from trading_system.domain.units import BPS, Price, Qty, smallest_order


class Timeframe(Enum):
    """A bar length. `.value` is the venue's word for it."""

    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    ms: int
    """Length in milliseconds. A plain attribute, not a look-up by member: hot loops ask for it at every bar."""

    __hash__ = object.__hash__
    """Members are single, so identity will do: Enum's own hash is Python code, and series are looked up by frame at every bar."""

    def open_of(self, at_ms: int) -> int:
        """Open time (ms) of the bar that contains `at_ms`. All frames open at multiples of their length from the epoch."""
        return at_ms - at_ms % self.ms

    def last_closed_open(self, now_ms: int) -> int:
        """Open time (ms) of the newest bar that is closed at `now_ms`."""
        return self.open_of(now_ms) - self.ms


Timeframe.M15.ms, Timeframe.H1.ms, Timeframe.H4.ms, Timeframe.D1.ms = 900_000, 3_600_000, 14_400_000, 86_400_000


class Bar(NamedTuple):
    """One bar. Volume in base units. A NamedTuple, not a dataclass: millions are made."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Tier(Enum):
    """Liquidity class of a market; A is the most liquid."""

    A = "A"
    B = "B"
    C = "C"


class TradingStatus(Enum):
    """What the venue accepts on a market. Anything but OPEN blocks entries; stops stay resting in all of them."""

    OPEN = "open"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    SUSPENDED = "suspended"
    DELISTED = "delisted"


@dataclass(frozen=True, slots=True)
class MarginLevel:
    """From `notional_from` (USD) on, the whole position needs these fractions of its notional."""

    notional_from: Decimal
    initial: Decimal
    maintenance: Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """A contract's fixed facts. `size_step` may exceed 1 (PEPE: 1000)."""

    symbol: Symbol
    venue_symbol: str
    tick: Decimal
    size_step: Decimal
    size_min: Qty
    position_size_max: Qty | None
    margin_levels: tuple[MarginLevel, ...]
    status: TradingStatus
    funding_rate_max_hourly: Decimal | None = None
    opened_at: datetime | None = None

    @property
    def size_unit(self) -> Decimal:
        """The smallest size an order may have, on the step."""
        return smallest_order(self.size_min, self.size_step)

    def margin_level(self, notional: Decimal) -> MarginLevel:
        """The level that applies to a position of `notional` USD."""
        chosen = self.margin_levels[0]
        for level in self.margin_levels:
            if notional >= level.notional_from:
                chosen = level
        return chosen


@dataclass(frozen=True, slots=True)
class Ticker:
    """A quote at market time `at`. Missing sides are None, never zero."""

    symbol: Symbol
    at: datetime
    bid: Price | None
    ask: Price | None
    last: Price | None
    mark: Price | None
    index: Price | None
    volume_quote_24h: Decimal
    open_interest: Decimal | None = None
    funding_rate_hourly: Decimal | None = None
    """Relative: fraction of notional per hour, positive = longs pay."""
    status: TradingStatus = TradingStatus.OPEN

    @property
    def has_sound_mark(self) -> bool:
        """False when the mark that was told is no price: not finite, zero or less."""
        return self.mark is None or (self.mark.is_finite() and self.mark > 0)

    @property
    def has_spread(self) -> bool:
        """False when a side is missing or the book is crossed."""
        return self.bid is not None and self.ask is not None and 0 < self.bid <= self.ask

    @property
    def spread(self) -> Decimal | None:
        """Full spread as a fraction of mid, or None when a side is missing or the book is crossed."""
        if self.bid is None or self.ask is None or not self.has_spread:
            return None
        return (self.ask - self.bid) * 2 / (self.ask + self.bid)

    @property
    def spread_bps(self) -> Decimal | None:
        """Full spread in basis points, or None."""
        spread = self.spread
        return None if spread is None else spread / BPS


@dataclass(frozen=True, slots=True)
class BookLevel:
    price: Price
    qty: Qty


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Best level first on both sides, sorted by us (a recorded venue answer had ascending bids)."""

    symbol: Symbol
    at: datetime
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
