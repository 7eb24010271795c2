"""A loopback venue whose answers a test writes line by line, and an adapter opened on it (real ccxt, real sockets)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web

from trading_system.domain.market import Instrument, MarginLevel, TradingStatus
from trading_system.domain.orders import ClientOrderId, EntryOrder, EntryStyle, ExitOrder, Side, StopOrder
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.observer import CountingObserver
from trading_system.exchange.kraken_futures.rate_budget import RateBudget
from trading_system.exchange.kraken_futures.venue import KrakenFuturesVenue
from trading_system.exchange.kraken_futures.write_gate import WriteGate, WriteMode
from trading_system.wiring.clock import WallClock

KEY = "canary-public-key"
SECRET = base64.b64encode(b"canary-secret-canary-secret").decode()
BTC = Symbol("BTC/USD")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Middle:
    """Randomness without chance."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


@dataclass
class Seen:
    method: str
    target: str
    headers: dict[str, str]


@dataclass
class Loopback:
    """`answers[path]` is called for each request of that path; everything asked is in `seen`."""

    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(Seen(request.method, request.raw_path, dict(request.headers)))
        answer = self.answers.get(request.path)
        return web.Response(status=404, text='{"status":"NOT_FOUND"}') if answer is None else await answer(request)

    def script(self, path: str, answer: Answer) -> None:
        self.answers[path] = answer


def says(text: str, status: int = 200, content_type: str = "application/json", **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type=content_type, headers=headers)

    return answer


async def hangs(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise web.HTTPGone


async def hangs_up(request: web.Request) -> web.StreamResponse:
    """The request was read, then the connection is cut without a byte."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def half_an_answer() -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "500", "Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"result":"success","sendStatus":{"status":"pla')
        assert request.transport is not None
        request.transport.abort()
        return response

    return answer


def redirects_to(location: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": location})

    return answer


@asynccontextmanager
async def a_loopback() -> AsyncIterator[Loopback]:
    loopback = Loopback()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", loopback.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    loopback.port = runner.addresses[0][1]
    try:
        yield loopback
    finally:
        await runner.cleanup()


def a_config(port: int, **changes: Any) -> KrakenConfig:
    config = KrakenConfig.at(f"http://127.0.0.1:{port}", KEY, SECRET)
    return replace(config, **{"read_timeout_s": 0.3, "order_timeout_s": 0.4, "public_timeout_s": 1.0, **changes})


@asynccontextmanager
async def a_venue(
    config: KrakenConfig, *, mode: WriteMode = WriteMode.LIVE, clock: WallClock | None = None
) -> AsyncIterator[KrakenFuturesVenue]:
    clock = clock or WallClock()
    venue = KrakenFuturesVenue(config, clock, WriteGate(clock, mode), RateBudget(clock), Middle(), CountingObserver())
    await venue.open()
    try:
        yield venue
    finally:
        await venue.close()


def an_instrument() -> Instrument:
    level = MarginLevel(Decimal(0), Decimal("0.02"), Decimal("0.01"))
    return Instrument(BTC, "PF_XBTUSD", Decimal(1), Decimal("0.0001"), Qty(Decimal("0.0001")), None, (level,), TradingStatus.OPEN)


def an_entry(limit: str = "80100", qty: str = "0.01", client_id: str = "e-1", style: EntryStyle = EntryStyle.IOC) -> EntryOrder:
    soon = datetime.now(UTC) + timedelta(seconds=5)
    return EntryOrder(ClientOrderId(client_id), BTC, Side.BUY, Qty(Decimal(qty)), style, Price(Decimal(limit)), soon)


def a_stop(trigger: str = "78000", qty: str = "0.01", client_id: str = "s-1") -> StopOrder:
    return StopOrder(ClientOrderId(client_id), BTC, Side.SELL, Qty(Decimal(qty)), Price(Decimal(trigger)))


def an_exit(qty: str = "0.01", client_id: str = "x-1") -> ExitOrder:
    return ExitOrder(ClientOrderId(client_id), BTC, Side.SELL, Qty(Decimal(qty)), None)
