from __future__ import annotations

import random
from datetime import date, timedelta

from trading_system.backtest.statistics import Interval, Outcome, bootstrap_by_day, max_drawdown, summarise, wilson_interval

DAY = date(2025, 1, 1)


def test_the_wilson_interval_of_five_in_ten_is_the_published_one() -> None:
    interval = wilson_interval(5, 10)

    assert interval is not None
    assert (round(interval.low, 3), round(interval.high, 3)) == (0.237, 0.763)


def test_no_trades_give_no_figures_instead_of_zeros() -> None:
    summary = summarise([], random.Random(1))

    assert (summary.trades, summary.win_rate, summary.expectancy_r, summary.profit_factor) == (0, None, None, None)


def test_trades_of_one_day_are_one_observation() -> None:
    assert bootstrap_by_day([(DAY, 1.0), (DAY, -1.0)], random.Random(1)) is None


def test_the_bootstrap_is_a_function_of_its_seed_and_contains_the_mean() -> None:
    values = [(DAY + timedelta(days=i), float(i % 5) - 2) for i in range(60)]

    first = bootstrap_by_day(values, random.Random(7))

    assert first == bootstrap_by_day(values, random.Random(7))
    assert isinstance(first, Interval)
    assert first.low < 0 < first.high


def test_drawdown_is_measured_from_the_peak() -> None:
    assert max_drawdown([5, -3, 4, -10, 2]) == 10


def test_costs_stand_beside_the_mean() -> None:
    outcomes = [
        Outcome(DAY, r_multiple=1.8, net_pnl=18, gross_pnl=20, costs=2),
        Outcome(DAY + timedelta(days=1), r_multiple=-1.1, net_pnl=-11, gross_pnl=-10, costs=1),
    ]

    summary = summarise(outcomes, random.Random(1))

    assert summary.cost_share == 3 / 20
    assert summary.profit_factor == 18 / 11
    assert round(summary.gross_expectancy_r or 0, 6) == 0.5
