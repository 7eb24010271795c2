"""Bars in, decisions out: refresh what is due, feed the engines once and in order of time, judge each market once per 15m bar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from trading_system.data.candle_manager import Progress
from trading_system.data.candle_updates import AuditReport, CandleReport
from trading_system.data.data_health import Coverage, CoverageRule, judge_coverage
from trading_system.data.market_registry import MarketRegistry
from trading_system.domain.market import Ticker, Timeframe
from trading_system.domain.signals import NoSignal, Signal
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import BPS, to_ms
from trading_system.live.engine_feed import FeedHost, feed
from trading_system.live.gate_days import GateDays, day_of


class ScanHost(FeedHost, Protocol):
    """What scanning the markets needs besides feeding them."""

    @property
    def markets(self) -> MarketRegistry: ...
    @property
    def decisions(self) -> DecisionBook: ...
    @property
    def fee_bps(self) -> FeeBps: ...


@dataclass(frozen=True, slots=True)
class FeeBps:
    """Fees of our entries and exits in basis points of notional."""

    entry: float
    exit: float


class Costs:
    """What a trade on one market costs now (the strategy's StrategyCosts), worked out when it is asked for: most judgements end before."""

    __slots__ = ("_fees", "_ticker")

    def __init__(self, ticker: Ticker, fees: FeeBps) -> None:
        self._ticker = ticker
        self._fees = fees

    @property
    def spread_bps(self) -> float:
        spread = self._ticker.spread_bps
        assert spread is not None  # see `judge_markets`
        return float(spread)

    @property
    def entry_fee_bps(self) -> float:
        return self._fees.entry

    @property
    def exit_fee_bps(self) -> float:
        return self._fees.exit

    @property
    def funding_bps_per_hour(self) -> float:
        rate = self._ticker.funding_rate_hourly
        return 0.0 if rate is None else float(rate / BPS)


class DecisionBook:
    """The last decision per symbol, and how often each gate blocked since the last daily summary."""

    def __init__(self, trace_every_ms: int = 300_000, days: GateDays | None = None) -> None:
        """trace_every_ms: a decision that says the same again is worth a trace row when the last one is that old (market time)."""
        self._trace_every_ms = trace_every_ms
        self.days = GateDays() if days is None else days
        self._traced_ms: dict[Symbol, int] = {}
        self._last: dict[Symbol, Signal | NoSignal] = {}
        self._judged_bar: dict[Symbol, int] = {}
        self.blocked: Counter[str] = Counter()
        self.evaluated = 0

    def needs(self, symbol: Symbol, bar_close_ms: int) -> bool:
        """True when the 15m bar that closed at `bar_close_ms` was not judged yet."""
        return self._judged_bar.get(symbol) != bar_close_ms

    def note(self, decision: Signal | NoSignal, bar_close_ms: int) -> bool:
        """Remember; True when it is worth a trace row: the outcome (its code) is new for the symbol, or its last row is old."""
        symbol, at_ms = decision.symbol, decision.at_ms
        before = self._last.get(symbol)
        self._last[symbol] = decision
        self._judged_bar[symbol] = bar_close_ms
        self.evaluated += 1
        code = _code(decision)
        self.blocked[code] += 1
        traced_ms = self._traced_ms.get(symbol)
        if traced_ms is not None and at_ms - traced_ms < self._trace_every_ms and before is not None and _code(before) == code:
            return False
        self._traced_ms[symbol] = at_ms
        return True

    def ask_again(self, symbol: Symbol) -> None:
        """The judgement could not be used for want of data: judge the same bar again next cycle."""
        self._judged_bar.pop(symbol, None)

    def forget(self, symbol: Symbol) -> None:
        """Drop what was said of a symbol that is no longer managed."""
        self._last.pop(symbol, None)
        self._judged_bar.pop(symbol, None)
        self._traced_ms.pop(symbol, None)

    def last(self, symbol: Symbol) -> Signal | NoSignal | None:
        return self._last.get(symbol)

    def all(self) -> Iterable[Signal | NoSignal]:
        return self._last.values()


def _code(decision: Signal | NoSignal) -> str:
    return decision.reason_code if isinstance(decision, NoSignal) else "SIGNAL"


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What one scan brought."""

    signals: tuple[Signal, ...]
    traced: tuple[Signal | NoSignal, ...]
    """Decisions worth a trace row: new for their symbol, or told long ago."""
    judged: int


async def load_history(host: ScanHost, symbols: tuple[Symbol, ...], progress: Progress | None = None) -> CandleReport:
    """The first load: hydrate, read, merge, warm every engine up. Protection never waits for it."""
    report = await host.candles.start(symbols, progress)
    await feed(host, host.candles.drain())
    return report


async def refresh_candles(host: ScanHost) -> CandleReport:
    """Read what is due and feed it."""
    report = await host.candles.refresh(host.markets.managed())
    await feed(host, host.candles.drain())
    return report


async def audit_candles(host: ScanHost, count: int) -> AuditReport:
    """Compare the longer bars of the next `count` markets with the venue's own; what differs is taken over and fed anew."""
    report = await host.candles.audit_next(count)
    await feed(host, host.candles.drain())
    return report


def coverage(host: ScanHost, rule: CoverageRule) -> Coverage:
    """How many eligible markets have their histories, against how many must: below that entries pause."""
    eligible = host.markets.eligible()
    return judge_coverage(sum(host.candles.is_loaded(symbol) for symbol in eligible), len(eligible), rule)


def judge_markets(host: ScanHost) -> ScanReport:
    """Ask the strategy about every eligible market whose newest 15m bar was not judged yet.

    Also while nothing may be opened: `why` explains the markets as they are now, and the histogram has no holes.
    """
    signals: list[Signal] = []
    traced: list[Signal | NoSignal] = []
    judged = 0
    now = host.clock.now()
    now_ms, day = to_ms(now), day_of(now)
    book, quarter, fees = host.decisions, Timeframe.M15, host.fee_bps
    newest_close_ms, ticker_of, decide = host.candles.newest_close_ms, host.quotes.ticker, host.strategy.decide
    for symbol in host.markets.eligible():
        close_ms = newest_close_ms(symbol, quarter)
        if close_ms is None or not book.needs(symbol, close_ms):
            continue
        ticker = ticker_of(symbol)
        if ticker is None or not ticker.has_spread:
            continue  # no usable spread: a data failure, asked again next cycle
        decision = decide(symbol, now_ms, Costs(ticker, fees))
        judged += 1
        book.days.note(decision, close_ms, day)
        if book.note(decision, close_ms):
            traced.append(decision)
        if isinstance(decision, Signal):
            signals.append(decision)
    return ScanReport(tuple(signals), tuple(traced), judged)
