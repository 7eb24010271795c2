"""How an exchange is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from trading_system.sim.variants import ExchangeVariants


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """Rates as fractions of notional; guards as fractions of the touch."""

    deposit_usd: Decimal = Decimal(10_000)
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    market_guard: Decimal = Decimal("0.01")
    """How far beyond the touch a market order may execute."""
    trigger_guard: Decimal = Decimal("0.01")
    """The same for a stop-market when it fires (the venue's own value is not published)."""
    orders_open_max: int = 500
    finished_memory_ms: int = 5_000
    """How long orders/status knows an ended order: market time, or process time when the exchange was given such a watch."""
    id_seed: int = 0
    variants: ExchangeVariants = field(default_factory=ExchangeVariants)
