"""What must hold after the fact, judged from plain values. Pure.

Ratios violate when >= the limit, counts and amounts when > it. A value that could not be computed is a verdict too: it
degrades, it never passes as fine.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from trading_system.domain.errors import ConfigError
from trading_system.domain.modes import Mode


class Invariant(Enum):
    """One rule; `.value` is the word in logs, alerts and the halt file."""

    MARGIN_UTILIZATION = "margin_utilization"
    DRAWDOWN = "drawdown"
    HIGH_WATER = "high_water"
    BALANCE_STEP = "balance_step"
    POSITIONS = "concurrent_positions"
    SINGLE_POSITION = "single_position"
    OPEN_NOTIONAL = "open_notional"
    EQUITY_FLOOR = "equity_floor"
    API_ERRORS = "api_errors"
    REJECTS = "rejects"
    LATENCY = "latency"
    CLOCK_SKEW = "clock_skew"
    LOOP_LAG = "loop_lag"
    """One piece of work held the whole process up: acts and answers come late, whatever the venue does."""
    ENTRY_RATE = "entry_rate"
    JOURNAL = "journal"
    DISK = "disk"
    STATE_UNREADABLE = "state_unreadable"
    NAKED_POSITION = "naked_position"
    FOREIGN_ORDERS = "foreign_orders"
    """Orders with our names that are not in our journal: another host writes to this account, or the journal is not the newest."""
    OPERATOR = "operator"
    KILL_FILE = "kill_file"

    @property
    def is_margin_critical(self) -> bool:
        """Only a halt for this may clear itself (auto-recovery)."""
        return self is Invariant.MARGIN_UTILIZATION

    @property
    def clears_by_itself(self) -> bool:
        """False: the cause stays until a human resumes, even when the value is fine again."""
        return self not in (Invariant.DRAWDOWN, Invariant.HIGH_WATER, Invariant.JOURNAL, Invariant.DISK)


class Level(Enum):
    """What a verdict asks for."""

    FINE = "fine"
    WARNING = "warning"
    DEGRADED = "degraded"
    HALT = "halt"

    @property
    def mode(self) -> Mode:
        """The mode this level asks for; a halting invariant fires the kill switch."""
        return {Level.DEGRADED: Mode.DEGRADED, Level.HALT: Mode.KILL_SWITCH}.get(self, Mode.NORMAL)


@dataclass(frozen=True, slots=True)
class InvariantLimits:
    """Thresholds. Fractions, counts, USD, seconds as named."""

    margin_degraded: Decimal = Decimal("0.85")
    margin_halt: Decimal = Decimal("0.92")
    drawdown_degraded: Decimal = Decimal("0.10")
    drawdown_halt: Decimal = Decimal("0.15")
    positions_degraded: int = 9
    positions_halt: int = 10
    single_position_ratio: Decimal = Decimal("1.10")
    open_notional_usd_halt: Decimal = Decimal("500000")
    equity_floor_usd: Decimal | None = None
    api_errors_per_minute: int = 10
    rejects_per_cycle: int = 5
    latency_s: Decimal = Decimal("5")
    clock_skew_s: Decimal = Decimal("30")
    loop_lag_s: Decimal = Decimal("2")

    def __post_init__(self) -> None:
        if not 0 < self.margin_degraded < self.margin_halt < 1:
            raise ConfigError(f"safety.margin: must hold 0 < degraded {self.margin_degraded} < halt {self.margin_halt} < 1")
        if not 0 < self.drawdown_degraded < self.drawdown_halt < 1:
            raise ConfigError(f"safety.drawdown: must hold 0 < degraded {self.drawdown_degraded} < halt {self.drawdown_halt} < 1")
        if not 0 < self.positions_degraded < self.positions_halt:
            raise ConfigError(f"safety.positions: must hold 0 < degraded {self.positions_degraded} < halt {self.positions_halt}")
        if self.single_position_ratio < 1:
            raise ConfigError(
                f"safety.single_position_ratio = {self.single_position_ratio}: must be >= 1, or the gate itself would violate it"
            )


@dataclass(frozen=True, slots=True)
class InvariantValues:
    """Measured now. None = could not be computed (except where noted).

    single_position_ratio: the largest position over its own gate's limit. worst_latency_s: slowest answer of the last minute.
    loop_lag_s: the latest the event loop was in the last minute.
    is_entry_rate_tripped: the entry-rate breaker fired. journal_ok, disk_ok: the last write and flush succeeded.
    """

    venue_utilization: Decimal | None
    equity: Decimal | None
    drawdown: Decimal | None
    is_high_water_implausible: bool
    has_unexplained_step: bool
    positions: int | None
    single_position_ratio: Decimal | None
    open_notional: Decimal | None
    api_errors_last_minute: int
    rejects_this_cycle: int
    worst_latency_s: Decimal
    clock_skew_s: Decimal | None
    loop_lag_s: Decimal = Decimal(0)
    is_entry_rate_tripped: bool = False
    journal_ok: bool = True
    disk_ok: bool = True
    drawdown_needs_rebase: bool = False
    """The drawdown limit was crossed and no human has rebased the high-water mark since."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one invariant. limit and actual None = the value could not be computed, or is a yes/no."""

    invariant: Invariant
    level: Level
    limit: Decimal | None = None
    actual: Decimal | None = None
    note: str = ""
    is_unknown: bool = False
    """The value could not be computed."""


def judge(values: InvariantValues, limits: InvariantLimits) -> tuple[Verdict, ...]:
    """Every invariant, in the order of `Invariant`, fine ones included."""
    return (
        _ratio(Invariant.MARGIN_UTILIZATION, values.venue_utilization, limits.margin_degraded, limits.margin_halt),
        _drawdown(values, limits),
        _flag(Invariant.HIGH_WATER, not values.is_high_water_implausible, Level.DEGRADED, "high-water mark fits no trades or flows"),
        _flag(Invariant.BALANCE_STEP, not values.has_unexplained_step, Level.DEGRADED, "the balance moved and nothing explains it"),
        _count(Invariant.POSITIONS, values.positions, Decimal(limits.positions_degraded), Decimal(limits.positions_halt)),
        _single_position(values, limits),
        _count(Invariant.OPEN_NOTIONAL, values.open_notional, None, limits.open_notional_usd_halt),
        _equity_floor(values, limits),
        _count(Invariant.API_ERRORS, values.api_errors_last_minute, Decimal(limits.api_errors_per_minute), None),
        _count(Invariant.REJECTS, values.rejects_this_cycle, Decimal(limits.rejects_per_cycle), None),
        _count(Invariant.LATENCY, values.worst_latency_s, limits.latency_s, None),
        _count(Invariant.CLOCK_SKEW, None if values.clock_skew_s is None else abs(values.clock_skew_s), limits.clock_skew_s, None),
        _count(Invariant.LOOP_LAG, values.loop_lag_s, limits.loop_lag_s, None),
        _flag(Invariant.ENTRY_RATE, not values.is_entry_rate_tripped, Level.DEGRADED, "entry-rate breaker"),
        _flag(Invariant.JOURNAL, values.journal_ok, Level.HALT, "the journal could not be written"),
        _flag(Invariant.DISK, values.disk_ok, Level.HALT, "the data disk could not be written"),
    )


def _unknown(invariant: Invariant, limit: Decimal | None) -> Verdict:
    return Verdict(invariant, Level.DEGRADED, limit, None, "could not be computed", is_unknown=True)


def _is_number(value: Decimal | int | None) -> bool:
    return value is not None and (not isinstance(value, Decimal) or value.is_finite())


def _ratio(invariant: Invariant, value: Decimal | None, degraded: Decimal, halt: Decimal) -> Verdict:
    if value is None or not _is_number(value):
        return _unknown(invariant, degraded)
    if value >= halt:
        return Verdict(invariant, Level.HALT, halt, value)
    return Verdict(invariant, Level.DEGRADED if value >= degraded else Level.FINE, degraded, value)


def _count(invariant: Invariant, value: Decimal | int | None, degraded: Decimal | None, halt: Decimal | None) -> Verdict:
    lowest = degraded if degraded is not None else halt
    if value is None or not _is_number(value):
        return _unknown(invariant, lowest)
    actual = Decimal(value)
    if halt is not None and actual > halt:
        return Verdict(invariant, Level.HALT, halt, actual)
    is_degraded = degraded is not None and actual > degraded
    return Verdict(invariant, Level.DEGRADED if is_degraded else Level.FINE, lowest, actual)


def _flag(invariant: Invariant, holds: bool, level: Level, note: str) -> Verdict:
    return Verdict(invariant, Level.FINE) if holds else Verdict(invariant, level, note=note)


def _drawdown(values: InvariantValues, limits: InvariantLimits) -> Verdict:
    if values.is_high_water_implausible:
        # a drawdown from a mark nobody believes asks a human (HIGH_WATER); it never halts by itself
        return Verdict(Invariant.DRAWDOWN, Level.FINE, limits.drawdown_degraded, values.drawdown, "high-water mark not believed")
    verdict = _ratio(Invariant.DRAWDOWN, values.drawdown, limits.drawdown_degraded, limits.drawdown_halt)
    if values.drawdown_needs_rebase and verdict.level is Level.FINE:
        return Verdict(Invariant.DRAWDOWN, Level.DEGRADED, limits.drawdown_degraded, values.drawdown, "crossed before; needs a rebase")
    return verdict


def _single_position(values: InvariantValues, limits: InvariantLimits) -> Verdict:
    verdict = _ratio(Invariant.SINGLE_POSITION, values.single_position_ratio, limits.single_position_ratio, Decimal("Infinity"))
    is_warning = verdict.level is Level.DEGRADED and verdict.actual is not None
    return Verdict(verdict.invariant, Level.WARNING, verdict.limit, verdict.actual, "grew beyond its entry gate") if is_warning else verdict


def _equity_floor(values: InvariantValues, limits: InvariantLimits) -> Verdict:
    floor = limits.equity_floor_usd
    if values.equity is None or not values.equity.is_finite():
        return _unknown(Invariant.EQUITY_FLOOR, floor)
    if floor is not None and values.equity < floor:
        return Verdict(Invariant.EQUITY_FLOOR, Level.HALT, floor, values.equity)
    return Verdict(Invariant.EQUITY_FLOOR, Level.FINE, floor, values.equity)
