"""Each invariant at its limit and just beyond; what cannot be computed degrades."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest

from trading_system.domain.errors import ConfigError
from trading_system.safety.invariants import Invariant, InvariantLimits, InvariantValues, Level, Verdict, judge

LIMITS = InvariantLimits(equity_floor_usd=D("100"))
HEALTHY = InvariantValues(
    venue_utilization=D("0.2"),
    equity=D("1000"),
    drawdown=D("0.01"),
    is_high_water_implausible=False,
    has_unexplained_step=False,
    positions=3,
    single_position_ratio=D("0.9"),
    open_notional=D("5000"),
    api_errors_last_minute=0,
    rejects_this_cycle=0,
    worst_latency_s=D("0.2"),
    clock_skew_s=D("0.1"),
)


def level(invariant: Invariant, **changes: Any) -> Level:
    verdicts = judge(replace(HEALTHY, **changes), LIMITS)
    assert [verdict.invariant for verdict in verdicts if verdict.level is not Level.FINE and verdict.invariant is not invariant] == []
    return next(verdict.level for verdict in verdicts if verdict.invariant is invariant)


def test_a_healthy_system_is_fine_in_everything() -> None:
    assert {verdict.level for verdict in judge(HEALTHY, LIMITS)} == {Level.FINE}


@pytest.mark.parametrize(
    ("invariant", "field", "fine", "degraded", "halt"),
    [
        (Invariant.MARGIN_UTILIZATION, "venue_utilization", D("0.8499"), D("0.85"), D("0.92")),
        (Invariant.DRAWDOWN, "drawdown", D("0.0999"), D("0.10"), D("0.15")),
        (Invariant.POSITIONS, "positions", 9, 10, 11),
        (Invariant.OPEN_NOTIONAL, "open_notional", D("500000"), None, D("500000.01")),
        (Invariant.EQUITY_FLOOR, "equity", D("100"), None, D("99.99")),
        (Invariant.API_ERRORS, "api_errors_last_minute", 10, 11, None),
        (Invariant.REJECTS, "rejects_this_cycle", 5, 6, None),
        (Invariant.LATENCY, "worst_latency_s", D("5"), D("5.01"), None),
        (Invariant.LOOP_LAG, "loop_lag_s", D("2"), D("2.01"), None),
        (Invariant.CLOCK_SKEW, "clock_skew_s", D("-30"), D("-30.01"), None),
        (Invariant.HIGH_WATER, "is_high_water_implausible", False, True, None),
        (Invariant.BALANCE_STEP, "has_unexplained_step", False, True, None),
        (Invariant.ENTRY_RATE, "is_entry_rate_tripped", False, True, None),
        (Invariant.JOURNAL, "journal_ok", True, None, False),
        (Invariant.DISK, "disk_ok", True, None, False),
    ],
)
def test_ratios_violate_from_the_limit_on_counts_and_amounts_beyond_it(
    invariant: Invariant, field: str, fine: object, degraded: object, halt: object
) -> None:
    for value, expected in ((fine, Level.FINE), (degraded, Level.DEGRADED), (halt, Level.HALT)):
        if value is not None:
            assert level(invariant, **{field: value}) is expected


@pytest.mark.parametrize("unknown", [None, D("NaN")])
@pytest.mark.parametrize(
    ("invariant", "field"),
    [
        (Invariant.MARGIN_UTILIZATION, "venue_utilization"),
        (Invariant.DRAWDOWN, "drawdown"),
        (Invariant.EQUITY_FLOOR, "equity"),
        (Invariant.SINGLE_POSITION, "single_position_ratio"),
        (Invariant.OPEN_NOTIONAL, "open_notional"),
        (Invariant.CLOCK_SKEW, "clock_skew_s"),
    ],
)
def test_a_value_that_cannot_be_computed_degrades(invariant: Invariant, field: str, unknown: object) -> None:
    assert level(invariant, **{field: unknown}) is Level.DEGRADED


def test_a_position_that_outgrew_its_gate_is_a_warning_only() -> None:
    assert level(Invariant.SINGLE_POSITION, single_position_ratio=D("1.0999")) is Level.FINE
    assert level(Invariant.SINGLE_POSITION, single_position_ratio=D("1.10")) is Level.WARNING


def test_an_implausible_high_water_mark_degrades_and_its_drawdown_halts_nothing() -> None:
    assert level(Invariant.HIGH_WATER, is_high_water_implausible=True, drawdown=D("0.97")) is Level.DEGRADED


def test_a_drawdown_once_crossed_stays_degraded_until_the_rebase() -> None:
    assert level(Invariant.DRAWDOWN, drawdown=D("0.02"), drawdown_needs_rebase=True) is Level.DEGRADED


def test_a_verdict_carries_its_numbers() -> None:
    verdict = judge(replace(HEALTHY, venue_utilization=D("0.93")), LIMITS)[0]

    assert verdict == Verdict(Invariant.MARGIN_UTILIZATION, Level.HALT, D("0.92"), D("0.93"))


@pytest.mark.parametrize(
    "changes",
    [
        {"margin_halt": D("0.85")},
        {"drawdown_degraded": D("0.2")},
        {"positions_halt": 9},
        {"single_position_ratio": D("0.9")},
    ],
)
def test_contradicting_thresholds_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="safety"):
        InvariantLimits(**changes)
