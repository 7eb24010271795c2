"""Builders for tests of the chart: records of seeded markets with short warm-ups."""

from __future__ import annotations

from functools import lru_cache

from strategy_builders import COSTS, QUICK, START_MS, SYMBOL, random_quarters
from trading_system.backtest.chart.feed import feed_of
from trading_system.backtest.chart.recording import ChartPlan, Record, record
from trading_system.domain.market import Bar, Timeframe
from trading_system.sim.bars import BarColumns
from trading_system.sim.candle_files import CandleSeries

DAYS = 24
DAY_MS = Timeframe.D1.ms
END_MS = START_MS + DAYS * DAY_MS
FIRST_MS = START_MS + 12 * DAY_MS
"""The picture begins when the engine is warm."""


def columns(bars: list[Bar]) -> BarColumns:
    held = BarColumns(max(1, len(bars)))
    held.extend(bars)
    return held


@lru_cache(maxsize=8)
def a_series(seed: int) -> CandleSeries:
    return CandleSeries(SYMBOL, columns(random_quarters(seed, DAYS)), columns([]))


def a_record(seed: int, until_ms: int = END_MS, *, start_ms: int = FIRST_MS, cooldown_ms: int = 4 * 3_600_000) -> Record:
    plan = ChartPlan(SYMBOL, QUICK, COSTS, start_ms, 8 * DAY_MS, cooldown_ms)
    return record(plan, feed_of(a_series(seed), until_ms))
