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
    shared = sorted(first.keys() & second.keys())
    if len(shared) < 2:
        return 0.0, len(shared)
    return _correlation(*(_Series({time: returns[time] for time in shared}) for returns in (first, second)))


class _Series:
    """Returns of one market (at least one), and what every comparison with another of the same times needs of them."""

    __slots__ = ("deviations", "returns", "squares", "times")

    def __init__(self, returns: Mapping[int, float]) -> None:
        self.returns = returns
        self.times = tuple(returns)
        mean = math.fsum(returns.values()) / len(returns)
        self.deviations = [value - mean for value in returns.values()]
        self.squares = math.fsum(map(mul, self.deviations, self.deviations))


def _correlation(first: _Series, second: _Series) -> tuple[float, int]:
    """`correlation` of two whose times are the same."""
    if not (first.squares > 0 and second.squares > 0):
        return 0.0, len(first.times)
    return math.fsum(map(mul, first.deviations, second.deviations)) / math.sqrt(first.squares * second.squares), len(first.times)


def _moves_with(first: _Series, second: _Series, limits: ClusterLimits) -> bool:
    is_aligned = first.times == second.times
    rho, common = _correlation(first, second) if is_aligned else correlation(first.returns, second.returns)
    return common >= limits.common_min and rho >= limits.correlation_min
