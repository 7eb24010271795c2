"""What the risk manager looks at: frozen views, built by whoever holds the facts. Nothing here is fetched or remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from trading_system.domain.account import AccountSnapshot
from trading_system.domain.exposure import ExposureItem
from trading_system.domain.market import Instrument, OrderBook, Ticker, Tier
from trading_system.domain.modes import Mode
from trading_system.domain.symbols import Symbol
from trading_system.risk.loss_state import LossStanding
from trading_system.risk.streaks import StreakState


@dataclass(frozen=True, slots=True)
class MarketView:
    """One market as of now. `tier` None = not eligible any more (judged as tier C). `book` None = not read, or the read failed."""

    instrument: Instrument
    tier: Tier | None
    ticker: Ticker
    book: OrderBook | None = None
    is_quote_accepted: bool = True
    """False while the tick guard holds the quote back (outlier, crossed, disagreement)."""
    atr_ratio: Decimal | None = None
    """ATR14(4h) now over its own average; None = not known, no volatility factor is applied."""


@dataclass(frozen=True, slots=True)
class ExposureBook:
    """Everything that is, or may become, exposure: ours, adopted, in flight, resting and unknown, each at full size.

    leftover_symbols: markets on which an order of an earlier position of ours still rests.
    stop_gaps: 99th-percentile gap beyond a stop per symbol, as a fraction; the configured minimum where absent.
    """

    items: tuple[ExposureItem, ...] = ()
    leftover_symbols: frozenset[Symbol] = frozenset()
    stop_gaps: Mapping[Symbol, Decimal] = field(default_factory=dict)

    def on(self, symbol: Symbol) -> tuple[ExposureItem, ...]:
        """Items of one market."""
        return tuple(item for item in self.items if item.symbol == symbol)

    def with_item(self, item: ExposureItem) -> ExposureBook:
        """The same book with one more item: what a dry evaluation of the next candidate sees."""
        return ExposureBook((*self.items, item), self.leftover_symbols, self.stop_gaps)

    def without(self, symbol: Symbol) -> ExposureBook:
        """The same book as if everything on `symbol` were closed and confirmed."""
        return ExposureBook(tuple(i for i in self.items if i.symbol != symbol), self.leftover_symbols, self.stop_gaps)


@dataclass(frozen=True, slots=True)
class Situation:
    """All inputs of one entry decision.

    losses None = not computable (refused). recent_opens: market times of entry sends, newest 24 h at least.
    clock_skew_s: our market clock minus the venue's, absolute seconds.
    """

    now: datetime
    mode: Mode
    market: MarketView
    book: ExposureBook
    account: AccountSnapshot
    losses: LossStanding | None
    streaks: StreakState
    recent_opens: tuple[datetime, ...] = ()
    clock_skew_s: Decimal = Decimal(0)
