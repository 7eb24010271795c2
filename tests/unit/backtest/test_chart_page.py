"""The page: one file, nothing loaded, every row what page.js expects; and the verb that writes it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from chart_builders import END_MS, a_record, a_series
from trading_system.app.cli import main
from trading_system.backtest.chart.page import data_of, page_of
from trading_system.domain.signals import Signal


def data_in(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_loads_nothing_and_forbids_itself_to() -> None:
    page = page_of(a_record(0), "title", "note")

    assert "default-src 'none'" in page
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|<link|<img|src=", page)
    assert not re.search(r"@(data|style|script)@", page)


def test_the_data_in_the_page_is_the_record() -> None:
    found = a_record(0)

    assert data_in(page_of(found, "title", "note")) == json.loads(json.dumps(data_of(found, "title", "note")))


def test_a_text_cannot_end_the_script() -> None:
    page = page_of(a_record(0), "</script><script>alert(1)</script>", "<!-- note")

    assert page.count("</script>") == 2
    assert data_in(page)["title"] == "</script><script>alert(1)</script>"


def test_each_ladder_row_tells_the_gates_that_were_reached() -> None:
    found = a_record(0)
    data = data_of(found, "", "")

    assert data["gates"] == [gate.name for gate in found.decisions[0].ladder.gates]
    for row, decision in zip(data["ladders"], found.decisions, strict=True):
        passed = decision.ladder.passed_count
        is_signal = isinstance(decision, Signal)
        assert row[0] == (-1 if is_signal else passed)
        assert len(row) == 1 + 2 * (passed if is_signal else passed + 1)
        assert [data["texts"][number] for number in row[1::2]] == [gate.required for gate in decision.ladder.gates[: (len(row) - 1) // 2]]


def test_rows_point_to_breaks_that_exist() -> None:
    data = data_of(a_record(1), "", "")

    assert data["zones"]
    assert all(0 <= row[0] < len(data["breaks"]) for row in data["zones"])
    assert all(-1 <= row[1] < len(data["breaks"]) for row in data["ranges"])
    assert [row[0] for row in data["ranges"]] == sorted(row[0] for row in data["ranges"])


@pytest.fixture(scope="module")
def candles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("candles")
    with (folder / "BTC-USD_15m.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("timestamp", "open", "high", "low", "close", "volume"))
        writer.writerows(a_series(0).quarters)
    return folder


@pytest.mark.parametrize("name", ["btc", "XBT", "PF_XBTUSD", "BTC/USD:USD"])
def test_the_verb_writes_a_page_for_any_spelling_of_the_symbol(
    name: str, candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"

    assert main(["chart", name, "--candles", str(candles), "--out", str(out)]) == 0
    data = data_in(out.read_text(encoding="utf-8"))
    assert (data["symbol"], data["q"][0][-1]) == ("BTC/USD", END_MS - 900_000)
    assert capsys.readouterr().out.startswith(f"wrote {out}: 2304 bars of 15m")


def test_from_and_to_bound_the_page(candles: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"

    assert main(["chart", "BTC", "--candles", str(candles), "--out", str(out), "--from", "2023-11-20", "--to", "2023-11-22T06:00"]) == 0
    data = data_in(out.read_text(encoding="utf-8"))
    assert (len(data["q"][0]), data["title"]) == (54 * 4, "BTC/USD  2023-11-20 to 2023-11-22")
    assert data["f"][0][0] < data["q"][0][0], "the picture has a past"


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["B TC"], 2, "not a symbol: 'B TC'"),
        (["DOGE"], 78, "no 15m file for DOGE/USD in"),
        (["BTC", "--candles", "nowhere"], 78, "no such candle directory: nowhere"),
        (["BTC", "--from", "yesterday"], 2, "yesterday"),
        (["BTC", "--from", "2023-11-25", "--to", "2023-11-20"], 2, "--from 2023-11-25 must lie before --to"),
        (["BTC", "--from", "2030-01-01"], 2, "before the end of the candles"),
        (["BTC", "--from", "2020-01-01"], 2, "days are too many for one page; at most 400"),
        (["BTC", "--out", "no/such/folder/page.html"], 2, "cannot write no/such/folder/page.html"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_one_line(
    arguments: list[str], code: int, part: str, candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["chart", arguments[0], "--candles", str(candles), "--out", str(tmp_path / "page.html"), *arguments[1:]]

    assert main(given) == code
    said = capsys.readouterr()
    assert part in said.err
    assert (said.err.count("\n"), said.out) == (1, "")
