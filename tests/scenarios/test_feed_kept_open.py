"""Met in a paper run: the venue talked every second, so our side never sent a ping, and every 60 s it dropped us as idle."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import aclosing

from aiohttp import WSMsgType, web

from trading_system.domain.account import FeedReset
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.observer import CountingObserver
from trading_system.exchange.kraken_futures.ws import KrakenPrivateFeed
from trading_system.wiring.clock import WallClock

IDLE_S = 0.4


async def talkative_venue(request: web.Request) -> web.StreamResponse:
    """Signs in, talks all the time, and drops a client from which nothing comes for IDLE_S."""
    socket = web.WebSocketResponse(autoping=False)
    await socket.prepare(request)

    async def talk() -> None:
        while True:
            await socket.send_json({"feed": "heartbeat", "time": 1})
            await asyncio.sleep(0.02)

    talking = asyncio.create_task(talk())
    try:
        while True:
            message = await socket.receive(timeout=IDLE_S)
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                row = json.loads(message.data)
                if row["event"] == "challenge":
                    await socket.send_json({"event": "challenge", "message": "c"})
                else:
                    await socket.send_json({"event": "subscribed", **{key: row[key] for key in row if key != "event"}})
            else:
                break
    except TimeoutError:
        await socket.close()
    finally:
        talking.cancel()
    return socket


async def test_a_feed_on_which_only_the_venue_talks_is_kept_open_by_our_pings() -> None:
    app = web.Application()
    app.router.add_get("/ws/v1", talkative_venue)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = KrakenConfig.at(f"http://127.0.0.1:{runner.addresses[0][1]}", "key", "c2VjcmV0")
    quick = KrakenConfig(config.base_rest, config.base_charts, config.base_history, config.ws_url, config.key, config.secret, ws_ping_s=0.1)
    feed = KrakenPrivateFeed(quick, WallClock(), random.Random(1), CountingObserver())
    resets: list[str] = []

    async def listen() -> None:
        async with aclosing(feed.events()) as events:
            async for event in events:
                if isinstance(event, FeedReset):
                    resets.append(event.why)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(4 * IDLE_S)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await runner.cleanup()

    assert resets == ["connected"]
