"""The measuring client and its trader against a running exchange: what they count must be true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.kraken_server_rig import a_server
from fakes.scripted_market import START_MS, a_market
from trading_system.app.bench.exchange_child import ExchangeChild
from trading_system.app.bench.exchange_client import ExchangeClient
from trading_system.app.bench.exchange_soak import SYMBOLS, Trader
from trading_system.sim.kraken_server.server import KrakenServer
from trading_system.sim.rng import seeded

PRICES = {"PF_XBTUSD": 80_000.0, "PF_ETHUSD": 2_600.0, "PF_SOLUSD": 118.0, "PF_DOGEUSD": 0.2}
SPECS = tuple(
    a_market(symbol, tick=tick, step=step, position_max="9000000")
    for symbol, tick, step in zip(SYMBOLS, ("1", "0.1", "0.01", "0.00001"), ("0.0001", "0.001", "0.1", "1"), strict=True)
)


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server({symbol: {0: price, 30: price * 1.01} for symbol, price in PRICES.items()}, specs=SPECS)
    yield server
    await server.close()


def a_child(server: KrakenServer) -> ExchangeChild:
    return ExchangeChild(0, server.address.base_url, server.credentials.key, server.credentials.secret, Path("unused"))


async def test_the_trader_of_a_long_day_trades_and_protects_and_is_within_the_rate_budget(server: KrakenServer) -> None:
    async with ExchangeClient(a_child(server)) as client:
        trader = Trader(client, seeded("test"))
        await trader.start()
        for round_number in range(11):
            await trader.round()
            server.advance_to(START_MS + 2_000 + round_number * 1_000)

    assert len(server.exchange.executions()) >= 3
    assert any(order.is_trigger and order.reduce_only for order in server.exchange.open_orders())
    assert len(client.latencies_ms) == server.log.count
    assert trader.refused == 0


async def test_the_watching_client_hears_every_feed_and_sees_a_gap_where_there_is_one(server: KrakenServer) -> None:
    async with ExchangeClient(a_child(server)) as client, asyncio.TaskGroup() as both:
        watching = both.create_task(client.watch(["PF_XBTUSD"]))
        while client.frames < 17:  # info, challenge, 12 feeds subscribed, their first messages
            await asyncio.sleep(0.01)
        server.advance_to(START_MS + 31_000)
        await client.ping()
        frames = client.frames
        while client.frames == frames:
            await asyncio.sleep(0.01)
        gaps = client.gaps
        client.note({"feed": "book", "product_id": "PF_XBTUSD", "seq": 10**9})
        watching.cancel()

    assert (gaps, client.gaps) == (0, 1)


async def test_an_answer_that_is_no_success_is_not_counted_as_one(server: KrakenServer) -> None:
    async with ExchangeClient(a_child(server)) as client:
        with pytest.raises(ValueError, match="requiredArgumentMissing"):
            await client.post("sendorder")
