"""Statistics against values worked out by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from trading_system.backtest.statistics import (
    Interval,
    Outcome,
    bootstrap_by_day,
    bootstrap_difference_by_day,
    max_drawdown,
    mean,
    profit_factor,
    summarise,
    wilson_interval,
)

DAY = date(2025, 1, 1)
NEXT = DAY + timedelta(days=1)


class Drawn:
    """Gives the indices it was told, over and over."""

    def __init__(self, *indices: int) -> None:
        self._indices = self._forever(indices)

    @staticmethod
    def _forever(indices: tuple[int, ...]) -> Iterator[int]:
        while True:
            yield from indices

    def randrange(self, stop: int, /) -> int:
        index = next(self._indices)
        assert index < stop
        return index


@pytest.mark.parametrize(
    ("wins", "n", "low", "high"),
    [
        (5, 10, 0.2366, 0.7634),  # (0.5 + 0.19208 +- 1.96 * sqrt(0.025 + 0.009604)) / 1.38416
        (0, 10, 0.0, 0.2775),  # centre and half width are both z^2 / 2n over 1 + z^2 / n
        (10, 10, 0.7225, 1.0),
        (1, 1, 0.2065, 1.0),
        (400, 1000, 0.3701, 0.4307),
    ],
)
def test_the_wilson_interval_is_the_published_one(wins: int, n: int, low: float, high: float) -> None:
    interval = wilson_interval(wins, n)

    assert interval is not None
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_no_trades_give_no_figures_instead_of_zeros() -> None:
    summary = summarise([], random.Random(1))

    assert (summary.trades, summary.win_rate, summary.expectancy_r, summary.profit_factor) == (0, None, None, None)
    assert wilson_interval(0, 0) is None
    assert mean([]) is None


def test_trades_of_one_day_are_one_observation() -> None:
    assert bootstrap_by_day([(DAY, 1.0), (DAY, -1.0)], random.Random(1)) is None


def test_a_bootstrap_round_draws_whole_days_and_weighs_them_by_their_trades() -> None:
    values = [(DAY, 1.0), (DAY, 2.0), (DAY, 3.0), (NEXT, -4.0)]

    # three rounds of two days each: first+first, second+second, first+second
    interval = bootstrap_by_day(values, Drawn(0, 0, 1, 1, 0, 1), rounds=3)

    # means 12/6 = 2, -8/2 = -4 and 2/4 = 0.5; the interval's ends are entries 0 and 1 of the three in order
    assert interval == Interval(-4.0, 0.5)


def test_the_bootstrap_is_a_function_of_its_seed_and_contains_the_mean() -> None:
    values = [(DAY + timedelta(days=i), float(i % 5) - 2) for i in range(60)]

    first = bootstrap_by_day(values, random.Random(7))

    assert first == bootstrap_by_day(values, random.Random(7))
    assert first != bootstrap_by_day(values, random.Random(8))
    assert isinstance(first, Interval)
    assert first.low < 0 < first.high


def test_the_bootstrap_of_many_days_is_as_wide_as_theory_says() -> None:
    rng = random.Random(3)
    values = [(DAY + timedelta(days=i), rng.gauss(0.1, 1.0)) for i in range(400)]

    interval = bootstrap_by_day(values, random.Random(1), rounds=4000)

    assert interval is not None
    # +- 1.96 sigma / sqrt(n) = +- 0.098
    assert math.isclose(interval.high - interval.low, 2 * 1.96 / 20, rel_tol=0.1)


def test_trades_that_share_their_day_widen_the_interval() -> None:
    rng = random.Random(5)
    moods = [rng.gauss(0.0, 1.0) for _ in range(100)]
    alone = [(DAY + timedelta(days=i), mood) for i, mood in enumerate(moods)]
    tenfold = [(day, mood) for day, mood in alone for _ in range(10)]

    assert bootstrap_by_day(tenfold, random.Random(1)) == pytest.approx(bootstrap_by_day(alone, random.Random(1)))


def test_a_difference_is_taken_on_the_same_drawn_days() -> None:
    first = [(DAY, 3.0), (NEXT, -1.0)]
    second = [(DAY, 2.0), (DAY, 2.0), (NEXT, -2.0)]

    # rounds: first+first 3 - 2 = 1, second+second -1 + 2 = 1, first+second 1 - 2/3 = 1/3
    interval = bootstrap_difference_by_day(first, second, Drawn(0, 0, 1, 1, 0, 1), rounds=3)

    assert interval == Interval(pytest.approx(1 / 3), 1.0)  # type: ignore[arg-type]


def test_days_that_move_both_alike_do_not_make_their_difference_uncertain() -> None:
    rng = random.Random(2)
    moods = [(DAY + timedelta(days=i), rng.gauss(0.0, 5.0)) for i in range(50)]
    shifted = [(day, mood + 0.25) for day, mood in moods]

    interval = bootstrap_difference_by_day(shifted, moods, random.Random(1), rounds=200)

    assert interval is not None
    assert (round(interval.low, 9), round(interval.high, 9)) == (0.25, 0.25)


def test_a_round_without_a_value_on_one_side_is_drawn_again() -> None:
    first, second = [(DAY, 1.0), (NEXT, 1.0)], [(DAY, 0.0), (NEXT + timedelta(days=1), 0.0)]

    # three days; (1, 1, 1) draws only the day on which the second has nothing
    assert bootstrap_difference_by_day(first, second, Drawn(1, 1, 1, 0, 1, 2), rounds=1) is not None
    assert bootstrap_difference_by_day(first, [(DAY, 0.0)], random.Random(1)) is None


def test_drawdown_is_measured_from_the_peak() -> None:
    assert max_drawdown([5, -3, 4, -10, 2]) == 10
    assert max_drawdown([-1, -2]) == 3, "the start is a peak too"
    assert max_drawdown([1, 2]) == 0


def test_a_profit_factor_needs_a_loss() -> None:
    assert profit_factor([3, -1, 1, -1]) == 2
    assert profit_factor([3]) is None
    assert profit_factor([-1]) == 0


def test_costs_stand_beside_the_mean() -> None:
    outcomes = [
        Outcome(DAY, r_multiple=1.8, gross_r=2.0, net_pnl=18, gross_pnl=20, costs=2),
        Outcome(NEXT, r_multiple=-1.1, gross_r=-1.0, net_pnl=-11, gross_pnl=-10, costs=1),
        Outcome(NEXT, r_multiple=-0.1, gross_r=0.0, net_pnl=-1, gross_pnl=0, costs=1),
    ]

    summary = summarise(outcomes, random.Random(1))

    assert (summary.trades, summary.days, summary.win_rate) == (3, 2, 1 / 3)
    assert summary.cost_share == 4 / 20
    assert summary.profit_factor == 18 / 12
    assert (round(summary.expectancy_r or 0, 9), round(summary.gross_expectancy_r or 0, 9)) == (0.2, round(1 / 3, 9))
    assert (round(summary.total_r, 9), round(summary.max_drawdown_r, 9), summary.max_drawdown_usd) == (0.6, 1.2, 12)
