"""Every number the risk manager obeys, grouped as its functions take them, checked against each other at construction.

Fractions are fractions (0.01 = 1 %), amounts are USD, times are seconds unless the name says otherwise. Defaults are the
specification's; the configuration maps onto these classes and never repeats a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

from trading_system.domain.errors import ConfigError
from trading_system.domain.exposure import ExitCosts
from trading_system.domain.market import Tier
from trading_system.domain.orders import EntryStyle
from trading_system.domain.signals import Regime


def _require(holds: bool, key: str, value: object, right: str) -> None:
    if not holds:
        raise ConfigError(f"{key} = {value}: must be {right}")


class SizingMethod(Enum):
    RISK_BASED = "risk_based"
    LEVERAGE_BASED = "leverage_based"
    KELLY = "kelly"
    VOLATILITY = "volatility"
    KELLY_VOLATILITY = "kelly_volatility"


class ExposureBasis(Enum):
    """On what the single-position and aggregate caps are measured."""

    MARGIN = "margin"
    NOTIONAL = "notional"


@dataclass(frozen=True, slots=True)
class SizingLimits:
    """How the wished size is computed. No method may risk more than `risk_ceiling_multiple` x risk_per_trade."""

    method: SizingMethod = SizingMethod.RISK_BASED
    risk_per_trade: Decimal = Decimal("0.01")
    risk_ceiling_multiple: Decimal = Decimal("1.2")
    leverage_share: Decimal = Decimal("0.03")
    kelly_win_probability: Decimal = Decimal("0.55")
    kelly_win_loss_ratio: Decimal = Decimal("2")
    kelly_fraction_max: Decimal = Decimal("0.30")
    volatility_high_ratio: Decimal = Decimal("1.5")
    volatility_high_factor: Decimal = Decimal("0.70")
    volatility_low_ratio: Decimal = Decimal("0.5")
    volatility_low_factor: Decimal = Decimal("1.20")

    def __post_init__(self) -> None:
        _require(0 < self.risk_per_trade <= Decimal("0.05"), "risk.risk_per_trade", self.risk_per_trade, "in (0, 0.05]")
        _require(self.risk_ceiling_multiple >= 1, "risk.risk_ceiling_multiple", self.risk_ceiling_multiple, ">= 1")
        _require(0 < self.leverage_share <= 1, "risk.leverage_share", self.leverage_share, "in (0, 1]")
        _require(0 < self.kelly_win_probability < 1, "risk.kelly_win_probability", self.kelly_win_probability, "in (0, 1)")
        _require(self.kelly_win_loss_ratio > 0, "risk.kelly_win_loss_ratio", self.kelly_win_loss_ratio, "> 0")
        _require(0 < self.kelly_fraction_max <= 1, "risk.kelly_fraction_max", self.kelly_fraction_max, "in (0, 1]")
        _require(
            0 < self.volatility_low_ratio < self.volatility_high_ratio,
            "risk.volatility_low_ratio",
            self.volatility_low_ratio,
            f"above 0 and below volatility_high_ratio {self.volatility_high_ratio}",
        )


@dataclass(frozen=True, slots=True)
class TierLimits:
    """Limits per symbol of one tier."""

    leverage_max: Decimal
    notional_max_usd: Decimal
    slippage_max: Decimal

    def __post_init__(self) -> None:
        _require(self.leverage_max >= 1, "risk.tiers.leverage_max", self.leverage_max, ">= 1")
        _require(self.notional_max_usd > 0, "risk.tiers.notional_max_usd", self.notional_max_usd, "> 0")
        _require(
            0 < self.slippage_max <= Decimal("0.01"), "risk.tiers.slippage_max", self.slippage_max, "in (0, 0.01], the venue's own guard"
        )


@dataclass(frozen=True, slots=True)
class NotionalCap:
    """max(share of equity, floor in USD): the small-account caps of the launch profile."""

    equity_share: Decimal
    floor_usd: Decimal

    def at(self, equity: Decimal) -> Decimal:
        """The cap in USD."""
        return max(self.equity_share * equity, self.floor_usd)


@dataclass(frozen=True, slots=True)
class CapLimits:
    """Caps on the size of one position and of all of them."""

    exposure_basis: ExposureBasis = ExposureBasis.MARGIN
    single_position: Decimal = Decimal("0.25")
    aggregate: Decimal = Decimal("2.00")
    open_notional_usd_max: Decimal = Decimal("450000")
    planned_utilization_max: Decimal = Decimal("0.90")
    available_margin_share: Decimal = Decimal("0.95")
    positions_max: int = 8
    position_notional: NotionalCap | None = None
    total_notional: NotionalCap | None = None

    def __post_init__(self) -> None:
        _require(0 < self.single_position <= self.aggregate, "risk.single_position", self.single_position, "in (0, risk.aggregate]")
        _require(0 < self.planned_utilization_max < 1, "risk.planned_utilization_max", self.planned_utilization_max, "in (0, 1)")
        _require(0 < self.available_margin_share <= 1, "risk.available_margin_share", self.available_margin_share, "in (0, 1]")
        _require(self.positions_max >= 1, "risk.positions_max", self.positions_max, ">= 1")
        _require(self.open_notional_usd_max > 0, "risk.open_notional_usd_max", self.open_notional_usd_max, "> 0")


@dataclass(frozen=True, slots=True)
class LossLimits:
    """Daily and weekly stops, drawdown, and what counts as an impossible account reading."""

    daily: Decimal = Decimal("0.05")
    weekly: Decimal = Decimal("0.07")
    drawdown_degraded: Decimal = Decimal("0.10")
    drawdown_halt: Decimal = Decimal("0.15")
    warning_share: Decimal = Decimal("0.70")
    high_water_implausible_multiple: Decimal = Decimal("2")
    unexplained_step: Decimal = Decimal("0.01")
    unexplained_settle_s: int = 60
    reading_age_s_max: int = 180

    def __post_init__(self) -> None:
        _require(0 < self.daily <= self.weekly, "risk.daily_loss_limit", self.daily, f"above 0 and <= weekly {self.weekly}")
        _require(self.weekly <= self.drawdown_halt, "risk.weekly_loss_limit", self.weekly, f"<= drawdown halt {self.drawdown_halt}")
        _require(
            0 < self.drawdown_degraded < self.drawdown_halt < 1,
            "risk.drawdown_degraded",
            self.drawdown_degraded,
            f"above 0 and below drawdown halt {self.drawdown_halt}, which is below 1",
        )
        _require(0 < self.warning_share < 1, "risk.loss_warning_share", self.warning_share, "in (0, 1)")
        _require(
            self.high_water_implausible_multiple > 1, "risk.high_water_implausible_multiple", self.high_water_implausible_multiple, "> 1"
        )
        _require(0 < self.unexplained_step < 1, "risk.unexplained_step", self.unexplained_step, "in (0, 1)")


@dataclass(frozen=True, slots=True)
class StreakLimits:
    """Pauses after losses. A loss counts from `loss_min_share` of equity."""

    loss_min_share: Decimal = Decimal("0.0020")
    symbol_losses: int = 3
    symbol_window_s: int = 24 * 3600
    symbol_pause_s: int = 12 * 3600
    tight_losses: int = 3
    tight_pause_s: int = 120 * 60
    wide_losses: int = 5
    wide_pause_s: int = 90 * 60

    def __post_init__(self) -> None:
        for name in ("symbol_losses", "tight_losses", "wide_losses", "symbol_pause_s", "tight_pause_s", "wide_pause_s"):
            _require(getattr(self, name) >= 1, f"risk.streaks.{name}", getattr(self, name), ">= 1")


@dataclass(frozen=True, slots=True)
class FrequencyLimits:
    """Opens per rolling hour and day, sends counted."""

    hour_max: int = 5
    day_max: int = 10

    def __post_init__(self) -> None:
        _require(1 <= self.hour_max <= self.day_max, "risk.opens_per_hour_max", self.hour_max, f">= 1 and <= per day {self.day_max}")


@dataclass(frozen=True, slots=True)
class QuoteLimits:
    """When a quote may carry an order."""

    age_s_max: int = 30
    clock_skew_s_max: int = 5
    spread_max: Decimal = Decimal("0.005")
    signal_spread_max: Decimal = Decimal("0.010")
    index_deviation_max: Decimal = Decimal("0.0075")
    chase_atr_15m_max: Decimal = Decimal("0.5")
    depth_multiple_min: Decimal = Decimal("2")

    def __post_init__(self) -> None:
        _require(self.age_s_max > 0, "execution.quote_age_s_max", self.age_s_max, "> 0")
        _require(self.depth_multiple_min >= 1, "execution.depth_multiple_min", self.depth_multiple_min, ">= 1")


@dataclass(frozen=True, slots=True)
class FeasibilityLimits:
    """What must hold for the final size: not dust, far from liquidation, survivable, worth its cost."""

    stop_distance_min: Decimal = Decimal("0.001")
    stop_distance_max: Decimal = Decimal("0.10")
    notional_min_usd: Decimal = Decimal("10")
    trade_net_min_usd: Decimal = Decimal("10")
    liquidation_stop_multiple: Decimal = Decimal("2")
    liquidation_distance_min: Decimal = Decimal("0.05")
    liquidation_buffer_min: Decimal = Decimal("0.35")
    stress_shocks: tuple[Decimal, ...] = (Decimal("0.05"), Decimal("0.10"), Decimal("0.20"))
    stop_gap_min: Decimal = Decimal("0.01")
    tight_cost_bps_max: Decimal = Decimal("25")
    tight_reward_risk_min: Decimal = Decimal("2.0")
    wide_cost_share_max: Decimal = Decimal("0.15")
    tight_hold_h: Decimal = Decimal("6")
    wide_hold_h: Decimal = Decimal("36")

    def __post_init__(self) -> None:
        _require(
            0 < self.stop_distance_min < self.stop_distance_max < 1,
            "risk.stop_distance_min",
            self.stop_distance_min,
            f"above 0 and below stop_distance_max {self.stop_distance_max}, which is below 1",
        )
        _require(self.liquidation_stop_multiple > 1, "risk.liquidation_stop_multiple", self.liquidation_stop_multiple, "> 1")
        _require(all(0 < shock < 1 for shock in self.stress_shocks), "risk.stress_shocks", self.stress_shocks, "fractions in (0, 1)")


@dataclass(frozen=True, slots=True)
class Fees:
    """Venue fees as fractions of notional."""

    maker: Decimal = Decimal("0.0002")
    taker: Decimal = Decimal("0.0005")


@dataclass(frozen=True, slots=True)
class ProfitSplit:
    """Shares of the entry closed at TP1 and TP2 and left to the runner; sums to 1."""

    tp1: Decimal
    tp2: Decimal
    runner: Decimal

    def __post_init__(self) -> None:
        total = self.tp1 + self.tp2 + self.runner
        _require(total == 1, "multi_tp split", f"{self.tp1} + {self.tp2} + {self.runner} = {total}", "a sum of exactly 1")
        _require(min(self.tp1, self.tp2, self.runner) >= 0, "multi_tp split", self, "shares >= 0")


@dataclass(frozen=True, slots=True)
class TakeProfitLimits:
    """Where profit is taken, in R, and how the entry is split by regime."""

    tp1_r: Decimal = Decimal("1.0")
    tp2_r: Decimal = Decimal("2.5")
    default_split: ProfitSplit = ProfitSplit(Decimal("0.40"), Decimal("0.40"), Decimal("0.20"))
    splits: Mapping[Regime, ProfitSplit] = field(
        default_factory=lambda: MappingProxyType(
            {
                Regime.TIGHT_SMC: ProfitSplit(Decimal("0.50"), Decimal("0.40"), Decimal("0.10")),
                Regime.WIDE_STRUCTURE: ProfitSplit(Decimal("0.35"), Decimal("0.35"), Decimal("0.30")),
                Regime.CONSOLIDATION: ProfitSplit(Decimal("0.50"), Decimal("0.40"), Decimal("0.10")),
            }
        )
    )

    def __post_init__(self) -> None:
        _require(0 < self.tp1_r < self.tp2_r, "multi_tp.tp1_r", self.tp1_r, f"above 0 and below tp2_r {self.tp2_r}")

    def split(self, regime: Regime) -> ProfitSplit:
        return self.splits.get(regime, self.default_split)


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """The whole book of limits. Cross-checks here are those that involve more than one group."""

    leverage_max: Decimal = Decimal("7")
    max_open_risk: Decimal = Decimal("0.04")
    tier_a: TierLimits = TierLimits(Decimal("10"), Decimal("100000"), Decimal("0.0010"))
    tier_b: TierLimits = TierLimits(Decimal("5"), Decimal("50000"), Decimal("0.0020"))
    tier_c: TierLimits = TierLimits(Decimal("2"), Decimal("25000"), Decimal("0.0030"))
    entry_style: EntryStyle = EntryStyle.IOC
    sizing: SizingLimits = SizingLimits()
    caps: CapLimits = CapLimits()
    losses: LossLimits = LossLimits()
    streaks: StreakLimits = StreakLimits()
    frequency: FrequencyLimits = FrequencyLimits()
    quotes: QuoteLimits = QuoteLimits()
    feasibility: FeasibilityLimits = FeasibilityLimits()
    fees: Fees = Fees()
    exit_costs: ExitCosts = field(default_factory=ExitCosts)
    take_profits: TakeProfitLimits = field(default_factory=TakeProfitLimits)

    def __post_init__(self) -> None:
        _require(self.leverage_max >= 1, "risk.leverage_max", self.leverage_max, ">= 1")
        _require(
            self.sizing.risk_per_trade <= self.max_open_risk <= self.losses.daily,
            "risk.max_open_risk",
            self.max_open_risk,
            f"between risk_per_trade {self.sizing.risk_per_trade} and the daily loss limit {self.losses.daily}",
        )

    def tier(self, tier: Tier | None) -> TierLimits:
        """Limits of a tier; a market that has none (left the universe) is judged as the least liquid one."""
        match tier:
            case Tier.A:
                return self.tier_a
            case Tier.B:
                return self.tier_b
            case Tier.C | None:
                return self.tier_c

    def leverage_for(self, tier: Tier | None) -> Decimal:
        """min(system maximum, tier maximum): the `leverage_max` that `domain.exposure` takes."""
        return min(self.leverage_max, self.tier(tier).leverage_max)
