"""Real perpetual candles: hours made of quarters are the exchange's own hours, and no real bar is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_system.data.bar_series import is_sound, same_prices
from trading_system.data.candle_schedule import CandleParameters, FetchRange
from trading_system.data.symbol_candles import SymbolCandles
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol

pytestmark = pytest.mark.market_data

QUARTERS = 30 * 96


def read(path: Path) -> list[Bar]:
    parquet = pytest.importorskip("pyarrow.parquet")
    if not path.exists():
        pytest.skip(f"no {path.name} in the market data folder")
    columns = parquet.read_table(path).to_pydict()
    names = ("timestamp", "open", "high", "low", "close", "volume")
    return [Bar(*values) for values in zip(*(columns[n] for n in names), strict=True)]


@pytest.mark.parametrize("base", ["BTC", "ETH"])
def test_hours_made_of_real_quarters_are_the_exchanges_own_hours(market_data: Path, base: str) -> None:
    quarters = read(market_data / "candles" / f"{base}-USD_15m.parquet")[-QUARTERS:]
    hours = {b.open_ms: b for b in read(market_data / "candles" / f"{base}-USD_1h.parquet")}
    candles = SymbolCandles(Symbol(f"{base}/USD"), CandleParameters())

    merged = candles.merge(Timeframe.M15, quarters, FetchRange(0, quarters[-1].open_ms))

    made = [e.bar for e in merged.new_bars if e.timeframe is Timeframe.H1]
    assert len(made) >= QUARTERS // 4 - 1
    assert all(same_prices(bar, hours[bar.open_ms]) for bar in made)
    assert all(abs(bar.volume - hours[bar.open_ms].volume) <= 1e-6 * bar.volume for bar in made)
    assert (merged.rejected, merged.gaps) == ([], [])


def test_the_crash_bars_of_october_2025_are_kept(market_data: Path) -> None:
    quarters = read(market_data / "candles" / "SUI-USD_15m.parquet")

    assert all(is_sound(bar) for bar in quarters)
    assert min(bar.low / bar.open for bar in quarters) < 0.5
