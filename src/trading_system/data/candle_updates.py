"""What a candle refresh brought: bars for the strategy, and a report for the log. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import msgspec

from trading_system.data.bar_series import Gap
from trading_system.data.data_health import HealthState
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol


class ClosedBar(NamedTuple):
    """One closed bar on its way to the strategy."""

    symbol: Symbol
    timeframe: Timeframe
    bar: Bar


@dataclass(frozen=True, slots=True)
class BarUpdates:
    """Drop what is kept of `gone`; for each symbol in `rebuild` make a fresh engine and feed it `history(symbol)`; feed `new_bars`."""

    new_bars: tuple[ClosedBar, ...]
    rebuild: tuple[Symbol, ...]
    gone: tuple[Symbol, ...] = ()
    """No longer managed: not in the universe and not held."""


class FetchFailure(NamedTuple):
    symbol: Symbol
    timeframe: Timeframe
    why: str


class Correction(NamedTuple):
    """A closed bar that the venue now tells differently."""

    symbol: Symbol
    timeframe: Timeframe
    before: Bar
    now: Bar


class BarFault(Enum):
    """Why a bar of an answer was left out; `.value` is the word in logs."""

    UNSOUND = "unsound"
    """Not finite, not positive, or high and low do not enclose open and close."""
    MISALIGNED = "misaligned"
    FUTURE = "future"
    """Beyond the bar that runs now."""
    UNASKED = "unasked"
    """Older than what was asked for: harmless, some venues round the range."""


class RejectedBars(NamedTuple):
    """Bars of one answer that were left out for one reason; the first of them by open time."""

    symbol: Symbol
    timeframe: Timeframe
    fault: BarFault
    bars: int
    first_open_ms: int


class HealthChange(NamedTuple):
    """The feed of a symbol changed its state."""

    symbol: Symbol
    before: HealthState
    now: HealthState


class SeriesGap(NamedTuple):
    symbol: Symbol
    timeframe: Timeframe
    gap: Gap


class AuditMismatch(NamedTuple):
    """Our aggregated bar against the venue's own."""

    symbol: Symbol
    timeframe: Timeframe
    ours: Bar
    venues: Bar


@dataclass(frozen=True, slots=True)
class AuditReport:
    """One look at the venue's own longer bars: where they differ, what could not be read, and corrections that came of it."""

    mismatches: tuple[AuditMismatch, ...]
    candles: CandleReport


class Merged(msgspec.Struct):
    """What one answer of the venue did to one symbol. A Struct: one is made for every answer, and its empty lists cost nothing."""

    new_bars: list[ClosedBar] = []
    to_save: dict[Timeframe, list[Bar]] = {}
    corrections: list[Correction] = []
    gaps: list[SeriesGap] = []
    must_rebuild: bool = False
    rejected: list[RejectedBars] = []
    running: int = 0
    """Not closed yet: left out."""

    def reject(self, symbol: Symbol, timeframe: Timeframe, fault: BarFault, open_ms: int) -> None:
        """Count one bar that was left out."""
        for position, known in enumerate(self.rejected):
            if known.fault is fault and known.timeframe is timeframe:
                self.rejected[position] = known._replace(bars=known.bars + 1)
                return
        self.rejected.append(RejectedBars(symbol, timeframe, fault, 1, open_ms))


@dataclass(frozen=True, slots=True)
class CandleReport:
    """One refresh, for the log. Counts are bars unless the name says otherwise."""

    requests: int
    new_bars: int
    hydrated: int
    rejected: tuple[RejectedBars, ...]
    failures: tuple[FetchFailure, ...]
    corrections: tuple[Correction, ...]
    gaps: tuple[SeriesGap, ...]
    skipped: tuple[Symbol, ...]
    """Unhealthy symbols whose turn it was not."""
    store_failure: str | None
    health: tuple[HealthChange, ...] = ()

    @property
    def rejected_count(self) -> int:
        """Bars that were left out."""
        return sum(row.bars for row in self.rejected)


@dataclass(slots=True)
class ReportBuilder:
    """Collects while the reads of one refresh run."""

    requests: int = 0
    new_bars: int = 0
    hydrated: int = 0
    rejected: list[RejectedBars] = field(default_factory=list)
    failures: list[FetchFailure] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    gaps: list[SeriesGap] = field(default_factory=list)
    skipped: list[Symbol] = field(default_factory=list)
    store_failure: str | None = None
    health: list[HealthChange] = field(default_factory=list)

    def add(self, merged: Merged) -> None:
        self.new_bars += len(merged.new_bars)
        if merged.rejected or merged.corrections or merged.gaps:
            self.rejected.extend(merged.rejected)
            self.corrections.extend(merged.corrections)
            self.gaps.extend(merged.gaps)

    def build(self) -> CandleReport:
        return CandleReport(
            self.requests,
            self.new_bars,
            self.hydrated,
            tuple(self.rejected),
            tuple(self.failures),
            tuple(self.corrections),
            tuple(self.gaps),
            tuple(self.skipped),
            self.store_failure,
            tuple(self.health),
        )
