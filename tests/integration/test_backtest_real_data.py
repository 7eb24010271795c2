"""The live code over real candles: skipped with a clear line where there are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feed_watch import FeedWatch, faults_of
from trading_system.backtest.driver import BacktestPlan, BacktestRun, run_backtest
from trading_system.backtest.result import plain, result_of
from trading_system.config.settings import Settings
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision, NoSignal
from trading_system.domain.symbols import Symbol, normalise
from trading_system.domain.units import to_ms
from trading_system.sim.candle_files import load_candles

pytestmark = [pytest.mark.market_data, pytest.mark.slow]
NAMES = ("BTC", "ETH", "SOL", "SUI", "LINK", "ADA")
START = datetime(2025, 10, 1, tzinfo=UTC)
END = datetime(2025, 10, 15, tzinfo=UTC)
"""Two weeks that hold the liquidation cascade of 10 October 2025, with real bars that lose half of their price."""


class WatchedStrategy(FeedWatch):
    """Notes every decision it gives, and every bar it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[int, str, str]] = []

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        decision = super().decide(symbol, at_ms, costs)
        code = decision.reason_code if isinstance(decision, NoSignal) else f"{decision.direction.value} {decision.stop_price}"
        self.said.append((at_ms, symbol, code))
        return decision


def run(directory: Path) -> tuple[BacktestRun, WatchedStrategy]:
    strategy = WatchedStrategy()
    plan = BacktestPlan(load_candles(directory, symbols={normalise(name) for name in NAMES}), START, END, Settings())
    return run_backtest(plan, lambda: strategy), strategy


def cut_files(source: Path, target: Path, until_ms: int) -> Path:
    """The same candle files without the bars that open at or after `until_ms`."""
    parquet = pytest.importorskip("pyarrow.parquet")
    compute = pytest.importorskip("pyarrow.compute")
    target.mkdir()
    for name in NAMES:
        for timeframe in ("15m", "1h"):
            path = source / f"{name}-USD_{timeframe}.parquet"
            if path.exists():
                table = parquet.read_table(path)
                parquet.write_table(table.filter(compute.less(table["timestamp"], until_ms)), target / path.name)
    return target


def test_a_crash_is_traded_through_and_no_decision_knew_of_later_bars(market_data: Path, tmp_path: Path) -> None:
    whole, watch = run(market_data / "candles")
    said = watch.said
    result: dict[str, Any] = result_of(whole, 0.0)
    assert result["violations"] == []
    assert result["naked_s_max"] <= 15
    assert result["equity_end"] == (result["equity_start"] + result["realised"] + result["unrealised"] - result["fees"] - result["funding"])

    cut = START + timedelta(days=8, hours=7, minutes=30)
    shorter, shorter_watch = run(cut_files(market_data / "candles", tmp_path / "cut", to_ms(cut)))

    said_shorter = shorter_watch.said
    last = said_shorter[-1][0]
    assert last >= to_ms(cut) - 900_000
    assert said_shorter == [entry for entry in said if entry[0] <= last]
    before = [trade for trade in result["trades"] if trade["closed_at"] < cut.isoformat()]
    assert plain(result_of(shorter, 0.0)["trades"][: len(before)]) == plain(before)
    stored = load_candles(market_data / "candles", symbols={normalise(name) for name in NAMES})
    assert len(watch.fed) > 14 * 96 * len(NAMES)
    assert faults_of(watch, stored, rounding=1e-4) == []
