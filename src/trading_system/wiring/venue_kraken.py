"""The Kraken Futures venue (real or embedded) as the live room wants it: ports, write gate, budget, skew, health counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Protocol

from trading_system.domain import log_events as ev
from trading_system.domain.protocols import Clock, Random
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.observer import CallReport, CountingObserver, WireIssue
from trading_system.exchange.kraken_futures.rate_budget import BudgetRules, RateBudget
from trading_system.exchange.kraken_futures.venue import KrakenFuturesVenue
from trading_system.exchange.kraken_futures.write_gate import ENTRY_RULES, BreakerRule, GateScope, WriteGate, WriteMode
from trading_system.live.log_port import Log

_ISSUES_TOLD_MAX: Final = 50


class Paced(Clock, Protocol):
    """A clock that knows its pace."""

    @property
    def speed(self) -> float: ...


class TellingObserver(CountingObserver):
    """Counts calls, and tells the log of odd payloads (a bounded number of times) and of a tripped breaker."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self.is_entry_rate_tripped = False

    def call_finished(self, report: CallReport) -> None:
        super().call_finished(report)
        if report.problem is not None:
            self._log.debug(ev.READ_FAILED, endpoint=report.endpoint, why=report.problem, seconds=round(report.seconds, 3))

    def wire_issue(self, issue: WireIssue) -> None:
        super().wire_issue(issue)
        if self.issues_count <= _ISSUES_TOLD_MAX:
            self._log.warning(ev.WIRE_ISSUE, where=issue.where, detail=issue.detail, is_lost=issue.is_lost)

    def breaker_tripped(self, why: str) -> None:
        super().breaker_tripped(why)
        self.is_entry_rate_tripped = True
        self._log.error(ev.ENTRY_BREAKER, why=why)


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What may leave this machine: call points, and entry sends per time."""

    budget: BudgetRules = field(default_factory=BudgetRules)
    entry_sends: tuple[BreakerRule, ...] = ENTRY_RULES


class KrakenControl:
    """VenueControl over the adapter."""

    def __init__(
        self, config: KrakenConfig, clock: Paced, random: Random, log: Log, limits: WireLimits | None = None, *, read_only: bool
    ) -> None:
        limits = WireLimits() if limits is None else limits
        self.observer: Final = TellingObserver(log)
        mode = WriteMode.READ_ONLY if read_only else WriteMode.LIVE
        self.gate: Final = WriteGate(clock, mode, on_breaker=self.observer.breaker_tripped, rules=limits.entry_sends)
        self.budget: Final = RateBudget(clock, limits.budget)
        self.venue: Final = KrakenFuturesVenue(config, clock, self.gate, self.budget, random, self.observer)
        self._clock = clock

    def close_entries(self, cause: str) -> None:
        self.gate.close(cause, GateScope.ENTRIES_AND_TAKE_PROFITS)

    def reopen(self, cause: str) -> None:
        self.gate.reopen(cause)

    def clock_skew_s(self) -> Decimal | None:
        offset = self.venue.server_time_offset
        if offset is None:
            return None
        # what half a round trip may hide is not held against the clock
        sure = max(0.0, abs(offset) - self.venue.server_time_uncertainty)
        return Decimal(repr(round(sure / self._clock.speed, 6)))

    def budget_points(self) -> int | None:
        return self.budget.remaining

    def is_entry_rate_tripped(self) -> bool:
        return self.observer.is_entry_rate_tripped

    def reset_entry_rate(self) -> None:
        self.gate.reset_breaker()
        self.observer.is_entry_rate_tripped = False
