"""What LiveTrading is made of. Built in `wiring/assembly.py`; each delegate sees a few of these through its own host Protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trading_system.data.candle_manager import CandleManager
from trading_system.data.data_health import CoverageRule
from trading_system.data.market_discovery import MarketDiscovery
from trading_system.data.market_registry import MarketRegistry
from trading_system.domain.protocols import Account, Alerter, Clock, EventRecorder, MarketData, PrivateFeed, Strategy
from trading_system.domain.signals import Emission
from trading_system.domain.symbols import Symbol
from trading_system.execution.account_books import AccountBooks
from trading_system.execution.execution_gateway import ExecutionGateway
from trading_system.execution.journal import Journal
from trading_system.execution.protection import NakedMeter
from trading_system.execution.registry import PositionRegistry
from trading_system.live.account_view import AccountView
from trading_system.live.booked_pnl import BookedPnl
from trading_system.live.coin_processor import DecisionBook, FeeBps
from trading_system.live.engine_feed import EngineBook
from trading_system.live.fact_refresh import FactRefresh
from trading_system.live.gate_days import GateFile
from trading_system.live.health_monitor import VenueHealth
from trading_system.live.log_port import Log
from trading_system.live.loop_watch import LoopWatch
from trading_system.live.losses import LossBook
from trading_system.live.position_desk import PositionDesk
from trading_system.live.quotes import QuoteBook
from trading_system.live.signal_handler import SignalRules
from trading_system.live.starvation import StarvationWatch
from trading_system.live.venue_control import VenueControl
from trading_system.live.volatility import VolatilityBook
from trading_system.portfolio.candidate import AuctionLimits
from trading_system.portfolio.clusters import ClusterLimits
from trading_system.risk.limits import RiskLimits
from trading_system.safety.invariant_monitor import InvariantMonitor


@dataclass(frozen=True, slots=True)
class LiveRules:
    """How the loops run. `_s` are process seconds; periods of the market are timedeltas."""

    cycle: timedelta = timedelta(seconds=60)
    cycle_offset: timedelta = timedelta(seconds=2)
    """Ticks begin this long after their boundary, when the venue has closed its bar."""
    protection_poll_s: float = 3.0
    fills_overlap: timedelta = timedelta(minutes=5)
    kill_file_poll_s: float = 1.0
    loop_watch_s: float = 0.25
    """Between two looks at how late the loop is."""
    flows_every_s: float = 120.0
    """Between looks into the account log, which has a small budget of its own."""
    shutdown_s: float = 60.0
    """A stop ends within this; half of it is for orders under way."""
    audits_per_cycle: int = 0
    """Symbols whose longer bars are compared with the venue's own in each cycle, in turn."""
    coverage: CoverageRule = field(default_factory=CoverageRule)
    tells_decisions: bool = True
    """Trace rows and debug lines of judgements. Off in a backtest, where nobody keeps them."""


class CooldownBook:
    """When each symbol's last signal was emitted, read from the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def last_emitted(self, symbol: Symbol) -> datetime | None:
        return self._journal.state.signals.get(symbol)

    def emissions(self, symbol: Symbol) -> tuple[Emission, ...]:
        """Signals of the symbol that were acted on, oldest first: their setups stay used after a restart."""
        known = self._journal.state.emissions.get(symbol, ())
        return tuple(Emission(event.symbol, event.signal_at_ms, event.zone_ids) for event in known)


@dataclass
class Components:
    """Everything the delegates reach. No behaviour but a few derived figures."""

    clock: Clock
    log: Log
    market_data: MarketData
    account: Account
    feed: PrivateFeed
    control: VenueControl
    journal: Journal
    positions: PositionRegistry
    gateway: ExecutionGateway
    desk: PositionDesk
    books: AccountBooks
    naked_meter: NakedMeter
    markets: MarketRegistry
    discovery: MarketDiscovery
    candles: CandleManager
    strategy: Strategy
    volatility: VolatilityBook
    quotes: QuoteBook
    losses: LossBook
    monitor: InvariantMonitor
    venue_health: VenueHealth
    recorder: EventRecorder
    alerts: Alerter
    risk_limits: RiskLimits
    auction_limits: AuctionLimits
    cluster_limits: ClusterLimits
    signal_rules: SignalRules
    fee_bps: FeeBps
    rules: LiveRules
    cooldowns: CooldownBook
    loop_watch: LoopWatch
    fact_refresh: FactRefresh
    look_account: Account | None = None
    """The same account for the protection loop's own looks, where the venue's edge keeps requests for them."""
    decisions: DecisionBook = field(default_factory=DecisionBook)
    engines: EngineBook = field(default_factory=EngineBook)
    gate_file: GateFile | None = None
    starvation: StarvationWatch = field(default_factory=StarvationWatch)
    account_view: AccountView = field(default_factory=AccountView)
    booked_pnl: BookedPnl = field(default_factory=BookedPnl)

    def __post_init__(self) -> None:
        """LiveTrading adds its own state here."""

    @property
    def fills_overlap(self) -> timedelta:
        return self.rules.fills_overlap

    @property
    def flows_every_s(self) -> float:
        return self.rules.flows_every_s

    def positions_booked_pnl(self) -> Decimal:
        """Running total of what every position ever booked: realised P&L less fees, plus funding. Only its changes matter."""
        return self.booked_pnl.total(self.positions.state)

    def recent_opens(self, now: datetime) -> tuple[datetime, ...]:
        """When entries were planned in the last 24 h, oldest first."""
        since = now - timedelta(days=1)
        plans = (position.plan for position in self.positions.state.positions.values() if position.is_own)
        return tuple(sorted(plan.planned_at for plan in plans if plan.planned_at > since))


Progress = Callable[[int, int], None]
