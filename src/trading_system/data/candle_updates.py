"""What a candle refresh brought: bars for the strategy, and a report for the log. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from trading_system.data.bar_series import Gap
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol


class ClosedBar(NamedTuple):
    """One closed bar on its way to the strategy."""

    symbol: Symbol
    timeframe: Timeframe
    bar: Bar


@dataclass(frozen=True, slots=True)
class BarUpdates:
    """Feed `new_bars` in order; for each symbol in `rebuild` make a fresh engine and feed it `history(symbol)`."""

    new_bars: tuple[ClosedBar, ...]
    rebuild: tuple[Symbol, ...]


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


@dataclass(slots=True)
class Merged:
    """What one answer of the venue did to one symbol."""

    new_bars: list[ClosedBar] = field(default_factory=list)
    to_save: dict[Timeframe, list[Bar]] = field(default_factory=dict)
    corrections: list[Correction] = field(default_factory=list)
    gaps: list[SeriesGap] = field(default_factory=list)
    must_rebuild: bool = False
    rejected: int = 0
    """Unsound, misaligned or outside the range that was asked for."""
    running: int = 0
    """Not closed yet: left out."""


@dataclass(frozen=True, slots=True)
class CandleReport:
    """One refresh, for the log. Counts are bars unless the name says otherwise."""

    requests: int
    new_bars: int
    hydrated: int
    rejected: int
    failures: tuple[FetchFailure, ...]
    corrections: tuple[Correction, ...]
    gaps: tuple[SeriesGap, ...]
    skipped: tuple[Symbol, ...]
    """Unhealthy symbols whose turn it was not."""
    store_failure: str | None


@dataclass(slots=True)
class ReportBuilder:
    """Collects while the reads of one refresh run."""

    requests: int = 0
    new_bars: int = 0
    hydrated: int = 0
    rejected: int = 0
    failures: list[FetchFailure] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    gaps: list[SeriesGap] = field(default_factory=list)
    skipped: list[Symbol] = field(default_factory=list)
    store_failure: str | None = None

    def add(self, merged: Merged) -> None:
        self.new_bars += len(merged.new_bars)
        self.rejected += merged.rejected
        self.corrections.extend(merged.corrections)
        self.gaps.extend(merged.gaps)

    def build(self) -> CandleReport:
        return CandleReport(
            self.requests,
            self.new_bars,
            self.hydrated,
            self.rejected,
            tuple(self.failures),
            tuple(self.corrections),
            tuple(self.gaps),
            tuple(self.skipped),
            self.store_failure,
        )
