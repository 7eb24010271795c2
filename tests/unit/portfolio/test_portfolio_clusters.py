"""The leader method on 4h returns."""

from __future__ import annotations

import math

from trading_system.domain.market import Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.portfolio.clusters import ClusterLimits, assign_clusters, correlation, log_returns

A, B, C, D_ = (Symbol(f"{name}/USD") for name in "ABCD")
LIMITS = ClusterLimits()


def closes(moves: list[float], missing: frozenset[int] = frozenset()) -> tuple[list[int], list[float]]:
    price, times, prices = 100.0, [], []
    for index, move in enumerate(moves):
        price *= math.exp(move)
        if index not in missing:
            times.append(index * Timeframe.H4.ms)
            prices.append(price)
    return times, prices


WAVE = [0.01 * math.sin(i) for i in range(181)]
OTHER = [0.01 * math.sin(i * i) for i in range(181)]


def test_a_market_joins_the_first_leader_it_moves_with_and_else_leads() -> None:
    series = {A: closes(WAVE), B: closes([x * 2 for x in WAVE]), C: closes(OTHER), D_: closes([-x for x in WAVE])}

    assert assign_clusters(series, {C: 5.0, B: 4.0, A: 3.0, D_: 2.0}, LIMITS) == {C: C, B: B, A: B, D_: D_}


def test_a_young_market_has_no_cluster() -> None:
    assert assign_clusters({A: closes(WAVE[:90]), B: closes(WAVE[:91])}, {}, LIMITS) == {B: B}


def test_too_few_common_returns_do_not_join() -> None:
    times, prices = closes(WAVE + WAVE)
    early, late = (times[:181], prices[:181]), (times[100:281], prices[100:281])

    assert assign_clusters({A: early, B: late}, {A: 2.0, B: 1.0}, LIMITS) == {A: A, B: B}


def test_a_gap_yields_no_return() -> None:
    assert sorted(log_returns(closes(WAVE[:6], frozenset({3})), 180)) == [t * Timeframe.H4.ms for t in (1, 2, 5)]


def test_a_market_that_never_moves_correlates_with_nothing() -> None:
    assert correlation({1: 0.0, 2: 0.0, 3: 0.0}, {1: 1.0, 2: 2.0, 3: 3.0}) == (0.0, 3)
