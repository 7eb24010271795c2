"""Whole runs in small: determinism, death, the figures of a batch."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from torture_builders import planned

from trading_system.domain.errors import TradingError
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel
from trading_system.sim.fault_plan import plan_of
from trading_system.torture.batch import run_batch, run_checked
from trading_system.torture.case import Case, draw_case
from trading_system.torture.checker import Violation
from trading_system.torture.driver import run_case
from trading_system.torture.mortal import Death, DeathKind, Mortal, MortalDisk, ProcessDied
from trading_system.torture.noisy_strategy import NoisyStrategy
from trading_system.torture.result import SeedResult, percentile, summary

BTC = Symbol("BTC/USD")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("histories")


@pytest.mark.slow
def test_without_faults_every_promise_holds_and_the_run_can_be_repeated(cache: Path) -> None:
    result = run_checked(Case(0, 0.5, plan_of(0, 1800.0)), cache, twice=True)

    assert result.violations == ()
    assert result.entries > 0
    assert result.naked_s_max < 1.0


@pytest.mark.slow
def test_seeds_run_side_by_side_give_the_results_of_seeds_run_one_by_one(cache: Path) -> None:
    told: list[int] = []
    one_by_one = run_batch((0, 3), 0.02, cache, twice=False)

    side_by_side = run_batch((0, 3), 0.02, cache, twice=False, jobs=2, tell=lambda result: told.append(result.seed))

    assert side_by_side == one_by_one
    assert sorted(told) == [0, 3]


@pytest.mark.slow
@pytest.mark.parametrize("kind", DeathKind)
def test_a_death_of_any_kind_breaks_no_promise(kind: DeathKind, cache: Path) -> None:
    deaths = tuple(Death(kind, at_s, 20.0, torn=0.6) for at_s in (895.0, 1795.0))
    result = run_case(Case(1, 0.55, plan_of(1, 1980.0), deaths), cache)

    assert (result.violations, result.deaths) == ((), 2)


def test_cases_are_drawn_from_their_seed_and_differ() -> None:
    assert draw_case(7, 2.0) == draw_case(7, 2.0)
    assert len({draw_case(seed, 2.0).deaths for seed in range(20)}) > 5


# --- dying ------------------------------------------------------------------------------------------------------------


def a_written(death: DeathKind | None, torn: float = 0.5) -> tuple[MortalDisk, Journal, list[int]]:
    mortal, told = Mortal(), list[int]()
    disk = MortalDisk(DiskModel(), mortal, lambda rows: told.extend(seq for seq, _, _ in rows))
    journal = Journal(disk)
    journal.record(planned()[0])
    if death is not None:
        mortal.armed = Death(death, 0.0, 1.0, torn)
    return disk, journal, told


def test_a_write_is_told_when_it_is_durable() -> None:
    _, journal, told = a_written(None)
    journal.record(planned()[1])

    assert told == [1, 2]


def test_a_torn_write_is_rolled_back_and_was_never_told() -> None:
    disk, journal, told = a_written(DeathKind.TORN_WRITE)
    with pytest.raises(ProcessDied):
        journal.record(planned()[1])

    assert told == [1]
    assert Journal(disk.recovered()).seq == 1


def test_a_death_after_the_write_keeps_it_and_nothing_follows() -> None:
    disk, journal, told = a_written(DeathKind.AFTER_WRITE)
    for _ in range(2):
        with pytest.raises((ProcessDied, TradingError)):
            journal.record(planned()[1])

    assert told == [1, 2]
    assert Journal(disk.recovered()).seq == 2


async def test_a_dead_process_sends_nothing() -> None:
    mortal = Mortal()
    mortal.die()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await mortal.hang()


# --- the strategy and the figures -------------------------------------------------------------------------------------


class _Costs:
    spread_bps = entry_fee_bps = exit_fee_bps = funding_bps_per_hour = 1.0


def test_the_noisy_strategy_says_the_same_for_the_same_bars() -> None:
    bars = [Bar(n * 900_000, 100.0, 101.0, 99.0, 100.5, 1.0) for n in range(40)]
    said = []
    for feed in (bars, [bar for bar in bars for _ in range(2)]):
        strategy = NoisyStrategy(3)
        for bar in feed:
            strategy.update(BTC, Timeframe.M15, bar)
        said.append(strategy.decide(BTC, 40 * 900_000, _Costs()))

    assert said[0] == said[1]


def a_result(seed: int, *violations: Violation, naked: tuple[float, ...] = ()) -> SeedResult:
    return SeedResult(seed, 2.0, violations, naked, max(naked, default=0.0), 1, 2, 3, 4, 5, Counter({"outage": 1}), "abc", 9)


def test_a_summary_adds_up_and_names_every_violation() -> None:
    figures = summary([a_result(1, naked=(1.0, 3.0)), a_result(2, Violation("P1", 5, "PF_XBTUSD", "naked"), naked=(2.0,))], 1.5)

    assert (figures["seeds"], figures["simulated_hours"], figures["wall_s"]) == (2, 4.0, 1.5)
    assert figures["violations"] == [{"seed": 2, "rule": "P1", "at_ms": 5, "symbol": "PF_XBTUSD", "text": "naked"}]
    assert (figures["naked_s_max"], figures["naked_s_p99"], figures["duplicates"], figures["unexplained_fills"]) == (3.0, 3.0, 2, 4)
    assert figures["faults"] == {"outage": 2}


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.99, 4.0), (0.01, 1.0)])
def test_a_percentile_is_a_value_of_the_sample(share: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == expected
    assert percentile([], share) == 0.0
