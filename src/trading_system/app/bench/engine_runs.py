"""Feeding an engine under the stopwatch: CPU seconds, so that a busy neighbour counts less."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import process_time

from trading_system.app.bench.generated_bars import FedBar
from trading_system.domain.market import Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.strategy.smc_engine import SmcStrategy

SYMBOL = Symbol("BENCH/USD")


@dataclass(frozen=True, slots=True)
class BenchCosts:
    """Cost terms of an ordinary liquid market."""

    spread_bps: float = 2.0
    entry_fee_bps: float = 5.0
    exit_fee_bps: float = 5.0
    funding_bps_per_hour: float = 0.05


COSTS = BenchCosts()


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of `work` in this process. The collector runs before, never by chance inside."""
    gc.collect()
    gc.disable()
    try:
        begun = process_time()
        work()
        return process_time() - begun
    finally:
        gc.enable()


def feed_and_judge(strategy: SmcStrategy, symbol: Symbol, feed: Sequence[FedBar]) -> None:
    """What live does with closed bars: feed each, judge once per 15m bar after everything that closed with it."""
    update, decide = strategy.update, strategy.decide
    for close_ms, timeframe, bar in feed:
        update(symbol, timeframe, bar)
        if timeframe is Timeframe.M15:
            decide(symbol, close_ms, COSTS)


def feed_only(strategy: SmcStrategy, symbol: Symbol, feed: Sequence[FedBar]) -> None:
    """The bars without the judgements."""
    update = strategy.update
    for _, timeframe, bar in feed:
        update(symbol, timeframe, bar)
