"""The page in a real browser: it draws without a fault, and at no moment shows what was known later."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from chart_builders import END_MS, FIRST_MS, a_record
from trading_system.backtest.chart.page import page_of

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
SWITCHES = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync"
).split()
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: the chart is not looked at (apt-get install chromium)"),
]
SEED = 0
MIDDLE_MS = FIRST_MS + 7 * 86_400_000 + 5 * 900_000


@lru_cache(maxsize=4)
def page(until_ms: int) -> str:
    return page_of(a_record(SEED, until_ms), "a market", "a note")


def look(folder: Path, text: str, place: str) -> dict[str, Any]:
    """Load the page at `#place`; return what its body says is shown."""
    assert CHROMIUM is not None
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *SWITCHES, f"--user-data-dir={folder / 'profile'}", "--window-size=1400,800", "--dump-dom", f"{path.as_uri()}#{place}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    body = re.search(r"<body([^>]*)>", done.stdout)
    assert body is not None
    data = {name: html.unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', body[1])}
    assert "fault" not in data, data.get("fault")
    return {**json.loads(data["shown"]), "gate": data["gate"], "dom": done.stdout}


@pytest.mark.parametrize("frame", ["4h", "15m"])
def test_at_the_end_everything_is_drawn(tmp_path: Path, frame: str) -> None:
    found = a_record(SEED)
    seen = look(tmp_path, page(END_MS), f"tf={frame}")

    assert (seen["tf"], seen["known"]) == (frame, END_MS)
    assert seen["bars"] > 50
    assert seen["swings"] == len(found.swings)
    assert seen["breaks"] == sum(one.broken is not None for one in found.breaks.values())
    assert seen["sweeps"] == len(found.sweeps)
    assert seen["signals"] == len(found.signals) > 0
    assert "<title>a market</title>" in seen["dom"]


@pytest.mark.parametrize("frame", ["4h", "15m"])
def test_as_known_at_a_moment_shows_what_a_page_of_the_data_until_then_shows(tmp_path: Path, frame: str) -> None:
    place = f"tf={frame}&at={MIDDLE_MS}"
    whole = look(tmp_path, page(END_MS), place)
    cut = look(tmp_path, page(MIDDLE_MS), place)

    assert whole["known"] == MIDDLE_MS
    assert whole["latest"] <= MIDDLE_MS
    assert whole["swings"] < len(a_record(SEED).swings)
    assert {key: value for key, value in whole.items() if key != "dom"} == {key: value for key, value in cut.items() if key != "dom"}
    panels = [re.search(r"<aside>.*?</aside>", seen["dom"], re.DOTALL) for seen in (whole, cut)]
    assert panels[0] is not None
    assert panels[1] is not None
    assert panels[0][0] == panels[1][0]


def test_moments_before_the_first_bar_and_nonsense_are_taken_as_the_nearest_that_exists(tmp_path: Path) -> None:
    assert look(tmp_path, page(END_MS), "at=1")["known"] == FIRST_MS + 900_000
    assert look(tmp_path, page(END_MS), "tf=1w&at=never")["known"] == END_MS


def test_a_screenshot_is_not_blank(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    path, picture = tmp_path / "page.html", tmp_path / "page.png"
    path.write_text(page(END_MS), encoding="utf-8")
    subprocess.run(
        [
            CHROMIUM,
            *SWITCHES,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1200,700",
            f"--screenshot={picture}",
            path.as_uri(),
        ],
        capture_output=True,
        timeout=60,
        check=True,
    )

    assert picture.stat().st_size > 25_000, "an empty canvas compresses to a few kB"
