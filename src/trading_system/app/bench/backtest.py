"""How fast a backtest eats bars: the verb itself over generated candle files, so that it counts what a user waits for."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Final

from trading_system.app import verb_backtest
from trading_system.app.bench.generated_bars import START_MS, generate_quarters
from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of
from trading_system.domain.errors import TradingError
from trading_system.domain.units import from_ms

SYMBOLS: Final = ("BTC", "ETH", "SOL", "DOGE", "ADA", "LINK")
HISTORY_DAYS: Final = 90
"""Before the start: enough 4h bars that the strategy's gates are reached from the first day."""
DAYS: Final = 20
RUNS: Final = 3


def measure() -> dict[str, Outcome]:
    """Bars of the run ÷ its wall seconds, reading the files and warming up included."""
    with tempfile.TemporaryDirectory(prefix="ts-bench-") as name:
        folder = Path(name)
        for number, symbol in enumerate(SYMBOLS):
            _write_candles(folder / f"{symbol}-USD_15m.csv", seed=200 + number)
        try:
            samples, facts = _run_verb(folder)
        except TradingError as error:
            return {"backtest_bars_per_s": Unmeasured(f"the backtest refused the generated candles: {error}")}
    return {"backtest_bars_per_s": reading_of(samples, facts)}


def _write_candles(path: Path, *, seed: int) -> None:
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [",".join(map(repr, bar)) for bar in generate_quarters(seed, HISTORY_DAYS + DAYS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _run_verb(folder: Path) -> tuple[list[float], str]:
    """Bars per second of each run, and what the runs were. TradingError as the verb raises it."""
    start = from_ms(START_MS) + timedelta(days=HISTORY_DAYS)
    end = start + timedelta(days=DAYS)
    parser = argparse.ArgumentParser()
    verb_backtest.configure(parser)
    result = folder / "result.json"
    words = ["--candles", str(folder), "--from", f"{start:%Y-%m-%d}", "--to", f"{end:%Y-%m-%d}", "--json", str(result)]
    args = parser.parse_args(words)
    samples, facts = [], ""
    for _ in range(RUNS):
        begun = perf_counter()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            verb_backtest.run(args)
        seconds = perf_counter() - begun
        told = json.loads(result.read_text(encoding="utf-8"))
        samples.append(told["bars"] / seconds)
        facts = f"{told['symbols']} markets, {told['bars']} bars, {told['signals']} signals, {told['entries']} entries"
        if told["violations"]:
            facts += f", {len(told['violations'])} violations: {told['violations'][0]}"
    return samples, facts
