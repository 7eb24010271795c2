"""The candle refresh of a whole universe against a venue that answers every question after 100 ms."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Final

from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of
from trading_system.data.candle_manager import CandleManager
from trading_system.data.candle_schedule import CandleParameters
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Instrument, OrderBook, Ticker, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.wiring.clock import WallClock

SYMBOLS: Final = 250
CONCURRENCY: Final = 50
ROUND_TRIP_S: Final = 0.1
RUNS: Final = 7
_START: Final = datetime(2025, 1, 6, 0, 0, 5, tzinfo=UTC)


class SteppedClock(WallClock):
    """Market time moves when told; process time is the machine's."""

    def __init__(self) -> None:
        self._moment = _START

    def now(self) -> datetime:
        return self._moment

    def step(self, by: timedelta) -> None:
        self._moment += by


class DistantVenue:
    """Serves any range of bars, each a function of its open time, after one round trip."""

    def __init__(self, clock: SteppedClock) -> None:
        self._clock = clock
        self._answers: dict[tuple[Timeframe, int, int], tuple[Bar, ...]] = {}

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        await self._clock.sleep(ROUND_TRIP_S)
        key = (timeframe, since_ms, until_ms)
        if key not in self._answers:
            self._answers[key] = tuple(_bar(open_ms) for open_ms in range(since_ms, until_ms + 1, timeframe.ms))
        return self._answers[key]

    async def instruments(self) -> tuple[Instrument, ...]:
        raise ReadFailed("this venue has candles only")

    async def tickers(self) -> tuple[Ticker, ...]:
        raise ReadFailed("this venue has candles only")

    async def order_book(self, symbol: Symbol) -> OrderBook:
        raise ReadFailed("this venue has candles only")


def _bar(open_ms: int) -> Bar:
    level = 100.0 + open_ms // Timeframe.M15.ms % 17
    return Bar(open_ms, level, level + 2.0, level - 2.0, level + 1.0, 50.0)


def measure() -> dict[str, Outcome]:
    """Wall seconds of a refresh right after a 15m close, hour and day closes among them."""
    return asyncio.run(_measure())


async def _measure() -> dict[str, Outcome]:
    clock = SteppedClock()
    manager = CandleManager(DistantVenue(clock), clock, parameters=CandleParameters(concurrency=CONCURRENCY))
    symbols = tuple(Symbol(f"B{number}/USD") for number in range(SYMBOLS))
    await manager.start(symbols)
    manager.drain()
    samples = []
    for _ in range(RUNS):
        clock.step(timedelta(minutes=15))
        begun = perf_counter()
        report = await manager.refresh(symbols)
        updates = manager.drain()
        samples.append(perf_counter() - begun)
        if report.failures or len({entry.symbol for entry in updates.new_bars}) != SYMBOLS:
            return {"refresh_250_p50_s": Unmeasured(f"a refresh brought no bar for some symbols; requests {report.requests}")}
    return {"refresh_250_p50_s": reading_of(samples)}
