"""`run.py bench` as a real process, with a figure that takes no time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes.command_line import CommandLine
from trading_system.app.bench.figures import FIGURES

pytestmark = pytest.mark.process


def test_json_holds_every_key_and_leaves_out_nothing_and_nothing_on_the_disk(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)

    answer = cli("bench", "--json", "--only", "intent_p50_ms", "help_cpu_s")

    told = json.loads(answer.out)
    assert answer.code == 0
    assert list(told) == [figure.key for figure in FIGURES if not figure.is_extra] + ["machine", "notes"]
    measured = {"intent_p50_ms", "fdatasync_p50_ms", "journal_ratio", "help_cpu_s", "status_cpu_s"}
    assert {key for key, value in told.items() if isinstance(value, float)} == measured
    assert all(told["notes"][key] for key, value in told.items() if value is None)
    assert set(told["machine"]) == {"cpu", "cores", "python"}
    assert cli.files() == []


def test_the_table_names_figure_spread_count_and_machine(tmp_path: Path) -> None:
    answer = CommandLine(tmp_path)("bench", "--only", "help_cpu_s")

    header, row = answer.out.splitlines()[:2]
    assert header.split() == ["figure", "median", "min", "-", "max", "n", "bound", "meaning"]
    assert row.split()[0] == "help_cpu_s"
    assert "<= 0.3" in row
    assert "Python" in answer.out.splitlines()[-1]


def test_a_soak_of_no_hours_is_a_usage_error(tmp_path: Path) -> None:
    answer = CommandLine(tmp_path)("bench", "--soak", "0")

    assert (answer.code, answer.out) == (2, "")
    assert answer.err.strip() == "bench: --soak 0: must be 1 or more market hours"
