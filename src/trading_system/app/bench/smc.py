"""The signal engine: cost per bar, one bar for each of 1,000 series, and how the cost grows with the length of the history."""

from __future__ import annotations

from typing import Final

from trading_system.app.bench.engine_runs import COSTS, SYMBOL, cpu_seconds, feed_and_judge, feed_only
from trading_system.app.bench.generated_bars import FedBar, all_timeframes, feed_of, generate_quarters
from trading_system.app.bench.readings import Outcome, reading_of
from trading_system.domain.market import Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.strategy.smc_engine import SmcStrategy

WARM_DAYS: Final = 400
"""Fed before anything is timed: every window is full and every gate can be reached."""
SHORT_BARS: Final = 10_000
LONG_BARS: Final = 100_000
COINS: Final = 250
RUNS: Final = 5
_BARS_PER_DAY: Final = 96 + 24 + 6 + 1


def measure() -> dict[str, Outcome]:
    """All figures of the engine; about half a minute."""
    days = WARM_DAYS + LONG_BARS // _BARS_PER_DAY + 1
    feed = feed_of(all_timeframes(generate_quarters(1, days)))
    warm_until = WARM_DAYS * _BARS_PER_DAY
    warm = SmcStrategy()
    feed_only(warm, SYMBOL, feed[:warm_until])
    snapshot = warm.snapshot(SYMBOL)
    return _per_bar(snapshot, feed[warm_until:]) | _one_bar_each(snapshot, feed[warm_until:])


def _warm_strategy(snapshot: bytes) -> SmcStrategy:
    strategy = SmcStrategy()
    if not strategy.restore(SYMBOL, snapshot):
        raise RuntimeError("the engine refused the snapshot it has just made")
    return strategy


def _per_bar(snapshot: bytes, feed: list[FedBar]) -> dict[str, Outcome]:
    """Cost per bar from SHORT_BARS, its share of judging, and the growth to LONG_BARS, all from the same warm engine."""
    short, long = feed[:SHORT_BARS], feed[:LONG_BARS]
    judged = sum(fed.timeframe is Timeframe.M15 for fed in short)
    whole, fed_only, growth = [], [], []
    for _ in range(RUNS):
        strategy = _warm_strategy(snapshot)
        whole.append(cpu_seconds(lambda s=strategy: feed_and_judge(s, SYMBOL, short)))  # type: ignore[misc]
        strategy = _warm_strategy(snapshot)
        fed_only.append(cpu_seconds(lambda s=strategy: feed_only(s, SYMBOL, short)))  # type: ignore[misc]
    for number in range(min(3, RUNS)):
        strategy = _warm_strategy(snapshot)
        growth.append(cpu_seconds(lambda s=strategy: feed_and_judge(s, SYMBOL, long)) / whole[number])  # type: ignore[misc]
    deciding = [(total - fed) / judged * 1e6 for total, fed in zip(whole, fed_only, strict=True)]
    update_us = reading_of([seconds / len(short) * 1e6 for seconds in fed_only])
    decide_us = reading_of(deciding)
    note = f"feeding alone {update_us.median:.2f} us per bar; judging {decide_us.median:.2f} us per 15m bar (smc_decide_us)"
    return {
        "smc_us_per_bar": reading_of([seconds / len(short) * 1e6 for seconds in whole], note),
        "smc_decide_us": decide_us,
        "smc_growth_ratio": reading_of(growth, "a ratio of two times from the same warm engine; 10 = cost per bar does not grow"),
    }


def _one_bar_each(snapshot: bytes, feed: list[FedBar]) -> dict[str, Outcome]:
    """250 warm engines at successive UTC midnights, where all four timeframes close together."""
    strategy = SmcStrategy()
    symbols = [Symbol(f"B{number}/USD") for number in range(COINS)]
    for symbol in symbols:
        # a snapshot names its symbol, so each coin takes over the state of an engine of that name
        strategy.engine(symbol).state = _warm_strategy(snapshot).engine(SYMBOL).state
    samples = []
    for run in range(RUNS):
        day = feed[run * _BARS_PER_DAY : (run + 1) * _BARS_PER_DAY]
        midnight = [fed for fed in day if fed.close_ms == day[-1].close_ms]
        for symbol in symbols:
            feed_only(strategy, symbol, day[: -len(midnight)])
        samples.append(cpu_seconds(lambda bars=midnight: _close_everywhere(strategy, symbols, bars)) * 1e3)  # type: ignore[misc]
    return {"smc_1000_series_ms": reading_of(samples)}


def _close_everywhere(strategy: SmcStrategy, symbols: list[Symbol], bars: list[FedBar]) -> None:
    for symbol in symbols:
        for _, timeframe, bar in bars:
            strategy.update(symbol, timeframe, bar)
    for symbol in symbols:
        strategy.decide(symbol, bars[-1].close_ms, COSTS)
