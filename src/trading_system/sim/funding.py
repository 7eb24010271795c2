"""Hourly funding: the rate of an hour is fixed from the previous hour's average premium (Kraken Futures help pages).

`relative` is a fraction of notional per hour; `absolute` is USD per base unit per hour = relative x index at the fixing.
Positive: longs pay.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from trading_system.sim.market_state import MarketState
from trading_system.sim.model import FundingRow

COEFFICIENT: Final = 8.0
RATE_MAX_HOURLY: Final = Decimal("0.005")
_RELATIVE_QUANTUM: Final = Decimal("1E-12")
_ABSOLUTE_QUANTUM: Final = Decimal("1E-20")


def predict_rate(market: MarketState, at_ms: int) -> FundingRow:
    """The rate that this hour's premium so far would give."""
    average = market.premium_sum / market.premium_ms if market.premium_ms else 0.0
    relative = Decimal(average / COEFFICIENT).quantize(_RELATIVE_QUANTUM, ROUND_HALF_EVEN) + market.spec.funding_base_hourly
    relative = max(-RATE_MAX_HOURLY, min(RATE_MAX_HOURLY, relative))
    absolute = (relative * market.index_price()).quantize(_ABSOLUTE_QUANTUM, ROUND_HALF_EVEN)
    return FundingRow(at_ms, absolute, relative)


def fix_rate(market: MarketState, at_ms: int) -> FundingRow:
    """Fix the coming hour's rate and begin a new average."""
    row = predict_rate(market, at_ms)
    market.funding_absolute, market.funding_relative = row.absolute, row.relative
    market.premium_sum, market.premium_ms = 0.0, 0
    return row
