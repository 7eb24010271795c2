"""A backtest is the daemon itself: exact money, the same result twice, no look into the future."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backtest_files import END, write_files
from feed_watch import FeedWatch, faults_of
from trading_system.backtest.driver import BacktestPlan, BacktestRun, run_backtest
from trading_system.backtest.result import plain, result_of
from trading_system.config.settings import Settings
from trading_system.domain.errors import ConfigError
from trading_system.domain.market import Timeframe
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision, NoSignal
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import to_ms
from trading_system.sim.candle_files import load_candles
from trading_system.strategy.smc_engine import SmcStrategy

BASES = ("BTC", "ETH", "SOL", "LINK", "ATOM", "NEAR")
START = END - timedelta(days=20)


class WatchedStrategy(SmcStrategy):
    """Notes every decision it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[int, str, str]] = []

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        decision = super().decide(symbol, at_ms, costs)
        code = decision.reason_code if isinstance(decision, NoSignal) else f"{decision.direction.value} {decision.stop_price}"
        self.said.append((at_ms, symbol, code))
        return decision


def run(directory: Path, end: datetime = END) -> tuple[BacktestRun, list[tuple[int, str, str]]]:
    strategy = WatchedStrategy()
    settings = Settings()
    finished = run_backtest(BacktestPlan(load_candles(directory), START, end, settings), lambda: strategy)
    return finished, strategy.said


def figures(finished: BacktestRun) -> dict[str, Any]:
    result: dict[str, Any] = result_of(finished, 0.0)
    return result


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("candles"), seed=4, bases=BASES)


@pytest.fixture(scope="module")
def finished(files: Path) -> tuple[BacktestRun, list[tuple[int, str, str]]]:
    return run(files)


def test_a_run_trades_protects_and_accounts_for_every_cent(finished: tuple[BacktestRun, list[tuple[int, str, str]]]) -> None:
    result = figures(finished[0])

    assert result["violations"] == []
    assert result["trades"], "the generated market of this seed gives trades; without one this test would prove nothing"
    assert result["naked_s_max"] <= 15
    assert result["equity_end"] == (result["equity_start"] + result["realised"] + result["unrealised"] - result["fees"] - result["funding"])
    booked = sum((Decimal(trade["net_pnl"]) for trade in result["trades"]), Decimal(0))
    if result["open_positions"] == 0:
        assert abs(booked - (result["equity_end"] - result["equity_start"])) < Decimal("0.000001")


def test_the_same_input_gives_the_same_result_bit_for_bit(files: Path, finished: tuple[BacktestRun, list[tuple[int, str, str]]]) -> None:
    again, said = run(files)

    assert plain(figures(again)) == plain(figures(finished[0]))
    assert said == finished[1]


@pytest.mark.parametrize("days", [3, 8, 14])
def test_cutting_the_input_leaves_every_earlier_decision_unchanged(
    days: int, tmp_path: Path, finished: tuple[BacktestRun, list[tuple[int, str, str]]]
) -> None:
    cut = START + timedelta(days=days, hours=5)
    write_files(tmp_path / "cut", seed=4, bases=BASES, until_ms=to_ms(cut))

    shorter, said = run(tmp_path / "cut")

    assert said == [entry for entry in finished[1] if entry[0] <= said[-1][0]]
    assert said[-1][0] >= to_ms(cut) - 900_000
    before = [trade for trade in figures(finished[0])["trades"] if trade["closed_at"] < cut.isoformat()]
    assert plain(figures(shorter)["trades"][: len(before)]) == plain(before)


def test_every_bar_the_strategy_gets_is_whole_and_closed_in_every_timeframe(files: Path) -> None:
    watch = FeedWatch()

    run_backtest(BacktestPlan(load_candles(files), END - timedelta(days=3), END, Settings()), lambda: watch)

    since_ms = to_ms(END - timedelta(days=3))
    live = Counter(timeframe for _, symbol, timeframe, bar in watch.fed if symbol == "BTC/USD" and bar.open_ms >= since_ms)
    # the bar that closes at the end itself is nobody's to judge
    assert live == {Timeframe.M15: 3 * 96 - 1, Timeframe.H1: 3 * 24 - 1, Timeframe.H4: 3 * 6 - 1, Timeframe.D1: 2}
    assert len({symbol for _, symbol, _, _ in watch.fed}) >= 4, "the less liquid ones may be below every tier"
    assert faults_of(watch, load_candles(files)) == []


def test_a_missing_directory_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        run(tmp_path / "nowhere")


def test_an_end_before_the_start_is_refused(files: Path) -> None:
    with pytest.raises(ConfigError, match="must lie before"):
        run(files, START - timedelta(days=1))
