"""The newest quote of every market and whether it may be believed for an entry. Stops and loss limits use mark regardless."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from trading_system.data.tick_guard import QuoteAccepted, QuoteFault, QuoteRefused, QuoteVerdict, TickGuard
from trading_system.domain.market import Ticker, TradingStatus
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price


class VolatilityReader(Protocol):
    def atr_4h(self, symbol: Symbol) -> float | None: ...


class VolumeReader(Protocol):
    def volume_ratio(self, symbol: Symbol, lookback: int = 96) -> float | None: ...


class QuoteBook:
    """Owned by the loop. A quote is judged when somebody asks about it, so quiet markets cost nothing."""

    def __init__(self, guard: TickGuard, volatility: VolatilityReader, volumes: VolumeReader) -> None:
        self._guard = guard
        self._volatility = volatility
        self._volumes = volumes
        self._tickers: dict[Symbol, Ticker] = {}

    def update(self, tickers: Iterable[Ticker]) -> None:
        """Take the quotes of one read; markets that are missing from it keep their old (ageing) quote.

        A mark that is no price is no mark: stops are computed from it, whatever else is wrong with the quote.
        """
        for ticker in tickers:
            self._tickers[ticker.symbol] = ticker if ticker.has_sound_mark else replace(ticker, mark=None)

    @property
    def tickers(self) -> Mapping[Symbol, Ticker]:
        return MappingProxyType(self._tickers)

    def ticker(self, symbol: Symbol) -> Ticker | None:
        return self._tickers.get(symbol)

    def mark(self, symbol: Symbol) -> Price | None:
        """Mark price as last told, of any age; None when never told."""
        ticker = self._tickers.get(symbol)
        return ticker.mark if ticker is not None else None

    def is_trading(self, symbol: Symbol) -> bool:
        """False when the newest quote says that the market executes nothing."""
        ticker = self._tickers.get(symbol)
        return ticker is None or ticker.status is TradingStatus.OPEN

    def verdict(self, symbol: Symbol, now: datetime) -> QuoteVerdict:
        """May the newest quote carry an entry or tighten a stop at market time `now`?"""
        ticker = self._tickers.get(symbol)
        if ticker is None:
            return QuoteRefused(symbol, QuoteFault.STALE)
        atr = self._volatility.atr_4h(symbol)
        ratio = self._volumes.volume_ratio(symbol)
        return self._guard.judge(
            ticker,
            now,
            atr_4h=None if atr is None else Decimal(repr(atr)),
            volume_ratio=None if ratio is None else Decimal(repr(ratio)),
        )

    def forget(self, symbol: Symbol) -> None:
        """Drop what the guard remembers of a symbol that is no longer managed; the venue goes on quoting it."""
        self._guard.forget(symbol)

    def is_usable(self, symbol: Symbol, now: datetime) -> bool:
        return isinstance(self.verdict(symbol, now), QuoteAccepted)
