"""How large we would like an entry to be, before any cap. Five methods, none of which may risk more than the ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple, assert_never

from trading_system.domain.exposure import planned_leverage
from trading_system.domain.market import MarginLevel
from trading_system.domain.units import ONE, ZERO
from trading_system.risk.limits import SizingLimits, SizingMethod


class WantedSize(NamedTuple):
    """qty: base units, not yet on a step; ceiling_qty: the most that `risk_ceiling_multiple` allows."""

    qty: Decimal
    ceiling_qty: Decimal


def compute_wanted_size(
    *,
    equity: Decimal,
    mark: Decimal,
    stop: Decimal,
    levels: Sequence[MarginLevel],
    leverage_max: Decimal,
    atr_ratio: Decimal | None,
    limits: SizingLimits,
) -> WantedSize:
    """The wish of the configured method. equity > 0 (USD), mark and stop prices that differ, else ValueError."""
    distance = abs(mark - stop)
    if distance == 0 or equity <= 0:
        raise ValueError(f"cannot size with equity {equity}, mark {mark}, stop {stop}")
    risk_qty = equity * limits.risk_per_trade / distance
    ceiling = risk_qty * limits.risk_ceiling_multiple
    match limits.method:
        case SizingMethod.RISK_BASED:
            qty = risk_qty
        case SizingMethod.LEVERAGE_BASED:
            qty = _leverage_notional(equity * limits.leverage_share, levels, leverage_max) / mark
        case SizingMethod.KELLY:
            qty = risk_qty * kelly_factor(limits)
        case SizingMethod.VOLATILITY:
            qty = risk_qty * volatility_factor(atr_ratio, limits)
        case SizingMethod.KELLY_VOLATILITY:
            qty = risk_qty * kelly_factor(limits) * volatility_factor(atr_ratio, limits)
        case _:
            assert_never(limits.method)
    return WantedSize(qty, ceiling)


def kelly_factor(limits: SizingLimits) -> Decimal:
    """min(f, cap) / cap with f = p - (1 - p) / b; 0 when the assumed odds have no edge. Source: Kelly, 1956."""
    p = limits.kelly_win_probability
    fraction = p - (ONE - p) / limits.kelly_win_loss_ratio
    return max(ZERO, min(fraction, limits.kelly_fraction_max)) / limits.kelly_fraction_max


def volatility_factor(atr_ratio: Decimal | None, limits: SizingLimits) -> Decimal:
    """Smaller when volatility is above its usual, larger when below; 1 between, and when the ratio is not known."""
    if atr_ratio is None:
        return ONE
    if atr_ratio > limits.volatility_high_ratio:
        return limits.volatility_high_factor
    return limits.volatility_low_factor if atr_ratio < limits.volatility_low_ratio else ONE


def _leverage_notional(margin: Decimal, levels: Sequence[MarginLevel], leverage_max: Decimal) -> Decimal:
    """margin x planned leverage, where the leverage is the one that holds at the resulting size."""
    notional = margin * planned_leverage(ZERO, levels, leverage_max)
    for _ in levels:
        # a larger size may fall into a level with less leverage; each pass can only shrink it, so this ends
        notional = min(notional, margin * planned_leverage(notional, levels, leverage_max))
    return notional
