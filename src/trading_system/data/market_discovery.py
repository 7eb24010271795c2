"""Asks the venue what it offers, every 4 h, and brings the registry up to date. Thin shell round `decide_universe`.

Two requests, never one per market. Nothing is logged here: the report says it all and the caller logs it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from typing import Final

from trading_system.data.market_registry import (
    InstrumentChange,
    MarketRegistry,
    ShrinkRejected,
    Universe,
    UniverseAccepted,
    UniverseDecision,
    decide_universe,
)
from trading_system.data.spec_cache import load_specs, save_specs
from trading_system.data.tiering import Eligible, RegistryParameters
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Instrument, Ticker, Tier
from trading_system.domain.protocols import Clock, MarketData
from trading_system.domain.symbols import Symbol

_RETRY: Final = timedelta(minutes=5)
"""After a failed or refused discovery."""


def rules_name(parameters: RegistryParameters) -> str:
    """Text that differs whenever the rules of eligibility differ."""
    rules = (parameters.rules, sorted(parameters.pinned), sorted(parameters.blocklist), sorted(parameters.candidate_symbols or ("all",)))
    return blake2b(repr(rules).encode(), digest_size=16).hexdigest()


class SpecSource(Enum):
    VENUE = "venue"
    CACHE = "cache"


@dataclass(frozen=True, slots=True)
class DiscoveryReport:
    """One discovery. `decision` None: the reads failed (`failure` says which) and nothing changed."""

    at: datetime
    decision: UniverseDecision | None
    spec_source: SpecSource = SpecSource.VENUE
    instrument_changes: tuple[InstrumentChange, ...] = ()
    failure: str | None = None
    cache_failure: str | None = None

    @property
    def tier_counts(self) -> dict[Tier, int]:
        """Eligible markets per tier; empty when nothing was accepted."""
        if not isinstance(self.decision, UniverseAccepted):
            return {}
        return dict(Counter(e.tier for e in self.decision.universe.eligible))

    @property
    def pinned(self) -> tuple[Eligible, ...]:
        """Tier A coins that bypassed the filters."""
        if not isinstance(self.decision, UniverseAccepted):
            return ()
        return tuple(e for e in self.decision.universe.eligible if e.is_pinned)


@dataclass(frozen=True, slots=True)
class FactsReread:
    """Fixed facts read between discoveries. `changes`: of held markets and of those that were asked for."""

    changes: tuple[InstrumentChange, ...] = ()
    failure: str | None = None


class MarketDiscovery:
    """`cache_path` None: no cache (backtest, torture)."""

    def __init__(self, market_data: MarketData, clock: Clock, registry: MarketRegistry, cache_path: Path | None = None) -> None:
        self._market_data = market_data
        self._clock = clock
        self._registry = registry
        self._cache_path = cache_path
        self._next_at: datetime | None = None
        self._before: Universe | None = None
        self.is_done = False
        """True once the venue's list was read and judged in this process, whether it was believed or not."""

    def restore(self) -> datetime | None:
        """Give the registry the cached specs of any age, for managing what is held; return when they were saved.

        The universe that an earlier process discovered last by the same rules is what the first discovery is compared with.
        """
        cached = load_specs(self._cache_path) if self._cache_path else None
        if cached is None:
            return None
        self._registry.apply_instruments(cached.instruments)
        if cached.eligible and cached.judged_by == rules_name(self._registry.parameters):
            self._before = Universe(cached.saved_at, {one.symbol: one for one in cached.eligible})
        return cached.saved_at

    def is_due(self, now: datetime) -> bool:
        """True at the start, every 4 h of market time, and 5 min after a discovery that brought nothing."""
        # further away than one interval: the clock was stepped back, which must not postpone discovery for ever
        return self._next_at is None or now >= self._next_at or self._next_at - now > self._interval

    async def discover(self) -> DiscoveryReport:
        """Read, decide, apply. Never raises for a failed read."""
        now = self._clock.now()
        self._next_at = now + _RETRY
        instruments, tickers = await asyncio.gather(self._read_instruments(), self._read_tickers())
        if isinstance(tickers, ReadFailed):
            return DiscoveryReport(now, None, failure=f"tickers: {tickers}")
        source, cache_failure = SpecSource.VENUE, None
        if isinstance(instruments, ReadFailed):
            cached = load_specs(self._cache_path) if self._cache_path else None
            if cached is None or not cached.is_fresh(now, timedelta(hours=self._registry.parameters.spec_cache_hours)):
                return DiscoveryReport(now, None, failure=f"instruments: {instruments}")
            source, instruments = SpecSource.CACHE, cached.instruments
        last = self._registry.universe or self._before
        decision = decide_universe(instruments, tickers, last, self._registry.parameters, now)
        self.is_done = True
        if isinstance(decision, ShrinkRejected):
            # the quotes' modes are facts all the same; a list that cannot be believed must not replace the cache
            self._registry.observe_modes(tickers)
            if last is not None:
                self._registry.adopt(last)
            return DiscoveryReport(now, decision, source)
        changes = self._registry.apply_instruments(instruments)
        self._registry.observe_modes(tickers)
        self._registry.apply(decision)
        self._next_at = now + self._interval
        if source is SpecSource.VENUE:
            cache_failure = await self._save(instruments, now, decision.universe)
        return DiscoveryReport(now, decision, source, changes, cache_failure=cache_failure)

    async def reread_facts(self, symbols: Iterable[Symbol]) -> FactsReread:
        """Take over the fixed facts of all listed contracts now; the universe stays as it is. Never raises for a failed read."""
        instruments = await self._read_instruments()
        if isinstance(instruments, ReadFailed):
            return FactsReread(failure=f"instruments: {instruments}")
        before = {symbol: self._registry.instrument(symbol) for symbol in symbols}
        held = self._registry.apply_instruments(instruments)
        told = {change.now.symbol for change in held}
        asked = tuple(
            InstrumentChange(old, new)
            for symbol, old in before.items()
            if symbol not in told and old is not None and (new := self._registry.instrument(symbol)) is not None and new != old
        )
        return FactsReread((*held, *asked))

    @property
    def _interval(self) -> timedelta:
        return timedelta(hours=self._registry.parameters.discovery_interval_hours)

    async def _read_instruments(self) -> tuple[Instrument, ...] | ReadFailed:
        try:
            return await self._market_data.instruments()
        except ReadFailed as error:
            return error

    async def _read_tickers(self) -> tuple[Ticker, ...] | ReadFailed:
        try:
            return await self._market_data.tickers()
        except ReadFailed as error:
            return error

    async def _save(self, instruments: tuple[Instrument, ...], now: datetime, universe: Universe) -> str | None:
        if self._cache_path is None:
            return None
        try:
            name = rules_name(self._registry.parameters)
            await asyncio.to_thread(save_specs, self._cache_path, instruments, now, universe.eligible, name)
        except OSError as error:
            return f"{type(error).__name__}: {error}"
        return None
