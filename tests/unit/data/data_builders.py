"""Builders and fakes for the data room: show only what matters to a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Instrument, MarginLevel, OrderBook, Ticker, Timeframe, TradingStatus
from trading_system.domain.symbols import Symbol, to_venue
from trading_system.domain.units import Price, Qty, to_ms

D = Decimal
M15, H1, H4, D1 = Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1
BTC, ETH, ADA = Symbol("BTC/USD"), Symbol("ETH/USD"), Symbol("ADA/USD")
MIDNIGHT = datetime(2025, 6, 2, tzinfo=UTC)


def at(hours: float = 0.0, *, minutes: float = 0.0, seconds: float = 0.0) -> datetime:
    return MIDNIGHT + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def ms(hours: float = 0.0, *, minutes: float = 0.0) -> int:
    return to_ms(at(hours, minutes=minutes))


def an_instrument(symbol: str = "ADA/USD", status: TradingStatus = TradingStatus.OPEN, tick: str = "0.0001") -> Instrument:
    levels = (MarginLevel(D(0), D("0.02"), D("0.01")),)
    return Instrument(Symbol(symbol), to_venue(Symbol(symbol)), D(tick), D(1), Qty(D(1)), None, levels, status)


def a_ticker(
    symbol: str = "ADA/USD",
    *,
    bid: str | None = "99.99",
    ask: str | None = "100.01",
    mark: str | None = "100",
    volume: str = "10000000",
    when: datetime = MIDNIGHT,
    status: TradingStatus = TradingStatus.OPEN,
) -> Ticker:
    def price(text: str | None) -> Price | None:
        return None if text is None else Price(D(text))

    return Ticker(Symbol(symbol), when, price(bid), price(ask), price(bid), price(mark), price(mark), D(volume), status=status)


def a_bar(open_ms: int, close: float = 100.0, *, volume: float = 5.0) -> Bar:
    return Bar(open_ms, close - 1.0, close + 2.0, close - 3.0, close, volume)


def truth(first_ms: int, count: int, step_ms: int = M15.ms) -> dict[int, Bar]:
    """`count` bars with prices that tell them apart."""
    return {first_ms + i * step_ms: a_bar(first_ms + i * step_ms, 100.0 + i % 50, volume=1.0 + i % 7) for i in range(count)}


def join(children: Iterable[Bar], open_ms: int) -> Bar:
    """The longer bar of its children, written independently of the code under test."""
    kids = sorted(children)
    return Bar(open_ms, kids[0].open, max(k.high for k in kids), min(k.low for k in kids), kids[-1].close, sum(k.volume for k in kids))


@dataclass
class ManualClock:
    """Both times move only when told."""

    moment: datetime = MIDNIGHT
    process_s: float = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.process_s

    def market_in(self, process_seconds: float) -> datetime:
        return self.moment + timedelta(seconds=process_seconds)

    async def sleep(self, seconds: float) -> None:
        self.process_s += seconds
        self.moment += timedelta(seconds=seconds)

    async def sleep_until(self, moment: datetime) -> None:
        await self.sleep(max(0.0, (moment - self.moment).total_seconds()))


@dataclass
class FakeVenue:
    """Serves 15m bars from `bars` and joins them for the longer frames, the running bar included, as the venue does."""

    clock: ManualClock
    bars: dict[Symbol, dict[int, Bar]] = field(default_factory=dict)
    listed: tuple[Instrument, ...] | None = ()
    quotes: tuple[Ticker, ...] | None = ()
    failing: set[Symbol] = field(default_factory=set)
    asked: list[tuple[Symbol, Timeframe, int, int]] = field(default_factory=list)
    overrides: dict[tuple[Symbol, Timeframe, int], Bar] = field(default_factory=dict)
    skew_ms: int = 0
    """How far the venue's clock is behind ours."""

    async def instruments(self) -> tuple[Instrument, ...]:
        if self.listed is None:
            raise ReadFailed("instruments")
        return self.listed

    async def tickers(self) -> tuple[Ticker, ...]:
        if self.quotes is None:
            raise ReadFailed("tickers")
        return self.quotes

    async def order_book(self, symbol: Symbol) -> OrderBook:
        raise ReadFailed("no book here")

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        self.asked.append((symbol, timeframe, since_ms, until_ms))
        if symbol in self.failing:
            raise ReadFailed("candles")
        now_ms = to_ms(self.clock.now()) - self.skew_ms
        groups: dict[int, list[Bar]] = {}
        first = timeframe.open_of(since_ms)
        for open_ms, bar in self.bars.get(symbol, {}).items():
            bucket = timeframe.open_of(open_ms)
            if open_ms <= now_ms and first <= bucket:
                groups.setdefault(bucket, []).append(bar)
        served = {bucket: join(kids, bucket) for bucket, kids in groups.items()}
        served |= {o: b for (s, t, o), b in self.overrides.items() if s == symbol and t is timeframe and o <= now_ms}
        running = timeframe.open_of(now_ms)
        return tuple(served[o] for o in sorted(served) if since_ms <= o <= max(until_ms, running))


@dataclass
class MemoryStore:
    """A CandleStore in a dict."""

    stored: dict[Timeframe, dict[Symbol, dict[int, Bar]]] = field(default_factory=dict)
    is_dead: bool = False

    async def load(self, symbol: Symbol, since_ms: Mapping[Timeframe, int]) -> Mapping[Timeframe, tuple[Bar, ...]]:
        if self.is_dead:
            raise ReadFailed("store")
        found = {timeframe: sorted(self.stored.get(timeframe, {}).get(symbol, {}).items()) for timeframe in since_ms}
        return {timeframe: tuple(b for o, b in bars if o >= since_ms[timeframe]) for timeframe, bars in found.items()}

    def save(self, symbol: Symbol, timeframe: Timeframe, bars: Iterable[Bar]) -> None:
        self.stored.setdefault(timeframe, {}).setdefault(symbol, {}).update({b.open_ms: b for b in bars})
