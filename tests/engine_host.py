"""The feeding half of a daemon, without the rest: candles of a written market, the SMC engine, the books that are kept with it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from strategy_builders import COSTS, START_MS, SYMBOL, aggregate
from trading_system.data.candle_manager import CandleManager
from trading_system.data.candle_schedule import CandleParameters
from trading_system.data.tick_guard import TickGuard
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Instrument, OrderBook, Ticker, Timeframe
from trading_system.domain.protocols import EngineStore, Strategy
from trading_system.domain.signals import Decision, Emission, Signal
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import from_ms, to_ms
from trading_system.live.coin_processor import DecisionBook
from trading_system.live.engine_feed import EngineBook, feed, keep_engines
from trading_system.live.quotes import QuoteBook
from trading_system.live.volatility import VolatilityBook
from trading_system.storage.engine_store import SqliteEngineStore
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.smc_engine import SmcStrategy

M15, H1, H4, D1 = Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1
SMALL = CandleParameters(capacity={M15: 300, H1: 150, H4: 90, D1: 25})
"""Windows so short that an engine warmed up from them is not the engine that saw everything."""


@dataclass
class Clock:
    """Market time that a test sets; sleeping takes none."""

    moment: datetime = field(default_factory=lambda: from_ms(START_MS))

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return 0.0

    def market_in(self, process_seconds: float) -> datetime:
        return self.moment + timedelta(seconds=process_seconds)

    async def sleep(self, seconds: float) -> None:
        """No time passes."""

    async def sleep_until(self, moment: datetime) -> None:
        self.moment = max(self.moment, moment)


class Market:
    """A venue that tells the bars of one written path, longer ones made of it; closed bars only."""

    def __init__(self, clock: Clock, quarters: Sequence[Bar]) -> None:
        self._clock = clock
        hours = aggregate(quarters, H1)
        self.series = {M15: list(quarters), H1: hours, H4: aggregate(hours, H4), D1: aggregate(hours, D1)}

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        now_ms = to_ms(self._clock.now())
        bars, last_ms = self.series[timeframe], min(until_ms, now_ms - timeframe.ms)
        start = bisect_left(bars, since_ms, key=lambda bar: bar.open_ms)
        return tuple(bars[start : bisect_right(bars, last_ms, key=lambda bar: bar.open_ms)])

    async def instruments(self) -> tuple[Instrument, ...]:
        return ()

    async def tickers(self) -> tuple[Ticker, ...]:
        return ()

    async def order_book(self, symbol: Symbol) -> OrderBook:
        raise ReadFailed("no book here")


class Emitted:
    """The journal's memory of signals."""

    def __init__(self) -> None:
        self.known: list[Emission] = []

    def emissions(self, symbol: Symbol) -> tuple[Emission, ...]:
        return tuple(one for one in self.known if one.symbol == symbol)


class StoredBars:
    """A CandleStore in a dict."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Symbol, Timeframe], dict[int, Bar]] = {}

    async def load(self, symbol: Symbol, since_ms: Mapping[Timeframe, int]) -> Mapping[Timeframe, tuple[Bar, ...]]:
        return {t: tuple(b for o, b in sorted(self.kept.get((symbol, t), {}).items()) if o >= since) for t, since in since_ms.items()}

    def save(self, symbol: Symbol, timeframe: Timeframe, bars: object) -> None:
        self.kept.setdefault((symbol, timeframe), {}).update({bar.open_ms: bar for bar in bars})  # type: ignore[attr-defined]


class EngineHost:
    """One process. The stores, the market, the clock and the emissions outlive it."""

    def __init__(
        self, market: Market, clock: Clock, *, stored: StoredBars, engine_store: EngineStore | None, emitted: Emitted,
        parameters: SmcParameters, capacity: CandleParameters = SMALL, maker: str = "test", strategy: Strategy | None = None,
    ) -> None:  # fmt: skip
        self.clock = clock
        self.candles = CandleManager(market, clock, stored, capacity)
        self.strategy: Strategy = SmcStrategy(parameters) if strategy is None else strategy
        self.volatility = VolatilityBook()
        self.decisions = DecisionBook()
        self.cooldowns = emitted
        self.quotes = QuoteBook(TickGuard(), self.volatility, self.candles)
        self.engines = EngineBook(engine_store, maker)

    async def start(self) -> None:
        await self.candles.start([SYMBOL])
        await feed(self, self.candles.drain())

    async def close_at(self, close_ms: int) -> Decision:
        """What a tick does after the bar that closes at `close_ms`: read, feed, judge, act on a signal."""
        self.clock.moment = from_ms(close_ms)
        await self.candles.refresh([SYMBOL])
        await feed(self, self.candles.drain())
        decision = self.strategy.decide(SYMBOL, close_ms, COSTS)
        if isinstance(decision, Signal):
            self.cooldowns.known.append(Emission(SYMBOL, decision.at_ms, decision.zone_ids))
            self.strategy.mark_emitted(decision)
        return decision

    async def keep(self) -> str | None:
        return await keep_engines(self, [SYMBOL], share=1)

    def state(self) -> tuple[bytes, bytes]:
        assert isinstance(self.strategy, SmcStrategy)
        return self.strategy.snapshot(SYMBOL), self.volatility.snapshot(SYMBOL)


def an_engine_store(folder: Path) -> SqliteEngineStore:
    return SqliteEngineStore(folder / "engines.db")
