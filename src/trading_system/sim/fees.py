"""What trading costs: rates by the volume of 30 days (Kraken support page on futures fees, 2026)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading_system.sim.bars import DAY_MS

_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Fees:
    """Fractions of notional; negative = a rebate."""

    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class FeeTier:
    """Rates from a 30-day volume in USD on."""

    volume_usd: int
    maker_percent: Decimal
    taker_percent: Decimal


FEE_TIERS: Final = tuple(
    FeeTier(volume, Decimal(maker), Decimal(taker))
    for volume, maker, taker in (
        (0, "0.02", "0.05"),
        (2_500_000, "0.015", "0.045"),
        (5_000_000, "0.0125", "0.04"),
        (10_000_000, "0.01", "0.035"),
        (20_000_000, "0.0075", "0.03"),
        (30_000_000, "0.005", "0.025"),
        (50_000_000, "0.003", "0.02"),
        (75_000_000, "0.0015", "0.015"),
        (100_000_000, "0", "0.0125"),
        (250_000_000, "-0.0015", "0.01"),
        (500_000_000, "-0.003", "0.01"),
        (1_000_000_000, "-0.005", "0.01"),
    )
)


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """`base` applies below the second tier; further tiers only ever lower it."""

    base: Fees
    has_tiers: bool = True

    def at(self, volume_usd: Decimal) -> Fees:
        """Rates for a 30-day volume."""
        if not self.has_tiers or volume_usd < FEE_TIERS[1].volume_usd:
            return self.base
        tier = next(tier for tier in reversed(FEE_TIERS) if volume_usd >= tier.volume_usd)
        return Fees(min(self.base.maker, tier.maker_percent / 100), min(self.base.taker, tier.taker_percent / 100))


class Turnover:
    """USD traded, by UTC day, of the last 30 days."""

    def __init__(self) -> None:
        self._days: dict[int, Decimal] = {}

    def add(self, at_ms: int, usd: Decimal) -> None:
        day = at_ms // DAY_MS
        self._days[day] = self._days.get(day, Decimal(0)) + usd
        for old in [known for known in self._days if known <= day - _DAYS]:
            del self._days[old]

    def volume(self, at_ms: int) -> Decimal:
        """Today's and the 29 days' before."""
        first = at_ms // DAY_MS - _DAYS
        return sum((usd for day, usd in self._days.items() if day > first), Decimal(0))

    def snapshot(self) -> dict[str, str]:
        return {str(day): str(usd) for day, usd in self._days.items()}

    def restore(self, state: Mapping[str, str]) -> None:
        self._days = {int(day): Decimal(usd) for day, usd in state.items()}
