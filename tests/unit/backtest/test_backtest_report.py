"""The report: beside every mean its n, interval, cost share and random entry; 80 columns; tables from the result alone."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from test_backtest_figures import END, ROWS, START, a_row

from trading_system.app.cli import main
from trading_system.backtest.measure import RESULT_VERSION, with_figures
from trading_system.backtest.report_markdown import render_markdown
from trading_system.backtest.report_text import interval, render_text
from trading_system.backtest.result import plain
from trading_system.config.settings import Settings


def a_result(**changes: Any) -> dict[str, Any]:
    """A finished run of ten days with big numbers, so that columns are tried."""
    base = {
        "version": RESULT_VERSION,
        "engine": "smc",
        "options": {},
        "from": START.isoformat(),
        "to": END.isoformat(),
        "symbols": 52,
        "bars": 1_815_552,
        "cycles": 35_000,
        "wall_s": 700.0,
        "signals": 1500,
        "entries": 1300,
        "trades": ROWS,
        "naked_s_max": 0.0,
        "violations": [],
        "equity_start": "1000000",
        "equity_end": "987654.321",
        "realised": "-12000.5",
        "unrealised": "-45.2",
        "fees": "10000.25",
        "funding": "-12.5",
        "open_positions": 1,
        "funnel": {
            "signals": 1500,
            "refused": {"SIGNAL_COOLDOWN": 900, "SYMBOL_TAKEN": 96},
            "never_filled": 99,
            "still_open": 1,
            "trades": 4,
        },
        "gates": {"COUNTER_BIAS": 43_210, "SIGNAL": 1500},
        "cycles_by_mode": {"NORMAL": 35_000},
        "mode_causes": [],
        "judged": 1_743_210,
        "last_judged_at": (END - timedelta(minutes=15)).isoformat(),
        "gate_shares": [
            {"gate": "data", "reached": 1_743_210, "stopped": 43_210},
            {"gate": "entry_zone_touch", "reached": 1_700_000, "stopped": 1_690_000},
            {"gate": "score", "reached": 10_000, "stopped": 8_500},
        ],
    }
    other = {
        "engine": "placebo:smc",
        "signals": 1400,
        "entries": 2,
        "funnel": base["funnel"],
        "equity_end": "999950",
        "fees": "10",
        "funding": "2",
        "trades": [a_row(2, "50"), a_row(8, "-100", regime="wide_structure")],
        "violations": [],
    }
    found: dict[str, Any] = plain(with_figures({**base, "random_entry": other, **changes}, Settings()))
    return found


def text_of(result: dict[str, Any]) -> str:
    return "\n".join(render_text(result))


def test_the_text_fits_80_columns() -> None:
    rows = [a_row(day / 40, f"{-100 - day}", regime="wide_structure", direction="short") for day in range(390)]

    too_wide = [line for line in render_text(a_result(trades=rows)) if len(line) > 80]

    assert too_wide == []


def test_beside_the_mean_stand_n_interval_costs_and_the_random_entry() -> None:
    cell = a_result()["figures"]["all"]["all"]

    text = text_of(a_result())

    assert re.search(r"All trades: n 4 on 4 days", text)
    assert f"after costs     +0.080 R ({interval(cell['expectancy_r_95'])})   costs are 9.4 % of gross profit" in text
    assert f"random entry    -0.250 R ({interval(cell['random_entry']['expectancy_r_95'])})   n 2" in text
    assert f"timing is worth +0.330 R ({interval(cell['advantage_r_95'])})" in text


@pytest.mark.parametrize("part", ["first half", "second half", "tight_smc", "wide_structure", "none", "long", "short", "A tier", "C tier"])
def test_every_part_has_a_line_with_all_of_it(part: str) -> None:
    (line,) = [line for line in render_text(a_result()) if line.startswith(part)]

    assert re.search(r"\d  [+-]\d\.\d\d \(.+\) +(\d+ %|n/a)  ([+-]\d\.\d\d \(.+\)|n/a) +\d+$", line), line


def test_every_gate_tells_of_how_many_it_stopped_how_many() -> None:
    assert "  entry_zone_touch   1,700,000 reached    1,690,000 stopped    99.4 %" in text_of(a_result())


def test_a_run_that_stopped_entering_says_so_and_why() -> None:
    result = a_result(cycles_by_mode={"NORMAL": 1000, "DEGRADED": 34_000}, mode_causes=["DEGRADED: drawdown actual=0.1001 limit=0.10"])

    text = text_of(result)

    assert "ENTRIES WERE OFF in 34,000 cycles (DEGRADED 34,000, NORMAL 1,000)" in text
    assert "DEGRADED: drawdown actual=0.1001 limit=0.10" in text


def test_a_run_without_a_trade_or_a_comparison_is_told_without_inventing_figures() -> None:
    result = a_result(trades=[])
    del result["random_entry"]
    result = plain(with_figures(result, Settings()))

    text, page = text_of(result), render_markdown(result)

    assert "All trades: n 0 on 0 days" in text
    assert "random entry    not run" in text
    assert "n/a" in text
    assert "nan" not in text + page


def test_violations_of_both_runs_are_told() -> None:
    result = a_result(violations=["a position was without a full stop for 16.0 s"])
    result["random_entry"]["violations"] = ["2 tasks died"]

    assert render_text(result)[-2:] == [
        "VIOLATION: a position was without a full stop for 16.0 s",
        "VIOLATION: random entry: 2 tasks died",
    ]


def test_the_markdown_tables_are_whole_and_hold_the_same_figures() -> None:
    lines = render_markdown(a_result()).splitlines()

    tables = "\n".join(lines).split("\n\n")
    widths = [{line.count("|") for line in table.splitlines()} for table in tables]
    assert widths == [{3}, {12}, {5}, {3}]
    assert any(line.startswith("| mean after costs | **+0.080 R (") and line.endswith("**, n = 4 |") for line in lines)
    assert "| entry_zone_touch | 1,700,000 | 1,690,000 | 99.4 % |" in lines
    assert "| refused: `SIGNAL_COOLDOWN` | 900 |" in lines
    assert sum("Regime: " in line for line in lines) == 3


def test_the_verb_tells_and_writes_a_kept_result_again_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, page, trades = tmp_path / "run.json", tmp_path / "run.md", tmp_path / "run.jsonl"
    kept.write_text(json.dumps(a_result()), encoding="utf-8")

    code = main(["backtest", "--result", str(kept), "--markdown", str(page), "--trades", str(trades)])

    assert code == 0
    assert capsys.readouterr().out.splitlines() == render_text(a_result())
    assert page.read_text(encoding="utf-8") == render_markdown(a_result())
    assert len(trades.read_text(encoding="utf-8").splitlines()) == 4


def test_figures_without_trades_stay_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = a_result()
    for holder in (result, result["random_entry"]):
        del holder["trades"]
    kept = tmp_path / "published.json"
    kept.write_text(json.dumps(result), encoding="utf-8")

    assert main(["backtest", "--result", str(kept)]) == 0
    assert capsys.readouterr().out.splitlines() == render_text(a_result())
