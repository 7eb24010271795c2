"""Market data that lies, through the running daemon: no crash, no signal from it, counted and logged, gaps stay gaps."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.daemon_rig import DaemonRig, LongOnce, run_rig
from fakes.scripted_market import START_MS
from trading_system.data.data_health import HealthState
from trading_system.domain import log_events as ev
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol

BTC, ETH = Symbol("BTC/USD"), Symbol("ETH/USD")
M15 = Timeframe.M15
STEADY = {"PF_XBTUSD": {0: 100_000.0}, "PF_ETHUSD": {0: 3_000.0}}
AWAY_MS = 40 * M15.ms
QUARTER_S, HOUR_S = 900, 3_600

Distortion = Callable[[Symbol, Timeframe, tuple[Bar, ...]], tuple[Bar, ...]]


class Careful(LongOnce):
    """Notes every bar it is given."""

    def __init__(self) -> None:
        super().__init__(())
        self.seen: list[tuple[Symbol, Timeframe, Bar]] = []

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        self.seen.append((symbol, timeframe, bar))
        super().update(symbol, timeframe, bar)


def run(tmp_path: Path, distort: Distortion, for_s: float) -> tuple[DaemonRig, Careful]:
    """A daemon that is warm on good data, then `for_s` seconds with what `distort` makes of it."""
    strategy = Careful()

    async def scenario(rig: DaemonRig) -> DaemonRig:
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
        rig.distort = distort
        await rig.clock.sleep(for_s)
        return rig

    def make(loop: object) -> DaemonRig:
        rig = DaemonRig(loop, tmp_path, STEADY, ())  # type: ignore[arg-type]
        rig.live.strategy = rig.strategy = strategy
        return rig

    return run_rig(make, scenario), strategy


def lines(rig: DaemonRig, event: str) -> list[dict[str, object]]:
    return [fields for name, fields in rig.log.lines if name == event]


def newest_spoiled(change: Callable[[Bar], Bar]) -> Distortion:
    """The newest bars of BTC come spoiled, everything else is true."""

    def distort(symbol: Symbol, timeframe: Timeframe, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
        if symbol != BTC:
            return bars
        return tuple(change(bar) if bar.open_ms >= START_MS else bar for bar in bars)

    return distort


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(lambda bar: bar._replace(close=math.nan), "unsound", id="NaN"),
        pytest.param(lambda bar: bar._replace(high=math.inf), "unsound", id="infinite"),
        pytest.param(lambda bar: bar._replace(low=0.0), "unsound", id="zero"),
        pytest.param(lambda bar: bar._replace(low=-bar.low), "unsound", id="negative"),
        pytest.param(lambda bar: bar._replace(high=bar.low - 1.0, low=bar.high + 1.0), "unsound", id="crossed"),
        pytest.param(lambda bar: bar._replace(volume=-1.0), "unsound", id="negative volume"),
        pytest.param(lambda bar: bar._replace(open_ms=bar.open_ms + 60_000), "misaligned", id="off the grid"),
        pytest.param(lambda bar: bar._replace(open_ms=bar.open_ms + AWAY_MS), "future", id="from the future"),
    ],
)
def test_a_bar_that_means_nothing_reaches_no_detector_and_is_counted(tmp_path: Path, change: Callable[[Bar], Bar], fault: str) -> None:
    rig, strategy = run(tmp_path, newest_spoiled(change), HOUR_S + 120)

    refused = [row for row in lines(rig, ev.CANDLE_REJECTED) if row["symbol"] == BTC and row["timeframe"] == "15m"]
    assert refused
    assert {row["fault"] for row in refused} == {fault}
    assert [bar for symbol, _, bar in strategy.seen if symbol == BTC and bar.open_ms >= START_MS] == []
    assert len([bar for symbol, frame, bar in strategy.seen if symbol == ETH and frame is M15 and bar.open_ms >= START_MS]) == 4
    assert lines(rig, ev.SIGNAL) == []


def test_duplicated_and_shuffled_answers_are_the_same_bars_once(tmp_path: Path) -> None:
    rig, strategy = run(tmp_path, lambda symbol, frame, bars: (*reversed(bars), *bars), HOUR_S + 120)

    opens = [bar.open_ms for symbol, frame, bar in strategy.seen if symbol == BTC and frame is M15 and bar.open_ms >= START_MS]
    assert opens == [START_MS + i * M15.ms for i in range(4)]
    assert lines(rig, ev.CANDLE_CORRECTED) == []
    assert lines(rig, ev.CANDLE_REJECTED) == []


def test_a_missing_bar_stays_missing_and_no_longer_bar_is_made_over_it(tmp_path: Path) -> None:
    hole = START_MS + M15.ms

    def distort(symbol: Symbol, timeframe: Timeframe, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
        if symbol != BTC or timeframe is not M15:
            return () if symbol == BTC and timeframe is Timeframe.H1 and bars and bars[-1].open_ms >= START_MS else bars
        return tuple(bar for bar in bars if bar.open_ms != hole)

    rig, strategy = run(tmp_path, distort, HOUR_S + 120)

    fed = {(frame, bar.open_ms) for symbol, frame, bar in strategy.seen if symbol == BTC and bar.open_ms >= START_MS}
    assert fed == {(M15, START_MS + i * M15.ms) for i in (0, 2, 3)}
    series = rig.live.candles.series(BTC, M15)
    assert series is not None
    assert [(gap.first_open_ms, gap.last_open_ms) for gap in series.gaps()] == [(hole, hole)]


def test_a_corrected_bar_is_logged_and_the_market_is_fed_anew(tmp_path: Path) -> None:
    """The venue tells the first bar differently when it is read again along with the second."""
    asked = {"first": 0}

    def distort(symbol: Symbol, timeframe: Timeframe, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
        if symbol != BTC or timeframe is not M15:
            return bars
        asked["first"] += any(bar.open_ms == START_MS for bar in bars)
        is_again = any(bar.open_ms == START_MS + M15.ms for bar in bars)
        return tuple(bar._replace(high=bar.high + 500.0) if bar.open_ms == START_MS and is_again else bar for bar in bars)

    rig, strategy = run(tmp_path, distort, 2 * QUARTER_S + 120)

    (corrected,) = [row for row in lines(rig, ev.CANDLE_CORRECTED) if row["timeframe"] == "15m"]
    assert corrected["symbol"] == BTC
    told = [bar.high for symbol, frame, bar in strategy.seen if symbol == BTC and frame is M15 and bar.open_ms == START_MS]
    assert told[-1] == told[0] + 500.0
    assert len(told) == 2


def test_a_genuine_wick_of_65_percent_is_fed_like_any_bar(tmp_path: Path) -> None:
    rig, strategy = run(tmp_path, newest_spoiled(lambda bar: bar._replace(low=bar.low * 0.35)), HOUR_S + 120)

    lows = [bar.low for symbol, frame, bar in strategy.seen if symbol == BTC and frame is M15 and bar.open_ms >= START_MS]
    assert len(lows) == 4
    assert max(lows) < 36_000
    assert lines(rig, ev.CANDLE_REJECTED) == []


def test_a_feed_that_fails_degrades_its_market_alone_and_a_restart_remembers_it(tmp_path: Path) -> None:
    def fail(symbol: Symbol, timeframe: Timeframe, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
        if symbol == BTC:
            raise ReadFailed("candles of BTC")
        return bars

    async def scenario(rig: DaemonRig) -> None:
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 0, 300)
        rig.distort = fail
        await rig.until(lambda: rig.live.candles.health.state(BTC) is HealthState.DEGRADED, 3 * QUARTER_S)
        assert rig.live.candles.health.state(ETH) is HealthState.HEALTHY
        assert lines(rig, ev.DATA_HEALTH)[-1] == {"symbol": BTC, "before": "healthy", "after": "degraded"}
        before = rig.live.candles.health.of(BTC)
        await rig.restart()
        assert rig.live.candles.health.state(BTC) is HealthState.DEGRADED
        assert rig.live.candles.health.of(BTC).failing_since_ms == before.failing_since_ms
        rig.distort = lambda symbol, timeframe, bars: bars
        await rig.until(lambda: rig.live.candles.health.state(BTC) is HealthState.HEALTHY, HOUR_S + 120)

    run_rig(lambda loop: DaemonRig(loop, tmp_path, STEADY, ()), scenario)


def test_the_running_daemon_audits_its_longer_bars_and_takes_the_venues(tmp_path: Path) -> None:
    def distort(symbol: Symbol, timeframe: Timeframe, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
        if symbol != BTC or timeframe is not Timeframe.H1:
            return bars
        return tuple(bar._replace(high=bar.high + 7.0) if bar.open_ms == START_MS else bar for bar in bars)

    rig, _ = run(tmp_path, distort, HOUR_S + 300)

    (found, *_) = lines(rig, ev.CANDLE_AUDIT_MISMATCH)
    assert (found["symbol"], found["timeframe"], found["open_ms"]) == (BTC, "1h", START_MS)
    series = rig.live.candles.series(BTC, Timeframe.H1)
    assert series is not None
    bar = series[-1]
    assert bar.high == found["venues"][1]  # type: ignore[index]


def test_the_first_discovery_is_told_like_every_later_one(tmp_path: Path) -> None:
    rig, _ = run(tmp_path, lambda symbol, timeframe, bars: bars, 1)

    assert [row["universe"] for row in lines(rig, ev.UNIVERSE_DISCOVERED)] == [2]
    assert {(row["symbol"], row["change"]) for kind, _, row in rig.history.rows if kind == "universe"} == {(BTC, "added"), (ETH, "added")}
