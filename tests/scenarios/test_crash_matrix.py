"""The crash matrix in docs/ is what the daemon does now, row by row; no row breaks a promise, nor does dying again in the restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_system.domain.events import OrderIntended
from trading_system.torture.crash_matrix import Row, boundaries_of, play, row_of
from trading_system.torture.crash_page import BEGIN, END, render, rows_of
from trading_system.torture.crash_story import STORIES, Story
from trading_system.torture.planted_bugs import BUGS

PAGE = Path(__file__).parents[2] / "docs" / "crash-matrix.md"
DRAW = "run scripts/draw_crash_matrix.py"
by_name = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "_"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@by_name
def test_the_page_tells_what_happens(story: Story) -> None:
    rows = rows_of(story)

    assert [row.boundary.text for row in rows if row.violations] == []
    assert len(rows) >= 10
    assert render([(story, rows)]) in PAGE.read_text(encoding="utf-8"), DRAW


def test_the_page_has_these_stories_and_no_others() -> None:
    generated = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]

    assert generated.count("\n## ") + generated.startswith("## ") == len(STORIES), DRAW


def test_nobody_dies_and_nothing_is_broken() -> None:
    for story in STORIES:
        stage = play(story)
        assert stage.checkers.violations == []
        assert stage.died_s == []


def test_a_story_is_the_same_each_time_it_is_played() -> None:
    first, second = (row_of(STORIES[0], boundaries_of(STORIES[0])[7]) for _ in range(2))

    assert first == second


@by_name
def test_a_second_death_in_the_restart_breaks_nothing_either(story: Story) -> None:
    for boundary in boundaries_of(story):
        stage = play(story, boundary.number, 1 + boundary.number % 6)

        assert stage.checkers.violations == [], boundary
        entries = [e for e in stage.events() if isinstance(e, OrderIntended) and "-en-" in e.order.client_order_id]
        assert len(entries) <= 1


def rows_with(bug_name: str, story: Story, *numbers: int) -> list[Row]:
    bug = next(bug for bug in BUGS if bug.name == bug_name)
    with bug.planted():
        boundaries = play(story).first.seen
        return [row_of(story, boundaries[number - 1]) for number in numbers]


def test_a_row_names_what_a_planted_bug_breaks() -> None:
    rows = rows_with("intent_is_written_later", STORIES[0], 5)

    assert {violation.rule for row in rows for violation in row.violations} >= {"P2"}
    assert "**P2**" in render([(STORIES[0], rows)])
