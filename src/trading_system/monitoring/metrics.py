"""What machines watch: Prometheus metrics under `trading_system_`, base units, ratios 0-1, in a registry of their own.

Label values are bounded (reason codes, tiers, kinds of order), never order ids or free text. Rendering happens per scrape.
"""

from __future__ import annotations

import gc
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from trading_system.domain.modes import Mode

PREFIX: Final = "trading_system"
_FAST: Final = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 15, 30, 60)
_CYCLE: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)


class Metrics:
    """All metrics of one daemon. Attributes are the metrics themselves: `metrics.cycles.inc()`."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self, *, version: str, venue: str, mode: str) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        if gc.callbacks is not None:
            GCCollector(registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, labels, registry=registry)

        Info(f"{PREFIX}_build", "version, venue and mode", registry=registry).info({"version": version, "venue": venue, "mode": mode})
        self.cycles = counter("cycles", "finished ticks, by whether a phase failed", "outcome")
        self.cycle_duration = Histogram(f"{PREFIX}_cycle_duration_seconds", "tick", buckets=_CYCLE, registry=registry)
        self.phase_duration = Histogram(
            f"{PREFIX}_phase_duration_seconds", "phase of a tick", ("phase",), buckets=_CYCLE, registry=registry
        )
        self.last_cycle = gauge("last_cycle_timestamp_seconds", "market time of the last finished tick, Unix")
        self.state = gauge("state", "1 for the state the system is in, 0 for the others", "state")
        self.equity = gauge("equity_usd", "portfolio value")
        self.margin_utilization = gauge("margin_utilization_ratio", "venue margin used / margin equity")
        self.planned_utilization = gauge("planned_utilization_ratio", "planned margin / equity")
        self.open_risk = gauge("open_risk_ratio", "loss if every stop is hit / equity")
        self.drawdown = gauge("drawdown_ratio", "from the high-water mark")
        self.day_pnl = gauge("day_pnl_usd", "since 00:00 UTC, realised and unrealised, flows taken out")
        self.positions = gauge("positions", "open positions, adopted ones included")
        self.universe = gauge("universe_markets", "eligible markets, by tier", "tier")
        self.naked_seconds = gauge("naked_seconds", "longest current time without a full stop")
        self.naked_seconds_worst = gauge("naked_seconds_worst", "longest time without a full stop since the start")
        self.stop_latency = Histogram(f"{PREFIX}_fill_to_stop_seconds", "from fill seen to stop resting", buckets=_FAST, registry=registry)
        self.signals = counter("signals", "signals, by regime", "regime")
        self.gates = counter("gate_stops", "decisions stopped, by gate", "gate")
        self.refusals = counter("entry_refusals", "entries refused by risk, by reason", "reason")
        self.orders = counter("orders", "order requests, by purpose and outcome", "purpose", "outcome")
        self.order_latency = Histogram(
            f"{PREFIX}_order_latency_seconds", "answer of the venue to an order", buckets=_FAST, registry=registry
        )
        self.fills = counter("fills", "fills booked, by kind", "kind")
        self.api_errors = counter("api_errors", "failed calls, by endpoint class", "kind")
        self.rate_budget = gauge("rate_budget_points", "points left in the venue's window")
        self.feed_resets = counter("feed_resets", "private feed connections made anew")
        self.clock_skew = gauge("clock_skew_seconds", "venue time minus market time")
        self.journal_commit = Histogram(
            f"{PREFIX}_journal_commit_seconds", "durable commit", buckets=(0.0002, 0.0005, 0.001, 0.005, 0.02, 0.1, 0.5), registry=registry
        )
        self.history_backlog = gauge("history_backlog_rows", "rows waiting for the main database")
        self.alerts = counter("alerts", "alerts, by outcome", "outcome")
        self.log_lines_dropped = gauge("log_lines_dropped", "log lines lost to a full queue since the start")
        self.task_failures = counter("task_failures", "supervised tasks that failed, by name", "task")
        self.set_state(Mode.NORMAL)

    def set_state(self, mode: Mode) -> None:
        """Exactly one state is 1."""
        for known in Mode:
            self.state.labels(known.value).set(1 if known is mode else 0)

    def render(self) -> bytes:
        """The text format; some milliseconds, so per scrape and not per tick."""
        return generate_latest(self.registry)
