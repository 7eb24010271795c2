"""Settings of what is traded and how: data, strategy, risk, auction. Fractions are fractions (0.01 = 1 %)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from trading_system.config.fields import (
    Count,
    CountOrZero,
    Hours,
    Names,
    NotNegative,
    Number,
    Numbers,
    Positive,
    Ratio,
    RatioBelowOne,
    Seconds,
    Section,
    Usd,
    listed,
)

D = Decimal

EngineName = Annotated[str, Field(pattern=r"^(placebo:)?[A-Za-z][A-Za-z0-9_.-]*$", max_length=80)]
"""Only the form is checked here: which strategies there are is known where they are made (strategy/catalogue)."""
EngineOptions = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*=[^\s](.*[^\s])?$", max_length=200)], ...], BeforeValidator(listed)
]


class TierRuleSettings(Section):
    """Entry bar of one liquidity tier."""

    volume_usd_min: Usd = Field(description="24 h futures volume at least, USD")
    spread_max: Ratio = Field(description="full spread at most, fraction of mid")


class TierRulesSettings(Section):
    a: TierRuleSettings = TierRuleSettings(volume_usd_min=D("5000000"), spread_max=D("0.0010"))
    b: TierRuleSettings = TierRuleSettings(volume_usd_min=D("500000"), spread_max=D("0.0025"))
    c: TierRuleSettings = TierRuleSettings(volume_usd_min=D("250000"), spread_max=D("0.0050"))


class UniverseSettings(Section):
    """Which markets may be traded."""

    candidate_symbols: Names | None = Field(default=None, description="only these are considered; null = all the venue offers")
    blocklist: Names = Field(default=(), description="never entered; a position there may still be reduced")
    pinned_tier_a: Names = Field(
        default=("BTC", "ETH", "SOL", "DOGE", "BNB"), description="bases that bypass the volume and spread filters"
    )
    tier_rules: TierRulesSettings = TierRulesSettings()
    discovery_hours: Hours = Field(default=D("4"), description="hours between discoveries")
    spec_cache_hours: Hours = Field(default=D("12"), description="instrument facts are kept on disk so long")
    shrink_fraction_min: RatioBelowOne = Field(default=D("0.5"), description="a discovery below this share of the last universe is refused")
    shrink_guard_above: CountOrZero = Field(default=10, description="the guard acts when the last universe had more markets than this")


class HealthSettings(Section):
    """When a market's candle feed counts as ill, and how often an ill one is asked."""

    failures_to_degrade: Count = Field(default=3, description="failures in a row")
    successes_to_heal: Count = Field(default=3, description="successes in a row")
    degraded_cycles: Count = Field(default=4, description="a degraded market is asked in one cycle of so many")
    suspend_after_hours: Hours = Field(default=D("6"), description="of unbroken failure")
    probe_minutes: Positive = Field(default=D("30"), description="between probes of a suspended market")
    coverage_markets_min: Count = Field(default=30, description="entries pause below min(this, share x universe) markets with enough bars")
    coverage_share: Ratio = Field(default=D("0.6"), description="of the universe, for the bound above")
    coverage_floor: Ratio = Field(default=D("0.25"), description="entries pause below this share in any case")


class TickGuardSettings(Section):
    """When a quote is not believed."""

    quote_age_s_max: Seconds = Field(default=D("30"), description="older quotes block entries and stop-tightening")
    future_s_max: Seconds = Field(default=D("5"), description="a quote further ahead than this means that clocks disagree")
    jump_fraction_max: Ratio = Field(default=D("0.10"), description="an outlier on thin volume")
    thin_volume_ratio: Ratio = Field(default=D("0.1"), description="of median volume")
    jump_atr_max: Positive = Field(default=D("8"), description="an outlier at any volume, in ATR14(4h)")
    agreeing_quotes: Count = Field(default=3, description="so many agreeing quotes confirm a jump")
    agreement_fraction: Ratio = Field(default=D("0.01"), description="quotes within this agree; so does the mark")


class RetentionSettings(Section):
    """Days that candles stay in the main database."""

    m15_days: Count = 60
    h1_days: Count = 180
    h4_days: Count = 730
    d1_days: Count = 1825


class DataSettings(Section):
    universe: UniverseSettings = UniverseSettings()
    refetch_floor_s: Seconds = Field(default=D("30"), description="one series is asked at most so often")
    concurrency: Count = Field(default=50, description="candle requests at a time")
    health: HealthSettings = HealthSettings()
    tick_guard: TickGuardSettings = TickGuardSettings()
    retention: RetentionSettings = RetentionSettings()


class ScoreThresholds(Section):
    """Least score by regime and bias."""

    tight_aligned: CountOrZero = 65
    tight_neutral: CountOrZero = 75
    wide_aligned: CountOrZero = 60
    wide_neutral: CountOrZero = 70


class ScorePoints(Section):
    """What each finding is worth; the total is an ordering, never a probability."""

    tight_order_block: CountOrZero = 10
    tight_fair_value_gap: CountOrZero = 8
    tight_break: CountOrZero = 7
    wide_break: CountOrZero = 15
    ote: CountOrZero = 15
    key_level: CountOrZero = 10
    bias_aligned: CountOrZero = 20
    bias_neutral: CountOrZero = 10
    adx_levels: Numbers = Field(default=(D("20"), D("25"), D("30"), D("40")), description="ADX14(4h) from which points are given")
    adx_points: Numbers = (D("7"), D("10"), D("12"), D("15"))
    cost_bps_levels: Numbers = Field(
        default=(D("10"), D("20"), D("30"), D("50")), description="round-trip cost up to which points are given"
    )
    cost_points: Numbers = (D("20"), D("15"), D("10"), D("5"))
    sweep: CountOrZero = 5
    touch_by_tolerance_penalty: CountOrZero = Field(default=5, description="taken off when only the tolerance was touched")


class StrategySettings(Section):
    """The strategy, and the SMC engine's numbers. Lengths are bars of the named timeframe, prices are relative unless ATR is named."""

    engine: EngineName = Field(default="smc", description="smc, donchian, placebo, placebo:NAME, or an installed one by its name")
    engine_options: EngineOptions = Field(default=(), description="NAME=VALUE texts for engines other than smc, whose keys follow")
    bars_4h_min: Count = 250
    bars_1h_min: Count = 100
    bars_15m_min: Count = 50
    bars_1d_min: Count = Field(default=200, description="below this the bias is neutral")
    newest_4h_age_hours_max: Hours = D("5")
    swing_bars_4h: Count = Field(default=3, description="later bars that confirm a pivot")
    swing_bars_1h: Count = 2
    break_age_bars_max: Count = Field(default=50, description="closed 4h bars")
    bias_ema_bars: Count = Field(default=200, description="1d")
    bias_neutral_bps: NotNegative = D("10")
    range_atr_min: Positive = Field(default=D("1.5"), description="dealing range in ATR14(4h)")
    atr_bars: Count = 14
    adx_bars: Count = 14
    wide_adx_min: Positive = D("25")
    ote_low: RatioBelowOne = D("0.618")
    ote_high: RatioBelowOne = D("0.786")
    key_levels: Numbers = (D("0.382"), D("0.5"), D("0.618"), D("0.786"))
    key_level_tolerance_bps: NotNegative = D("20")
    touch_tolerance_fraction: Ratio = Field(default=D("0.02"), description="of price; the smaller of this and the ATR one applies")
    touch_tolerance_atr: Positive = Field(default=D("0.3"), description="ATR14(4h)")
    stop_atr_15m_min: Positive = Field(default=D("1"), description="stop distance at least so many ATR14(15m)")
    stop_cost_multiple_tight: Positive = Field(default=D("5"), description="stop distance at least so many times the cost")
    stop_cost_multiple_wide: Positive = D("7")
    stop_distance_max: RatioBelowOne = D("0.10")
    stop_buffer_tight_low: Positive = Field(default=D("0.15"), description="ATR14(4h) beyond the invalidation, calm end")
    stop_buffer_tight_high: Positive = D("0.30")
    stop_buffer_wide_low: Positive = D("0.50")
    stop_buffer_wide_high: Positive = D("0.60")
    stop_buffer_rank_bars: Count = Field(default=249, description="previous values that ATR14(4h) / close is ranked among")
    stop_buffer_rank_bars_min: Count = Field(default=50, description="with fewer the rank is 0.5")
    reward_risk_min_tight: Positive = D("2.0")
    reward_risk_min_wide: Positive = D("1.5")
    target_r_min: Positive = Field(default=D("1"), description="targets nearer than this are passed over")
    target_swing_bars: Count = Field(default=1500, description="4h")
    wide_invalidation_bars_1h: Count = Field(default=500, description="how old a 1h swing low may be that a wide setup's stop hangs on")
    equal_levels_bars: Count = Field(default=100, description="1h")
    equal_levels_atr: Positive = Field(default=D("0.1"), description="ATR14(4h)")
    sweep_swing_age_bars_max: Count = Field(default=120, description="4h")
    sweep_before_break_bars_max: Count = Field(default=10, description="4h")
    displacement_multiple: Positive = Field(default=D("1.5"), description="of the median range of the bars before")
    displacement_median_bars: Count = 20
    gap_fraction_min: Ratio = Field(default=D("0.001"), description="fair value gap, of price")
    hold_hours_tight: Hours = Field(default=D("6"), description="for expected funding")
    hold_hours_wide: Hours = D("36")
    thresholds: ScoreThresholds = ScoreThresholds()
    points: ScorePoints = ScorePoints()
    signal_cooldown_hours: Hours = Field(default=D("4"), description="per symbol, from the emission of a signal")
    decision_trace_minutes: Positive = Field(default=D("5"), description="a trace row per coin at most so often, or on change")


class TierLimitSettings(Section):
    """Limits per symbol of one tier."""

    max_leverage: Positive
    notional_usd_max: Usd
    slippage_max: Ratio


class TierLimitsSettings(Section):
    a: TierLimitSettings = TierLimitSettings(max_leverage=D("10"), notional_usd_max=D("100000"), slippage_max=D("0.0010"))
    b: TierLimitSettings = TierLimitSettings(max_leverage=D("5"), notional_usd_max=D("50000"), slippage_max=D("0.0020"))
    c: TierLimitSettings = TierLimitSettings(max_leverage=D("2"), notional_usd_max=D("25000"), slippage_max=D("0.0030"))


class SizingSettings(Section):
    method: Literal["risk_based", "leverage_based", "kelly", "volatility", "kelly_volatility"] = "risk_based"
    risk_ceiling_multiple: Annotated[Number, Field(ge=1)] = Field(default=D("1.2"), description="no method exceeds this x risk_per_trade")
    leverage_share: Ratio = D("0.03")
    kelly_win_probability: RatioBelowOne = D("0.55")
    kelly_win_loss_ratio: Positive = D("2")
    kelly_fraction_max: Ratio = D("0.30")
    volatility_high_ratio: Positive = D("1.5")
    volatility_high_factor: Positive = D("0.70")
    volatility_low_ratio: Positive = D("0.5")
    volatility_low_factor: Positive = D("1.20")


class NotionalCapSettings(Section):
    """max(share of equity, floor in USD)."""

    equity_share: Positive
    floor_usd: Usd


class StreakSettings(Section):
    """Pauses after losses."""

    loss_bps_of_equity_min: NotNegative = Field(default=D("20"), description="a loss counts from here")
    symbol_losses: Count = 3
    symbol_window_hours: Hours = D("24")
    symbol_pause_hours: Hours = D("12")
    tight_losses: Count = 3
    tight_pause_minutes: Positive = D("120")
    wide_losses: Count = 5
    wide_pause_minutes: Positive = D("90")


class RiskSettings(Section):
    """The pre-trade gates: allowed up to and including."""

    risk_per_trade: Annotated[Number, Field(gt=0, le=D("0.05"))] = Field(default=D("0.01"), description="of equity, from entry to stop")
    max_open_risk: Ratio = Field(default=D("0.04"), description="of equity, sum over positions, orders in flight and this order")
    max_leverage: Annotated[Number, Field(ge=1)] = Field(default=D("7"), description="planned leverage; a tier or the venue may allow less")
    planned_utilization_max: RatioBelowOne = Field(
        default=D("0.90"), description="planned margin / equity: the auction's budget and the gate"
    )
    exposure_basis: Literal["margin", "notional"] = Field(
        default="margin", description="what single_position and aggregate are measured on"
    )
    single_position: Positive = Field(default=D("0.25"), description="of equity")
    aggregate: Positive = Field(default=D("2.00"), description="of equity")
    open_notional_usd_max: Usd = D("450000")
    available_margin_share: Ratio = D("0.95")
    position_notional: NotionalCapSettings | None = Field(default=None, description="small-account cap of one position")
    total_notional: NotionalCapSettings | None = Field(default=None, description="small-account cap of all positions")
    tiers: TierLimitsSettings = TierLimitsSettings()
    sizing: SizingSettings = SizingSettings()
    daily_loss_limit: RatioBelowOne = Field(default=D("0.05"), description="realised + unrealised since 00:00 UTC")
    weekly_loss_limit: RatioBelowOne = Field(default=D("0.07"), description="since Monday 00:00 UTC")
    loss_warning_share: RatioBelowOne = Field(default=D("0.70"), description="of the daily limit")
    high_water_implausible_multiple: Annotated[Number, Field(gt=1)] = Field(
        default=D("2"), description="x equity without trades or flows: asks"
    )
    unexplained_step: RatioBelowOne = Field(default=D("0.01"), description="balance step without an entry in the account log")
    unexplained_settle_s: Seconds = D("60")
    opens_per_hour_max: Count = 5
    opens_per_day_max: Count = 10
    streaks: StreakSettings = StreakSettings()
    notional_usd_min: Usd = Field(default=D("10"), description="the venue's minimum may be larger")
    trade_usd_min: Usd = Field(default=D("10"), description="net of fees")
    stop_distance_min: RatioBelowOne = D("0.001")
    stop_distance_max: RatioBelowOne = D("0.10")
    exit_slippage_bps: NotNegative = Field(default=D("10"), description="assumed beyond the stop when open risk is measured")
    liquidation_stop_multiple: Annotated[Number, Field(gt=1)] = D("2")
    liquidation_distance_min: RatioBelowOne = D("0.05")
    liquidation_buffer_min: RatioBelowOne = Field(default=D("0.35"), description="1 - stop distance / liquidation distance")
    stress_shocks: Numbers = (D("0.05"), D("0.10"), D("0.20"))
    stop_gap_min: RatioBelowOne = Field(default=D("0.01"), description="gap beyond every stop in the stress")
    cost_bps_max_tight: Positive = D("25")
    reward_risk_min_tight: Positive = D("2.0")
    cost_share_of_risk_max_wide: Ratio = Field(default=D("0.15"), description="fees + funding")


class AuctionSettings(Section):
    """Who gets the margin. The margin budget is risk.planned_utilization_max."""

    positions_max: Count = 8
    cluster_positions_max: Count = Field(default=4, description="per cluster and direction")
    cluster_correlation_min: RatioBelowOne = D("0.80")
    cluster_returns: Count = Field(default=180, description="4h returns looked at")
    cluster_common_returns_min: Count = 90
    opens_per_cycle_max: Count = 5
    closes_per_cycle_max: Count = 5
    trades_per_cycle_max: Count = 5
    entry_cost: NotNegative = Field(default=D("2"), description="score points")
    exit_cost: NotNegative = D("2")
    score_per_open_r: NotNegative = D("5")
    locked_minutes: NotNegative = Field(default=D("15"), description="younger positions are not replaced")
    advantage_min: NotNegative = Field(default=D("10"), description="score points after costs")
    winner_r: Positive = Field(default=D("1"), description="a position beyond this is a winner")
    replace_winners: bool = False
    auction_partial_close_cooldown_seconds: NotNegative = D("0")
