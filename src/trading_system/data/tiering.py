"""Judges one market: its liquidity tier, or why it is not eligible. Pure.

The trap it avoids: a market that silently vanishes from the list. Every market the venue offers ends as Eligible or as
Excluded with a reason and, where a number decided, the limit and the actual value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias

from trading_system.domain.market import Instrument, Ticker, Tier, TradingStatus
from trading_system.domain.symbols import FIAT_AND_STABLE, Symbol, base_of
from trading_system.domain.units import Usd


@dataclass(frozen=True, slots=True)
class TierRule:
    """Entry bar of a tier: 24 h quote volume (USD) at least, full spread (fraction of mid) at most."""

    tier: Tier
    volume_usd_min: Decimal
    spread_max: Decimal


@dataclass(frozen=True, slots=True)
class TierLimits:
    """What a position in a market of this tier may be planned with."""

    planned_leverage_max: Decimal
    notional_usd_max: Usd
    slippage_max: Decimal
    """Fraction of price."""


TIER_RULES: Final = (
    TierRule(Tier.A, Decimal(5_000_000), Decimal("0.0010")),
    TierRule(Tier.B, Decimal(500_000), Decimal("0.0025")),
    TierRule(Tier.C, Decimal(250_000), Decimal("0.0050")),
)
TIER_LIMITS: Final[Mapping[Tier, TierLimits]] = MappingProxyType(
    {
        Tier.A: TierLimits(Decimal(10), Usd(Decimal(100_000)), Decimal("0.0010")),
        Tier.B: TierLimits(Decimal(5), Usd(Decimal(50_000)), Decimal("0.0020")),
        Tier.C: TierLimits(Decimal(2), Usd(Decimal(25_000)), Decimal("0.0030")),
    }
)
PINNED_TIER_A: Final = frozenset(Symbol(f"{base}/USD") for base in ("BTC", "ETH", "SOL", "DOGE", "BNB"))


@dataclass(frozen=True, slots=True)
class RegistryParameters:
    """Everything configurable about the universe. `rules` go from the strictest tier to the loosest."""

    rules: tuple[TierRule, ...] = TIER_RULES
    limits: Mapping[Tier, TierLimits] = field(default_factory=lambda: TIER_LIMITS)
    pinned: frozenset[Symbol] = PINNED_TIER_A
    """Always tier A: these bypass the volume and spread filters, nothing else."""
    blocklist: frozenset[Symbol] = frozenset()
    candidate_symbols: frozenset[Symbol] | None = None
    """When given, nothing else is considered."""
    shrink_fraction_min: Decimal = Decimal("0.5")
    shrink_guard_above: int = 10
    """The guard acts when the last good universe had more markets than this."""
    spec_cache_hours: int = 12
    discovery_interval_hours: int = 4


class ExclusionReason(Enum):
    """Why a market may not be entered."""

    FIAT_OR_STABLE = "fiat_or_stable"
    BLOCKLISTED = "blocklisted"
    NOT_A_CANDIDATE = "not_a_candidate"
    SUSPENDED = "suspended"
    DELISTED = "delisted"
    NO_TICKER = "no_ticker"
    SPREAD_UNKNOWN = "spread_unknown"
    VOLUME_TOO_LOW = "volume_too_low"
    SPREAD_TOO_WIDE = "spread_too_wide"
    NOT_LISTED = "not_listed"
    """The venue does not offer it (any more)."""
    ENTRIES_BLOCKED_BY_MODE = "entries_blocked_by_mode"
    """Post-only or cancel-only right now: stays in the universe, takes no entries."""


@dataclass(frozen=True, slots=True)
class Eligible:
    symbol: Symbol
    tier: Tier
    volume_usd_24h: Decimal
    spread: Decimal | None
    """Fraction of mid; None only for a pinned market without a two-sided quote."""
    is_pinned: bool = False


@dataclass(frozen=True, slots=True)
class Excluded:
    """`limit` and `actual` are set where a number decided (volume in USD, spread as a fraction of mid)."""

    symbol: Symbol
    reason: ExclusionReason
    limit: Decimal | None = None
    actual: Decimal | None = None


Judgement: TypeAlias = Eligible | Excluded


def judge_market(instrument: Instrument, ticker: Ticker | None, parameters: RegistryParameters) -> Judgement:
    """Return the tier of one market, or the first reason against it."""
    symbol = instrument.symbol
    refused = _refused_by_name(symbol, parameters) or _refused_by_status(instrument, ticker)
    if refused is not None:
        return Excluded(symbol, refused)
    if symbol in parameters.pinned:
        volume = ticker.volume_quote_24h if ticker else Decimal(0)
        return Eligible(symbol, Tier.A, volume, ticker.spread if ticker else None, is_pinned=True)
    if ticker is None:
        return Excluded(symbol, ExclusionReason.NO_TICKER)
    return _judge_liquidity(ticker, parameters.rules)


def _refused_by_name(symbol: Symbol, parameters: RegistryParameters) -> ExclusionReason | None:
    if base_of(symbol) in FIAT_AND_STABLE:
        return ExclusionReason.FIAT_OR_STABLE
    if symbol in parameters.blocklist:
        return ExclusionReason.BLOCKLISTED
    if parameters.candidate_symbols is not None and symbol not in parameters.candidate_symbols:
        return ExclusionReason.NOT_A_CANDIDATE
    return None


def _refused_by_status(instrument: Instrument, ticker: Ticker | None) -> ExclusionReason | None:
    statuses = (instrument.status, ticker.status if ticker else instrument.status)
    if TradingStatus.DELISTED in statuses:
        return ExclusionReason.DELISTED
    if TradingStatus.SUSPENDED in statuses:
        return ExclusionReason.SUSPENDED
    return None


def _judge_liquidity(ticker: Ticker, rules: tuple[TierRule, ...]) -> Judgement:
    volume, spread = ticker.volume_quote_24h, ticker.spread
    loosest = rules[-1]
    if not volume >= loosest.volume_usd_min:
        return Excluded(ticker.symbol, ExclusionReason.VOLUME_TOO_LOW, loosest.volume_usd_min, volume)
    if spread is None:
        return Excluded(ticker.symbol, ExclusionReason.SPREAD_UNKNOWN)
    for rule in rules:
        if volume >= rule.volume_usd_min and spread <= rule.spread_max:
            return Eligible(ticker.symbol, rule.tier, volume, spread)
    return Excluded(ticker.symbol, ExclusionReason.SPREAD_TOO_WIDE, loosest.spread_max, spread)
