"""Measures the invariants and moves the mode. A value that cannot be measured is passed on as unknown, which degrades."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trading_system.domain.account import AccountSnapshot
from trading_system.domain.exposure import ExposureItem, open_notional, positions_count
from trading_system.domain.protocols import Clock
from trading_system.risk.limits import ExposureBasis, RiskLimits
from trading_system.risk.loss_state import LossStanding
from trading_system.safety.invariant_monitor import Assessment, InvariantMonitor
from trading_system.safety.invariants import InvariantValues


class VenueHealth:
    """Errors, refusals and answer times of the venue over the last minute of process time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._errors: deque[float] = deque(maxlen=1000)
        self._latency: deque[tuple[float, float]] = deque(maxlen=1000)
        self.rejects_this_cycle = 0

    def note_error(self) -> None:
        self._errors.append(self._clock.monotonic())

    def note_latency(self, seconds: float) -> None:
        self._latency.append((self._clock.monotonic(), seconds))

    def errors_last_minute(self) -> int:
        since = self._clock.monotonic() - 60
        while self._errors and self._errors[0] < since:
            self._errors.popleft()
        return len(self._errors)

    def worst_latency_s(self) -> Decimal:
        since = self._clock.monotonic() - 60
        while self._latency and self._latency[0][0] < since:
            self._latency.popleft()
        return Decimal(repr(max((seconds for _, seconds in self._latency), default=0.0)))


class HealthHost(Protocol):
    """What judging the system's state needs."""

    @property
    def clock(self) -> Clock: ...
    @property
    def monitor(self) -> InvariantMonitor: ...
    @property
    def venue_health(self) -> VenueHealth: ...
    @property
    def risk_limits(self) -> RiskLimits: ...


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What was measured this cycle. None = not measurable."""

    account: AccountSnapshot | None
    items: tuple[ExposureItem, ...]
    losses: LossStanding | None
    clock_skew_s: Decimal | None
    is_entry_rate_tripped: bool
    journal_ok: bool
    loop_lag_s: Decimal = Decimal(0)


def assess(host: HealthHost, facts: HealthFacts) -> Assessment:
    """Judge every invariant and advance the mode automaton."""
    return host.monitor.assess(measure(facts, host.venue_health, host.risk_limits), host.clock.now())


def measure(facts: HealthFacts, health: VenueHealth, limits: RiskLimits) -> InvariantValues:
    """Everything the invariants look at, on the same measures as the pre-trade gates."""
    account, losses = facts.account, facts.losses
    positions = tuple(item for item in facts.items if not item.kind.is_order)
    return InvariantValues(
        venue_utilization=None if account is None else account.venue_utilization,
        equity=None if account is None else account.portfolio_value,
        drawdown=None if losses is None else losses.drawdown,
        is_high_water_implausible=losses is not None and losses.is_high_water_implausible,
        has_unexplained_step=losses is not None and losses.has_unexplained_step,
        positions=positions_count(positions),
        single_position_ratio=None if account is None else largest_position_ratio(positions, account.equity_for_sizing, limits),
        open_notional=open_notional(positions),
        api_errors_last_minute=health.errors_last_minute(),
        rejects_this_cycle=health.rejects_this_cycle,
        worst_latency_s=health.worst_latency_s(),
        clock_skew_s=facts.clock_skew_s,
        loop_lag_s=facts.loop_lag_s,
        is_entry_rate_tripped=facts.is_entry_rate_tripped,
        journal_ok=facts.journal_ok,
        drawdown_needs_rebase=losses is not None and losses.is_drawdown_degraded,
    )


def largest_position_ratio(positions: Iterable[ExposureItem], equity: Decimal, limits: RiskLimits) -> Decimal | None:
    """The largest position over its own gate's limit; None when there is no equity to measure with."""
    if equity <= 0:
        return None
    is_margin = limits.caps.exposure_basis is ExposureBasis.MARGIN
    gate = limits.caps.single_position * equity
    return max((item.planned_margin if is_margin else item.notional for item in positions), default=Decimal(0)) / gate
