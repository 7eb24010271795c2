"""Limits refuse to exist when they contradict each other, and the message names key, value and what would be right."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as D

import pytest

from trading_system.domain.errors import ConfigError
from trading_system.domain.market import Tier
from trading_system.domain.signals import Regime
from trading_system.risk.limits import (
    CapLimits,
    FeasibilityLimits,
    FrequencyLimits,
    LossLimits,
    NotionalCap,
    ProfitSplit,
    RiskLimits,
    SizingLimits,
    TakeProfitLimits,
    TierLimits,
)


@pytest.mark.parametrize(
    ("build", "key"),
    [
        (lambda: LossLimits(daily=D("0.08")), "risk.daily_loss_limit = 0.08"),
        (lambda: LossLimits(weekly=D("0.16"), daily=D("0.05")), "risk.weekly_loss_limit = 0.16"),
        (lambda: LossLimits(drawdown_degraded=D("0.15")), "risk.drawdown_degraded = 0.15"),
        (lambda: RiskLimits(max_open_risk=D("0.06")), "risk.max_open_risk = 0.06"),
        (lambda: RiskLimits(max_open_risk=D("0.009")), "risk.max_open_risk = 0.009"),
        (lambda: SizingLimits(risk_per_trade=D(0)), "risk.risk_per_trade = 0"),
        (lambda: CapLimits(planned_utilization_max=D(1)), "risk.planned_utilization_max = 1"),
        (lambda: CapLimits(single_position=D(3)), "risk.single_position = 3"),
        (lambda: FrequencyLimits(hour_max=11), "risk.opens_per_hour_max = 11"),
        (lambda: ProfitSplit(D("0.5"), D("0.4"), D("0.2")), "multi_tp split"),
        (lambda: TakeProfitLimits(tp1_r=D(3)), "multi_tp.tp1_r = 3"),
        (lambda: TierLimits(D(10), D(1000), D("0.02")), "risk.tiers.slippage_max = 0.02"),
        (lambda: FeasibilityLimits(stop_distance_min=D("0.2")), "risk.stop_distance_min = 0.2"),
    ],
)
def test_contradicting_limits_are_refused_with_their_key(build: Callable[[], object], key: str) -> None:
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        build()


@pytest.mark.parametrize(("tier", "leverage"), [(Tier.A, "7"), (Tier.B, "5"), (Tier.C, "2"), (None, "2")])
def test_leverage_is_the_least_of_system_and_tier(tier: Tier | None, leverage: str) -> None:
    assert RiskLimits().leverage_for(tier) == D(leverage)


def test_take_profit_splits_follow_the_regime() -> None:
    plan = TakeProfitLimits()

    assert plan.split(Regime.WIDE_STRUCTURE) == ProfitSplit(D("0.35"), D("0.35"), D("0.30"))
    assert TakeProfitLimits(splits={}).split(Regime.TIGHT_SMC) == ProfitSplit(D("0.40"), D("0.40"), D("0.20"))


@pytest.mark.parametrize(("equity", "cap"), [("100", "25"), ("500", "25"), ("10000", "500")])
def test_a_launch_cap_never_falls_below_its_floor(equity: str, cap: str) -> None:
    assert NotionalCap(D("0.05"), D("25")).at(D(equity)) == D(cap)
