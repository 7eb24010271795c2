"""The generated market: consistent histories, a path that is a function of market time, a cache that never lies."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest

from sim_builders import START_MS
from trading_system.domain.market import Tier, Timeframe
from trading_system.sim.bars import aggregate
from trading_system.sim.exchange import SimExchange
from trading_system.sim.market_catalog import catalogue
from trading_system.sim.market_generator import GeneratedMarket

COINS = (catalogue()[0], catalogue()[14], catalogue()[-1])
HOUR = 3_600_000


@pytest.fixture(scope="module")
def market() -> GeneratedMarket:
    return GeneratedMarket(3, START_MS, coins=COINS)


def test_the_catalogue_has_sixty_markets_over_three_tiers_with_usable_grids() -> None:
    coins = catalogue()

    assert len(coins) >= 60
    assert len({coin.spec.symbol for coin in coins}) == len(coins)
    assert {tier: sum(coin.spec.tier is tier for coin in coins) >= 10 for tier in Tier} == dict.fromkeys(Tier, True)
    for coin in coins:
        assert float(coin.spec.tick) / coin.price < 2e-4
        assert float(coin.spec.size_min) * coin.price < 15


def test_histories_cover_500_days_and_60_days_of_quarters_and_end_at_the_start(market: GeneratedMarket) -> None:
    counts = {timeframe: len(list(market.history(0, timeframe))) for timeframe in Timeframe}
    assert counts == {Timeframe.M15: 60 * 96, Timeframe.H1: 500 * 24, Timeframe.H4: 500 * 6, Timeframe.D1: 500}
    for timeframe in Timeframe:
        bars = list(market.history(1, timeframe))
        assert bars[-1].open_ms + timeframe.ms == START_MS
        assert all(after.open_ms - before.open_ms == timeframe.ms for before, after in itertools.pairwise(bars))


def test_timeframes_agree_with_each_other(market: GeneratedMarket) -> None:
    for number in range(len(COINS)):
        quarters, hours = (list(market.history(number, timeframe)) for timeframe in (Timeframe.M15, Timeframe.H1))
        assert [bar[:5] for bar in aggregate(quarters, HOUR)] == [bar[:5] for bar in hours[-60 * 24 :]]
        assert aggregate(hours, 4 * HOUR) == list(market.history(number, Timeframe.H4))
        for bar in hours:
            assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
            assert bar.volume > 0


def test_prices_join_without_a_seam_and_stay_plausible(market: GeneratedMarket) -> None:
    for number, coin in enumerate(COINS):
        hours = list(market.history(number, Timeframe.H1))
        tick = float(coin.spec.tick)
        assert all(abs(after.open - before.close) <= 2 * tick for before, after in itertools.pairwise(hours))
        assert all(abs(math.log(bar.close / coin.price)) < 4 for bar in hours)
        assert hours[-1].close == pytest.approx(coin.price, rel=1e-3)


def test_the_path_is_a_function_of_seed_and_time_not_of_the_asking() -> None:
    one, other, foreign = (GeneratedMarket(seed, START_MS, coins=COINS) for seed in (3, 3, 4))
    until = START_MS + 2 * HOUR
    whole = list(one.points(until))
    pieces = [point for ms in range(START_MS, until + 1, 7_001) for point in other.points(ms)]
    pieces += other.points(until)

    assert whole == pieces
    assert whole != list(foreign.points(until))
    assert all(before.at_ms < after.at_ms for before, after in itertools.pairwise(whole))
    assert len(whole) == pytest.approx(3 * 720, abs=3)


def test_live_bars_continue_the_history_and_longer_bars_contain_them() -> None:
    exchange = SimExchange(GeneratedMarket(3, START_MS, coins=COINS))
    exchange.advance_to(START_MS + 5 * HOUR + 20 * 60_000)
    symbol = COINS[0].spec.symbol
    since = START_MS // 1000 - 86_400

    for tick_type in ("trade", "mark", "spot"):
        quarters = list(exchange.candles(symbol, tick_type, "15m", since, 1 << 40))
        hours = list(exchange.candles(symbol, tick_type, "1h", since, 1 << 40))
        assert [bar[:5] for bar in aggregate(quarters, HOUR)] == [bar[:5] for bar in hours]
        assert quarters[-1].open_ms == START_MS + 5 * HOUR + 15 * 60_000  # the running one
        assert all(after.open_ms - before.open_ms == 900_000 for before, after in itertools.pairwise(quarters))
    days = list(exchange.candles(symbol, "trade", "1d", since, 1 << 40))
    assert days[-1].close == exchange.candles(symbol, "trade", "1m", since, 1 << 40)[-1].close


def test_a_cached_history_is_read_back_equal_and_a_torn_one_is_made_anew(tmp_path: Path) -> None:
    lines: list[str] = []
    made = GeneratedMarket(9, START_MS, cache_dir=tmp_path, progress=lines.append, coins=COINS)
    (file,) = tmp_path.iterdir()
    again = GeneratedMarket(9, START_MS, cache_dir=tmp_path, progress=lines.append, coins=COINS)
    assert lines == [f"market history read from {file}"]
    file.write_bytes(file.read_bytes()[:-8])
    anew = GeneratedMarket(9, START_MS, cache_dir=tmp_path, progress=lines.append, coins=COINS)

    assert len(lines) == 1
    for other in (again, anew):
        assert list(other.history(1, Timeframe.H1)) == list(made.history(1, Timeframe.H1))
    assert list(again.points(START_MS + HOUR)) == list(made.points(START_MS + HOUR))


def test_a_start_off_the_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="full hour"):
        GeneratedMarket(3, START_MS + 1, coins=COINS)
