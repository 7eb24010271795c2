"""The page of scenarios names tests that exist, and every case has its row."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
CASES_OF_SECTION = {"A": 15, "B": 11, "C": 12, "D": 17, "E": 8, "F": 7, "G": 12}
INCIDENTS = 20


def tests_that_exist() -> set[str]:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for source in sources for name in re.findall(r"^(?:async )?def (test_\w+)", source, flags=re.MULTILINE)}


def rows_of_cases() -> dict[str, str]:
    """Case id to its last cell."""
    return {row[0]: row[-1] for line in PAGE.splitlines() if len(row := [cell.strip() for cell in line.strip("|").split("|")]) == 4}


def test_every_test_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert len(named) > 100
    assert named - tests_that_exist() == set()


def test_every_case_has_a_row_with_a_test_or_is_said_to_be_open() -> None:
    wanted = [str(number) for number in range(1, INCIDENTS + 1)]
    wanted += [f"F-{section}{number:02}" for section, count in CASES_OF_SECTION.items() for number in range(1, count + 1)]
    rows = rows_of_cases()

    assert [case for case in wanted if case not in rows] == []
    assert [case for case in wanted if "`test_" not in rows[case] and rows[case] != "open"] == []


def test_no_scenario_is_named_for_a_case_without_a_row() -> None:
    scenarios = {name for name in tests_that_exist() if re.match(r"test_(incident_\d+|fault_[a-g]\d\d)_", name)}
    cases = {case for case in rows_of_cases() if case.startswith("F-") or case.isdigit()}
    named_for = {
        case
        for name in scenarios
        for case in (*re.findall(r"incident_(\d+)_", name), *(f"F-{word.upper()}" for word in re.findall(r"(?<=_)([a-g]\d\d)(?=_)", name)))
    }

    assert named_for - cases == set()
