"""The WebSocket over loopback: a plain aiohttp client and unmodified ccxt.pro."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import ccxt.pro as ccxt_pro
import pytest

from fakes.kraken_server_rig import KEYS, a_ccxt_client, a_server, an_exchange, start_task
from fakes.scripted_market import START_MS
from trading_system.sim.kraken_server.auth import sign_challenge
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.feed_hub import FeedHub
from trading_system.sim.kraken_server.server import KrakenServer
from trading_system.sim.kraken_server.websocket import FeedServer
from trading_system.wiring.clock import WallClock

BTC = "BTC/USD:USD"


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server()
    yield server
    await server.close()


@pytest.fixture
async def socket(server: KrakenServer) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession() as http, http.ws_connect(server.address.ws_url) as socket:
        yield socket


async def hear(socket: aiohttp.ClientWebSocketResponse, feed: str) -> dict[str, Any]:
    """The next row of a feed, or the next event of that name."""
    while True:
        message: dict[str, Any] = await socket.receive_json(timeout=5)
        if feed == message.get("event", message.get("feed")):
            return message


async def test_private_feeds_after_a_signed_challenge_follow_an_order(
    server: KrakenServer, socket: aiohttp.ClientWebSocketResponse
) -> None:
    assert await hear(socket, "info") == {"event": "info", "version": 1}
    await socket.send_json({"event": "challenge", "api_key": KEYS.key})
    challenge = (await hear(socket, "challenge"))["message"]
    signed = {"api_key": KEYS.key, "original_challenge": challenge, "signed_challenge": sign_challenge(KEYS.secret_bytes, challenge)}
    for feed in ("fills", "open_orders", "open_positions"):
        await socket.send_json({"event": "subscribe", "feed": feed, **signed})
        await hear(socket, "subscribed")
    client = a_ccxt_client(server)
    await client.create_order(BTC, "limit", "buy", 0.01, 81_000, {"clientOrderId": "c1"})
    await client.close()

    (fill,) = (await hear(socket, "fills"))["fills"]
    assert (fill["cli_ord_id"], fill["qty"], fill["fee_paid"]) == ("c1", 0.01, 0.40001)
    assert [row["instrument"] for row in (await hear(socket, "open_positions"))["positions"]] == ["PF_XBTUSD"]


async def test_a_protocol_ping_is_answered(socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.ping(b"still there")
    await socket.send_json({"event": "subscribe", "feed": "heartbeat"})

    assert (await hear(socket, "heartbeat"))["time"] == START_MS + 1000


async def test_ccxt_pro_follows_market_and_account(server: KrakenServer) -> None:
    client, other = a_ccxt_client(server, module=ccxt_pro), a_ccxt_client(server)
    await client.load_markets()
    await client.authenticate()
    async with asyncio.timeout(10):
        ticker = await client.watch_ticker(BTC)
        book = await client.watch_order_book(BTC)
        total = (await client.watch_balance({"account": "flex_futures"}))["USD"]["total"]
        trades = start_task("trades", client.watch_my_trades(BTC))
        orders = start_task("orders", client.watch_orders(BTC))
        while client.balance is None or len(client.clients[server.address.ws_url].subscriptions) < 5:
            await asyncio.sleep(0.01)
        await other.create_order(BTC, "limit", "buy", 0.01, 70_000, {"clientOrderId": "rest"})
        await other.create_order(BTC, "market", "buy", 0.02)
        positions = await client.watch_positions([BTC])
        (trade,), (order, *_) = await trades, await orders
    await client.close()
    await other.close()

    assert (ticker["last"], book["bids"][0][0], total) == (80_000.0, 79_998.0, 10_000.0)
    assert (trade["amount"], trade["fee"]["cost"]) == (0.02, 0.80002)
    assert (order["info"]["cli_ord_id"], order["remaining"]) == ("rest", 0.01)
    assert [row["contracts"] for row in positions] == [0.02]


async def test_a_connection_that_stays_silent_is_dropped() -> None:
    desk = Desk(an_exchange(), "account")
    feeds = FeedServer(desk, FeedHub(desk), KEYS, WallClock(), start_task, idle_s=0.1)
    app = aiohttp.web.Application()
    app.router.add_get("/ws/v1", feeds.handle)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as http, http.ws_connect(f"ws://127.0.0.1:{port}/ws/v1") as socket:
        info = await socket.receive_json(timeout=5)
        end = await socket.receive(timeout=5)
    await runner.cleanup()

    assert info["event"] == "info"
    assert end.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
