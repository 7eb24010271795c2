"""Candle files for backtest tests, from the generated market: a few coins, weeks of 15m bars, months of hours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import base_of, normalise
from trading_system.sim.market_catalog import catalogue
from trading_system.sim.market_generator import GeneratedMarket

END = datetime(2026, 1, 5, tzinfo=UTC)
"""The files end here: the generated history of this start."""


def write_files(directory: Path, *, seed: int, bases: Sequence[str], until_ms: int | None = None) -> Path:
    """Write `BASE-USD_15m.csv` and `_1h.csv`; bars that open at or after `until_ms` are left out."""
    directory.mkdir(parents=True, exist_ok=True)
    coins = [coin for coin in catalogue() if base_of(normalise(coin.spec.symbol)) in bases]
    market = GeneratedMarket(seed, int(END.timestamp() * 1000), coins=coins)
    for number, spec in enumerate(market.markets()):
        base = base_of(normalise(spec.symbol))
        for timeframe in (Timeframe.M15, Timeframe.H1):
            bars = (bar for bar in market.history(number, timeframe) if until_ms is None or bar.open_ms < until_ms)
            write_csv(directory / f"{base}-USD_{timeframe.value}.csv", bars)
    return directory


def write_csv(path: Path, bars: Iterable[Bar]) -> None:
    """One candle file."""
    rows = [",".join(map(repr, bar)) for bar in bars]
    path.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n", encoding="utf-8")
