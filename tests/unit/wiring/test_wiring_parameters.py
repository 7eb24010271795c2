"""A figure has one default: what the configuration says by default is what each room assumes by default."""

from __future__ import annotations

import pytest

from trading_system.config.settings import Settings
from trading_system.data.candle_schedule import CandleParameters
from trading_system.data.data_health import CoverageRule, HealthParameters
from trading_system.data.tick_guard import TickGuardParameters
from trading_system.data.tiering import RegistryParameters
from trading_system.domain.errors import ConfigError
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.write_gate import BreakerRule
from trading_system.execution.position_view import PositionParameters
from trading_system.execution.reconcile import ReconcileRules
from trading_system.live.components import LiveRules
from trading_system.live.starvation import StarvationRule
from trading_system.portfolio.candidate import AuctionLimits
from trading_system.portfolio.clusters import ClusterLimits
from trading_system.risk.limits import RiskLimits
from trading_system.safety.auto_recovery import RecoveryRules
from trading_system.safety.invariant_monitor import SafetyRules
from trading_system.safety.invariants import InvariantLimits
from trading_system.safety.modes import ModeRules
from trading_system.storage.delivery import WriterParameters
from trading_system.strategy.parameters import SmcParameters
from trading_system.wiring import parameters as p
from trading_system.wiring import parameters_edge as edge
from trading_system.wiring.assembly import live_rules
from trading_system.wiring.unbuilt import UNBUILT, Unbuilt, refuse_unbuilt
from trading_system.wiring.venue_kraken import WireLimits


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
        (p.reconcile_rules, ReconcileRules()),
        (p.starvation_rule, StarvationRule()),
        (edge.wire_limits, WireLimits()),
        (edge.writer_parameters, WriterParameters()),
        (live_rules, LiveRules(audits_per_cycle=1)),
        (p.risk_limits, RiskLimits()),
        (p.safety_rules, SafetyRules(InvariantLimits(), ModeRules(), RecoveryRules())),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_configured_default_is_the_rooms_default(mapped: object, default: object) -> None:
    assert callable(mapped)
    assert mapped(Settings()) == default


def test_the_venues_deadlines_are_the_configured_ones_and_by_default_its_own() -> None:
    config = KrakenConfig.production()
    changed = Settings.model_validate(
        {"exchange": {"read_timeout_s": 3, "order_timeout_s": 4, "websocket_ping_s": 5, "websocket_silence_s_max": 6}}
    )

    timed = edge.with_deadlines(config, changed)

    assert edge.with_deadlines(config, Settings()) == config
    assert (timed.read_timeout_s, timed.order_timeout_s, timed.ws_ping_s, timed.ws_silence_s) == (3, 4, 5, 6)


def test_the_wires_limits_follow_the_configuration() -> None:
    changed = Settings.model_validate(
        {
            "exchange": {"budget_points": 250, "budget_window_s": 5, "protective_budget_share": "0.5", "protective_wait_s_max": 0},
            "execution": {"entry_sends_per_minute_max": 7, "entry_sends_per_10_s_max": 3},
        }
    )

    limits = edge.wire_limits(changed)

    assert (limits.budget.trading.points, limits.budget.trading.window_s) == (250, 5)
    assert (limits.budget.protective_share, limits.budget.protective_wait_s_max) == (changed.exchange.protective_budget_share, 0)
    assert limits.entry_sends == (BreakerRule(7, 60.0), BreakerRule(3, 10.0))


def test_the_ages_of_stored_bars_follow_the_configuration() -> None:
    changed = Settings.model_validate({"data": {"retention": {"m15_days": 7, "h1_days": 8, "h4_days": 9, "d1_days": 10}}})

    assert [age.days for age in edge.writer_parameters(changed).candle_ages.values()] == [7, 8, 9, 10]


@pytest.mark.parametrize("unbuilt", UNBUILT, ids=lambda one: one.key)
def test_a_setting_without_a_feature_is_refused_when_it_is_changed(unbuilt: Unbuilt) -> None:
    section, name = unbuilt.key.split(".")
    refuse_unbuilt(Settings())

    with pytest.raises(ConfigError, match=f"{unbuilt.key} = 7 has no effect"):
        refuse_unbuilt(Settings.model_validate({section: {name: 7}}))
