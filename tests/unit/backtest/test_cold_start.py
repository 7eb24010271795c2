"""The measure of cold starts: nothing differs when the window holds everything, and what differs is counted where it belongs."""

from __future__ import annotations

from strategy_builders import COSTS, QUICK, SYMBOL, events_of, random_quarters
from trading_system.backtest.chart.feed import FedBar
from trading_system.backtest.cold_start import ColdStartPlan, ColdStarts, are_same, measure_cold_starts
from trading_system.domain.market import Timeframe

M15, H1, H4, D1 = Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1
PLAN = ColdStartPlan(QUICK, COSTS, 4 * 3_600_000, every_days=3, follow_days=5, capacity={M15: 300, H1: 150, H4: 90, D1: 18})
RANK = {D1: 0, H4: 1, H1: 2, M15: 3}


def a_feed(seed: int, days: int = 40) -> list[FedBar]:
    return [FedBar(close_ms, RANK[timeframe], timeframe, bar) for close_ms, timeframe, bar in events_of(random_quarters(seed, days))]


def test_short_windows_decide_otherwise_now_and_then_and_every_difference_is_counted_once() -> None:
    found = ColdStarts()
    for seed in range(3):
        found.add(measure_cold_starts(SYMBOL, a_feed(seed), PLAN))

    assert found.restarts >= 20
    assert 0 < sum(found.other.values()) < sum(found.asked.values())
    assert sum(found.other_codes.values()) == sum(found.other.values())
    assert found.lost + found.extra + found.moved <= sum(found.other.values())
    assert found.signals > 0
    assert set(found.asked) == {0, 1, 2, 3, 4}
    share = found.share(0, 5)
    assert share is not None
    assert share == sum(found.other.values()) / sum(found.asked.values())


def test_a_market_without_a_longer_past_than_the_window_has_no_restart_to_measure() -> None:
    assert measure_cold_starts(SYMBOL, a_feed(1, days=10), PLAN) == ColdStarts()


def test_signals_are_the_same_within_a_hundredth_of_a_percent() -> None:
    one = ("SIGNAL", "long tight_smc", 100.0, 98.0, 106.0)

    assert are_same(one, ("SIGNAL", "long tight_smc", 100.0, 98.005, 106.0))
    assert not are_same(one, ("SIGNAL", "long tight_smc", 100.0, 98.05, 106.0))
    assert not are_same(one, ("SIGNAL", "short tight_smc", 100.0, 98.0, 106.0))
    assert not are_same(one, ("RR_TOO_LOW", "", 0.0, 0.0, 0.0))
