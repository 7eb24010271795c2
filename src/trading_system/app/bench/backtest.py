"""How fast a backtest eats bars: the whole live path over 250 generated markets in memory, by CPU, from its first bar to its last.

Reading files and warming the engines up come once per run and have rows of their own; the note tells how long they took here.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from time import process_time
from typing import Final

from trading_system.app.bench.generated_bars import START_MS, generate_quarters
from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of
from trading_system.backtest.driver import BacktestPlan
from trading_system.backtest.measure import measure as measure_backtest
from trading_system.config.load import load_settings
from trading_system.domain.errors import TradingError
from trading_system.domain.market import Bar
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import from_ms
from trading_system.sim.bars import BarColumns
from trading_system.sim.candle_files import CandleSeries
from trading_system.sim.rng import seeded

MARKETS: Final = 250
GROUPS: Final = 12
"""Markets of one group move together, as coins do."""
HISTORY_DAYS: Final = 60
"""Before the start: enough 4h bars that the strategy's gates are reached from the first day."""
DAYS: Final = 4


def measure() -> dict[str, Outcome]:
    """Bars per CPU second, one sample a day of market time."""
    paths = [generate_quarters(200 + group, HISTORY_DAYS + DAYS) for group in range(GROUPS)]
    series = [_market(number, paths[number % GROUPS]) for number in range(MARKETS)]
    start = from_ms(START_MS) + timedelta(days=HISTORY_DAYS)
    marks: list[float] = []
    began = process_time()
    try:
        settings = load_settings(profile="research", env={}).settings
        plan = BacktestPlan(series, start, start + timedelta(days=DAYS), settings)
        told = measure_backtest(plan, with_random_entry=False, progress=lambda title: lambda done, total: marks.append(process_time()))
    except TradingError as error:
        return {"backtest_bars_per_s": Unmeasured(f"the backtest refused the generated candles: {error}")}
    samples = [told["bars"] / DAYS / (after - before) for before, after in pairwise(marks)]
    facts = f"{told['symbols']} markets, {told['bars']} bars, {told['signals']} signals, {told['entries']} entries"
    facts += f"; {marks[0] - began:.1f} s before the first bar"
    if told["violations"]:
        facts += f", {len(told['violations'])} violations: {told['violations'][0]}"
    return {"backtest_bars_per_s": reading_of(samples, facts)}


def _market(number: int, path: list[Bar]) -> CandleSeries:
    """The group's path with a little noise of the market's own."""
    rng = seeded("bench market", number)
    size = 10.0 ** rng.uniform(-2.0, 2.0)
    bars, opened = BarColumns(len(path)), path[0].open * size
    for bar in path:
        close = bar.close * size * (1.0 + rng.gauss(0.0, 0.0006))
        high, low = (price * size for price in (bar.high, bar.low))
        bars.append((bar.open_ms, opened, max(high, opened, close), min(low, opened, close), close, 40_000.0 / size))
        opened = close
    return CandleSeries(Symbol(f"C{number:03}/USD"), bars, BarColumns(1))
