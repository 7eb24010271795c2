"""A figure has one default: what the configuration says by default is what each room assumes by default."""

from __future__ import annotations

import pytest

from trading_system.config.settings import Settings
from trading_system.data.candle_schedule import CandleParameters
from trading_system.data.data_health import CoverageRule, HealthParameters
from trading_system.data.tick_guard import TickGuardParameters
from trading_system.data.tiering import RegistryParameters
from trading_system.execution.position_view import PositionParameters
from trading_system.portfolio.candidate import AuctionLimits
from trading_system.portfolio.clusters import ClusterLimits
from trading_system.risk.limits import RiskLimits
from trading_system.safety.auto_recovery import RecoveryRules
from trading_system.safety.invariant_monitor import SafetyRules
from trading_system.safety.invariants import InvariantLimits
from trading_system.safety.modes import ModeRules
from trading_system.strategy.parameters import SmcParameters
from trading_system.wiring import parameters as p


@pytest.mark.parametrize(
    ("mapped", "default"),
    [
        (p.registry_parameters, RegistryParameters()),
        (p.candle_parameters, CandleParameters()),
        (p.health_parameters, HealthParameters()),
        (p.coverage_rule, CoverageRule()),
        (p.tick_guard_parameters, TickGuardParameters()),
        (p.smc_parameters, SmcParameters()),
        (p.auction_limits, AuctionLimits()),
        (p.cluster_limits, ClusterLimits()),
        (p.position_parameters, PositionParameters()),
        (p.risk_limits, RiskLimits()),
        (p.safety_rules, SafetyRules(InvariantLimits(), ModeRules(), RecoveryRules())),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_configured_default_is_the_rooms_default(mapped: object, default: object) -> None:
    assert callable(mapped)
    assert mapped(Settings()) == default
