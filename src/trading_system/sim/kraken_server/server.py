"""The embedded exchange on a loopback port: REST, charts, history and WebSocket together, market time kept moving."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Final

from aiohttp import web

from trading_system.domain.protocols import Clock
from trading_system.sim.exchange import SimExchange
from trading_system.sim.kraken_server.auth import Credentials, check_credentials
from trading_system.sim.kraken_server.desk import Desk, Preferences, account_uid
from trading_system.sim.kraken_server.event_log import EventLog
from trading_system.sim.kraken_server.faults import Faults
from trading_system.sim.kraken_server.feed_faults import FeedFaults
from trading_system.sim.kraken_server.feed_hub import FeedHub
from trading_system.sim.kraken_server.glance import Glance, glance_at
from trading_system.sim.kraken_server.inspection import Inspection
from trading_system.sim.kraken_server.pump import MarketPump
from trading_system.sim.kraken_server.rate_budget import RateBudget
from trading_system.sim.kraken_server.recovery import Keeper, restored_preferences
from trading_system.sim.kraken_server.request_log import RequestLog
from trading_system.sim.kraken_server.rest_shell import RestShell
from trading_system.sim.kraken_server.routes import Api
from trading_system.sim.kraken_server.state_file import StateFile
from trading_system.sim.kraken_server.websocket import FeedServer, StartTask

STATUS_MEMORY_MS: Final = 5_000
"""How long orders/status knows an ended order, process time."""
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    is_tls: bool = False

    @property
    def base_url(self) -> str:
        return f"http{'s' if self.is_tls else ''}://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws{'s' if self.is_tls else ''}://{self.host}:{self.port}/ws/v1"


class KrakenServer:
    """A running server. Close it with `close`; `drop` ends it the hard way, without a last word to the state file."""

    def __init__(self, exchange: SimExchange, credentials: Credentials, speed: float, clock: Clock, state: StateFile | None) -> None:
        """Not for callers: use `serve`."""
        self.exchange = exchange
        self.credentials = credentials
        self.log = RequestLog()
        self.events = EventLog(clock)
        self.faults = Faults()
        self.address = Address("", 0)
        self.failure: BaseException | None = None
        """What stopped market time (a full disk, a fault in the model); everything is answered with 503 from then on."""
        self.failed: Final = asyncio.Event()
        self._clock = clock
        self._state = state
        self._keeper = Keeper(exchange, state, clock)
        # a market that is moved by hand is its own watch
        process_ms = self._process_ms if speed else None
        if process_ms is not None:
            exchange.keep_finished_by(process_ms, STATUS_MEMORY_MS)
        self.desk = Desk(
            exchange, account_uid(credentials.key), restored_preferences(state),
            on_preferences=self._save_preferences, process_ms=process_ms,
        )  # fmt: skip
        self._budget = RateBudget()
        self._api = Api(self.desk, credentials, self._budget)
        self._hub = FeedHub(self.desk, FeedFaults(self.faults))
        self._pump = MarketPump(exchange, clock, speed, self._after_slice)
        self._unsubscribe = (exchange.subscribe(self._hub.on_event), exchange.subscribe(self.events.on_event))

    async def start(self, host: str, port: int, start_task: StartTask, tls: SSLContext | None) -> None:
        self._feeds = FeedServer(self.desk, self._hub, self.credentials, self._clock, start_task)
        app = web.Application(client_max_size=1 << 20)
        app.router.add_get("/ws/v1", self._feeds.handle)
        Inspection(self.desk, self.log, self.events, self.faults, self._facts, self._publish, self._feeds.drop_all).register(app)
        shell = RestShell(self._api, self.desk, self.faults, self.log, self._clock, self._publish, lambda: self.failure is None)
        app.router.add_route("*", "/{tail:.*}", shell.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=tls)
        await site.start()
        bound: tuple[str, int] = self._runner.addresses[0][:2]
        self.address = Address(host, bound[1], tls is not None)
        self._pump_task = start_task("market pump", self._pump.run())
        self._pump_task.add_done_callback(self._on_pump_end)

    async def close(self) -> None:
        """Stop serving, compact the state file and close it. After a failure the file is left as it was."""
        await self._stop()
        if self._state is not None:
            if self.failure is None:
                self._keeper.compact()
                self._keeper.sync()
            self._state.close()

    async def drop(self) -> None:
        """Stop as if killed: nothing more is written."""
        await self._stop()
        if self._state is not None:
            self._state.close()

    async def _stop(self) -> None:
        self._pump_task.cancel()
        await asyncio.gather(self._pump_task, return_exceptions=True)
        await self._feeds.close()
        await self._runner.cleanup()
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._keeper.wait()

    def glance(self) -> Glance:
        """The exchange as it stands now, for a person."""
        return glance_at(
            self.exchange, speed=self._pump.speed, requests=self.log.count, feeds=self._feeds.count, faults_struck=self.faults.struck
        )

    def advance_to(self, ms: int) -> None:
        """Move market time by hand (speed 0) and publish what happened."""
        self.exchange.advance_to(ms)
        self._after_slice()

    def _after_slice(self) -> None:
        self._publish()
        self._keeper.compact_when_due()

    def _publish(self) -> None:
        """Durable first, then told."""
        self._keeper.sync()
        self._hub.publish(self._clock.monotonic())

    def _on_pump_end(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = error
            self.failed.set()
            _LOG.critical("SIM_MARKET_STOPPED error=%r", error, exc_info=error)

    def _process_ms(self) -> int:
        return int(self._clock.monotonic() * 1000)

    def _facts(self) -> dict[str, Any]:
        return {"speed": self._pump.speed, "points_left": self._budget.left(self._clock.monotonic())}

    def _save_preferences(self, preferences: Preferences) -> None:
        if self._state is not None:
            self._state.save_preferences(preferences.to_record())


async def serve(
    exchange: SimExchange,
    *,
    host: str,
    port: int,
    key: str,
    secret: str,
    speed: float,
    clock: Clock,
    state: StateFile | None,
    start_task: StartTask,
    tls: SSLContext | None = None,
) -> KrakenServer:
    """Serve `exchange` until `close`. Port 0 takes a free one (see `address`). ValueError when the secret is no base64 text.

    speed: market seconds per process second; 0 = market time moves only by `advance_to`.
    tls: serve https and wss with it, for clients that speak nothing else.
    state: when given, `exchange` must come from `recovery.resumed` on the same file, so that every command is written before its answer.
    """
    credentials = Credentials(key, secret)
    check_credentials(credentials)
    server = KrakenServer(exchange, credentials, speed, clock, state)
    await server.start(host, port, start_task, tls)
    return server
