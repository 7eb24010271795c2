"""The private feed over a real WebSocket: sign-in, events, loss, silence, reconnect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest_asyncio
from aiohttp import web
from kraken_adapter_loopback import KEY, SECRET, Loopback, a_config, a_loopback, a_venue

from trading_system.domain.account import FeedEvent, FeedFill, FeedPositions, FeedReset
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.wire_ws import sign_challenge
from trading_system.wiring.clock import WallClock

CHALLENGE = "123e4567-e89b-12d3-a456-426614174000"
FILL = {
    "instrument": "PF_XBTUSD", "time": 1788759000300, "price": 79842.0, "seq": 7, "buy": True, "qty": 0.01, "order_id": "o",
    "fill_id": "f", "fill_type": "taker", "fee_paid": 0.39921, "fee_currency": "USD",
}  # fmt: skip
Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


class HastyClock(WallClock):
    """Back-off pauses take no time."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


class Feed:
    """Serves sign-in and subscriptions, then what each connection's talk says. `seen` = every message received."""

    def __init__(self, *talks: Talk) -> None:
        self.talks = list(talks)
        self.seen: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"event": "info", "version": 1})
        talk = self.talks.pop(0) if self.talks else None
        subscribed = 0
        async for message in socket:
            row = json.loads(message.data)
            self.seen.append(row)
            if row["event"] == "challenge":
                await socket.send_json({"event": "challenge", "message": CHALLENGE})
                continue
            if row["feed"] == "fills":
                await socket.send_json({"feed": "fills_snapshot", "account": "a", "fills": [{**FILL, "fill_id": "old"}]})
            await socket.send_json({"event": "subscribed", **{key: row[key] for key in row if key != "event"}})
            subscribed += 1
            if subscribed == 4 and talk is not None:
                await talk(socket)
                break
        return socket


@pytest_asyncio.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with a_loopback() as running:
        yield running


async def first_events(config: KrakenConfig, count: int, clock: WallClock) -> list[FeedEvent]:
    events: list[FeedEvent] = []
    async with a_venue(config, clock=clock) as venue, asyncio.timeout(5), aclosing(venue.feed.events()) as stream:
        async for event in stream:
            events.append(event)
            if len(events) == count:
                break
    return events


def kinds(events: list[FeedEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


async def test_the_feed_signs_in_announces_itself_and_tells_fills(loopback: Loopback) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_json({"feed": "fills", "fills": [FILL]})
        await socket.send_json({"feed": "open_positions", "positions": [], "seq": 1})

    feed = Feed(talk)
    loopback.script("/ws/v1", feed.handle)

    events = await first_events(a_config(loopback.port), 4, HastyClock())

    assert kinds(events) == ["FeedReset", "FeedFill", "FeedFill", "FeedPositions"]
    assert [event.fill.fill_id for event in events if isinstance(event, FeedFill)] == ["old", "f"]
    assert isinstance(events[3], FeedPositions)
    private = [row for row in feed.seen if row.get("feed") in ("fills", "open_orders", "open_positions")]
    assert {row["signed_challenge"] for row in private} == {sign_challenge(CHALLENGE, SECRET)}
    assert {row["api_key"] for row in private} == {KEY}


async def test_every_loss_is_followed_by_a_new_connection_and_a_reset(loopback: Loopback) -> None:
    async def leaves(socket: web.WebSocketResponse) -> None:
        await socket.close()

    async def complains(socket: web.WebSocketResponse) -> None:
        await socket.send_json({"event": "error", "message": "Json Error"})
        await asyncio.sleep(0.05)

    async def babbles(socket: web.WebSocketResponse) -> None:
        await socket.send_str("<html>")
        await asyncio.sleep(0.05)

    loopback.script("/ws/v1", Feed(leaves, complains, babbles, leaves).handle)
    clock = HastyClock()

    events = await first_events(a_config(loopback.port), 8, clock)

    assert [event.why for event in events if isinstance(event, FeedReset)] == ["connected"] * 4
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[0] >= 0.5


async def test_silence_counts_as_loss(loopback: Loopback) -> None:
    async def says_nothing(socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(0.3)

    loopback.script("/ws/v1", Feed(says_nothing, says_nothing).handle)

    events = await first_events(a_config(loopback.port, ws_silence_s=0.1), 4, HastyClock())

    assert kinds(events) == ["FeedReset", "FeedFill"] * 2


async def test_a_missing_message_number_asks_for_a_new_look(loopback: Loopback) -> None:
    async def skips(socket: web.WebSocketResponse) -> None:
        await socket.send_json({"feed": "open_positions", "positions": [], "seq": 1})
        await socket.send_json({"feed": "open_positions", "positions": [], "seq": 5})
        await asyncio.sleep(0.1)

    loopback.script("/ws/v1", Feed(skips).handle)

    events = await first_events(a_config(loopback.port), 5, HastyClock())

    assert events[-1] == FeedReset("gap in open_positions")


async def test_a_refused_sign_in_backs_off_and_tries_again(loopback: Loopback) -> None:
    async def refuses(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        await socket.send_json({"event": "alert", "message": "Failed to subscribe to authenticated feed"})
        loopback.script("/ws/v1", Feed().handle)
        return socket

    loopback.script("/ws/v1", refuses)
    clock = HastyClock()

    events = await first_events(a_config(loopback.port), 1, clock)

    assert kinds(events) == ["FeedReset"]
    assert len(clock.pauses) == 1
