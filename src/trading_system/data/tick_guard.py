"""Judges quotes: may this one be believed for entries and for tightening a stop? Pure; time comes as an argument.

A refused quote never blocks an exit: exits and loss limits use the mark. A real crash is believed as soon as the mark
confirms it or three quotes in a row agree, so the guard delays a genuine -65 % move by seconds, not for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

from trading_system.domain.market import Ticker
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price


@dataclass(frozen=True, slots=True)
class TickGuardParameters:
    quote_age_s_max: Decimal = Decimal(30)
    future_s_max: Decimal = Decimal(5)
    """A quote from further ahead means that the clocks disagree."""
    jump_fraction_max: Decimal = Decimal("0.10")
    thin_volume_ratio: Decimal = Decimal("0.1")
    """A jump counts as an outlier when volume is below this share of the median (or unknown)."""
    jump_atr_max: Decimal = Decimal(8)
    agreeing_quotes: int = 3
    agreement_fraction: Decimal = Decimal("0.01")
    """Two prices within this fraction agree; also the distance to the mark that confirms a jump at once."""


class QuoteFault(Enum):
    STALE = "stale"
    FROM_THE_FUTURE = "from_the_future"
    SIDE_MISSING = "side_missing"
    NOT_FINITE = "not_finite"
    NOT_POSITIVE = "not_positive"
    CROSSED = "crossed"
    UNCONFIRMED_FIRST = "unconfirmed_first"
    """No quote was accepted yet and the mark does not confirm this one."""
    OUTLIER = "outlier"


@dataclass(frozen=True, slots=True)
class QuoteAccepted:
    symbol: Symbol
    at: datetime
    mid: Price


@dataclass(frozen=True, slots=True)
class QuoteRefused:
    """`limit` and `actual` in the unit of the fault: seconds (age), fraction of price (outlier)."""

    symbol: Symbol
    fault: QuoteFault
    limit: Decimal | None = None
    actual: Decimal | None = None


QuoteVerdict: TypeAlias = QuoteAccepted | QuoteRefused


@dataclass(slots=True)
class _Memory:
    accepted: Price | None = None
    candidate: Price | None = None
    """The newest price of a run of quotes that agree with each other, but not with the last accepted one."""
    candidate_at: datetime | None = None
    agreeing: int = 0
    verdict: QuoteVerdict | None = None
    """Of the quote stamped `judged_at`: asking twice about one quote must not count it twice."""
    judged: Ticker | None = None


@dataclass(slots=True)
class TickGuard:
    """Remembers the last accepted price per symbol. Bounded by the number of markets."""

    parameters: TickGuardParameters = field(default_factory=TickGuardParameters)
    _memory: dict[Symbol, _Memory] = field(default_factory=dict)

    def judge(self, ticker: Ticker, now: datetime, *, atr_4h: Decimal | None = None, volume_ratio: Decimal | None = None) -> QuoteVerdict:
        """Judge one quote at market time `now`.

        atr_4h: ATR14 of the 4h series in price units; None skips that test.
        volume_ratio: recent volume ÷ its median; None (unknown) counts as thin, so the jump test applies.
        """
        memory = self._memory.setdefault(ticker.symbol, _Memory())
        fault = find_fault(ticker, now, self.parameters)
        if fault is not None:
            return fault
        if memory.judged == ticker and memory.verdict is not None:
            return memory.verdict
        verdict = self._judge_level(ticker, memory, atr_4h, volume_ratio)
        memory.judged, memory.verdict = ticker, verdict
        return verdict

    def last_accepted(self, symbol: Symbol) -> Price | None:
        """Mid of the last accepted quote."""
        memory = self._memory.get(symbol)
        return memory.accepted if memory else None

    def forget(self, symbol: Symbol) -> None:
        """Drop what is known of a symbol that is no longer managed."""
        self._memory.pop(symbol, None)

    def _judge_level(self, ticker: Ticker, memory: _Memory, atr_4h: Decimal | None, volume_ratio: Decimal | None) -> QuoteVerdict:
        mid = mid_of(ticker)
        outlier = self._find_outlier(ticker.symbol, mid, memory.accepted, atr_4h, volume_ratio)
        if outlier is None or self._confirmed_by_mark(mid, ticker.mark) or self._confirmed_by_run(ticker, mid, memory):
            memory.accepted, memory.candidate, memory.candidate_at, memory.agreeing = mid, None, None, 0
            return QuoteAccepted(ticker.symbol, ticker.at, mid)
        return outlier

    def _find_outlier(
        self, symbol: Symbol, mid: Price, accepted: Price | None, atr_4h: Decimal | None, volume_ratio: Decimal | None
    ) -> QuoteRefused | None:
        if accepted is None:
            return QuoteRefused(symbol, QuoteFault.UNCONFIRMED_FIRST)
        p = self.parameters
        jump = abs(mid - accepted)
        is_thin = volume_ratio is None or volume_ratio < p.thin_volume_ratio
        if is_thin and jump > p.jump_fraction_max * accepted:
            return QuoteRefused(symbol, QuoteFault.OUTLIER, p.jump_fraction_max, jump / accepted)
        if atr_4h is not None and jump > p.jump_atr_max * atr_4h:
            return QuoteRefused(symbol, QuoteFault.OUTLIER, p.jump_atr_max * atr_4h / accepted, jump / accepted)
        return None

    def _confirmed_by_mark(self, mid: Price, mark: Price | None) -> bool:
        return mark is not None and mark.is_finite() and mark > 0 and abs(mid - mark) <= self.parameters.agreement_fraction * mark

    def _confirmed_by_run(self, ticker: Ticker, mid: Price, memory: _Memory) -> bool:
        """Count quotes with different stamps that agree with the one before; a disagreeing one starts a new run."""
        before = memory.candidate
        if before is None or abs(mid - before) > self.parameters.agreement_fraction * before:
            memory.agreeing = 1
        elif ticker.at != memory.candidate_at:
            memory.agreeing += 1
        memory.candidate, memory.candidate_at = mid, ticker.at
        return memory.agreeing >= self.parameters.agreeing_quotes


def find_fault(ticker: Ticker, now: datetime, parameters: TickGuardParameters) -> QuoteRefused | None:
    """Everything that is wrong with a quote by itself, without its history; None when nothing is."""
    age = Decimal(repr((now - ticker.at).total_seconds()))
    if age > parameters.quote_age_s_max:
        return QuoteRefused(ticker.symbol, QuoteFault.STALE, parameters.quote_age_s_max, age)
    if age < -parameters.future_s_max:
        return QuoteRefused(ticker.symbol, QuoteFault.FROM_THE_FUTURE, parameters.future_s_max, -age)
    if ticker.bid is None or ticker.ask is None:
        return QuoteRefused(ticker.symbol, QuoteFault.SIDE_MISSING)
    if not (ticker.bid.is_finite() and ticker.ask.is_finite()):
        return QuoteRefused(ticker.symbol, QuoteFault.NOT_FINITE)
    if ticker.bid <= 0 or ticker.ask <= 0:
        return QuoteRefused(ticker.symbol, QuoteFault.NOT_POSITIVE)
    if ticker.bid >= ticker.ask:
        return QuoteRefused(ticker.symbol, QuoteFault.CROSSED)
    return None


def mid_of(ticker: Ticker) -> Price:
    """Middle of a two-sided quote; ValueError when a side is missing."""
    if ticker.bid is None or ticker.ask is None:
        raise ValueError(f"{ticker.symbol}: a quote without both sides has no middle")
    return Price((ticker.bid + ticker.ask) / 2)
