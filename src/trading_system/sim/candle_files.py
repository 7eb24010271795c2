"""Candle files from a folder: `SYMBOL-USD_15m.parquet|csv` and, optional, `SYMBOL-USD_1h.…`.

Columns timestamp (ms, open time, UTC), open, high, low, close, volume (base units). Every fault is one line that names the
file, the row and the value: a silent repair would become a silent trade.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trading_system.domain.errors import ConfigError
from trading_system.domain.market import Timeframe
from trading_system.domain.symbols import Symbol, normalise
from trading_system.sim.bars import BarColumns

COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume")
_FORMATS: Final = (".parquet", ".csv")


class CandleFileError(ConfigError):
    """The folder or a file of it cannot be used; the text is one line for the user."""


@dataclass(frozen=True, slots=True)
class CandleSeries:
    """One market's stored bars. `hours` is empty when there is no 1h file."""

    symbol: Symbol
    quarters: BarColumns
    hours: BarColumns


def load_candles(directory: Path, *, symbols: Collection[Symbol] | None = None) -> tuple[CandleSeries, ...]:
    """Load every market with a 15m file (or the named ones, which must be there), by symbol. Raises CandleFileError."""
    if not directory.is_dir():
        raise CandleFileError(f"no such candle directory: {directory}")
    found = dict(_files(directory, Timeframe.M15))
    wanted = sorted(found if symbols is None else symbols)
    if not wanted:
        raise CandleFileError(f"no SYMBOL-USD_15m.parquet or .csv in {directory}")
    hourly = dict(_files(directory, Timeframe.H1))
    loaded = []
    for symbol in wanted:
        if symbol not in found:
            raise CandleFileError(f"no 15m file for {symbol} in {directory}; there are: {', '.join(sorted(found)) or 'none'}")
        hours = read_candle_file(hourly[symbol], Timeframe.H1) if symbol in hourly else BarColumns(1)
        loaded.append(CandleSeries(symbol, read_candle_file(found[symbol], Timeframe.M15), hours))
    return tuple(loaded)


def _files(directory: Path, timeframe: Timeframe) -> Iterator[tuple[Symbol, Path]]:
    """Parquet wins over csv of the same name: it comes last."""
    for suffix in reversed(_FORMATS):
        for path in sorted(directory.glob(f"*-USD_{timeframe.value}{suffix}")):
            yield normalise(path.name.partition("_")[0]), path


def read_candle_file(path: Path, timeframe: Timeframe) -> BarColumns:
    """Read and check one file; CandleFileError names file, row (the first data row is 1) and value."""
    columns: Sequence[Sequence[float]] = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    times, *prices = columns
    bars = BarColumns(max(1, len(times)))
    bars.open_ms = times if isinstance(times, array) else array("q", map(int, times))
    bars.open, bars.high, bars.low, bars.close, bars.volume = (
        column if isinstance(column, array) else array("d", column) for column in prices
    )
    _check(path, bars, timeframe.ms)
    return bars


def _read_parquet(path: Path) -> list[array[Any]]:
    """Column by column, without a Python object for each cell."""
    try:
        from pyarrow import ArrowInvalid, float64, int64
        from pyarrow.parquet import read_table
    except ImportError as error:
        raise CandleFileError(f"{path}: reading parquet needs pyarrow; install trading-system[parquet], or convert to csv") from error
    try:
        table = read_table(path)
    except (ArrowInvalid, OSError) as error:
        raise CandleFileError(f"{path}: not a readable parquet file ({str(error).splitlines()[0]})") from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise CandleFileError(f"{path}: column {missing[0]} is missing; there are: {', '.join(table.column_names)}")
    columns = []
    for name in COLUMNS:
        cells = table.column(name)
        if cells.null_count:
            row = cells.is_null().to_pylist().index(True) + 1
            raise CandleFileError(f"{path}, row {row}: {name} is empty")
        packed: array[Any] = array("q" if name == "timestamp" else "d")
        try:
            for chunk in cells.cast(int64() if name == "timestamp" else float64()).chunks:
                start = chunk.offset * packed.itemsize
                data = chunk.buffers()[1]
                if data is not None:
                    packed.frombytes(memoryview(data)[start : start + len(chunk) * packed.itemsize])
        except ArrowInvalid as error:
            raise CandleFileError(f"{path}: {name} holds something that is no number ({str(error).splitlines()[0]})") from error
        columns.append(packed)
    return columns


def _read_csv(path: Path) -> list[list[float]]:
    columns: list[list[float]] = [[] for _ in COLUMNS]
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise CandleFileError(f"{path}: column {missing[0]} is missing; the first line must name: {', '.join(COLUMNS)}")
        places = [header.index(name) for name in COLUMNS]
        for row, cells in enumerate(reader, 1):
            if not cells:
                continue
            for name, place, column in zip(COLUMNS, places, columns, strict=True):
                text = cells[place] if place < len(cells) else ""
                try:
                    column.append(int(text) if name == "timestamp" else float(text))
                except (ValueError, OverflowError):
                    raise CandleFileError(f"{path}, row {row}: {name} is {text!r}, not a number") from None
    return columns


def _check(path: Path, bars: BarColumns, length_ms: int) -> None:
    before = -1
    rows: Iterable[tuple[int, float, float, float, float, float]] = zip(
        bars.open_ms, bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True
    )
    for row, (open_ms, o, h, low, c, v) in enumerate(rows, 1):
        if open_ms <= before:
            kind = "is there twice" if open_ms == before else f"comes after {before}: rows must ascend"
            raise CandleFileError(f"{path}, row {row}: timestamp {open_ms} {kind}")
        if open_ms % length_ms:
            raise CandleFileError(f"{path}, row {row}: timestamp {open_ms} is no open time of a bar (ms, multiple of {length_ms})")
        # written so that NaN fails too; infinity fails through the next one
        if not (0 < low <= o <= h < 1e15 and low <= c <= h and 0 <= v < 1e30):
            raise CandleFileError(f"{path}, row {row}: impossible bar: open {o}, high {h}, low {low}, close {c}, volume {v}")
        before = open_ms
