"""Hourly funding: the rate of an hour is fixed from the previous hour's average premium (Kraken Futures help pages).

`relative` is a fraction of notional per hour; `absolute` is USD per base unit per hour = relative x index at the fixing.
Positive: longs pay.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from trading_system.domain.market import Bar
from trading_system.sim.bars import HOUR_MS
from trading_system.sim.market_state import MarketState
from trading_system.sim.model import FundingRow

COEFFICIENT: Final = 8.0
RATE_MAX_HOURLY: Final = Decimal("0.005")
_PAST_PREMIUM: Final = 3.6e-5
_PAST_SLOPE: Final = 0.01
_RELATIVE_QUANTUM: Final = Decimal("1E-12")
_ABSOLUTE_QUANTUM: Final = Decimal("1E-20")


def predict_rate(market: MarketState, at_ms: int) -> FundingRow:
    """The rate that this hour's premium so far would give."""
    average = market.premium_sum / market.premium_ms if market.premium_ms else 0.0
    relative = Decimal(average / COEFFICIENT).quantize(_RELATIVE_QUANTUM, ROUND_HALF_EVEN) + market.spec.funding_base_hourly
    relative = max(-RATE_MAX_HOURLY, min(RATE_MAX_HOURLY, relative))
    absolute = (relative * market.index_price()).quantize(_ABSOLUTE_QUANTUM, ROUND_HALF_EVEN)
    return FundingRow(at_ms, absolute, relative)


def past_rates(hours: Iterable[Bar], base_hourly: Decimal, until_ms: int) -> tuple[FundingRow, ...]:
    """Rates of the hours before the market began, made up from its hourly bars: nothing is known of their premium.

    A rising hour is given the premium that a generated market shows in one, so that the two join without a step.
    """
    rows = []
    for bar in hours:
        at_ms = bar.open_ms + HOUR_MS
        if at_ms <= until_ms and bar.open > 0:
            premium = _PAST_PREMIUM + _PAST_SLOPE * (bar.close / bar.open - 1.0)
            relative = Decimal(premium / COEFFICIENT).quantize(_RELATIVE_QUANTUM, ROUND_HALF_EVEN) + base_hourly
            relative = max(-RATE_MAX_HOURLY, min(RATE_MAX_HOURLY, relative))
            absolute = (relative * Decimal(repr(bar.close))).quantize(_ABSOLUTE_QUANTUM, ROUND_HALF_EVEN)
            rows.append(FundingRow(at_ms, absolute, relative))
    return tuple(rows)


def fix_rate(market: MarketState, at_ms: int) -> FundingRow:
    """Fix the coming hour's rate and begin a new average."""
    row = predict_rate(market, at_ms)
    market.funding_absolute, market.funding_relative = row.absolute, row.relative
    market.premium_sum, market.premium_ms = 0.0, 0
    return row
