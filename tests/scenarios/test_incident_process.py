"""Incidents 8, 10, 16, 17 and 18: names that did not exist, errors nobody saw, bars from the future, a replay in the wrong database."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from datetime import timedelta
from pathlib import Path

import pytest
from daemon_driver import play
from scenario_ending import Ending
from scenario_parts import BTC, ETH, START_MS, At, Scenario, ScriptedStrategy, Wish, by_hand, close_by_hand, operator
from scripted_wire import Read

import trading_system
from backtest_files import END, write_files
from fakes.command_line import CommandLine
from trading_system.backtest.driver import BacktestPlan, run_backtest
from trading_system.config.settings import Settings
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.orders import Side
from trading_system.domain.positions import PositionState
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision
from trading_system.domain.symbols import Symbol
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import EventMemory
from trading_system.sim.candle_files import load_candles
from trading_system.wiring.control_protocol import FlattenOrder

S = PositionState
POST_ONLY = {"execution": {"entry_type": "limit_post_only"}}


# --- 8 ------------------------------------------------------------------------------------------------------------------


def states_of(end: Ending) -> set[PositionState]:
    """Every state that any position was in, by the journal read record by record."""
    journal, seen = Journal(EventMemory()), set()
    for event in end.events:
        journal.record(event)
        seen |= {position.state for position in journal.state.positions.values()}
    return seen


def test_incident_8_every_module_can_be_imported() -> None:
    """A state name that did not exist crashed an import in production."""
    names = [m.name for m in pkgutil.walk_packages(trading_system.__path__, "trading_system.") if not m.name.endswith("migrations.env")]

    for name in names:
        importlib.import_module(name)

    assert len(names) > 150


def test_incident_8_the_running_daemon_goes_through_every_state_and_the_journal_takes_each_back() -> None:
    lives = (
        Scenario(prices={BTC: {0: 80_000.0, 200: 81_000.0}}, acts=(At(300, operator(FlattenOrder("FLATTEN 1 POSITION"))),), until_s=400),
        Scenario(settings=POST_ONLY, until_s=200),
        Scenario(acts=(At(60, close_by_hand()), At(61, by_hand(Side.SELL, "0.05"))), feed_mute=((50, 200),), until_s=200,
                 reads=(Read("fills", 55, 300, hides=True),), in_peace=False),
        Scenario(acts=(At(60, close_by_hand()),), feed_mute=((50, 200),), until_s=200,
                 reads=(Read("fills", 55, 300, hides=True),), in_peace=False),
    )  # fmt: skip

    ends = [play(scenario) for scenario in lives]

    assert set().union(*(states_of(end) for end in ends)) == set(PositionState)
    assert not [text for end in ends for text in end.unexpected]


# --- 10 -----------------------------------------------------------------------------------------------------------------


class BrokenFor(ScriptedStrategy):
    """A strategy with a misspelled attribute on one market."""

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        if at_ms >= START_MS + 900_000:
            raise AttributeError("'Position' object has no attribute 'mark_price'")
        return super().decide(symbol, at_ms, costs)


def test_incident_10_an_error_nobody_expected_is_told_and_protection_goes_on() -> None:
    """A bare except hid a dead feature for days."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 920: 80_900.0}, ETH: {0: 3_000.0}},
            strategy=lambda: BrokenFor((Wish(BTC), Wish(ETH, at_s=900))),
            until_s=1100,
        )
    )

    failed = end.logged("PHASE_FAILED")
    assert len(failed) >= 3, "every cycle says it again"
    assert all(isinstance(line.fields["exc_info"], AttributeError) for line in failed)
    assert {tuple(line.fields["phases"]) for line in end.logged("CYCLE_SUMMARY_FAILED")} == {("trade",)}
    assert [alarm.kind for alarm in end.alarms if "mark_price" in alarm.text][:1] == ["EXCEPTION"]
    assert "tp1 filled" in end.words(BTC)
    assert end.words(BTC)[-1] == "stop moved", "what is open is managed as ever"


# --- 16 and 17 ----------------------------------------------------------------------------------------------------------


class Historian(ScriptedStrategy):
    """Notes every bar it is fed, and when it was asked next."""

    def __init__(self) -> None:
        super().__init__(())
        self.fed: list[tuple[Symbol, Timeframe, Bar]] = []
        self.too_early: list[tuple[Symbol, Timeframe, Bar]] = []
        self._judged = 0

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        super().update(symbol, timeframe, bar)
        self.fed.append((symbol, timeframe, bar))

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        self.too_early += [row for row in self.fed[self._judged :] if row[2].open_ms + row[1].ms > at_ms]
        self._judged = len(self.fed)
        return super().decide(symbol, at_ms, costs)


def test_incident_16_every_bar_the_strategy_ever_saw_was_closed_and_final() -> None:
    """A forming bar was stored as closed and never looked at again."""
    restless = {second: 80_000.0 + (second * 37 % 900) for second in range(0, 5_000, 50)}
    historian = Historian()

    end = play(Scenario(prices={BTC: restless}, strategy=lambda: historian, start_s=430, until_s=4_600))

    live = [(timeframe, bar) for _, timeframe, bar in historian.fed if bar.open_ms + timeframe.ms > START_MS]
    assert len(live) >= 6
    for timeframe, bar in live:
        final = end.exchange.candles("PF_XBTUSD", "trade", timeframe.value, bar.open_ms // 1000, bar.open_ms // 1000)
        assert tuple(final) == (bar,), timeframe
    assert not historian.too_early


@pytest.fixture(scope="module")
def candle_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("candles"), seed=4, bases=("BTC", "ETH"))


def test_incident_17_a_backtest_shows_no_bar_of_any_length_before_it_closed(candle_files: Path) -> None:
    """A 4h bar was read from its file before it was over."""
    historian = Historian()

    run_backtest(BacktestPlan(load_candles(candle_files), END - timedelta(days=2), END, Settings()), lambda: historian)

    assert {timeframe for _, timeframe, _ in historian.fed} == set(Timeframe)
    assert not historian.too_early


# --- 18 -----------------------------------------------------------------------------------------------------------------


def test_incident_18_a_backtest_never_touches_the_database_of_the_daemon(candle_files: Path, tmp_path: Path) -> None:
    """A replay wrote its trades into the production database."""
    cli = CommandLine(tmp_path, {"DATABASE_URL": "sqlite:///./prod.db"})
    assert cli("migrate").code == 0
    before, files = hashlib.sha256((tmp_path / "prod.db").read_bytes()).hexdigest(), cli.files()

    answer = cli("backtest", "--candles", str(candle_files), "--from", "2026-01-04", "--to", "2026-01-05", timeout_s=60)

    assert answer.code == 0, answer.err
    assert hashlib.sha256((tmp_path / "prod.db").read_bytes()).hexdigest() == before
    assert cli.files() == files, "no journal, no outbox, no state of any kind"
