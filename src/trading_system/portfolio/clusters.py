"""Which markets move together: the leader method on 4h returns. Float statistics over bars; no money here.

Markets in order of volume; each joins the first leader it correlates with, or becomes a leader itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import mul
from typing import Final, TypeAlias

from trading_system.domain.market import Timeframe
from trading_system.domain.symbols import Symbol

_LENGTH_MS: Final = Timeframe.H4.ms


@dataclass(frozen=True, slots=True)
class ClusterLimits:
    """correlation_min: Pearson; returns_max: newest 4h returns looked at; common_min: fewest shared bars to compare two markets."""

    correlation_min: float = 0.80
    returns_max: int = 180
    common_min: int = 90


Closes: TypeAlias = tuple[Sequence[int], Sequence[float]]
"""Open times (ms, ascending) and closes of the newest 4h bars of a market."""


def assign_clusters(closes_4h: Mapping[Symbol, Closes], volumes: Mapping[Symbol, float], limits: ClusterLimits) -> dict[Symbol, Symbol]:
    """Leader of each market that has at least `common_min` returns; others are absent (the caller falls back to the setup label).

    volumes: 24 h USD; a market without one comes last. Deterministic: ties by symbol.
    """
    returns = {
        symbol: _Series(found)
        for symbol, closes in closes_4h.items()
        if len(found := log_returns(closes, limits.returns_max)) >= limits.common_min
    }
    leaders: list[Symbol] = []
    clusters: dict[Symbol, Symbol] = {}
    for symbol in sorted(returns, key=lambda s: (-volumes.get(s, 0.0), s)):
        leader = next((other for other in leaders if _moves_with(returns[symbol], returns[other], limits)), None)
        if leader is None:
            leaders.append(symbol)
        clusters[symbol] = symbol if leader is None else leader
    return clusters


def log_returns(closes: Closes, newest: int) -> dict[int, float]:
    """Log return by open time (ms) of the later bar, for the newest pairs of adjacent bars. A gap yields no return."""
    times, prices = closes[0][-(newest + 1) :], closes[1][-(newest + 1) :]
    return {
        after_ms: math.log(after / before)
        for (before_ms, before), (after_ms, after) in pairwise(zip(times, prices, strict=True))
        if after_ms - before_ms == _LENGTH_MS and before > 0 and after > 0
    }


def correlation(first: Mapping[int, float], second: Mapping[int, float]) -> tuple[float, int]:
    """Pearson correlation over the shared times, and their number; 0.0 where one side never moves."""
    shared = list(first) if first.keys() == second.keys() else sorted(first.keys() & second.keys())
    n = len(shared)
    if n < 2:
        return 0.0, n
    xs, ys = [first[t] for t in shared], [second[t] for t in shared]
    mean_x, mean_y = math.fsum(xs) / n, math.fsum(ys) / n
    dx, dy = [x - mean_x for x in xs], [y - mean_y for y in ys]
    cov, var_x, var_y = math.fsum(map(mul, dx, dy)), math.fsum(map(mul, dx, dx)), math.fsum(map(mul, dy, dy))
    return (cov / math.sqrt(var_x * var_y), n) if var_x > 0 and var_y > 0 else (0.0, n)


class _Series:
    """Returns of one market, and what every comparison with another of the same times needs of them."""

    __slots__ = ("deviations", "returns", "squares", "times")

    def __init__(self, returns: Mapping[int, float]) -> None:
        self.returns = returns
        self.times = tuple(returns)
        mean = math.fsum(returns.values()) / len(returns)
        self.deviations = [value - mean for value in returns.values()]
        self.squares = math.fsum(map(mul, self.deviations, self.deviations))

    def correlation(self, other: _Series) -> tuple[float, int]:
        """As the function of that name says."""
        if self.times != other.times:
            return correlation(self.returns, other.returns)
        if not (self.squares > 0 and other.squares > 0):
            return 0.0, len(self.times)
        return math.fsum(map(mul, self.deviations, other.deviations)) / math.sqrt(self.squares * other.squares), len(self.times)


def _moves_with(first: _Series, second: _Series, limits: ClusterLimits) -> bool:
    rho, common = first.correlation(second)
    return common >= limits.common_min and rho >= limits.correlation_min
