"""The pure rules between the detectors and the gates."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strategy_builders import COSTS, FixedCosts
from trading_system.domain.errors import ConfigError
from trading_system.domain.signals import Regime
from trading_system.strategy.bias import Bias, classify_bias, deviation_bps
from trading_system.strategy.costs import compute_cost_bps
from trading_system.strategy.dealing_range import DealingRange
from trading_system.strategy.equal_levels import nearest_equal_highs
from trading_system.strategy.fibonacci import Retracement, classify_retracement
from trading_system.strategy.parameters import TIGHT_DEFAULTS, SmcParameters
from trading_system.strategy.regime import classify_regime
from trading_system.strategy.scoring import ScoreFacts, compute_score, score_min
from trading_system.strategy.stops import buffer_atr, distance_bounds, volatility_rank
from trading_system.strategy.swings import UntakenHighs
from trading_system.strategy.targets import nearest_target
from trading_system.strategy.zones import EntryZone, Zone, classify_touch, is_used, select_entry_zone

P = SmcParameters()
FULL_RANGE = DealingRange(100.0, 200.0)


@pytest.mark.parametrize(
    ("favour", "bias"), [(10.0, Bias.NEUTRAL), (-10.0, Bias.NEUTRAL), (10.1, Bias.ALIGNED), (-10.1, Bias.AGAINST), (0.0, Bias.NEUTRAL)]
)
def test_bias_is_neutral_within_ten_basis_points(favour: float, bias: Bias) -> None:
    assert classify_bias(favour, 10.0) is bias


def test_deviation_is_relative_to_the_mean() -> None:
    assert deviation_bps(101.0, 100.0) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("zone", "young", "adx", "regime"),
    [
        (True, False, 5.0, Regime.TIGHT_SMC),
        (False, False, 25.0, Regime.WIDE_STRUCTURE),
        (False, False, 24.9, Regime.CONSOLIDATION),
        (False, True, 60.0, Regime.CONSOLIDATION),
        (True, True, 60.0, Regime.CONSOLIDATION),
    ],
)
def test_regime_needs_a_zone_or_a_trend_and_a_break_older_than_the_touch(zone: bool, young: bool, adx: float, regime: Regime) -> None:
    assert classify_regime(has_unmitigated_zone=zone, is_break_newer_than_touch=young, adx_4h=adx, wide_adx_min=25.0) is regime


def retracement(price: float, *, is_tight: bool = True) -> Retracement:
    keys = P.key_levels if is_tight else ()
    return classify_retracement(price, FULL_RANGE, ote_low=P.ote_low, ote_high=P.ote_high, key_levels=keys, tolerance_bps=20.0)


def test_retracement_passes_in_the_band_and_near_key_levels_only() -> None:
    assert retracement(130.0).is_in_ote
    assert retracement(150.29).is_at_key_level  # 20 bps of the price is 0.30
    assert not retracement(150.31).passes
    assert not retracement(150.0, is_tight=False).passes
    assert not retracement(210.0).passes


def test_retracement_says_how_far_it_is_from_passing() -> None:
    assert retracement(145.0, is_tight=False).distance == pytest.approx(0.618 - 0.55)
    assert retracement(110.0, is_tight=False).distance == pytest.approx(0.9 - 0.786)


BLOCK = Zone("ob", "ob+1", 100.0, 104.0, 0)


def gap(low: float, high: float, name: str = "fvg+1") -> Zone:
    return Zone("fvg", name, low, high, 0)


def test_overlapping_block_and_gap_give_their_intersection_with_the_blocks_edge() -> None:
    found = select_entry_zone([BLOCK, gap(101.0, 103.0, "fvg+1"), gap(102.0, 106.0, "fvg+2")], price=105.0, tolerance=1.0)
    assert found == EntryZone(102.0, 104.0, 100.0, ("ob+1", "fvg+2"))


def test_without_overlap_the_highest_reachable_zone_is_used() -> None:
    zones = [BLOCK, gap(107.0, 108.0, "fvg+1"), gap(110.0, 112.0, "fvg+2")]
    assert select_entry_zone(zones, price=109.0, tolerance=0.5) == EntryZone(107.0, 108.0, 107.0, ("fvg+1",))
    assert select_entry_zone(zones, price=109.5, tolerance=0.5) == EntryZone(110.0, 112.0, 110.0, ("fvg+2",))
    assert select_entry_zone(zones, price=99.0, tolerance=0.5) is None


@pytest.mark.parametrize(
    ("open_", "low", "close", "touched", "tolerance_only"),
    [
        (103.0, 102.0, 103.5, True, False),
        (105.0, 104.5, 105.5, True, True),
        (105.5, 105.1, 106.0, False, False),
        (103.0, 98.9, 103.5, False, False),
        (103.0, 99.5, 103.5, True, False),
        (103.5, 102.0, 103.5, False, False),  # does not rise
        (99.2, 99.1, 99.9, False, False),  # closes below the zone
    ],
)
def test_touch_needs_the_wick_in_the_zone_and_a_rising_close_that_holds_it(
    open_: float, low: float, close: float, touched: bool, tolerance_only: bool
) -> None:
    touch = classify_touch(open_, low, close, EntryZone(100.0, 104.0, 100.0, ()), tolerance=1.0)
    assert touch.is_touched is touched
    assert (touch.is_touched and touch.is_tolerance_only) is tolerance_only


def test_mark_of_a_bar_counts_for_later_bars_only() -> None:
    used = {"ob+1": 1_000}
    assert not is_used("ob+1", used, 1_000)
    assert is_used("ob+1", used, 1_001)
    assert not is_used("fvg+9", used, 1_001)


def test_volatility_rank_is_the_share_of_earlier_values_strictly_below() -> None:
    assert volatility_rank([1.0, 2.0, 3.0, 2.0], values_min=3, default=0.5) == pytest.approx(1 / 3)
    assert volatility_rank([1.0, 2.0, 3.0, 9.0], values_min=3, default=0.5) == 1.0
    assert volatility_rank([1.0, 2.0, 9.0], values_min=3, default=0.5) == 0.5
    assert volatility_rank([], values_min=3, default=0.5) == 0.5
    assert buffer_atr(0.5, 0.15, 0.30) == pytest.approx(0.225)


def test_stop_distance_is_bounded_by_noise_cost_and_reach() -> None:
    bounds = distance_bounds(200.0, 0.5, 12.0, atr_15m_min=1.0, cost_multiple_min=5.0, fraction_max=0.10)
    assert bounds == pytest.approx((1.2, 20.0))  # 5 x 12 bps of 200 is more than one ATR
    assert distance_bounds(200.0, 3.0, 12.0, atr_15m_min=1.0, cost_multiple_min=5.0, fraction_max=0.10)[0] == 3.0


def test_target_is_the_nearest_level_that_pays() -> None:
    assert nearest_target((None, 110.0, 104.0, 120.0), 105.0) == 110.0
    assert nearest_target((None, 104.0), 105.0) is None


def untaken_highs(*swings: tuple[int, float]) -> UntakenHighs:
    stack = UntakenHighs(lookback=100)
    for index, price in swings:
        stack.push(index, price)
    return stack


def test_equal_highs_mark_the_newer_of_two_untaken_swings_within_tolerance() -> None:
    stack = untaken_highs((10, 120.0), (20, 110.2), (30, 110.0), (40, 105.0))
    assert nearest_equal_highs(stack, first_index=0, tolerance=0.3, at_least=101.0) == 110.0
    assert nearest_equal_highs(stack, first_index=0, tolerance=0.1, at_least=101.0) is None
    assert nearest_equal_highs(stack, first_index=0, tolerance=0.3, at_least=110.1) is None
    assert nearest_equal_highs(stack, first_index=25, tolerance=0.3, at_least=101.0) is None


def test_funding_received_does_not_make_a_trade_cheaper() -> None:
    costs = replace(COSTS, funding_bps_per_hour=0.5)
    assert compute_cost_bps(costs, 1, 6.0) == 12.0
    assert compute_cost_bps(costs, -1, 6.0) == 9.0
    assert compute_cost_bps(FixedCosts(3.0, 2.0, 5.0, -0.5), -1, 36.0) == 28.0


BEST = ScoreFacts(
    regime=Regime.TIGHT_SMC,
    has_order_block=True,
    has_fair_value_gap=True,
    is_in_ote=True,
    bias=Bias.ALIGNED,
    adx_4h=40.0,
    cost_bps=10.0,
    is_swept=True,
    is_tolerance_touch=False,
)


def test_best_setup_scores_one_hundred() -> None:
    assert compute_score(BEST, P) == 100.0


@pytest.mark.parametrize(
    ("change", "points"),
    [
        ({"has_order_block": False}, -10),
        ({"has_fair_value_gap": False}, -8),
        ({"is_in_ote": False}, -5),
        ({"bias": Bias.NEUTRAL}, -10),
        ({"adx_4h": 39.9}, -3),
        ({"adx_4h": 29.9}, -5),
        ({"adx_4h": 24.9}, -8),
        ({"adx_4h": 19.9}, -15),
        ({"cost_bps": 20.0}, -5),
        ({"cost_bps": 30.0}, -10),
        ({"cost_bps": 50.0}, -15),
        ({"cost_bps": 50.1}, -20),
        ({"is_swept": False}, -5),
        ({"is_tolerance_touch": True}, -5),
        ({"regime": Regime.WIDE_STRUCTURE}, -10),
    ],
)
def test_each_fact_moves_the_score_by_its_points(change: dict[str, object], points: int) -> None:
    changed = replace(BEST, **change)  # type: ignore[arg-type]
    assert compute_score(changed, P) - compute_score(BEST, P) == points


def test_thresholds_of_the_score_gate() -> None:
    found = [score_min(regime, bias, P) for regime in (Regime.TIGHT_SMC, Regime.WIDE_STRUCTURE) for bias in (Bias.ALIGNED, Bias.NEUTRAL)]
    assert found == [65.0, 75.0, 60.0, 70.0]


def test_parameters_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="ote_low"):
        replace(P, ote_low=0.8)
    with pytest.raises(ConfigError, match="swing_bars_4h"):
        replace(P, swing_bars_4h=0)
    with pytest.raises(ConfigError, match="stop_atr_min"):
        replace(P, tight=replace(TIGHT_DEFAULTS, stop_atr_min=0.5))
    with pytest.raises(ConfigError, match="score_adx_steps"):
        replace(P, score_adx_steps=((20.0, 1.0), (30.0, 2.0)))
