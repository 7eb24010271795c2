"""A running exchange on loopback for tests: market time stands still until the test moves it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from ssl import SSLContext
from typing import Any

import ccxt.async_support as ccxt_async

from fakes.scripted_market import START_MS, ScriptedMarket, a_market
from trading_system.sim.exchange import SimExchange
from trading_system.sim.kraken_server.auth import Credentials
from trading_system.sim.kraken_server.recovery import resumed
from trading_system.sim.kraken_server.server import KrakenServer, serve
from trading_system.sim.kraken_server.state_file import StateFile
from trading_system.sim.source import MarketSpec
from trading_system.wiring.clock import WallClock

KEYS = Credentials("public-key", base64.b64encode(b"s" * 64).decode())
SPECS = (a_market("PF_XBTUSD"), a_market("PF_DOGEUSD", tick="0.00001", step="1", position_max="70000000"))
QUIET: Mapping[str, Mapping[int, float]] = {"PF_XBTUSD": {0: 80_000.0}, "PF_DOGEUSD": {0: 0.2}}
IDENTITY = {"seed": "7", "start": str(START_MS)}


def start_task(name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(work, name=name)


def an_exchange(script: Mapping[str, Mapping[int, float]] = QUIET, specs: Sequence[MarketSpec] = SPECS) -> SimExchange:
    exchange = SimExchange(ScriptedMarket(script, specs))
    exchange.advance_to(START_MS + 1000)
    return exchange


async def a_server(
    script: Mapping[str, Mapping[int, float]] = QUIET,
    *,
    specs: Sequence[MarketSpec] = SPECS,
    state_path: Path | None = None,
    speed: float = 0.0,
    tls: SSLContext | None = None,
) -> KrakenServer:
    """A server on a free port, one second of market time old; with `state_path`, one that remembers; with `tls`, https and wss."""
    state, keys = None, KEYS
    if state_path is None:
        exchange = an_exchange(script, specs)
    else:
        state = StateFile.open(state_path, IDENTITY, lambda: KEYS)
        keys = state.credentials
        exchange = resumed(lambda hook: SimExchange(ScriptedMarket(script, specs), on_commit=hook), state)
        exchange.advance_to(START_MS + 1000)
    return await serve(
        exchange,
        host="127.0.0.1",
        port=0,
        key=keys.key,
        secret=keys.secret,
        speed=speed,
        clock=WallClock(),
        state=state,
        start_task=start_task,
        tls=tls,
    )


def a_ccxt_client(server: KrakenServer, *, secret: str | None = None, module: Any = ccxt_async) -> Any:
    """Unmodified ccxt, pointed at the server."""
    base = server.address.base_url
    api = {
        "public": f"{base}/derivatives/api/",
        "private": f"{base}/derivatives/api/",
        "charts": f"{base}/api/charts/",
        "history": f"{base}/api/history/",
        "ws": server.address.ws_url,
    }
    return module.krakenfutures(
        {
            "apiKey": server.credentials.key,
            "secret": secret or server.credentials.secret,
            "urls": {"api": api},
            "rateLimit": 1,
            "aiohttp_trust_env": False,
            "timeout_on_exit": 0,  # it otherwise rests 250 ms at each close
        }
    )
