"""Daily bias: on which side of its long mean the last closed day stands, seen from the direction of a trade."""

from __future__ import annotations

from enum import Enum


class Bias(Enum):
    ALIGNED = "aligned"
    NEUTRAL = "neutral"
    AGAINST = "against"


def deviation_bps(close: float, mean: float) -> float:
    """Distance of the close above (positive) or below its mean, in basis points of the mean; mean != 0."""
    return (close - mean) / abs(mean) * 1e4


def classify_bias(deviation_in_favour_bps: float, neutral_bps: float) -> Bias:
    """`deviation_in_favour_bps` is the deviation times the sign of the direction; the neutral band includes its edges."""
    if abs(deviation_in_favour_bps) <= neutral_bps:
        return Bias.NEUTRAL
    return Bias.ALIGNED if deviation_in_favour_bps > 0.0 else Bias.AGAINST
