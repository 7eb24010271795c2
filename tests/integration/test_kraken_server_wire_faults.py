"""Wire faults seen by unmodified ccxt: what the client learns, and what really happened at the exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import ccxt
import pytest

from fakes.kraken_server_rig import a_ccxt_client, a_server
from trading_system.sim.kraken_server.faults import Fault, FaultKind
from trading_system.sim.kraken_server.server import KrakenServer

BTC = "BTC/USD:USD"


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server()
    yield server
    await server.close()


@pytest.fixture
async def client(server: KrakenServer) -> AsyncIterator[Any]:
    client = a_ccxt_client(server)
    await client.load_markets()
    yield client
    await client.close()


@pytest.mark.parametrize(
    ("kind", "raised", "orders_resting"),
    [
        (FaultKind.REQUEST_LOST, ccxt.NetworkError, 0),
        (FaultKind.ANSWER_LOST, ccxt.NetworkError, 1),
        (FaultKind.UNAVAILABLE, ccxt.ExchangeNotAvailable, 0),
        (FaultKind.BAD_GATEWAY, ccxt.ExchangeNotAvailable, 1),
        (FaultKind.TOO_MANY, ccxt.RateLimitExceeded, 0),
        (FaultKind.SERVER_ERROR, ccxt.ExchangeError, 1),
        (FaultKind.EMPTY_BODY, TypeError, 1),
        (FaultKind.STATUS_MISSING, TypeError, 1),
        (FaultKind.DUPLICATED, ccxt.DuplicateOrderId, 1),
    ],
)
async def test_an_error_says_little_about_the_order(
    server: KrakenServer, client: Any, kind: FaultKind, raised: type[Exception], orders_resting: int
) -> None:
    server.faults.add(Fault(kind, "sendorder"))
    with pytest.raises(raised):
        await client.create_order(BTC, "limit", "buy", 0.01, 70_000, {"clientOrderId": "c1"})

    assert len(await client.fetch_open_orders()) == orders_resting


async def test_an_answer_without_events_looks_rejected_to_ccxt_although_the_order_rests(server: KrakenServer, client: Any) -> None:
    server.faults.add(Fault(FaultKind.EVENTS_EMPTY, "sendorder"))
    order = await client.create_order(BTC, "limit", "buy", 0.01, 70_000)

    assert (order["id"], order["status"], order["info"]["status"]) == (None, "rejected", "placed")
    assert len(await client.fetch_open_orders()) == 1


async def test_checkers_pull_the_levers_over_http(server: KrakenServer, client: Any) -> None:
    base = f"{server.address.base_url}/_sim"
    async with aiohttp.ClientSession() as http:
        for page, body in (
            ("faults", {"kind": "list_missing", "path": "openpositions"}),
            ("mode", {"symbol": "PF_XBTUSD", "mode": "suspended"}),
        ):
            async with http.post(f"{base}/{page}", json=body) as response:
                assert response.status == 200
        async with http.post(f"{base}/mode", json={"symbol": "PF_NOPEUSD", "mode": "suspended"}) as response:
            refused = response.status
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await client.fetch_positions()
        async with http.get(f"{base}/state") as response:
            state = await response.json()

    assert refused == 400
    assert (state["faults_struck"], state["modes"]["PF_XBTUSD"]) == ({"list_missing": 1}, "suspended")
    assert await client.fetch_positions() == []


async def test_cut_feeds_end_for_every_listener(server: KrakenServer) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(server.address.ws_url) as socket:
        await socket.receive_json(timeout=5)
        async with http.post(f"{server.address.base_url}/_sim/feeds", json={"action": "drop"}) as response:
            assert response.status == 200
        end = await socket.receive(timeout=5)

    assert end.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
