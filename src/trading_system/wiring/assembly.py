"""Puts LiveTrading together over given ports. The same function serves live, paper, backtest and torture: only the ports differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from trading_system.config.settings import Settings
from trading_system.data.candle_manager import CandleManager
from trading_system.data.data_health import HealthBook
from trading_system.data.health_file import HealthFile
from trading_system.data.market_discovery import MarketDiscovery
from trading_system.data.market_registry import MarketRegistry
from trading_system.data.tick_guard import TickGuard
from trading_system.domain.orders import EntryStyle
from trading_system.domain.protocols import (
    Account,
    Alerter,
    CandleStore,
    Clock,
    EngineStore,
    EventRecorder,
    MarketData,
    Orders,
    PrivateFeed,
    Strategy,
)
from trading_system.domain.units import BPS
from trading_system.execution.account_books import AccountBooks
from trading_system.execution.execution_gateway import ExecutionGateway, Spawn
from trading_system.execution.journal import Journal
from trading_system.execution.protection import NakedLimits, NakedMeter
from trading_system.execution.registry import PositionRegistry
from trading_system.live.coin_processor import DecisionBook, FeeBps
from trading_system.live.components import CooldownBook, LiveRules
from trading_system.live.engine_feed import EngineBook
from trading_system.live.fact_refresh import FactRefresh
from trading_system.live.gate_days import GateDays, GateFile
from trading_system.live.health_monitor import VenueHealth
from trading_system.live.journal_story import JournalStory
from trading_system.live.live_trading import LiveTrading
from trading_system.live.log_port import Log
from trading_system.live.loop_watch import LoopWatch
from trading_system.live.losses import LossBook
from trading_system.live.position_desk import PositionDesk
from trading_system.live.quotes import QuoteBook
from trading_system.live.starvation import StarvationWatch
from trading_system.live.venue_control import VenueControl
from trading_system.live.volatility import VolatilityBook
from trading_system.safety.invariant_monitor import InvariantMonitor
from trading_system.wiring import parameters as p
from trading_system.wiring.strategies import maker_of


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as this daemon will see it."""

    clock: Clock
    log: Log
    market_data: MarketData
    account: Account
    orders: Orders
    feed: PrivateFeed
    control: VenueControl
    spawn: Spawn
    """Starts work that runs to its end whatever happens to its caller."""
    recorder: EventRecorder
    alerts: Alerter
    candle_store: CandleStore | None = None
    spec_cache: Path | None = None
    health_file: Path | None = None
    engine_store: EngineStore | None = None
    gate_file: Path | None = None
    look_account: Account | None = None
    """The account once more, for the protection loop's own looks, where the edge keeps requests for them."""


def live_rules(settings: Settings) -> LiveRules:
    """How the loops run in real operation."""
    return LiveRules(
        cycle=timedelta(seconds=float(settings.system.cycle_seconds)),
        protection_poll_s=float(settings.system.protection_poll_s),
        fills_overlap=timedelta(minutes=float(settings.execution.reconcile.fills_overlap_minutes)),
        kill_file_poll_s=float(settings.safety.kill_file_poll_s),
        flows_every_s=float(settings.execution.reconcile.every_s),
        shutdown_s=float(settings.system.shutdown_s),
        coverage=p.coverage_rule(settings),
        audits_per_cycle=1,
    )


def _candle_manager(settings: Settings, ports: Ports) -> CandleManager:
    health_file = None if ports.health_file is None else HealthFile(ports.health_file)
    health_parameters = p.health_parameters(settings)
    return CandleManager(
        ports.market_data,
        ports.clock,
        ports.candle_store,
        p.candle_parameters(settings),
        HealthBook(health_parameters) if health_file is None else health_file.load(health_parameters),
        health_file,
    )


def assemble(
    settings: Settings,
    ports: Ports,
    journal: Journal,
    strategy: Strategy,
    data_dir: Path,
    *,
    rules: LiveRules | None = None,
) -> LiveTrading:
    """Build every component. `data_dir` holds the latch files; it must exist."""
    clock, log = ports.clock, ports.log
    limits = p.risk_limits(settings)
    markets = MarketRegistry(p.registry_parameters(settings))
    candles = _candle_manager(settings, ports)
    gate_file = None if ports.gate_file is None else GateFile(ports.gate_file)
    volatility = VolatilityBook()
    protection = settings.safety.protection
    entry_fee = limits.fees.maker if limits.entry_style is EntryStyle.POST_ONLY else limits.fees.taker
    losses = LossBook(limits, journal)
    discovery = MarketDiscovery(ports.market_data, clock, markets, ports.spec_cache)
    live = LiveTrading(
        clock=clock,
        log=log,
        market_data=ports.market_data,
        account=ports.account,
        feed=ports.feed,
        control=ports.control,
        journal=journal,
        positions=PositionRegistry(journal.state),
        gateway=ExecutionGateway(ports.orders, journal, clock, ports.spawn, float(settings.execution.process_before_s)),
        desk=PositionDesk(p.position_parameters(settings), ports.spawn),
        books=AccountBooks(journal, ports.account, clock, p.reconcile_rules(settings)),
        naked_meter=NakedMeter(clock.monotonic(), NakedLimits(float(protection.naked_s_max), float(protection.startup_grace_s))),
        markets=markets,
        discovery=discovery,
        candles=candles,
        strategy=strategy,
        volatility=volatility,
        quotes=QuoteBook(TickGuard(p.tick_guard_parameters(settings)), volatility, candles),
        losses=losses,
        monitor=InvariantMonitor(data_dir, p.safety_rules(settings)),
        venue_health=VenueHealth(clock),
        recorder=ports.recorder,
        alerts=ports.alerts,
        risk_limits=limits,
        auction_limits=p.auction_limits(settings),
        cluster_limits=p.cluster_limits(settings),
        signal_rules=p.signal_rules(settings),
        fee_bps=FeeBps(float(entry_fee / BPS), float(limits.fees.taker / BPS)),
        rules=rules or live_rules(settings),
        cooldowns=CooldownBook(journal),
        loop_watch=LoopWatch(clock, log),
        fact_refresh=FactRefresh(discovery, clock, ports.spawn),
        engines=EngineBook(ports.engine_store, "" if ports.engine_store is None else maker_of(settings, strategy)),
        look_account=ports.look_account,
        decisions=DecisionBook(
            int(settings.strategy.decision_trace_minutes * 60_000), GateDays() if gate_file is None else gate_file.load()
        ),
        gate_file=gate_file,
        starvation=StarvationWatch(p.starvation_rule(settings)),
    )
    story = JournalStory(journal.state, log, ports.recorder, ports.alerts, on_closed=losses.note_closed)
    journal.observer = story.tell
    losses.load(trade.position for trade in live.positions.closed_trades())
    live.monitor.load(clock.now())
    return live
