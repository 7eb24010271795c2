"""Faults that only time or a feed shows, over loopback: late answers, lagging listings, feeds that lose, double or mix up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.kraken_server_rig import a_server
from fakes.raw_strangers import RawClient, RawFeed
from trading_system.sim.kraken_server.faults import Fault, FaultKind
from trading_system.sim.kraken_server.server import KrakenServer
from trading_system.sim.read_models import ReadDelays
from trading_system.wiring.clock import WallClock

LIMIT = {"orderType": "lmt", "side": "buy", "limitPrice": "70000"}


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server()
    yield server
    await server.close()


@pytest.fixture
async def client(server: KrakenServer) -> AsyncIterator[RawClient]:
    async with RawClient(server) as client:
        yield client


async def test_a_delayed_answer_comes_late_for_what_was_done_at_once(server: KrakenServer, client: RawClient) -> None:
    server.faults.add(Fault(FaultKind.DELAYED, "sendorder", delay_s=0.3))
    clock = WallClock()
    begun_s = clock.monotonic()
    late = asyncio.ensure_future(client.send(**LIMIT))
    await asyncio.sleep(0.1)
    meanwhile = (await client.get("openorders"))["openOrders"]
    status = await late

    assert clock.monotonic() - begun_s >= 0.3
    assert [row["order_id"] for row in meanwhile] == [status["order_id"]]


async def test_a_word_nobody_published_stands_for_an_order_that_rests(server: KrakenServer, client: RawClient) -> None:
    server.faults.add(Fault(FaultKind.UNKNOWN_WORD, "sendorder"))
    status = await client.send(**LIMIT)

    assert status["status"] == "somethingUnheardOf"
    assert len((await client.get("openorders"))["openOrders"]) == 1


@pytest.mark.parametrize("reason", ["INSUFFICIENT_CLOSING_MARGIN", "TRAILING_STOP_UNHEARD_OF"])
async def test_an_order_is_refused_with_any_reason_in_its_event(server: KrakenServer, client: RawClient, reason: str) -> None:
    server.faults.add(Fault(FaultKind.REFUSED, "sendorder", word="insufficientAvailableFunds", reason=reason))
    status = await client.send(**LIMIT, cliOrdId="mine")
    (event,) = status["orderEvents"]

    assert status["status"] == "insufficientAvailableFunds"
    assert (event["type"], event["reason"], event["order"]["cliOrdId"], event["order"]["quantity"]) == ("REJECT", reason, "mine", 0.01)
    assert (await client.get("openorders"))["openOrders"] == []


async def test_each_listing_lags_by_its_own_time(server: KrakenServer, client: RawClient) -> None:
    server.desk.reads.set_delays(ReadDelays(orders_ms=1_000, positions_ms=2_000, fills_ms=3_000))
    await client.send(**LIMIT)
    await client.send(orderType="mkt", side="buy")
    seen = []
    for _ in range(4):
        listings = [
            (await client.get(path))[key]
            for path, key in (("openorders", "openOrders"), ("openpositions", "openPositions"), ("fills", "fills"))
        ]
        seen.append(tuple(len(rows) for rows in listings))
        server.advance_to(server.exchange.now_ms + 1_000)

    assert seen == [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1)]
    assert len((await client.get("orders/status"))["orders"]) >= 1


async def heard(server: KrakenServer, client: RawClient, fault: Fault) -> str:
    """The client ids, as a private feed told them, of four orders a to d and a last one z."""
    async with RawFeed(client, server) as feed:
        await feed.subscribe("open_orders")
        await feed.of("open_orders_snapshot")
        server.faults.add(fault)
        for name in "abcd":
            await client.send(**LIMIT, cliOrdId=name)
        await asyncio.sleep(0.3)
        await client.send(**LIMIT, cliOrdId="z")
        told = ""
        while not told.endswith("z"):
            told += (await feed.of("open_orders"))["order"]["cli_ord_id"]
        return told


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(FaultKind.FEED_GAP, "open_orders", skip=1), "acdz"),
        (Fault(FaultKind.FEED_DUPLICATED, "open_orders", skip=1), "abbcdz"),
        (Fault(FaultKind.FEED_REORDERED, "open_orders", skip=1), "acbdz"),
        (Fault(FaultKind.FEED_SILENT, "open_orders", skip=1, delay_s=0.25), "az"),
        (Fault(FaultKind.FEED_GAP, "fills"), "abcdz"),
    ],
    ids=["gap", "duplicated", "reordered", "silent", "another feed"],
)
async def test_a_feed_loses_doubles_mixes_up_or_falls_silent(server: KrakenServer, client: RawClient, fault: Fault, told: str) -> None:
    assert await heard(server, client, fault) == told


async def test_a_gap_in_the_book_shows_in_its_numbers(client: RawClient) -> None:
    server: Any = await a_server({"PF_XBTUSD": {0: 80_000.0, 2: 80_500.0}, "PF_DOGEUSD": {0: 0.2}}, speed=2.0)
    try:
        async with RawClient(server) as own, RawFeed(own, server) as feed:
            server.faults.add(Fault(FaultKind.FEED_GAP, "book", skip=3))
            await feed.subscribe("book", "PF_XBTUSD")
            first = (await feed.of("book_snapshot"))["seq"]
            numbers = [(await feed.of("book"))["seq"] - first for _ in range(5)]
    finally:
        await server.close()

    assert numbers == [1, 2, 3, 5, 6]
