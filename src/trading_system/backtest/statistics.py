"""Honest figures over closed trades: counts, intervals and cost shares beside every mean. Pure.

Trades of one day share the market's mood, so intervals of means are bootstrapped by day, not by trade
(Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 8). Win rates use the Wilson score interval
(Wilson, JASA 22, 1927).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol


class SeededRandom(Protocol):
    """A seeded source of indices."""

    def randrange(self, stop: int, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """One closed trade reduced to what statistics need.

    R is the loss the initial stop allowed on the filled size: `r_multiple` is the net result in it, after all costs, `gross_r` the
    result of the fills alone (spread and slippage are in their prices). Money in USD; `costs` are fees and funding paid.
    """

    day: date
    r_multiple: float
    gross_r: float
    net_pnl: float
    gross_pnl: float
    costs: float


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one set of trades. None where a figure needs more trades than there are."""

    trades: int
    days: int
    win_rate: float | None
    win_rate_95: Interval | None
    expectancy_r: float | None
    expectancy_r_95: Interval | None
    gross_expectancy_r: float | None
    gross_expectancy_r_95: Interval | None
    profit_factor: float | None
    cost_share: float | None
    """Costs as a share of the gross profit of winning trades."""
    total_r: float
    max_drawdown_r: float
    max_drawdown_usd: float


def wilson_interval(wins: int, n: int, z: float = 1.96) -> Interval | None:
    """The score interval of a proportion; None for n = 0."""
    if n == 0:
        return None
    share = wins / n
    denominator = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / denominator
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / denominator
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def bootstrap_by_day(values: Iterable[tuple[date, float]], random: SeededRandom, *, rounds: int = 2000) -> Interval | None:
    """The 95 % percentile interval of the mean, resampling whole days; None with fewer than two days."""
    days = [(total, count) for _, (total, count) in sorted(_by_day(values).items())]
    if len(days) < 2:
        return None
    means: list[float] = []
    for _ in range(rounds):
        total, count = 0.0, 0
        for _ in range(len(days)):
            day_sum, day_count = days[random.randrange(len(days))]
            total += day_sum
            count += day_count
        means.append(total / count)
    return _middle_95(means)


def bootstrap_difference_by_day(
    first: Iterable[tuple[date, float]], second: Iterable[tuple[date, float]], random: SeededRandom, *, rounds: int = 2000
) -> Interval | None:
    """The 95 % percentile interval of mean(first) - mean(second), both resampled by the same drawn days.

    Calendar days are drawn from those on which either has values, so a day's market mood counts on both sides. None when either
    has values on fewer than two days; a round that draws no value of one side is drawn again.
    """
    one, other = _by_day(first), _by_day(second)
    if len(one) < 2 or len(other) < 2:
        return None
    nothing = (0.0, 0)
    days = [(*one.get(day, nothing), *other.get(day, nothing)) for day in sorted({*one, *other})]
    differences: list[float] = []
    while len(differences) < rounds:
        sums = [0.0, 0.0, 0.0, 0.0]
        for _ in range(len(days)):
            for place, value in enumerate(days[random.randrange(len(days))]):
                sums[place] += value
        if sums[1] and sums[3]:
            differences.append(sums[0] / sums[1] - sums[2] / sums[3])
    return _middle_95(differences)


def _by_day(values: Iterable[tuple[date, float]]) -> Mapping[date, tuple[float, int]]:
    """Sum and count of each day."""
    by_day: dict[date, list[float]] = {}
    for day, value in values:
        by_day.setdefault(day, []).append(value)
    return {day: (math.fsum(group), len(group)) for day, group in by_day.items()}


def _middle_95(values: list[float]) -> Interval:
    values.sort()
    return Interval(values[int(0.025 * len(values))], values[int(0.975 * len(values)) - 1])


def max_drawdown(pnl_in_order: Iterable[float]) -> float:
    """Largest fall of the running sum from its peak, in the unit of the input, >= 0."""
    total = peak = worst = 0.0
    for pnl in pnl_in_order:
        total += pnl
        peak = max(peak, total)
        worst = max(worst, peak - total)
    return worst


def profit_factor(pnl: Iterable[float]) -> float | None:
    """Sum of the gains over the sum of the losses; None without a loss."""
    values = list(pnl)
    losses = math.fsum(-value for value in values if value < 0)
    return math.fsum(value for value in values if value > 0) / losses if losses else None


def summarise(outcomes: Sequence[Outcome], random: SeededRandom, *, rounds: int = 2000) -> Summary:
    """All figures of one set of trades, in the order in which they closed."""
    n = len(outcomes)
    wins = sum(o.net_pnl > 0 for o in outcomes)
    gross_profit = math.fsum(o.gross_pnl for o in outcomes if o.gross_pnl > 0)
    return Summary(
        trades=n,
        days=len({o.day for o in outcomes}),
        win_rate=wins / n if n else None,
        win_rate_95=wilson_interval(wins, n),
        expectancy_r=mean(o.r_multiple for o in outcomes),
        expectancy_r_95=bootstrap_by_day(((o.day, o.r_multiple) for o in outcomes), random, rounds=rounds),
        gross_expectancy_r=mean(o.gross_r for o in outcomes),
        gross_expectancy_r_95=bootstrap_by_day(((o.day, o.gross_r) for o in outcomes), random, rounds=rounds),
        profit_factor=profit_factor(o.net_pnl for o in outcomes),
        cost_share=math.fsum(o.costs for o in outcomes) / gross_profit if gross_profit else None,
        total_r=math.fsum(o.r_multiple for o in outcomes),
        max_drawdown_r=max_drawdown(o.r_multiple for o in outcomes),
        max_drawdown_usd=max_drawdown(o.net_pnl for o in outcomes),
    )


def mean(values: Iterable[float]) -> float | None:
    """The arithmetic mean; None of nothing."""
    held = list(values)
    return math.fsum(held) / len(held) if held else None
