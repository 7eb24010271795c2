"""The venue's four ports on either adapter: in process, or the Kraken adapter over loopback. Same market, same start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from fakes.kraken_server_rig import QUIET, a_server, an_exchange
from trading_system.domain.orders import (
    ClientOrderId,
    EntryOrder,
    EntryStyle,
    ExitOrder,
    Side,
    StopAmendment,
    StopOrder,
    TakeProfitOrder,
    VenueOrderId,
)
from trading_system.domain.protocols import Account, MarketData, Orders, PrivateFeed
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty, from_ms
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.rate_budget import RateBudget
from trading_system.exchange.kraken_futures.venue import KrakenFuturesVenue
from trading_system.exchange.kraken_futures.write_gate import WriteGate, WriteMode
from trading_system.sim.exchange import SimExchange
from trading_system.sim.ports import SimVenue
from trading_system.wiring.clock import PacedClock

ADAPTERS = ("in process", "over loopback")
BTC, DOGE = Symbol("BTC/USD"), Symbol("DOGE/USD")


class _Middle:
    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


@dataclass
class VenueUnderTest:
    """`advance_to(ms)` moves market time. `exchange` is the truth behind the ports."""

    exchange: SimExchange
    market_data: MarketData
    account: Account
    orders: Orders
    feed: PrivateFeed
    advance_to: Callable[[int], object]

    @property
    def now(self) -> datetime:
        return from_ms(self.exchange.now_ms)

    def entry(
        self, limit: str = "80100", qty: str = "0.01", name: str = "en-1", style: EntryStyle = EntryStyle.IOC, side: Side = Side.BUY
    ) -> EntryOrder:
        soon = self.now + timedelta(seconds=5)
        return EntryOrder(ClientOrderId(name), BTC, side, Qty(Decimal(qty)), style, Price(Decimal(limit)), soon)


def a_stop(trigger: str = "78000", qty: str = "0.01", name: str = "sl-1") -> StopOrder:
    return StopOrder(ClientOrderId(name), BTC, Side.SELL, Qty(Decimal(qty)), Price(Decimal(trigger)))


def a_target(limit: str = "82000", qty: str = "0.01", name: str = "tp-1") -> TakeProfitOrder:
    return TakeProfitOrder(ClientOrderId(name), BTC, Side.SELL, Qty(Decimal(qty)), Price(Decimal(limit)))


def an_exit(qty: str = "0.01", limit: str | None = None, name: str = "cl-1") -> ExitOrder:
    return ExitOrder(ClientOrderId(name), BTC, Side.SELL, Qty(Decimal(qty)), None if limit is None else Price(Decimal(limit)))


def a_move(order: VenueOrderId, trigger: str, qty: str) -> StopAmendment:
    return StopAmendment(ClientOrderId("sl-1"), order, BTC, Qty(Decimal(qty)), Price(Decimal(trigger)))


@asynccontextmanager
async def a_venue_under_test(adapter: str, script: Mapping[str, Mapping[int, float]] = QUIET) -> AsyncIterator[VenueUnderTest]:
    """adapter: one of ADAPTERS."""
    if adapter == "in process":
        exchange = an_exchange(script)
        venue = SimVenue(exchange)
        yield VenueUnderTest(exchange, venue, venue, venue, venue, exchange.advance_to)
        venue.unsubscribe()
        return
    server = await a_server(script)
    clock = PacedClock(from_ms(server.exchange.now_ms), 0.001)
    config = KrakenConfig.at(server.address.base_url, server.credentials.key, server.credentials.secret)
    kraken = KrakenFuturesVenue(config, clock, WriteGate(clock, WriteMode.LIVE), RateBudget(clock), _Middle())
    await kraken.open()
    try:
        await kraken.market_data.instruments()
        yield VenueUnderTest(server.exchange, kraken.market_data, kraken.account, kraken.orders, kraken.feed, server.advance_to)
    finally:
        await kraken.close()
        await server.close()
