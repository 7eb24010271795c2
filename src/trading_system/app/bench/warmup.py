"""How long a start waits for its engines: from stored bars, and from snapshots."""

from __future__ import annotations

from typing import Final

from trading_system.app.bench.engine_runs import cpu_seconds
from trading_system.app.bench.generated_bars import all_timeframes, generate_quarters
from trading_system.app.bench.readings import Outcome, reading_of
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.strategy.smc_engine import SmcStrategy

COINS: Final = 250
BARS: Final = 500
RUNS: Final = 3
_DISTINCT: Final = 4
"""Different price paths; the coins share them, each with an engine of its own."""


def measure() -> dict[str, Outcome]:
    """250 coins x 4 timeframes x 500 bars, cold and restored."""
    markets = [
        {timeframe: bars[-BARS:] for timeframe, bars in all_timeframes(generate_quarters(100 + n, BARS)).items()} for n in range(_DISTINCT)
    ]
    coins = {Symbol(f"B{number}/USD"): markets[number % _DISTINCT] for number in range(COINS)}
    cold = []
    strategy = SmcStrategy()
    for _ in range(RUNS):
        strategy = SmcStrategy()
        cold.append(cpu_seconds(lambda s=strategy: _warm_up(s, coins)))  # type: ignore[misc]
    snapshots = {symbol: strategy.snapshot(symbol) for symbol in coins}
    restored = [cpu_seconds(lambda: _restore(snapshots)) for _ in range(RUNS)]
    size = sum(map(len, snapshots.values())) / len(snapshots) / 1024
    return {
        "warmup_1000_s": reading_of(cold),
        "warmup_snapshot_s": reading_of(restored, f"{size:.0f} KiB per coin, from memory: reading the file is not in it"),
    }


def _warm_up(strategy: SmcStrategy, coins: dict[Symbol, dict[Timeframe, list[Bar]]]) -> None:
    update = strategy.update
    for symbol, series in coins.items():
        for timeframe, bars in series.items():
            for bar in bars:
                update(symbol, timeframe, bar)


def _restore(snapshots: dict[Symbol, bytes]) -> None:
    strategy = SmcStrategy()
    for symbol, snapshot in snapshots.items():
        if not strategy.restore(symbol, snapshot):
            raise RuntimeError(f"the engine refused its own snapshot of {symbol}")
