"""Replay of stored candles: four honest points per bar, and the same bars out as in."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from sim_builders import D
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.sim.bars import BarColumns
from trading_system.sim.candle_files import CandleFileError, CandleSeries, load_candles
from trading_system.sim.exchange import SimExchange
from trading_system.sim.model import SendRequest
from trading_system.sim.replay import Replay

HOUR, QUARTER = 3_600_000, 900_000
SOL = "PF_SOLUSD"


def a_series(bars: list[Bar], symbol: str = "SOL/USD") -> CandleSeries:
    quarters = BarColumns(len(bars))
    quarters.extend(bars)
    return CandleSeries(Symbol(symbol), quarters, BarColumns(1))


def some_bars(count: int = 12, volume: float = 1e6) -> list[Bar]:
    return [Bar(at * QUARTER, 100.0, 103.5, 96.25, 101.0 if at % 2 else 99.0, volume) for at in range(count)]


@pytest.mark.parametrize(
    ("side", "mids"), [(None, [100, 103.5, 96.25, 99]), ("buy", [100, 96.25, 103.5, 99]), ("sell", [100, 103.5, 96.25, 99])]
)
def test_the_extreme_that_hurts_the_position_comes_first(side: str | None, mids: list[float]) -> None:
    replay = Replay([a_series(some_bars())], HOUR)
    exchange = SimExchange(replay)
    if side is not None:
        exchange.send(SendRequest(SOL, "mkt", side, D("0.1")))

    seen = []
    for seconds in (0, 300, 600, 890):
        exchange.advance_to(HOUR + seconds * 1000 + 1)
        seen.append(float(exchange.quote(SOL).last))

    assert seen == mids


def test_the_bars_that_come_out_are_the_bars_that_went_in() -> None:
    bars = some_bars(40)
    exchange = SimExchange(Replay([a_series(bars)], 2 * HOUR, volume_scale=1.0))
    exchange.advance_to(39 * QUARTER)

    served = exchange.candles(SOL, "trade", "15m", 0, 38 * QUARTER // 1000)

    assert [bar[:5] for bar in served] == [bar[:5] for bar in bars[:39]]
    assert [bar.volume for bar in served] == pytest.approx([bar.volume for bar in bars[:39]])
    assert [bar[:5] for bar in exchange.candles(SOL, "trade", "1h", 0, 8 * HOUR // 1000)] == [
        bar[:5] for bar in exchange.candles(SOL, "spot", "1h", 0, 8 * HOUR // 1000)
    ]


def test_a_gap_in_the_data_stays_a_gap() -> None:
    bars = [bar for bar in some_bars(16) if bar.open_ms // QUARTER not in (9, 10)]
    exchange = SimExchange(Replay([a_series(bars)], HOUR))
    exchange.advance_to(16 * QUARTER)

    assert [bar.open_ms // QUARTER for bar in exchange.candles(SOL, "trade", "15m", 7200, 1 << 40)] == [8, 11, 12, 13, 14, 15]


def test_grid_tier_and_name_come_from_the_data() -> None:
    replay = Replay([a_series(some_bars(volume=1e6), "SOL/USD"), a_series(some_bars(volume=1e4), "1000PEPE/USD")], HOUR)

    sol, pepe = replay.markets()

    assert (sol.symbol, pepe.symbol) == ("PF_SOLUSD", "PF_1000PEPEUSD")
    assert (sol.tick, sol.tier.value, pepe.tier.value) == (D("0.01"), "A", "C")
    assert sol.half_spread_bps < pepe.half_spread_bps


def test_a_market_that_begins_later_is_not_listed_before() -> None:
    late = [bar for bar in some_bars(30) if bar.open_ms >= 4 * HOUR]
    exchange = SimExchange(Replay([a_series(some_bars(30)), a_series(late, "PUMP/USD")], HOUR))
    assert exchange.symbols() == (SOL,)
    assert exchange.send(SendRequest("PF_PUMPUSD", "mkt", "buy", D(1))).status == "marketInactive"

    exchange.advance_to(4 * HOUR + 1)

    assert exchange.symbols() == (SOL, "PF_PUMPUSD")


def test_a_replay_restarted_inside_a_bar_goes_on_with_the_same_extremes() -> None:
    def fresh() -> SimExchange:
        return SimExchange(Replay([a_series(some_bars())], HOUR))

    whole = fresh()
    whole.send(SendRequest(SOL, "mkt", "buy", D("0.1")))
    whole.advance_to(HOUR + 301_000)
    restarted = fresh()
    restarted.restore_state(json.loads(json.dumps(whole.snapshot_state())))
    for exchange in (whole, restarted):
        exchange.advance_to(3 * HOUR)

    assert restarted.snapshot_state() == whole.snapshot_state()


def test_funding_has_the_customary_base_rate() -> None:
    exchange = SimExchange(Replay([a_series(some_bars())], HOUR))
    exchange.advance_to(2 * HOUR)

    assert exchange.quote(SOL).relative_funding_rate == Decimal("0.0000125")


def test_a_range_without_data_is_an_error() -> None:
    with pytest.raises(CandleFileError, match="data ends at"):
        Replay([a_series(some_bars())], 100 * HOUR)


@pytest.mark.market_data
def test_real_candles_replay_to_themselves(market_data: Path) -> None:
    series = load_candles(market_data / "candles", symbols=[Symbol("1000PEPE/USD"), Symbol("SOL/USD")])
    start = series[0].quarters.open_ms[0] + 40 * 86_400_000
    exchange = SimExchange(Replay(series, start))
    exchange.advance_to(start + 2 * 86_400_000)

    for one in series:
        stored = one.quarters.between(start, start + 2 * 86_400_000 - QUARTER)
        symbol = "PF_SOLUSD" if one.symbol == "SOL/USD" else "PF_1000PEPEUSD"
        served = exchange.candles(symbol, "trade", Timeframe.M15.value, start // 1000, (start + 2 * 86_400_000 - 1) // 1000)
        assert [bar[:5] for bar in served] == [bar[:5] for bar in stored]
