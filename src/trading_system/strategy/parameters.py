"""Every number of the SMC engine that may be configured, with its default. Names of rules are constant, numbers are not.

The parameters are part of the identity of a snapshot: state that was built with other numbers is never continued.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from trading_system.domain.errors import ConfigError
from trading_system.domain.market import Timeframe
from trading_system.domain.signals import Regime


@dataclass(frozen=True, slots=True)
class RegimeParameters:
    """What differs between a tight (zone) and a wide (structure only) setup."""

    stop_atr_min: float
    """Smallest stop buffer beyond the invalidation, in ATR14(4h); used when volatility is at its lowest."""
    stop_atr_max: float
    stop_cost_multiple_min: float
    """The stop distance must be at least this many times the cost of the trade."""
    reward_risk_min: float
    score_aligned_min: float
    score_neutral_min: float
    hold_hours: float
    """Expected holding time, for the funding part of the cost."""


TIGHT_DEFAULTS: Final = RegimeParameters(
    stop_atr_min=0.15,
    stop_atr_max=0.30,
    stop_cost_multiple_min=5.0,
    reward_risk_min=2.0,
    score_aligned_min=65.0,
    score_neutral_min=75.0,
    hold_hours=6.0,
)
WIDE_DEFAULTS: Final = RegimeParameters(
    stop_atr_min=0.50,
    stop_atr_max=0.60,
    stop_cost_multiple_min=7.0,
    reward_risk_min=1.5,
    score_aligned_min=60.0,
    score_neutral_min=70.0,
    hold_hours=36.0,
)


@dataclass(frozen=True, slots=True)
class SmcParameters:
    """Defaults of the engine. Units and bounds are in the names; fractions of price are plain (0.10 = 10 %)."""

    # data
    bars_4h_min: int = 250
    bars_1h_min: int = 100
    bars_15m_min: int = 50
    bars_1d_for_bias_min: int = 200
    age_of_4h_close_max_ms: int = 5 * 3_600_000
    # structure
    swing_bars_4h: int = 3
    swing_bars_1h: int = 2
    break_age_bars_max: int = 50
    swing_lookback_bars_4h: int = 1_500
    sweep_swing_age_bars_max: int = 120
    sweep_before_break_bars_max: int = 10
    displacement_range_multiple: float = 1.5
    displacement_median_bars: int = 20
    fair_value_gap_fraction_min: float = 0.001
    # direction, range, regime
    bias_ema_bars: int = 200
    bias_neutral_bps: float = 10.0
    range_atr_min: float = 1.5
    atr_bars: int = 14
    adx_bars: int = 14
    wide_adx_min: float = 25.0
    # entry
    ote_low: float = 0.618
    ote_high: float = 0.786
    key_levels: tuple[float, ...] = (0.382, 0.5, 0.618, 0.786)
    key_level_tolerance_bps: float = 20.0
    touch_tolerance_price_fraction_max: float = 0.02
    touch_tolerance_atr_4h: float = 0.3
    # stop and target
    stop_atr_15m_min: float = 1.0
    stop_distance_fraction_max: float = 0.10
    volatility_rank_values: int = 249
    volatility_rank_values_min: int = 50
    volatility_rank_default: float = 0.5
    target_reward_risk_min: float = 1.0
    swing_lookback_bars_1h: int = 500
    """How far back a 1h swing may lie that invalidates a wide setup; bounds the memory."""
    equal_levels_bars_1h: int = 100
    equal_levels_atr_4h: float = 0.1
    tight: RegimeParameters = TIGHT_DEFAULTS
    wide: RegimeParameters = WIDE_DEFAULTS
    # score
    score_order_block: float = 10.0
    score_fair_value_gap: float = 8.0
    score_structure_tight: float = 7.0
    score_structure_wide: float = 15.0
    score_ote: float = 15.0
    score_key_level: float = 10.0
    score_bias_aligned: float = 20.0
    score_bias_neutral: float = 10.0
    score_adx_steps: tuple[tuple[float, float], ...] = ((40.0, 15.0), (30.0, 12.0), (25.0, 10.0), (20.0, 7.0))
    """(ADX at least, points), highest first."""
    score_cost_steps: tuple[tuple[float, float], ...] = ((10.0, 20.0), (20.0, 15.0), (30.0, 10.0), (50.0, 5.0))
    """(cost in bps at most, points), cheapest first. The first step is within reach of post-only entries only."""
    score_sweep: float = 5.0
    score_tolerance_touch: float = -5.0

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ConfigError(f"strategy.{name} is {getattr(self, name)}; it must be at least 1")
        if not 0.0 < self.ote_low < self.ote_high < 1.0:
            raise ConfigError(f"strategy.ote_low {self.ote_low} and ote_high {self.ote_high} must satisfy 0 < low < high < 1")
        if not 0.0 < self.stop_distance_fraction_max < 1.0:
            raise ConfigError(f"strategy.stop_distance_fraction_max is {self.stop_distance_fraction_max}; it must lie between 0 and 1")
        for regime in (self.tight, self.wide):
            if not 0.0 <= regime.stop_atr_min <= regime.stop_atr_max:
                raise ConfigError(f"strategy: stop_atr_min {regime.stop_atr_min} must lie between 0 and stop_atr_max {regime.stop_atr_max}")
        if list(self.score_adx_steps) != sorted(self.score_adx_steps, reverse=True):
            raise ConfigError(f"strategy.score_adx_steps {self.score_adx_steps} must fall, highest first")
        if list(self.score_cost_steps) != sorted(self.score_cost_steps):
            raise ConfigError(f"strategy.score_cost_steps {self.score_cost_steps} must rise, cheapest first")

    def of(self, regime: Regime) -> RegimeParameters:
        """The numbers of a tradeable regime; consolidation is never traded, so it has none and is a ValueError."""
        match regime:
            case Regime.TIGHT_SMC:
                return self.tight
            case Regime.WIDE_STRUCTURE:
                return self.wide
            case Regime.CONSOLIDATION:
                raise ValueError("consolidation is not traded and has no parameters")

    def bars_min(self, timeframe: Timeframe) -> int:
        """Bars the data gate asks of a timeframe; 1d is not asked for (its lack makes the bias neutral)."""
        return {
            Timeframe.M15: self.bars_15m_min,
            Timeframe.H1: self.bars_1h_min,
            Timeframe.H4: self.bars_4h_min,
            Timeframe.D1: 0,
        }[timeframe]

    def fingerprint(self) -> str:
        """Text that differs whenever any number differs; keys a snapshot."""
        return ";".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))


_AT_LEAST_ONE: Final = (
    "bars_4h_min",
    "bars_1h_min",
    "bars_15m_min",
    "bars_1d_for_bias_min",
    "swing_bars_4h",
    "swing_bars_1h",
    "break_age_bars_max",
    "swing_lookback_bars_4h",
    "swing_lookback_bars_1h",
    "displacement_median_bars",
    "bias_ema_bars",
    "atr_bars",
    "adx_bars",
    "volatility_rank_values",
    "volatility_rank_values_min",
    "equal_levels_bars_1h",
)
