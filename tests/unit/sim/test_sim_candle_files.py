"""Candle files: what is accepted, and one clear line for what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_system.domain.market import Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.sim.candle_files import CandleFileError, load_candles

HEADER = "timestamp,open,high,low,close,volume\n"
ROWS = "900000,10,12,9,11,5\n1800000,11,12,10,10.5,4\n"


def write(folder: Path, text: str, name: str = "BTC-USD_15m.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_csv_and_parquet_of_the_same_bars_load_equal(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    write(tmp_path, HEADER + ROWS, "1000PEPE-USD_15m.csv")
    columns = zip(*([float(cell) for cell in row.split(",")] for row in ROWS.split()), strict=True)
    names = HEADER.strip().split(",")
    table = pa.table(
        {name: [int(v) for v in column] if name == "timestamp" else list(column) for name, column in zip(names, columns, strict=True)}
    )
    parquet.write_table(table, tmp_path / "ETH-USD_15m.parquet")

    pepe, eth = load_candles(tmp_path)

    assert (pepe.symbol, eth.symbol) == ("1000PEPE/USD", "ETH/USD")
    assert list(pepe.quarters) == list(eth.quarters)
    assert len(pepe.hours) == 0


def test_an_hourly_file_beside_it_is_used(tmp_path: Path) -> None:
    write(tmp_path, HEADER + ROWS)
    write(tmp_path, HEADER + "0,1,2,1,2,3\n", "BTC-USD_1h.csv")

    (series,) = load_candles(tmp_path, symbols=[Symbol("BTC/USD")])

    assert [bar.open_ms % Timeframe.H1.ms for bar in series.hours] == [0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER + "900000,10,12,9,eleven,5\n", "row 1: close is 'eleven', not a number"),
        (HEADER + ROWS + "2700000,10,12,9\n", "row 3: close is '', not a number"),
        (HEADER + ROWS + "900000,10,12,9,11,5\n", "row 3: timestamp 900000 comes after 1800000: rows must ascend"),
        (HEADER + ROWS + "1800000,10,12,9,11,5\n", "row 3: timestamp 1800000 is there twice"),
        (HEADER + "900001,10,12,9,11,5\n", "row 1: timestamp 900001 is no open time"),
        (HEADER + "900000,10,9,9,11,5\n", "row 1: impossible bar: open 10.0, high 9.0"),
        (HEADER + "900000,10,12,nan,11,5\n", "row 1: impossible bar"),
        (HEADER + "900000,10,inf,9,11,5\n", "row 1: impossible bar"),
        (HEADER + "900000,10,12,9,11,-5\n", "row 1: impossible bar"),
        ("time,open,high,low,close,volume\n", "column timestamp is missing"),
        ("", "column timestamp is missing"),
    ],
)
def test_a_malformed_file_is_named_with_row_and_value(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(CandleFileError) as caught:
        load_candles(tmp_path)

    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_an_empty_one_and_a_missing_symbol_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CandleFileError, match="no such candle directory"):
        load_candles(tmp_path / "nowhere")
    with pytest.raises(CandleFileError, match="no SYMBOL-USD_15m"):
        load_candles(tmp_path)
    write(tmp_path, HEADER + ROWS)
    with pytest.raises(CandleFileError, match=r"no 15m file for SOL/USD .* there are: BTC/USD"):
        load_candles(tmp_path, symbols=[Symbol("SOL/USD")])


def test_a_file_that_is_no_parquet_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "BTC-USD_15m.parquet").write_bytes(b"not parquet")

    with pytest.raises(CandleFileError, match="not a readable parquet file"):
        load_candles(tmp_path)
