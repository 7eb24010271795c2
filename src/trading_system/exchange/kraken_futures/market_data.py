"""Public market data: instruments, tickers, candles, order book."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import quote

from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Instrument, OrderBook, Ticker, Timeframe
from trading_system.domain.protocols import Clock
from trading_system.domain.symbols import Symbol
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.observer import VenueObserver
from trading_system.exchange.kraken_futures.public_rest import PublicRest
from trading_system.exchange.kraken_futures.wire_public import (
    parse_candles,
    parse_instruments,
    parse_order_book,
    parse_server_time,
    parse_tickers,
)
from trading_system.exchange.kraken_futures.wire_values import Parsed, venue_name_of

T = TypeVar("T")

_CANDLE_PAGES_MAX: Final = 100
_CLOCK_MARKET: Final = "PF_XBTUSD"
"""The market whose ticker is asked when only the venue's time is wanted."""


class KrakenMarketData:
    """Implements the MarketData port, and remembers the contract facts for the order side."""

    def __init__(self, rest: PublicRest, config: KrakenConfig, clock: Clock, observer: VenueObserver) -> None:
        self._rest = rest
        self._config = config
        self._clock = clock
        self._observer = observer
        self._instruments: dict[Symbol, Instrument] = {}

    def instrument_of(self, symbol: Symbol) -> Instrument | None:
        """The contract as last read, or None. A contract that left the listing keeps its facts: it may still be held."""
        return self._instruments.get(symbol)

    def remember(self, instruments: Iterable[Instrument]) -> None:
        """Take over contract facts read earlier; newer listings replace them."""
        for one in instruments:
            self._instruments.setdefault(one.symbol, one)

    async def instruments(self) -> tuple[Instrument, ...]:
        body = await self._rest.get("instruments", f"{self._config.base_rest}v3/instruments")
        found = self._kept(parse_instruments(body, uses_retail_margin=self._config.uses_retail_margin))
        self._instruments.update((one.symbol, one) for one in found)
        return found

    async def tickers(self) -> tuple[Ticker, ...]:
        asked = self._clock.now()
        body = await self._rest.get("tickers", f"{self._config.base_rest}v3/tickers")
        return self._kept(parse_tickers(body, asked))

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        url = f"{self._config.base_charts}v1/trade/{self._name(symbol)}/{timeframe.value}"
        bars: dict[int, Bar] = {}
        # the charts API counts seconds; a bound inside a second must not leave out its bar
        start_s, end_s = since_ms // 1000, until_ms // 1000
        for _ in range(_CANDLE_PAGES_MAX):
            body = await self._rest.get("charts", url, {"from": str(start_s), "to": str(end_s)})
            parsed, has_more = parse_candles(body)
            page = self._kept(parsed)
            bars.update((bar.open_ms, bar) for bar in page)
            if not has_more:
                return tuple(bars[at] for at in sorted(bars) if since_ms <= at <= until_ms)
            if not page or page[-1].open_ms // 1000 < start_s:
                raise ReadFailed(f"charts: {symbol} {timeframe.value}: more candles announced, but none came")
            start_s = page[-1].open_ms // 1000 + 1
            if start_s > end_s:
                return tuple(bars[at] for at in sorted(bars) if since_ms <= at <= until_ms)
        raise ReadFailed(f"charts: {symbol} {timeframe.value}: more than {_CANDLE_PAGES_MAX} pages")

    async def order_book(self, symbol: Symbol) -> OrderBook:
        asked = self._clock.now()
        body = await self._rest.get("orderbook", f"{self._config.base_rest}v3/orderbook", {"symbol": self._name(symbol)})
        return parse_order_book(body, symbol, asked)

    async def server_time(self) -> datetime:
        """The venue's clock, at the moment it answered; ReadFailed when the answer does not tell it."""
        told = parse_server_time(await self._rest.get("tickers/symbol", f"{self._config.base_rest}v3/tickers/{_CLOCK_MARKET}"))
        if told is None:
            raise ReadFailed("tickers: the answer holds no serverTime")
        return told

    def _name(self, symbol: Symbol) -> str:
        known = self._instruments.get(symbol)
        return quote(known.venue_symbol if known is not None else venue_name_of(symbol), safe="")

    def _kept(self, parsed: Parsed[T]) -> tuple[T, ...]:
        for issue in parsed.issues:
            self._observer.wire_issue(issue)
        return parsed.items
