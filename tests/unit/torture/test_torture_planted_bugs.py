"""The checkers see what they are for: each known way to lose money, put back into our own code, is caught within a few seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_system.execution import order_sender, stop_plan
from trading_system.execution.journal import Journal
from trading_system.sim.fault_plan import FaultKind
from trading_system.torture.driver import run_case
from trading_system.torture.planted_bugs import BUGS, PlantedBug

SEEDS = 3
HOURS = 0.5


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("histories")


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught_within_a_few_seeds(bug: PlantedBug, cache: Path) -> None:
    for seed in range(SEEDS):
        with bug.planted():
            result = run_case(bug.case(seed, HOURS), cache)
        if bug.rules & {violation.rule for violation in result.violations}:
            return
    pytest.fail(f"{bug.name} ({bug.was}) went unseen in {SEEDS} seeds")


def test_a_bug_leaves_nothing_behind() -> None:
    before = (order_sender.request_of, stop_plan._is_waiting, Journal.record)
    for bug in BUGS:
        with bug.planted():
            pass

    assert before == (order_sender.request_of, stop_plan._is_waiting, Journal.record)


def test_there_are_enough_bugs_and_no_two_have_one_name() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 10


def test_the_page_names_every_fault_class_and_every_planted_bug() -> None:
    page = (Path(__file__).parents[3] / "docs" / "torture.md").read_text()

    assert [kind.value for kind in FaultKind if f"`{kind.value}`" not in page] == []
    assert [bug.name for bug in BUGS if f"| `{bug.name}` | {bug.was} | {', '.join(sorted(bug.rules))} |" not in page] == []
