"""Builds a daemon from a configuration: lock, journal, venue (the embedded exchange is started as a child), database, alerts."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - made here with a seed from the operating system, handed on as the Random port
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from trading_system import __version__
from trading_system.config.load import LoadedConfig
from trading_system.config.settings import Settings
from trading_system.domain import log_events as ev
from trading_system.domain.errors import ConfigError, ReadFailed
from trading_system.domain.modes import Mode
from trading_system.domain.protocols import CandleStore, Clock, EventRecorder
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.live.log_port import Log
from trading_system.monitoring.alert_channels import AlertChannel, WebhookChannel
from trading_system.monitoring.alerting import AlertDispatcher
from trading_system.safety.instance_lock import InstanceLock
from trading_system.safety.invariants import Invariant
from trading_system.safety.modes import Halt
from trading_system.storage.account_lock import AccountLock, is_postgres, shown_database
from trading_system.storage.candle_store import DatabaseCandleStore
from trading_system.storage.db import make_engine
from trading_system.storage.engine_store import SqliteEngineStore
from trading_system.storage.migrate import schema_state, upgrade
from trading_system.storage.writer import HistoryWriter
from trading_system.wiring.account_lock_keeper import AccountLockKeeper
from trading_system.wiring.assembly import Ports, assemble, live_rules
from trading_system.wiring.clock import PacedClock, WallClock
from trading_system.wiring.control import open_control
from trading_system.wiring.daemon import Daemon, Say
from trading_system.wiring.data_files import DATA_HEALTH_FILE, ENGINES_FILE, GATE_DAYS_FILE, JOURNAL_FILE, SPECS_FILE
from trading_system.wiring.embedded_exchange import EmbeddedExchange
from trading_system.wiring.entry_gates import SCHEMA_GATE, SCHEMA_RECHECK_S, judge_schema, missing_acts
from trading_system.wiring.good_config import GoodConfigKeeper, announce
from trading_system.wiring.health import open_health
from trading_system.wiring.journal_opening import keep_mark, open_journal, save_mark
from trading_system.wiring.memory import keep_what_was_made
from trading_system.wiring.parameters_edge import wire_limits, with_deadlines, writer_parameters
from trading_system.wiring.status_report import About
from trading_system.wiring.strategies import strategy_of
from trading_system.wiring.supervisor import OnDeath, Supervisor
from trading_system.wiring.unbuilt import refuse_unbuilt
from trading_system.wiring.venue_kraken import KrakenControl

ANCHOR_TOLERANCE_S: Final = 0.2
"""Process seconds the paced clock may differ from the embedded exchange before it is set again."""


@dataclass(frozen=True, slots=True)
class SimPlan:
    """How the embedded exchange is run."""

    seed: int
    start: datetime
    speed: float
    port: int


@dataclass(frozen=True, slots=True)
class RunContext:
    """What `run` was asked for."""

    loaded: LoadedConfig
    log: Log
    say: Say
    sim: SimPlan
    refusal: str | None = None
    """Why the present configuration was refused, when `loaded` is the last good one from the journal."""


class _Unrecorded:
    """An EventRecorder for when the main database cannot even be named."""

    def record(self, kind: str, at: datetime, payload: Mapping[str, object]) -> None:
        del kind, at, payload


@asynccontextmanager
async def built_daemon(context: RunContext, lock: InstanceLock) -> AsyncIterator[Daemon]:
    """A daemon ready to `run`; everything it holds is closed on the way out. `lock` is held already."""
    settings, log, say = context.loaded.settings, context.log, context.say
    data_dir = Path(settings.system.data_dir)
    assert lock.is_held
    strategy = strategy_of(settings)  # refused before anything is opened when there is no such strategy
    async with AsyncExitStack() as stack:
        venue_name = settings.exchange.venue
        is_sim = venue_name == "sim"
        clock = PacedClock(context.sim.start, context.sim.speed) if is_sim else WallClock()
        halts: list[Callable[[str, BaseException | None], None]] = []

        def on_fatal(name: str, error: BaseException | None) -> None:
            for tell in halts:
                tell(name, error)

        supervisor = Supervisor(clock, log, on_fatal)
        account, gates = _account_name(context, settings), missing_acts(context.loaded)
        keeper = await _lock_account(context, account, clock, gates, stack)
        config = await _start_exchange(context, data_dir, stack, supervisor) if is_sim else _kraken_config(context.loaded)
        config = with_deadlines(config, settings)
        control = KrakenControl(config, clock, random.SystemRandom(), log, wire_limits(settings), read_only=settings.system.read_only)
        await control.venue.open()
        stack.push_async_callback(control.venue.close)
        if isinstance(clock, PacedClock):
            clock.anchor(await control.venue.server_time())
            supervisor.start("market clock", lambda: _keep_anchored(clock, control))
        opened = open_journal(settings, account, clock.now(), context.loaded.config_hash, log)
        journal = opened.journal
        doubt = "" if opened.doubt is None else f" ({opened.doubt})"
        say(f"  state       {data_dir / JOURNAL_FILE}: {journal.seq} records, session {journal.epoch}{doubt}")
        recorder, store = _open_history(context, clock, data_dir, stack, supervisor, gates)
        alerts = await _alerts(context, clock, stack)
        supervisor.start("alerts", alerts.run)
        if keeper is not None:
            supervisor.start("account lock", lambda: keeper.keep(alerts))
        engine_store = SqliteEngineStore(data_dir / ENGINES_FILE)
        stack.callback(engine_store.close)
        ports = Ports(
            clock=clock,
            log=log,
            market_data=control.venue.market_data,
            account=control.venue.account,
            look_account=control.venue.look_account,
            orders=control.venue.orders,
            feed=control.venue.feed,
            control=control,
            spawn=supervisor.detach,
            recorder=recorder,
            alerts=alerts,
            candle_store=store,
            spec_cache=data_dir / SPECS_FILE,
            health_file=data_dir / DATA_HEALTH_FILE,
            engine_store=engine_store,
            gate_file=data_dir / GATE_DAYS_FILE,
        )
        rules = live_rules(settings)
        live = assemble(settings, ports, journal, strategy, data_dir, rules=rules)
        live.entry_gates = gates
        halts.append(live.note_task_death)
        if context.refusal is not None:
            announce(live, context.refusal)
        if opened.doubt is not None:
            # latched, not gated: the next start must not forget that a human has to look
            live.halt(Halt(Mode.HALTED, Invariant.JOURNAL, opened.doubt, "start", clock.now()))
            save_mark(data_dir, journal, log)
        supervisor.start("journal mark", lambda: keep_mark(journal, data_dir, clock, log))
        stack.callback(lambda: save_mark(data_dir, journal, log))
        for why in gates.values():
            log.warning(ev.ENTRIES_GATED, why=why)
            say(f"  entries     OFF: {why}")
        daemon = Daemon(live, supervisor, say, rules)
        if context.refusal is None:
            daemon.watchers.append(GoodConfigKeeper(live, context.loaded))
        about = About(__version__, settings.system.mode, venue_name, context.loaded.config_hash)
        await open_health(daemon, settings.monitoring, about, stack)
        open_control(daemon, data_dir, about)
        keep_what_was_made()
        yield daemon


def absolute_data_dir(settings: Settings) -> str:
    """The data directory's one name on this machine."""
    return str(Path(settings.system.data_dir).resolve())


async def _lock_account(
    context: RunContext, account: str, clock: Clock, gates: dict[str, str], stack: AsyncExitStack
) -> AccountLockKeeper | None:
    """The account's lock in the main database, where that is PostgreSQL. AnotherInstanceRunning when a daemon elsewhere has it."""
    url, settings = context.loaded.database_url, context.loaded.settings
    if url is None or not is_postgres(url.reveal()):
        return None
    name = f"{settings.system.mode} {settings.exchange.venue} {account}"
    where = f"the lock of the account {name!r} in {shown_database(url.reveal())}"
    lock = AccountLock(url.reveal(), name, absolute_data_dir(settings))
    keeper = AccountLockKeeper(lock, where, gates, clock, context.log, context.say)
    stack.push_async_callback(keeper.end)
    await keeper.begin()
    return keeper


def _account_name(context: RunContext, settings: Settings) -> str:
    """To which account a journal belongs; never another's."""
    if settings.exchange.venue != "sim":
        return settings.exchange.environment
    if settings.exchange.base_url is not None:
        return f"exchange at {settings.exchange.base_url}"
    return f"seed {context.sim.seed} from {context.sim.start.date().isoformat()}"


def check_venue(settings: Settings) -> None:
    """Refuse combinations and options that are not built: a setting that is silently without effect is a trap. ConfigError."""
    refuse_unbuilt(settings)
    if settings.backtest.only:
        raise ConfigError(
            "backtest.only = true: these limits are widened to measure a strategy and would not protect an account; "
            "`run` refuses them, `backtest` takes them"
        )
    if settings.system.mode == "paper" and settings.exchange.venue != "sim":
        raise ConfigError(
            "system.mode = paper with exchange.venue = kraken_futures is not built yet: "
            "use exchange.venue: sim (the embedded exchange), which needs no key and no network"
        )
    if settings.exchange.venue == "sim" and settings.exchange.base_url is not None and not is_loopback(settings.exchange.base_url):
        raise ConfigError(
            f"exchange.base_url = {settings.exchange.base_url} with exchange.venue = sim must be a loopback address, "
            "where `run.py exchange` listens (http://127.0.0.1:PORT): paper orders never leave this machine"
        )
    if settings.system.mode == "live" and settings.exchange.venue == "sim":
        raise ConfigError("system.mode = live needs a real venue; exchange.venue = sim is the embedded exchange. Use system.mode: paper")


def is_loopback(base_url: str) -> bool:
    """True for http://127.0.0.1:PORT and its like."""
    return urlsplit(base_url).hostname in ("127.0.0.1", "::1", "localhost")


def _attached_config(loaded: LoadedConfig, base_url: str) -> KrakenConfig:
    """An embedded exchange that somebody else started and that lives on without us; its key pair comes as any venue's does."""
    secrets = loaded.secrets
    if secrets.kraken_futures_api_key is None or secrets.kraken_futures_api_secret is None:
        raise ConfigError(
            f"exchange.base_url = {base_url} with exchange.venue = sim needs the key pair that `run.py exchange` printed, "
            "as KRAKEN_FUTURES_API_KEY and KRAKEN_FUTURES_API_SECRET"
        )
    return KrakenConfig.at(base_url, secrets.kraken_futures_api_key.reveal(), secrets.kraken_futures_api_secret.reveal())


async def _start_exchange(context: RunContext, data_dir: Path, stack: AsyncExitStack, supervisor: Supervisor) -> KrakenConfig:
    sim, settings = context.sim, context.loaded.settings
    if settings.exchange.base_url is not None:
        context.say(
            f"  venue       embedded exchange at {settings.exchange.base_url}, run by somebody else; market speed {sim.speed:g}x expected"
        )
        return _attached_config(context.loaded, settings.exchange.base_url)
    arguments = ["--port", str(sim.port), "--seed", str(sim.seed), "--start", sim.start.isoformat(), "--speed", repr(sim.speed)]
    arguments += ["--state", str(data_dir / "exchange.state"), "--cache", str(data_dir / "cache")]
    arguments += ["--deposit", str(settings.paper.start_equity_usd)]
    exchange = EmbeddedExchange(arguments, log_file=Path(settings.system.logs_dir) / "exchange.log")
    address = await exchange.start(lambda line: context.say(f"  exchange    {line}"))
    stack.push_async_callback(exchange.stop)
    supervisor.start("embedded exchange output", exchange.drain, OnDeath.HALT)
    context.say(f"  venue       embedded exchange at {address.base_url}, seed {sim.seed}, {sim.speed:g}x market speed")
    return KrakenConfig.at(address.base_url, address.key, address.secret)


def _kraken_config(loaded: LoadedConfig) -> KrakenConfig:
    secrets, exchange = loaded.secrets, loaded.settings.exchange
    key = secrets.kraken_futures_api_key.reveal() if secrets.kraken_futures_api_key is not None else None
    secret = secrets.kraken_futures_api_secret.reveal() if secrets.kraken_futures_api_secret is not None else None
    if exchange.base_url is not None:
        return KrakenConfig.at(exchange.base_url, key, secret)
    return KrakenConfig.demo(key, secret) if exchange.environment == "demo" else KrakenConfig.production(key, secret)


async def _keep_anchored(clock: PacedClock, control: KrakenControl) -> None:
    """Follow the embedded exchange's market time: it stands still while the exchange is down or busy."""
    while True:
        await clock.sleep(5.0)
        try:
            server = await control.venue.server_time()
        except ReadFailed:
            continue
        if abs((server - clock.now()).total_seconds()) / clock.speed > ANCHOR_TOLERANCE_S:
            clock.anchor(server)


def _open_history(
    context: RunContext,
    clock: PacedClock | WallClock,
    data_dir: Path,
    stack: AsyncExitStack,
    supervisor: Supervisor,
    gates: dict[str, str],
) -> tuple[EventRecorder, CandleStore | None]:
    """The main database, behind its outbox. A database that is away or behind its schema delays history, never the start."""
    url = context.loaded.database_url
    if url is None:
        context.log.warning(ev.HISTORY_DELAYED, why="no DATABASE_URL: nothing is kept for reports")
        return _Unrecorded(), None
    address = url.reveal()
    if address.startswith("sqlite:///./"):
        Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = make_engine(address)
    stack.callback(engine.dispose)
    writer = HistoryWriter(engine, data_dir / "outbox.db", clock, writer_parameters(context.loaded.settings))

    judged = asyncio.Event()

    async def begin() -> None:
        """Bring a local schema up to date, then start writing; both off the loop. A schema that is behind gates entries until it is not."""
        try:
            state = await asyncio.to_thread(schema_state, engine)
            if not state.is_current and context.loaded.is_local:
                state = await asyncio.to_thread(upgrade, engine)
            judge_schema(gates, state)
            if not state.is_current:
                context.log.warning(ev.HISTORY_DELAYED, why=f"schema {state.current} is behind {state.head}: run migrate")
                context.log.warning(ev.ENTRIES_GATED, why=gates[SCHEMA_GATE])
        except ReadFailed as error:
            context.log.warning(ev.HISTORY_DELAYED, why=str(error))
        finally:
            judged.set()
        writer.start()
        while SCHEMA_GATE in gates:
            await clock.sleep(SCHEMA_RECHECK_S)
            try:
                judge_schema(gates, await asyncio.to_thread(schema_state, engine))
            except ReadFailed:
                continue  # away: what was known of it still holds

    async def finish() -> None:
        await asyncio.to_thread(writer.stop, 5.0)

    supervisor.start("history", begin, OnDeath.IGNORE)
    stack.push_async_callback(finish)
    return writer, DatabaseCandleStore(engine, writer, judged)


async def _alerts(context: RunContext, clock: PacedClock | WallClock, stack: AsyncExitStack) -> AlertDispatcher:
    settings, secrets = context.loaded.settings.monitoring, context.loaded.secrets
    channels: list[AlertChannel] = []
    if secrets.alert_webhook_url is not None and settings.alerts_enabled:
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        chat = None if secrets.alert_chat_id is None else secrets.alert_chat_id.reveal()
        channels.append(
            WebhookChannel(session, secrets.alert_webhook_url.reveal(), chat_id=chat, deadline_s=float(settings.alert_timeout_s))
        )
    return AlertDispatcher(clock, channels, repeat_s=float(settings.alert_repeat_s), is_enabled=settings.alerts_enabled)
