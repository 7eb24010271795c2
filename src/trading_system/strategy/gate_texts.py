"""What each gate requires, in words, made once per parameter set: a backtest judges millions of times."""

from __future__ import annotations

from dataclasses import dataclass

from trading_system.domain.signals import GateResult, GateState, Regime
from trading_system.strategy.bias import Bias
from trading_system.strategy.parameters import RegimeParameters, SmcParameters


@dataclass(frozen=True, slots=True)
class GateTexts:
    """`required` of every gate; where the regime matters there is one text for each."""

    data: str
    structure: str
    bias: str
    range: str
    regime: str
    waiting_tight: str
    waiting_wide: str
    retracement_tight: str
    retracement_wide: str
    touch: str
    stop_tight: str
    stop_wide: str
    reward_tight: str
    reward_wide: str
    score_tight_aligned: str
    score_tight_neutral: str
    score_wide_aligned: str
    score_wide_neutral: str
    tails: tuple[tuple[GateResult, ...], ...]
    """tails[i] are the gates not reached when gate i fails."""

    def score_of(self, regime: Regime, bias: Bias) -> str:
        """The threshold that applies."""
        if regime is Regime.TIGHT_SMC:
            return self.score_tight_aligned if bias is Bias.ALIGNED else self.score_tight_neutral
        return self.score_wide_aligned if bias is Bias.ALIGNED else self.score_wide_neutral


def write_gate_texts(parameters: SmcParameters) -> GateTexts:
    """All texts of a parameter set."""
    p = parameters
    keys = ", ".join(f"{level:g}" for level in p.key_levels)
    data = (
        f"{p.bars_4h_min} 4h, {p.bars_1h_min} 1h, {p.bars_15m_min} 15m closed bars; "
        f"newest 4h bar closed at most {p.age_of_4h_close_max_ms / 3_600_000:g} h ago"
    )
    structure = f"a valid 4h break at most {p.break_age_bars_max} closed bars old"
    bias = f"1d close not beyond {p.bias_neutral_bps:g} bps on the wrong side of EMA{p.bias_ema_bars}(1d)"
    range_ = f"dealing range at least {p.range_atr_min:g} x ATR{p.atr_bars}(4h)"
    regime = (
        f"a live order block or gap in the leg, or none and ADX{p.adx_bars}(4h) at least {p.wide_adx_min:g}; zones known before the bar"
    )
    band = f"r in {p.ote_low:g}..{p.ote_high:g}"
    touch = "last closed 15m bar: wick in the tolerated entry zone, close in the direction and not beyond the zone"
    later = (
        ("structure", structure),
        ("bias", bias),
        ("range", range_),
        ("regime", regime),
        ("ote", band),
        ("zone_touch", touch),
        ("stop", "stop distance beyond noise and cost, within reach"),
        ("reward", f"reward at least {p.tight.reward_risk_min:g} R tight, {p.wide.reward_risk_min:g} R wide"),
        ("score", f"score at least {p.tight.score_aligned_min:g} tight, {p.wide.score_aligned_min:g} wide when aligned"),
    )
    rungs = tuple(GateResult(name, GateState.NOT_REACHED, text, None, None) for name, text in later)
    return GateTexts(
        data=data,
        structure=structure,
        bias=bias,
        range=range_,
        regime=regime,
        waiting_tight=f"{Regime.TIGHT_SMC.value}: zones used, not mitigated yet",
        waiting_wide=f"{Regime.WIDE_STRUCTURE.value}: band of this break used",
        retracement_tight=f"{band}, or price within {p.key_level_tolerance_bps:g} bps of r = {keys}",
        retracement_wide=band,
        touch=touch,
        stop_tight=_stop_text(p, p.tight),
        stop_wide=_stop_text(p, p.wide),
        reward_tight=f"a target at {p.tight.reward_risk_min:g} R or more",
        reward_wide=f"a target at {p.wide.reward_risk_min:g} R or more",
        score_tight_aligned=f"score at least {p.tight.score_aligned_min:g} (tight, aligned)",
        score_tight_neutral=f"score at least {p.tight.score_neutral_min:g} (tight, neutral)",
        score_wide_aligned=f"score at least {p.wide.score_aligned_min:g} (wide, aligned)",
        score_wide_neutral=f"score at least {p.wide.score_neutral_min:g} (wide, neutral)",
        tails=tuple(rungs[i:] for i in range(len(rungs) + 1)),
    )


def _stop_text(p: SmcParameters, regime: RegimeParameters) -> str:
    return (
        f"distance at least {p.stop_atr_15m_min:g} x ATR{p.atr_bars}(15m) and {regime.stop_cost_multiple_min:g} x cost, "
        f"at most {p.stop_distance_fraction_max:.0%} of price"
    )
