"""The stop: beyond the invalidation by a buffer that grows with volatility; neither inside the noise nor out of reach."""

from __future__ import annotations

from collections.abc import Sequence


def volatility_rank(ratios: Sequence[float], *, values_min: int, default: float) -> float:
    """Share of the earlier ATR/close values strictly below the last one, in 0..1; `default` with too few earlier values."""
    earlier = len(ratios) - 1
    if earlier < values_min:
        return default
    current = ratios[-1]
    return sum(map(current.__gt__, ratios)) / earlier


def buffer_atr(rank: float, lowest: float, highest: float) -> float:
    """Stop buffer in ATR14(4h): `lowest` in the calmest, `highest` in the wildest market."""
    return lowest + (highest - lowest) * rank


def distance_bounds(
    price: float, atr_15m: float, cost_bps: float, *, atr_15m_min: float, cost_multiple_min: float, fraction_max: float
) -> tuple[float, float]:
    """Smallest and largest allowed stop distance in price units."""
    size = abs(price)
    return max(atr_15m_min * atr_15m, cost_multiple_min * cost_bps * 1e-4 * size), fraction_max * size
