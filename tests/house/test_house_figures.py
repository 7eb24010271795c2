"""The pages that tell what a strategy is worth say what was measured: their tables are made from the kept figures, never by hand."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def the_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_strategy_page", ROOT / "scripts" / "write_strategy_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = the_script()


@pytest.mark.parametrize("page", SCRIPT.PAGES, ids=lambda page: page.name)
def test_every_block_is_what_the_kept_figures_give(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert SCRIPT.BLOCK.search(text), f"{page.name} tells no figures"
    assert SCRIPT.filled(text, SCRIPT.kept_results()) == text, "run scripts/write_strategy_page.py"


def test_a_figure_that_was_touched_by_hand_is_noticed() -> None:
    text = (ROOT / "docs" / "strategy.md").read_text(encoding="utf-8")
    spoilt = text.replace("after costs**", "after costs!**", 1)
    assert spoilt != text
    assert SCRIPT.filled(spoilt, SCRIPT.kept_results()) == text


def test_no_prices_are_published() -> None:
    for path in SCRIPT.FIGURES.glob("*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        assert "trades" not in result
        assert "trades" not in result.get("random_entry", {})
