"""The score, 0 to 100: an ordering of setups, never a probability."""

from __future__ import annotations

from dataclasses import dataclass

from trading_system.domain.signals import Regime
from trading_system.strategy.bias import Bias
from trading_system.strategy.parameters import SmcParameters


@dataclass(frozen=True, slots=True)
class ScoreFacts:
    """What the score is made of."""

    regime: Regime
    has_order_block: bool
    has_fair_value_gap: bool
    is_in_ote: bool
    bias: Bias
    adx_4h: float
    cost_bps: float
    is_swept: bool
    is_tolerance_touch: bool


def compute_score(facts: ScoreFacts, parameters: SmcParameters) -> float:
    """Sum of the points of each fact."""
    p = parameters
    if facts.regime is Regime.TIGHT_SMC:
        score = p.score_structure_tight
        score += p.score_order_block if facts.has_order_block else 0.0
        score += p.score_fair_value_gap if facts.has_fair_value_gap else 0.0
    else:
        score = p.score_structure_wide
    score += p.score_ote if facts.is_in_ote else p.score_key_level
    score += p.score_bias_aligned if facts.bias is Bias.ALIGNED else p.score_bias_neutral
    score += next((points for at_least, points in p.score_adx_steps if facts.adx_4h >= at_least), 0.0)
    score += next((points for at_most, points in p.score_cost_steps if facts.cost_bps <= at_most), 0.0)
    score += p.score_sweep if facts.is_swept else 0.0
    score += p.score_tolerance_touch if facts.is_tolerance_touch else 0.0
    return score


def score_min(regime: Regime, bias: Bias, parameters: SmcParameters) -> float:
    """Threshold of the score gate."""
    numbers = parameters.of(regime)
    return numbers.score_aligned_min if bias is Bias.ALIGNED else numbers.score_neutral_min
