"""Runs the embedded exchange in this process until a signal: source, model, durable state, protocol front."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeAlias

from trading_system.domain.errors import ConfigError
from trading_system.domain.protocols import Clock
from trading_system.domain.units import to_ms
from trading_system.sim.codec import to_json
from trading_system.sim.exchange import ExchangeConfig, SimExchange
from trading_system.sim.kraken_server.auth import Credentials, new_credentials
from trading_system.sim.kraken_server.recovery import CommitHook, resumed
from trading_system.sim.kraken_server.server import KrakenServer, serve
from trading_system.sim.kraken_server.state_file import StateFile
from trading_system.sim.market_catalog import catalogue
from trading_system.sim.market_generator import GeneratedMarket
from trading_system.sim.source import PriceSource
from trading_system.sim.variants import ExchangeVariants
from trading_system.wiring.clock import WallClock
from trading_system.wiring.fault_file import FaultScript, read_faults

Say: TypeAlias = Callable[[str], None]
Watch: TypeAlias = Callable[[KrakenServer, Clock], Coroutine[Any, Any, None]]
"""Shows a running server to a person; cancelled at the end."""


@dataclass(frozen=True, slots=True)
class ExchangePlan:
    """What the `exchange` verb was asked for."""

    port: int
    candles: Path | None
    seed: int
    start: datetime
    speed: float
    state: Path | None
    cache: Path | None
    deposit_usd: str
    key: str | None
    secret: str | None
    faults: Path | None = None
    tls: tuple[Path, Path] | None = None
    """Certificate and key, PEM: serve https and wss."""
    markets: int | None = None
    """How many generated ones; None = the catalogue's."""


def make_source(plan: ExchangePlan, say: Say) -> PriceSource:
    """The generated market of (seed, start), or the replay of a candle directory from `start`."""
    if plan.candles is None:
        coins = None if plan.markets is None else catalogue(plan.markets)
        return GeneratedMarket(plan.seed, to_ms(plan.start), cache_dir=plan.cache, progress=say, coins=coins)
    from trading_system.sim.candle_files import load_candles
    from trading_system.sim.replay import Replay

    return Replay(load_candles(plan.candles), start_ms=to_ms(plan.start))


def identity_of(plan: ExchangePlan, variants: ExchangeVariants) -> dict[str, str]:
    """What a state file is bound to: continuing it with another market, or as another kind of venue, would be nonsense."""
    usual = ExchangeVariants()
    changed = {name: value for name, value in to_json(variants).items() if value != to_json(usual)[name]}
    market = f"generated seed={plan.seed}" if plan.candles is None else f"candles={plan.candles.resolve()}"
    if plan.markets is not None:
        market += f" markets={plan.markets}"
    identity = {"market": market, "start": plan.start.isoformat(), "deposit": plan.deposit_usd}
    return identity | {"variants": ", ".join(f"{name}={value}" for name, value in changed.items())} if changed else identity


def _tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--tls-cert {certificate} --tls-key {key}: {error}") from error
    return context


async def serve_until_stopped(plan: ExchangePlan, say: Say, watch: Watch | None = None) -> BaseException | None:
    """Listen, print the address and the key pair, run until SIGTERM or SIGINT, leave a compact state file.

    Returns None then, or what stopped the market before that (a state file that can no longer be written, a fault in the model).
    ConfigError for a wrong plan, OSError for a port or a file that cannot be had.
    """
    script = FaultScript() if plan.faults is None else read_faults(plan.faults)
    tls = None if plan.tls is None else _tls_context(*plan.tls)
    try:
        deposit = Decimal(plan.deposit_usd)
    except InvalidOperation:
        raise ConfigError(f"deposit {plan.deposit_usd!r} is not an amount in USD") from None
    given = Credentials(plan.key, plan.secret) if plan.key and plan.secret else None
    identity = identity_of(plan, script.variants)
    state = StateFile.open(plan.state, identity, lambda: given or new_credentials()) if plan.state is not None else None
    source = make_source(plan, say)
    # finished orders are remembered for five real seconds, whatever the pace of the market
    memory_ms = int(5000 * max(1.0, plan.speed))
    config = ExchangeConfig(deposit_usd=deposit, finished_memory_ms=memory_ms, variants=script.variants)

    def build(on_commit: CommitHook) -> SimExchange:
        return SimExchange(source, config, on_commit=on_commit)

    exchange = resumed(build, state) if state is not None else SimExchange(source, config)
    credentials = state.credentials if state is not None else given or new_credentials()
    tasks: set[asyncio.Task[Any]] = set()

    def start_task(name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = loop.create_task(work, name=name)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    clock = WallClock()
    server = await serve(
        exchange,
        host="127.0.0.1",
        port=plan.port,
        key=credentials.key,
        secret=credentials.secret,
        speed=plan.speed,
        clock=clock,
        state=state,
        start_task=start_task,
        tls=tls,
    )
    say(f"LISTENING {server.address.base_url}")
    say(f"KEY {credentials.key} SECRET {credentials.secret}")
    for fault in script.faults:
        server.faults.add(fault)
    server.desk.reads.set_delays(script.read_delays)
    server.desk.clock_offset_ms = script.clock_offset_ms
    waits = {start_task("stop", stopped.wait()), start_task("failure", server.failed.wait())}
    view = None if watch is None else start_task("view", watch(server, clock))
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    leftover = [*waits, *([] if view is None else [view])]
    for task in leftover:
        task.cancel()
    await asyncio.gather(*leftover, return_exceptions=True)  # a view that failed has hurt nobody
    await server.close()
    return server.failure
