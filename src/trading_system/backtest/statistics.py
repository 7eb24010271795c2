"""Honest figures over closed trades: counts, intervals and cost shares beside every mean.

Trades of one day share the market's mood, so intervals of means are bootstrapped by day, not by trade
(Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 8). Win rates use the Wilson score interval
(Wilson, JASA 22, 1927).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol


class SeededRandom(Protocol):
    """A seeded source of indices."""

    def randrange(self, stop: int, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """One closed trade reduced to what statistics need. `r_multiple` is net of all costs; money in USD."""

    day: date
    r_multiple: float
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
    profit_factor: float | None
    cost_share: float | None
    """Costs as a share of the gross profit of winning trades."""
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
    by_day: dict[date, list[float]] = {}
    for day, value in values:
        by_day.setdefault(day, []).append(value)
    days = [(math.fsum(group), len(group)) for _, group in sorted(by_day.items())]
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
    means.sort()
    return Interval(means[int(0.025 * rounds)], means[int(0.975 * rounds) - 1])


def max_drawdown(pnl_in_order: Iterable[float]) -> float:
    """Largest fall of the running sum from its peak, in the unit of the input, >= 0."""
    total = peak = worst = 0.0
    for pnl in pnl_in_order:
        total += pnl
        peak = max(peak, total)
        worst = max(worst, peak - total)
    return worst


def summarise(outcomes: Sequence[Outcome], random: SeededRandom, *, rounds: int = 2000) -> Summary:
    """All figures of one set of trades, in the order in which they closed."""
    n = len(outcomes)
    wins = [o for o in outcomes if o.net_pnl > 0]
    losses = math.fsum(-o.net_pnl for o in outcomes if o.net_pnl < 0)
    gross_profit = math.fsum(o.gross_pnl for o in outcomes if o.gross_pnl > 0)
    gross_r = [o.r_multiple * o.gross_pnl / o.net_pnl for o in outcomes if o.net_pnl != 0]
    return Summary(
        trades=n,
        days=len({o.day for o in outcomes}),
        win_rate=len(wins) / n if n else None,
        win_rate_95=wilson_interval(len(wins), n),
        expectancy_r=math.fsum(o.r_multiple for o in outcomes) / n if n else None,
        expectancy_r_95=bootstrap_by_day(((o.day, o.r_multiple) for o in outcomes), random, rounds=rounds),
        gross_expectancy_r=math.fsum(gross_r) / len(gross_r) if gross_r else None,
        profit_factor=math.fsum(o.net_pnl for o in wins) / losses if losses else None,
        cost_share=math.fsum(o.costs for o in outcomes) / gross_profit if gross_profit else None,
        max_drawdown_usd=max_drawdown(o.net_pnl for o in outcomes),
    )


def render(title: str, summary: Summary) -> list[str]:
    """Lines for a person; a figure that cannot be given says so."""

    def pct(value: float | None) -> str:
        return "n/a" if value is None else f"{value * 100:.1f} %"

    def r(value: float | None) -> str:
        return "n/a" if value is None else f"{value:+.3f} R"

    def span(interval: Interval | None, *, scale: float = 1.0, digits: int = 2) -> str:
        return "95 %: n/a" if interval is None else f"95 %: {interval.low * scale:.{digits}f} … {interval.high * scale:.{digits}f}"

    return [
        f"{title}: n={summary.trades} trades on {summary.days} days",
        f"  win rate     {pct(summary.win_rate)} ({span(summary.win_rate_95, scale=100, digits=1)})",
        f"  expectancy   {r(summary.expectancy_r)} after costs ({span(summary.expectancy_r_95)}), {r(summary.gross_expectancy_r)} before",
        f"  profit factor {'n/a' if summary.profit_factor is None else f'{summary.profit_factor:.2f}'}"
        f" · costs {pct(summary.cost_share)} of gross profit · max drawdown {summary.max_drawdown_usd:.2f} USD",
    ]
