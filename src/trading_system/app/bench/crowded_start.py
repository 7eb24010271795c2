"""A child process: 250 markets loaded and fed as the daemon does it at a start. Prints one JSON object.

What candles and engines weigh (resident memory before and after, everything else alive in both), and how long the loop was held at
most. Held is CPU of the loop's thread between two turns of a task that asks for every turn: what a stop would have waited.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import thread_time
from typing import Final

from trading_system.app.bench.generated_bars import START_MS, all_timeframes, generate_quarters
from trading_system.data.candle_manager import CandleManager
from trading_system.data.candle_schedule import CAPACITY
from trading_system.data.tick_guard import TickGuard
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Instrument, OrderBook, Ticker, Timeframe
from trading_system.domain.protocols import Strategy
from trading_system.domain.signals import Emission
from trading_system.domain.symbols import Symbol
from trading_system.live.coin_processor import DecisionBook
from trading_system.live.engine_feed import EngineBook, feed
from trading_system.live.quotes import QuoteBook
from trading_system.live.volatility import VolatilityBook
from trading_system.strategy.smc_engine import SmcStrategy
from trading_system.wiring.clock import WallClock
from trading_system.wiring.memory import give_back

MARKETS: Final = 250
DAYS: Final = 725
ROUND_TRIP_S: Final = 0.02
_PATHS: Final = 2
Series = dict[Timeframe, list[Bar]]


class FixedClock(WallClock):
    """Market time stands at the end of the generated bars."""

    def now(self) -> datetime:
        return datetime.fromtimestamp((START_MS + DAYS * 86_400_000) / 1000 + 5, UTC)


@dataclass
class FullVenue:
    """Answers any range of bars of one of a few paths; so does the store."""

    clock: WallClock
    paths: list[Series]
    cold: bool = False

    def _path(self, symbol: Symbol) -> Series:
        return self.paths[int(symbol[1:].partition("/")[0]) % _PATHS]

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        await self.clock.sleep(ROUND_TRIP_S)
        return tuple(bar for bar in self._path(symbol)[timeframe][-CAPACITY[timeframe] :] if since_ms <= bar.open_ms <= until_ms)

    async def load(self, symbol: Symbol, since_ms: Mapping[Timeframe, int]) -> Mapping[Timeframe, tuple[Bar, ...]]:
        # objects of their own, as a database makes them; gone when they are merged
        return {t: tuple(Bar(*bar) for bar in self._path(symbol)[t] if bar.open_ms >= since) for t, since in since_ms.items()}

    def save(self, symbol: Symbol, timeframe: Timeframe, bars: object) -> None:
        """Nothing is kept."""

    async def instruments(self) -> tuple[Instrument, ...]:
        return ()

    async def tickers(self) -> tuple[Ticker, ...]:
        return ()

    async def order_book(self, symbol: Symbol) -> OrderBook:
        raise ReadFailed("no book here")


class _NoEmissions:
    def emissions(self, symbol: Symbol) -> tuple[Emission, ...]:
        return ()


@dataclass
class Host:
    """The feeding half of the daemon."""

    clock: WallClock
    candles: CandleManager
    strategy: Strategy = field(default_factory=SmcStrategy)
    volatility: VolatilityBook = field(default_factory=VolatilityBook)
    decisions: DecisionBook = field(default_factory=DecisionBook)
    engines: EngineBook = field(default_factory=EngineBook)
    cooldowns: _NoEmissions = field(default_factory=_NoEmissions)
    quotes: QuoteBook = field(init=False)

    def __post_init__(self) -> None:
        self.quotes = QuoteBook(TickGuard(), self.volatility, self.candles)


class LoopWatch:
    """The longest turn of the loop since it began, ms CPU of this thread."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        clock, before = WallClock(), thread_time()
        while True:
            await clock.sleep(0)
            now = thread_time()
            self.longest_ms = max(self.longest_ms, (now - before) * 1e3)
            before = now

    def stop(self) -> float:
        self._task.cancel()
        return self.longest_ms


def resident_mb() -> float:
    """Resident memory, MB (10^6 bytes), after what is free was given back."""
    gc.collect()
    give_back()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def run_start(paths: list[Series], *, is_stored: bool) -> tuple[Host, float]:
    """One start; the host, and the longest turn of the loop in ms."""
    clock = FixedClock()
    venue = FullVenue(clock, paths)
    host = Host(clock, CandleManager(venue, clock, venue if is_stored else None))
    symbols = tuple(Symbol(f"B{number}/USD") for number in range(MARKETS))
    gc.collect()
    watch = LoopWatch()
    await host.candles.start(symbols)
    await feed(host, host.candles.drain())
    held = watch.stop()
    short = [s for s in symbols if any(host.candles.bar_count(s, t) < CAPACITY[t] for t in Timeframe)]
    if short:
        raise RuntimeError(f"{len(short)} markets have no full windows, first {short[0]}")
    return host, held


def main() -> None:
    paths = [all_timeframes(generate_quarters(300 + number, DAYS)) for number in range(_PATHS)]
    gc.collect()
    gc.freeze()  # as the daemon does with what it has made before its loops begin
    _, first_ms = asyncio.run(run_start(paths, is_stored=False))
    before = resident_mb()
    host, again_ms = asyncio.run(run_start(paths, is_stored=True))
    weight = resident_mb() - before
    del host
    print(json.dumps({"data_mb": weight, "first_ms": first_ms, "again_ms": again_ms}))


if __name__ == "__main__":
    main()
