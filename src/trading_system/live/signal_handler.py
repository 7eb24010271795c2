"""From a signal to a candidate: cooldown, quote, spread and basis, each refusal with its name.

A failed quote is a failure of the data: it sets no cooldown and the signal is looked at again in the next cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Protocol

from trading_system.data.tick_guard import QuoteFault, QuoteRefused, mid_of
from trading_system.domain.events import SignalEmitted
from trading_system.domain.intents import EntryIntent
from trading_system.domain.market import Ticker
from trading_system.domain.protocols import Clock, Strategy
from trading_system.domain.signals import Signal
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO
from trading_system.execution.order_ids import position_id_of
from trading_system.live.quotes import QuoteBook
from trading_system.portfolio.candidate import Candidate
from trading_system.risk.limits import QuoteLimits
from trading_system.risk.liquidity import check_signal_spread


class SignalRefusal(Enum):
    """Why a signal did not become a candidate; `.value` is the word in logs."""

    COOLDOWN = "SIGNAL_COOLDOWN"
    QUOTE = "QUOTE_UNUSABLE"
    SPREAD = "SIGNAL_REJECTED_SPREAD"
    SPREAD_CHECK_FAILED = "SIGNAL_SPREAD_CHECK_FAILED"
    BASIS = "INDEX_DEVIATION"


@dataclass(frozen=True, slots=True)
class RefusedSignal:
    signal: Signal
    reason: SignalRefusal
    limit: Decimal | None = None
    actual: Decimal | None = None
    fault: QuoteFault | None = None
    """What is wrong with the quote, when that is the reason."""


class CooldownBook(Protocol):
    """When each symbol's last signal was emitted (kept in the journal)."""

    def last_emitted(self, symbol: Symbol) -> datetime | None: ...


class Emission(Protocol):
    """The journal, as far as cooldowns are concerned."""

    def record(self, event: SignalEmitted, *, durable: bool = ...) -> bool: ...


class SignalHost(Protocol):
    """What handling signals needs."""

    @property
    def clock(self) -> Clock: ...
    @property
    def quotes(self) -> QuoteBook: ...
    @property
    def strategy(self) -> Strategy: ...
    @property
    def cooldowns(self) -> CooldownBook: ...
    @property
    def journal(self) -> Emission: ...
    @property
    def signal_rules(self) -> SignalRules: ...


@dataclass(frozen=True, slots=True)
class SignalRules:
    """cooldown per symbol, from emission; quote limits shared with the risk manager."""

    cooldown: timedelta
    quotes: QuoteLimits
    spread_fails_open: bool = True
    """An error inside the spread check lets the signal pass (the quote's own checks never do)."""


@dataclass(frozen=True, slots=True)
class SignalReport:
    candidates: tuple[Candidate, ...]
    refused: tuple[RefusedSignal, ...]
    spread_errors: tuple[Exception, ...] = ()
    """What went wrong inside the spread check, whether the signal passed or not."""

    @property
    def counted(self) -> int:
        """Signals that could have become an order: all but repetitions within a cooldown."""
        return len(self.candidates) + sum(refusal.reason is not SignalRefusal.COOLDOWN for refusal in self.refused)

    @property
    def to_retry(self) -> tuple[Symbol, ...]:
        """Symbols whose signal failed for want of data only."""
        return tuple(refusal.signal.symbol for refusal in self.refused if refusal.reason is SignalRefusal.QUOTE)


def make_candidates(host: SignalHost, signals: Iterable[Signal], clusters: Mapping[Symbol, Symbol]) -> SignalReport:
    """Check each signal; emit those that pass (their cooldown begins) and turn them into candidates."""
    now = host.clock.now()
    candidates: list[Candidate] = []
    refused: list[RefusedSignal] = []
    errors: list[Exception] = []
    for signal in signals:
        refusal = _check(signal, host, now, errors)
        if refusal is not None:
            refused.append(refusal)
            continue
        host.journal.record(SignalEmitted(now, signal.symbol, signal.at_ms, signal.zone_ids), durable=False)
        host.strategy.mark_emitted(signal)
        intent = EntryIntent(position_id_of(signal.symbol, signal.at_ms), signal, now)
        candidates.append(Candidate(intent, clusters.get(signal.symbol, signal.setup)))
    return SignalReport(tuple(candidates), tuple(refused), tuple(errors))


def _check(signal: Signal, host: SignalHost, now: datetime, errors: list[Exception]) -> RefusedSignal | None:
    rules = host.signal_rules
    last = host.cooldowns.last_emitted(signal.symbol)
    if last is not None and now - last < rules.cooldown:
        left = Decimal((rules.cooldown - (now - last)).total_seconds())
        return RefusedSignal(signal, SignalRefusal.COOLDOWN, Decimal(0), left)
    ticker = host.quotes.ticker(signal.symbol)
    verdict = host.quotes.verdict(signal.symbol, now)
    if ticker is None or isinstance(verdict, QuoteRefused):
        fault = verdict if isinstance(verdict, QuoteRefused) else QuoteRefused(signal.symbol, QuoteFault.STALE)
        return RefusedSignal(signal, SignalRefusal.QUOTE, fault.limit, fault.actual, fault.fault)
    try:
        too_wide = _check_spread(signal, ticker, rules.quotes)
    except Exception as error:  # noqa: BLE001 - whatever went wrong inside: the report carries it, the rule says what it means
        errors.append(error)
        too_wide = None if rules.spread_fails_open else RefusedSignal(signal, SignalRefusal.SPREAD_CHECK_FAILED)
    return too_wide or _check_basis(signal, ticker, rules.quotes)


def _check_spread(signal: Signal, ticker: Ticker, limits: QuoteLimits) -> RefusedSignal | None:
    refused = check_signal_spread(ticker, limits)
    return None if refused is None else RefusedSignal(signal, SignalRefusal.SPREAD, refused.limit, refused.actual)


def _check_basis(signal: Signal, ticker: Ticker, limits: QuoteLimits) -> RefusedSignal | None:
    if ticker.mark is None:
        return None
    prices = [price for price in (ticker.index, mid_of(ticker) if ticker.has_spread else None) if price is not None]
    # a run of quotes that agree with each other only is accepted as a quote; it is one venue's price, and no reason to enter
    apart = max((abs(price - ticker.mark) / ticker.mark for price in prices), default=ZERO)
    if apart > limits.index_deviation_max:
        return RefusedSignal(signal, SignalRefusal.BASIS, limits.index_deviation_max, apart)
    return None


def active_cooldowns(cooldowns: CooldownBook, symbols: Iterable[Symbol], rules: SignalRules, now: datetime) -> int:
    """How many symbols are in their cooldown."""
    emitted = (cooldowns.last_emitted(symbol) for symbol in symbols)
    return sum(at is not None and now - at < rules.cooldown for at in emitted)
