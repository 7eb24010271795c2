"""The documents speak of what is there: commands, targets, pages and the drawn table exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from trading_system.app.cli import VERBS
from trading_system.execution.position_state import render_transitions

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NUMBERED = re.compile(r"(\d{4})-[a-z0-9-]+\.md")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def the_drawing_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_position_states", ROOT / "scripts" / "draw_position_states.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_a_page_names_is_a_verb(page: Path) -> None:
    verbs = {name for name, _ in VERBS}

    assert set(re.findall(r"run\.py ([a-z][a-z-]*)", text_of(page))) - verbs == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", text_of(page), flags=re.MULTILINE))

    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(page))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_diagram_of_position_states_is_the_table() -> None:
    page = text_of(ROOT / "docs" / "position-states.md")

    assert page.count(f"```mermaid\n{render_transitions()}```\n") == 1


def test_the_script_draws_an_outdated_page_anew_and_leaves_the_rest_alone() -> None:
    page = text_of(ROOT / "docs" / "position-states.md")
    outdated = page.replace("    PENDING --> OPEN: entry filled\n", "")

    assert outdated != page
    assert the_drawing_script().redrawn(outdated) == page


def test_decisions_are_numbered_without_a_gap_and_say_where_they_stand() -> None:
    pages = sorted((ROOT / "docs" / "adr").iterdir())
    numbers = [int(match[1]) for page in pages if (match := NUMBERED.fullmatch(page.name))]

    assert numbers == list(range(1, len(pages) + 1))
    for heading in ("Status: ", "## Context", "## Decision", "## Consequences"):
        assert [page.name for page in pages if heading not in text_of(page)] == []
