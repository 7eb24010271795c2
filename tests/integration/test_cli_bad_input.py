"""What a user gets for a mistake: one clear line, the right exit code, and nothing written."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from fakes.command_line import CommandLine

pytestmark = pytest.mark.process

HEADER = "timestamp,open,high,low,close,volume"
ROW = "1767571200000,100,101,99,100.5,12"


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    folder = tmp_path / "cwd"
    folder.mkdir()
    return CommandLine(folder)


def written(tmp_path: Path, name: str, text: str) -> str:
    """An input file outside the working directory."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["frobnicate"], "frobnicate"),
        ([], "VERB"),
        (["exchange", "--sped", "2"], "--sped"),
        (["exchange", "--seed", "x"], "--seed"),
        (["exchange", "--key", "abc"], "--secret"),
        (["exchange", "--secret", "YWJj"], "--key"),
        (["exchange", "--key", "abc", "--secret", "not base64!"], "base64"),
        (["exchange", "--port", "99999"], "99999"),
        (["exchange", "--port", "-1"], "-1"),
        (["exchange", "--speed", "0"], "--speed"),
        (["exchange", "--speed", "nan"], "--speed"),
        (["exchange", "--start", "yesterday"], "yesterday"),
        (["run", "--cycles", "0"], "--cycles"),
        (["run", "--speed", "-3"], "--speed"),
        (["bench", "--only", "speed"], "speed"),
        (["backtest", "--candles", ".", "--from", "soon", "--to", "2026-01-01"], "soon"),
        (["backtest"], "--candles"),
        (["backtest", "--candles", ".", "--result", "x.json"], "--result"),
        (["backtest", "--candles", ".", "--from", "2026-01-02", "--to", "2026-01-01"], "must lie before"),
        (["backtest", "--candles", ".", "--from", "2026-01-01", "--to", "2026-01-01"], "must lie before"),
        (["backtest", "--candles", ".", "--from", "2026-01-01T00:15"], "full hour"),
        (["backtest", "--candles", ".", "--check-prefixes", "0"], "--check-prefixes"),
    ],
)
def test_wrong_words_exit_2_and_are_named(cli: CommandLine, words: list[str], named: str) -> None:
    answer = cli(*words)

    assert answer.code == 2
    assert named in answer.err_lines[-1]
    assert "Traceback" not in answer.err
    assert cli.files() == []


@pytest.mark.parametrize("verb", [["run", "--once"], ["prove-config"], ["show-config"], ["migrate"]])
def test_an_unknown_key_is_one_line_with_file_line_and_the_nearest_name(cli: CommandLine, tmp_path: Path, verb: list[str]) -> None:
    path = written(tmp_path, "mine.yaml", "# my settings\nrisk:\n  max_leverag: 5\n")

    answer = cli(*verb, "-c", path)

    assert answer.code == 78
    assert answer.err_lines == [f"configuration refused: {path}:3: unknown key risk.max_leverag; did you mean risk.max_leverage?"]
    assert answer.out == ""
    assert cli.files() == []


@pytest.mark.parametrize("verb", [["run", "--once"], ["prove-config"]])
def test_a_margin_halt_below_the_auctions_budget_is_refused_with_both_numbers(cli: CommandLine, tmp_path: Path, verb: list[str]) -> None:
    path = written(tmp_path, "mine.yaml", "safety:\n  margin_utilization_halt: 0.85\n  margin_utilization_degraded: 0.80\n")

    answer = cli(*verb, "-c", path)

    assert answer.code == 78
    assert "risk.planned_utilization_max 0.9 < safety.margin_utilization_halt 0.85" in answer.out + answer.err
    assert "Traceback" not in answer.err
    assert cli.files() == []


def test_limits_for_measuring_are_refused_by_the_daemon_and_proved_all_the_same(cli: CommandLine) -> None:
    profile = str(Path(__file__).parents[2] / "config" / "profiles" / "research.yaml")

    refused, proved = cli("run", "--once", "-c", profile), cli("prove-config", "-c", profile)

    assert (refused.code, len(refused.err_lines)) == (78, 1)
    assert "backtest.only = true" in refused.err
    assert proved.code == 0
    assert cli.files() == []


def a_candle_folder(tmp_path: Path) -> str:
    """One market, one day of 15m bars from 2026-01-05."""
    rows = "\n".join(f"{1767571200000 + n * 900_000},100,101,99,100.5,12" for n in range(96))
    return str(Path(written(tmp_path, "candles/BTC-USD_15m.csv", f"{HEADER}\n{rows}\n")).parent)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--symbols", "BTC,FOO"], "no 15m file for FOO/USD"),
        (["--symbols", "BTC,"], "--symbols BTC,"),
        (["--from", "2026-02-01"], "the files hold 2026-01-05 00:00 to 2026-01-06 00:00"),
        (["--to", "2025-01-01"], "the files hold 2026-01-05 00:00 to 2026-01-06 00:00"),
        (["--json", "nowhere/result.json"], "nowhere/result.json: cannot be written"),
        (["--markdown", "/tmp"], "it is a directory"),
        (["--trades", "trades.xlsx"], "ends with .csv or .jsonl"),
    ],
)
def test_a_backtest_that_cannot_be_is_refused_before_it_runs(cli: CommandLine, tmp_path: Path, words: list[str], named: str) -> None:
    answer = cli("backtest", "--candles", a_candle_folder(tmp_path), *words)

    assert (answer.code, len(answer.err_lines), answer.out) == (78, 1, "")
    assert named in answer.err
    assert cli.files() == []


def test_an_unknown_engine_is_named_with_the_known_ones(cli: CommandLine, tmp_path: Path) -> None:
    mine = written(tmp_path, "mine.yaml", "strategy:\n  engine: martingale\n")

    answer = cli("backtest", "--candles", a_candle_folder(tmp_path), "-c", mine)

    assert answer.code == 78
    assert answer.err_lines == [
        "configuration refused: strategy.engine = martingale: no such strategy; known: smc, donchian, placebo, placebo:NAME"
    ]


@pytest.mark.parametrize("text", ["", "[]", '{"version": 0}', "no json"])
def test_a_file_that_is_no_result_is_refused_in_one_line(cli: CommandLine, tmp_path: Path, text: str) -> None:
    path = written(tmp_path, "result.json", text)

    answer = cli("backtest", "--result", path)

    assert (answer.code, len(answer.err_lines)) == (78, 1)
    assert path in answer.err


@pytest.mark.parametrize("words", [["-c", "nowhere.yaml"], ["--profile", "nope"]])
def test_a_configuration_that_is_not_there_is_refused_in_one_line(cli: CommandLine, words: list[str]) -> None:
    answer = cli("show-config", *words)

    assert answer.code == 78
    assert len(answer.err_lines) == 1
    assert words[1] in answer.err
    assert cli.files() == []


def test_a_port_in_use_is_one_line_and_exit_1_before_a_market_is_generated(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        answer = cli("exchange", "--port", str(port))

    assert answer.code == 1
    assert answer.err_lines == [f"exchange: cannot listen on 127.0.0.1:{port}: it is in use; choose another, or 0 for any free one"]
    assert answer.out == ""
    assert cli.files() == []


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([ROW, "1767572100000,100,101,x,100.5,12"], "row 2: low is 'x', not a number"),
        ([ROW, "1767572100000,100,101,99"], "row 2: close is '', not a number"),
        ([ROW, "1767572100000,100,90,99,100.5,12"], "row 2: impossible bar"),
        ([ROW, "1767572100000,100,101,99,nan,12"], "row 2: impossible bar"),
        ([ROW, ROW], "row 2: timestamp 1767571200000 is there twice"),
        (["1767571200001,100,101,99,100.5,12"], "row 1: timestamp 1767571200001 is no open time"),
    ],
)
def test_a_malformed_candle_row_is_one_line_with_file_and_row(cli: CommandLine, tmp_path: Path, rows: list[str], complaint: str) -> None:
    path = written(tmp_path, "candles/BTC-USD_15m.csv", "\n".join([HEADER, *rows]) + "\n")

    answer = cli("exchange", "--candles", str(tmp_path / "candles"))

    assert answer.code == 78
    assert len(answer.err_lines) == 1
    assert f"{path}, {complaint}" in answer.err
    assert cli.files() == []


@pytest.mark.parametrize("make", [False, True])
def test_a_candle_directory_that_is_missing_or_empty_is_refused(cli: CommandLine, tmp_path: Path, *, make: bool) -> None:
    folder = tmp_path / "candles"
    if make:
        folder.mkdir()

    answer = cli("exchange", "--candles", str(folder))

    assert answer.code == 78
    assert len(answer.err_lines) == 1
    assert str(folder) in answer.err
    assert cli.files() == []


@pytest.mark.parametrize("words", [["show-config"], ["show-config", "--json"], ["prove-config"], ["--help"]])
def test_a_reader_that_went_away_ends_the_verb_without_a_complaint(cli: CommandLine, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        answer = cli(*words, stdout=writer)
    finally:
        os.close(writer)

    assert answer.code in (0, 1)
    assert answer.err == ""


def test_a_closed_stdout_is_no_fault(cli: CommandLine) -> None:
    answer = cli.without_stdout("show-config")

    assert (answer.code, answer.err) == (0, "")


@pytest.mark.parametrize("words", [("--help",), ("status",), ("positions",)])
def test_what_is_asked_in_a_hurry_loads_nothing_that_is_heavy(cli: CommandLine, words: tuple[str, ...]) -> None:
    heavy = {"asyncio", "aiohttp", "ccxt", "sqlalchemy", "pydantic", "structlog", "pyarrow", "numpy", "trading_system.wiring.assemble"}

    loaded = cli.modules_loaded_by(*words)

    assert "trading_system.app.cli" in loaded, "the list was read"
    assert not loaded & heavy


@pytest.mark.parametrize("verb", ["run", "exchange", "prove-config", "show-config", "schema", "backtest", "migrate", "bench"])
def test_every_verb_has_help(cli: CommandLine, verb: str) -> None:
    answer = cli(verb, "--help")

    assert (answer.code, answer.err) == (0, "")
    assert f"run.py {verb}" in answer.out
    assert cli.files() == []
