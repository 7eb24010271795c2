"""Kraken Futures as one object: the four ports, opened and closed together.

Build one per account and process; give it the same gate and budget as everything else that uses the key.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from trading_system.domain.market import Instrument
from trading_system.domain.protocols import Account, Clock, MarketData, Orders, PrivateFeed, Random
from trading_system.exchange.kraken_futures.account import KrakenAccount
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.market_data import KrakenMarketData
from trading_system.exchange.kraken_futures.observer import CountingObserver, VenueObserver
from trading_system.exchange.kraken_futures.orders import KrakenOrders
from trading_system.exchange.kraken_futures.public_rest import PublicRest
from trading_system.exchange.kraken_futures.rate_budget import CallClass, RateBudget
from trading_system.exchange.kraken_futures.rest import SignedRest
from trading_system.exchange.kraken_futures.server_clock import ServerClock
from trading_system.exchange.kraken_futures.write_gate import WriteGate
from trading_system.exchange.kraken_futures.ws import KrakenPrivateFeed


class KrakenFuturesVenue:
    """`market_data`, `account`, `orders` and `feed` implement the ports of the same names. ConfigError for bad addresses.

    Without a key: public data only; private reads fail, orders are refused locally.
    """

    def __init__(
        self,
        config: KrakenConfig,
        clock: Clock,
        gate: WriteGate,
        budget: RateBudget,
        random: Random,
        observer: VenueObserver | None = None,
    ) -> None:
        config.check()
        self.config: Final = config
        self.gate: Final = gate
        self.budget: Final = budget
        self.observer: Final[VenueObserver] = CountingObserver() if observer is None else observer
        self._server_clock = ServerClock()
        self._public = PublicRest(config, clock, self.observer, self._server_clock)
        self._signed = SignedRest(config, clock, budget, self.observer)
        self._market = KrakenMarketData(self._public, config, clock, self.observer)
        self.market_data: Final[MarketData] = self._market
        self.account: Final[Account] = KrakenAccount(self._signed, clock, self.observer)
        self.look_account: Final[Account] = KrakenAccount(self._signed, clock, self.observer, CallClass.LOOK)
        """The same account for the protection loop's own looks: reads that a flood of others cannot push out."""
        self.orders: Final[Orders] = KrakenOrders(self._signed, gate, self._market.instrument_of)
        self.feed: Final[PrivateFeed] = KrakenPrivateFeed(config, clock, random, self.observer)

    async def open(self) -> None:
        """Make sessions and the signing client (imports ccxt when there is a key). Sends nothing."""
        await self._public.open()
        await self._signed.open()

    async def close(self) -> None:
        """Close all connections; the venue may be opened again."""
        await self._signed.close()
        await self._public.close()

    def remember_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Contract facts from a cache, so that entries can be checked before the first listing is read."""
        self._market.remember(instruments)

    async def server_time(self) -> datetime:
        """The venue's clock now: the anchor of market time on a venue that runs at another speed."""
        return await self._market.server_time()

    @property
    def server_time_offset(self) -> float | None:
        """Venue time minus our market time in seconds, from the latest public answer; None before the first."""
        offset = self._server_clock.offset
        return None if offset is None else offset.total_seconds()

    @property
    def server_time_uncertainty(self) -> float:
        """Half a round trip in market seconds: what the offset may be wrong by."""
        return self._server_clock.uncertainty.total_seconds()
