"""Tells machines how the daemon fares: metrics, /healthz, /readyz, and the service manager. Fed by the daemon's own progress."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

from trading_system.config.settings_operation import MonitoringSettings
from trading_system.data.tiering import Eligible
from trading_system.domain import events as je
from trading_system.domain.exposure import total_open_risk, total_planned_margin
from trading_system.domain.market import Tier
from trading_system.domain.orders import ClientOrderId, OrderPurpose, PositionId
from trading_system.domain.positions import PositionState
from trading_system.domain.signals import Signal
from trading_system.live.cycle_report import CycleReport
from trading_system.live.live_trading import LiveTrading
from trading_system.monitoring.health_server import HealthReport, HealthServer
from trading_system.monitoring.metrics import Metrics
from trading_system.monitoring.sdnotify import SystemdNotifier
from trading_system.wiring.daemon import Daemon
from trading_system.wiring.status_report import About, naked_now_s
from trading_system.wiring.supervisor import OnDeath

SIGNAL_CODE: Final = "SIGNAL"
_COVERED: Final = (PositionState.PROTECTED, PositionState.PARTIAL)
TOLD_EVERY_S: Final = 1.0
"""Process seconds between looks at what changes between ticks (naked time, mode)."""


class DaemonHealth:
    """A LifeWatcher of the daemon, a HealthSource of the server, and the feeder of the metrics."""

    def __init__(self, daemon: Daemon, metrics: Metrics, systemd: SystemdNotifier) -> None:
        self._daemon = daemon
        self._live: LiveTrading = daemon.live
        self._metrics = metrics
        self._systemd = systemd
        self._worst_naked_s = 0.0
        self._counted: dict[str, int] = {}
        self._sent_s: dict[ClientOrderId, float] = {}
        """Process time of orders whose answer is awaited."""
        self._filled_s: dict[PositionId, float] = {}
        """Process time of the first booked entry fill of positions whose stop does not rest yet."""

    # --- LifeWatcher ------------------------------------------------------------------------------------------------

    def starting(self) -> None:
        """READY before the venue answers: an outage there must not become a restart loop here."""
        self._systemd.ready("journal and latches read; reaching the venue")

    def protecting(self) -> None:
        self._systemd.status("protecting; loading histories")

    def ready(self, text: str) -> None:
        self._systemd.status(text)

    def ticked(self, report: CycleReport) -> None:
        metrics, now_s = self._metrics, self._live.clock.monotonic()
        metrics.cycles.labels("failed" if report.failed_phases else "ok").inc()
        metrics.cycle_duration.observe(max(0.0, now_s - report.started_s))
        metrics.last_cycle.set(self._live.clock.now().timestamp())
        self._worst_naked_s = max(self._worst_naked_s, report.naked_s)
        if report.budget_points is not None:
            metrics.rate_budget.set(report.budget_points)
        self._measure_account()
        self._measure_markets()
        self.measure_now()
        equity = "?" if report.equity is None else f"{report.equity:.2f}"
        gated = f", entries gated: {','.join(report.gates)}" if report.gates else ""
        self._systemd.status(f"{report.system_state}, {report.positions} positions, equity {equity}, cycle {report.cycle}{gated}")

    def stopping(self) -> None:
        self._systemd.stopping("no new entries; stops stay on the venue")

    # --- HealthSource -----------------------------------------------------------------------------------------------

    def health(self) -> HealthReport:
        is_alive = self._daemon.is_alive(self._live.clock)
        return HealthReport(is_alive, () if is_alive else ("ticks or the protection loop make no progress",))

    def readiness(self) -> HealthReport:
        """Reconciled, journal writable. The mode is told, and is no reason to be called not ready."""
        live, reasons = self._live, list[str]()
        if live.barrier is not None:
            reasons.append(live.barrier)
        if live.journal.failure is not None:
            reasons.append("the journal cannot be written")
        if not live.is_warm:
            reasons.append("histories are being loaded")
        told = (f"mode {live.monitor.mode.value}", *(f"entries off: {why}" for why in live.entry_gates.values()))
        return HealthReport(not reasons, tuple(reasons) or told)

    # --- loops ------------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Between ticks: what must not wait for one."""
        while True:
            self.measure_now()
            await self._live.clock.sleep(TOLD_EVERY_S)

    async def feed_watchdog(self) -> None:
        """Ping while there is progress; idle where nobody watches."""
        await self._systemd.run_watchdog(self._live.clock, lambda: self._daemon.is_alive(self._live.clock))

    # --- metrics ----------------------------------------------------------------------------------------------------

    def measure_now(self) -> None:
        """Mode, naked time, positions, dead tasks."""
        live, metrics = self._live, self._metrics
        naked_s = naked_now_s(live)
        self._worst_naked_s = max(self._worst_naked_s, naked_s)
        metrics.naked_seconds.set(naked_s)
        metrics.naked_seconds_worst.set(self._worst_naked_s)
        metrics.set_state(live.monitor.mode)
        metrics.positions.set(len(live.positions.held()))
        skew = live.control.clock_skew_s()
        if skew is not None:
            metrics.clock_skew.set(float(skew))
        for name, count in self._daemon.supervisor.deaths.items():
            # detached work carries ids in its name: the first word is the bounded part
            self._count(f"death {name}", count, metrics.task_failures.labels(name.split(" ")[0]).inc)

    def _measure_account(self) -> None:
        live, metrics = self._live, self._metrics
        snapshot, losses = live.account_view.snapshot, live.losses.standing
        if snapshot is not None:
            metrics.equity.set(float(snapshot.portfolio_value))
            metrics.margin_utilization.set(float(snapshot.venue_utilization))
            if snapshot.equity_for_sizing > 0:
                items = live.health_facts().items
                metrics.planned_utilization.set(float(total_planned_margin(items) / snapshot.equity_for_sizing))
                risk = total_open_risk(items, live.risk_limits.exit_costs)
                metrics.open_risk.set(float(risk / snapshot.equity_for_sizing))
        if losses is not None:
            metrics.drawdown.set(float(losses.drawdown))
            metrics.day_pnl.set(float(losses.day_pnl))

    def _measure_markets(self) -> None:
        live, metrics = self._live, self._metrics
        universe = live.markets.universe
        judged = () if universe is None else tuple(universe.judgements.values())
        for tier in Tier:
            metrics.universe.labels(tier.value).set(sum(isinstance(j, Eligible) and j.tier is tier for j in judged))
        for code, count in live.decisions.blocked.items():
            if code != SIGNAL_CODE:
                self._count(f"gate {code}", count, metrics.gates.labels(code).inc)

    def note_event(self, event: je.JournalEvent) -> None:
        """Counts what the journal tells: orders by outcome, fills, and how long answers and stops took."""
        metrics, state, now_s = self._metrics, self._live.positions.state, self._live.clock.monotonic()
        if isinstance(event, je.OrderIntended):
            self._sent_s[event.order.client_order_id] = now_s
        elif isinstance(event, (je.OrderPlaced, je.OrderRejected, je.OrderUnknown)):
            order = state.orders.get(event.client_order_id)
            outcome = {je.OrderPlaced: "placed", je.OrderRejected: "rejected", je.OrderUnknown: "unknown"}[type(event)]
            metrics.orders.labels("?" if order is None else order.purpose.value, outcome).inc()
            sent_s = self._sent_s.pop(event.client_order_id, None)
            if sent_s is not None:
                metrics.order_latency.observe(now_s - sent_s)
        elif isinstance(event, je.FillBooked):
            metrics.fills.labels(event.fill.kind.value).inc()
            if event.purpose is OrderPurpose.ENTRY and event.position_id is not None:
                self._filled_s.setdefault(event.position_id, now_s)
        elif isinstance(event, je.SignalEmitted):
            decision = self._live.decisions.last(event.symbol)
            metrics.signals.labels(decision.regime.value if isinstance(decision, Signal) else "?").inc()

        for position_id in tuple(self._filled_s):
            position = state.positions[position_id]
            if position.state in _COVERED:
                metrics.stop_latency.observe(now_s - self._filled_s.pop(position_id))
            elif not position.state.is_active:
                del self._filled_s[position_id]

    def _count(self, key: str, total: int, increase: Callable[[float], None]) -> None:
        """Bring a counter up to a total that somebody else keeps; a total that started again counts from there."""
        before = self._counted.get(key, 0)
        grown = total - before if total >= before else total
        if grown:
            increase(float(grown))
            self._counted[key] = total


async def open_health(daemon: Daemon, settings: MonitoringSettings, about: About, stack: AsyncExitStack) -> DaemonHealth:
    """Watch the daemon from now on; serve what is seen on the loopback port (0 = no server; a taken one is a warning)."""
    metrics = Metrics(version=about.version, venue=about.venue, mode=about.mode)
    health = DaemonHealth(daemon, metrics, SystemdNotifier(os.environ))
    daemon.watchers.append(health)
    tell_story = daemon.live.journal.observer

    def tell(event: je.JournalEvent) -> None:
        if tell_story is not None:
            tell_story(event)
        health.note_event(event)

    daemon.live.journal.observer = tell
    daemon.supervisor.start("metrics", health.watch)
    daemon.supervisor.start("watchdog", health.feed_watchdog, OnDeath.IGNORE)
    if settings.health_port:
        server = HealthServer(health, metrics, port=settings.health_port, names=settings.health_hosts)
        await server.start()
        stack.push_async_callback(server.stop)
    return health
