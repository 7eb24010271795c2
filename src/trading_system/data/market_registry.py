"""The one authority on what may be traded, at which tier and within which limits. Pure: no I/O, no clock.

Two traps it avoids. A discovery during maintenance returns almost nothing and the universe collapses: a shrink below
half of the last good universe is refused and the old one kept. And a market that leaves the universe takes its open
position out of sight: held symbols stay managed, with the facts last known of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias

from trading_system.data.tiering import Eligible, Excluded, ExclusionReason, Judgement, RegistryParameters, TierLimits, judge_market
from trading_system.domain.market import Instrument, Ticker, Tier, TradingStatus
from trading_system.domain.symbols import Symbol


@dataclass(frozen=True, slots=True)
class Universe:
    """One discovery's verdict on every market the venue offers."""

    at: datetime
    judgements: Mapping[Symbol, Judgement]

    @property
    def eligible(self) -> tuple[Eligible, ...]:
        """Eligible markets, by symbol."""
        return tuple(j for _, j in sorted(self.judgements.items()) if isinstance(j, Eligible))


@dataclass(frozen=True, slots=True)
class UniverseAccepted:
    universe: Universe
    added: tuple[Symbol, ...]
    removed: tuple[Excluded, ...]
    tier_changed: tuple[tuple[Symbol, Tier, Tier], ...] = ()
    """(symbol, before, now)."""


@dataclass(frozen=True, slots=True)
class ShrinkRejected:
    """The discovery found too few markets to be believed; the old universe stays. Logged as UNIVERSE_SHRINK_REJECTED."""

    last_good_count: int
    found_count: int
    allowed_count_min: Decimal


UniverseDecision: TypeAlias = UniverseAccepted | ShrinkRejected


def decide_universe(
    instruments: Iterable[Instrument], tickers: Iterable[Ticker], last_good: Universe | None, parameters: RegistryParameters, at: datetime
) -> UniverseDecision:
    """Judge every market and compare with the last good universe (None = first discovery, nothing to guard)."""
    quotes = {t.symbol: t for t in tickers}
    universe = Universe(at, {i.symbol: judge_market(i, quotes.get(i.symbol), parameters) for i in instruments})
    now = {e.symbol: e.tier for e in universe.eligible}
    before = {e.symbol: e.tier for e in last_good.eligible} if last_good else {}
    allowed = parameters.shrink_fraction_min * len(before)
    if len(before) > parameters.shrink_guard_above and len(now) < allowed:
        return ShrinkRejected(len(before), len(now), allowed)
    removed = tuple(_why_removed(s, universe) for s in sorted(before.keys() - now.keys()))
    changed = tuple((s, before[s], now[s]) for s in sorted(before.keys() & now.keys()) if before[s] is not now[s])
    return UniverseAccepted(universe, tuple(sorted(now.keys() - before.keys())), removed, changed)


def _why_removed(symbol: Symbol, universe: Universe) -> Excluded:
    judgement = universe.judgements.get(symbol)
    return judgement if isinstance(judgement, Excluded) else Excluded(symbol, ExclusionReason.NOT_LISTED)


@dataclass(frozen=True, slots=True)
class InstrumentChange:
    """A fixed fact of a held market changed at the venue (tick, step, minimum, margin schedule, …)."""

    before: Instrument
    now: Instrument


@dataclass(frozen=True, slots=True)
class Explanation:
    """All the registry knows of one symbol, for `universe` and `why`."""

    symbol: Symbol
    judgement: Judgement
    is_held: bool
    mode: TradingStatus | None
    limits: TierLimits | None
    as_of: datetime | None


@dataclass(slots=True)
class MarketRegistry:
    """Holds the last good universe, the instruments and the held symbols. Owned by the loop; not thread-safe."""

    parameters: RegistryParameters = field(default_factory=RegistryParameters)
    _universe: Universe | None = None
    _instruments: dict[Symbol, Instrument] = field(default_factory=dict)
    _tiers: dict[Symbol, Tier] = field(default_factory=dict)
    """Last tier known of every symbol that ever was eligible: a held one keeps its limits."""
    _eligible: tuple[Symbol, ...] = ()
    _held: frozenset[Symbol] = frozenset()
    _modes: dict[Symbol, TradingStatus] = field(default_factory=dict)
    """Of the newest quotes."""

    @property
    def universe(self) -> Universe | None:
        """The last good universe, or None before the first discovery."""
        return self._universe

    def apply_instruments(self, instruments: Iterable[Instrument]) -> tuple[InstrumentChange, ...]:
        """Take over fixed facts; return the changes of held markets, once each. Facts of vanished markets are kept."""
        changes = []
        for instrument in instruments:
            before = self._instruments.get(instrument.symbol)
            if before is not None and before != instrument and instrument.symbol in self._held:
                changes.append(InstrumentChange(before, instrument))
            self._instruments[instrument.symbol] = instrument
        return tuple(changes)

    def apply(self, decision: UniverseAccepted) -> None:
        """Adopt a decided universe."""
        self.adopt(decision.universe)

    def adopt(self, universe: Universe) -> None:
        """Take a universe as the last good one: a new one, or that of an earlier process when the first of this one is not believed."""
        self._universe = universe
        self._tiers.update({e.symbol: e.tier for e in universe.eligible})
        self._eligible = tuple(e.symbol for e in universe.eligible)

    def observe_modes(self, tickers: Iterable[Ticker]) -> None:
        """Note each market's mode from fresh quotes, between discoveries."""
        for ticker in tickers:
            self._modes[ticker.symbol] = ticker.status

    def mode(self, symbol: Symbol) -> TradingStatus | None:
        """What the venue accepts on the market: as the newest quote says, else as the instrument said; None when never listed."""
        instrument = self._instruments.get(symbol)
        return self._modes.get(symbol, instrument.status if instrument else None)

    def hold(self, symbols: Iterable[Symbol]) -> None:
        """Name the symbols with a position or an order in flight; replaces the former set."""
        self._held = frozenset(symbols)

    def eligible(self) -> tuple[Symbol, ...]:
        """Symbols that may be opened, sorted (modes not considered: see `entry_block`)."""
        return self._eligible

    def managed(self) -> tuple[Symbol, ...]:
        """Eligible and held symbols, sorted: all that need bars, quotes and protection."""
        return tuple(sorted(self._held.union(self._eligible)))

    def entry_block(self, symbol: Symbol) -> ExclusionReason | None:
        """Why `symbol` takes no entry now, or None when it does."""
        judgement = self._judgement(symbol)
        if isinstance(judgement, Excluded):
            return judgement.reason
        mode = self.mode(symbol)
        if mode is TradingStatus.SUSPENDED:
            return ExclusionReason.SUSPENDED
        if mode is TradingStatus.DELISTED:
            return ExclusionReason.DELISTED
        return None if mode is TradingStatus.OPEN or mode is None else ExclusionReason.ENTRIES_BLOCKED_BY_MODE

    def tier(self, symbol: Symbol) -> Tier | None:
        """The tier, or the last one known of a symbol that left the universe; None when it never was eligible."""
        return self._tiers.get(symbol)

    def limits(self, tier: Tier) -> TierLimits:
        """Leverage, notional and slippage limits of a tier."""
        return self.parameters.limits[tier]

    def instrument(self, symbol: Symbol) -> Instrument | None:
        """Fixed facts as last told by the venue, also of excluded and vanished markets; None when never listed."""
        return self._instruments.get(symbol)

    def instruments(self) -> Mapping[Symbol, Instrument]:
        """A live read-only view of all fixed facts."""
        return MappingProxyType(self._instruments)

    def explain(self, symbol: Symbol) -> Explanation:
        """Everything known of `symbol`; never raises."""
        tier = self._tiers.get(symbol)
        return Explanation(
            symbol,
            self._judgement(symbol),
            symbol in self._held,
            self.mode(symbol),
            self.parameters.limits[tier] if tier else None,
            self._universe.at if self._universe else None,
        )

    def _judgement(self, symbol: Symbol) -> Judgement:
        known = self._universe.judgements.get(symbol) if self._universe else None
        return known or Excluded(symbol, ExclusionReason.NOT_LISTED)
