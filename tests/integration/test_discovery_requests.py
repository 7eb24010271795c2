"""A venue of 320 contracts is discovered with exactly two requests over the wire, and nothing is asked per market."""

from __future__ import annotations

import json

from kraken_adapter_loopback import a_config, a_loopback, a_venue, says

from trading_system.data.market_discovery import MarketDiscovery
from trading_system.data.market_registry import MarketRegistry, UniverseAccepted
from trading_system.domain.market import Tier
from trading_system.domain.symbols import Symbol
from trading_system.wiring.clock import WallClock

COUNT = 320


def an_instrument(number: int) -> dict[str, object]:
    levels = [{"contracts": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01}]
    return {
        "symbol": f"PF_C{number}USD", "type": "flexible_futures", "tradeable": True, "tickSize": 0.01, "contractSize": 1,
        "contractValueTradePrecision": 2, "maxPositionSize": 1_000_000, "marginLevels": levels, "retailMarginLevels": levels,
        "base": f"C{number}", "quote": "USD", "pair": f"C{number}:USD",
    }  # fmt: skip


def a_ticker(number: int, at: str) -> dict[str, object]:
    return {
        "symbol": f"PF_C{number}USD", "tag": "perpetual", "pair": f"C{number}:USD", "bid": 99.99, "bidSize": 10, "ask": 100.01,
        "askSize": 10, "last": 100, "lastTime": at, "markPrice": 100, "indexPrice": 100, "vol24h": 100_000, "volumeQuote": 10_000_000,
        "openInterest": 1_000, "fundingRate": 0.0001, "suspended": False, "postOnly": False,
    }  # fmt: skip


async def test_three_hundred_and_twenty_contracts_come_from_exactly_two_requests() -> None:
    clock = WallClock()
    now = f"{clock.now():%Y-%m-%dT%H:%M:%S.000Z}"
    head = {"result": "success", "serverTime": now}
    async with a_loopback() as loopback, a_venue(a_config(loopback.port, public_timeout_s=20.0)) as venue:
        listed = {**head, "instruments": [an_instrument(n) for n in range(COUNT)]}
        quoted = {**head, "tickers": [a_ticker(n, now) for n in range(COUNT)]}
        loopback.script("/derivatives/api/v3/instruments", says(json.dumps(listed)))
        loopback.script("/derivatives/api/v3/tickers", says(json.dumps(quoted)))
        loopback.seen.clear()
        registry = MarketRegistry()

        report = await MarketDiscovery(venue.market_data, clock, registry).discover()

        assert isinstance(report.decision, UniverseAccepted), report.failure
        assert sorted(seen.target.partition("?")[0] for seen in loopback.seen) == [
            "/derivatives/api/v3/instruments",
            "/derivatives/api/v3/tickers",
        ]
        assert len(registry.eligible()) == COUNT
        assert registry.tier(Symbol("C0/USD")) is Tier.A
