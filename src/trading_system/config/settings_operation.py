"""Settings of how the daemon runs: system, exchange, execution, take profits, safety, monitoring, paper, backtest."""

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
    RatioOrZero,
    Seconds,
    Section,
    Usd,
    listed,
)
from trading_system.config.places import DATA_DIR

D = Decimal


class SystemSettings(Section):
    mode: Literal["paper", "live"] = "paper"
    read_only: bool = Field(default=False, description="refuse every state-changing request at the wire, in either mode")
    cycle_seconds: Seconds = Field(default=D("60"), description="the tick")
    protection_poll_s: Seconds = Field(default=D("3"), description="backstop of the protection loop")
    shutdown_s: Seconds = Field(
        default=D("60"), description="a stop finishes within this, half of it for orders under way; below the unit's TimeoutStopSec 90"
    )
    smoke_report_age_hours_max: Hours = Field(default=D("24"), description="a first live start needs a passed report younger than this")
    data_dir: str = DATA_DIR
    logs_dir: str = "logs"


class ExchangeSettings(Section):
    venue: Literal["sim", "kraken_futures"] = Field(default="sim", description="sim = the embedded exchange")
    environment: Literal["production", "demo"] = "production"
    base_url: str | None = Field(
        default=None,
        description="another origin for all services of the venue (loopback, for tests); with sim: use the exchange that runs there",
    )
    maker_fee: RatioOrZero = Field(default=D("0.0002"), description="fraction of notional")
    taker_fee: RatioOrZero = D("0.0005")
    read_timeout_s: Seconds = D("8")
    order_timeout_s: Seconds = Field(default=D("10"), description="after this an order's outcome is unknown, never failed")
    budget_points: Count = Field(default=500, description="the venue's points per window")
    budget_window_s: Seconds = Field(default=D("10"), description="ours is 5 % longer, to stay inside every way of counting")
    history_budget_points: Count = 100
    history_budget_window_s: Seconds = D("600")
    protective_budget_share: Ratio = Field(default=D("0.30"), description="of the points, kept for protective calls")
    protective_wait_s_max: NotNegative = Field(default=D("1"), description="a protective call waits so long for its points, then goes")
    websocket_ping_s: Seconds = D("30")
    websocket_silence_s_max: Seconds = D("60")


class ReconcileSettings(Section):
    every_s: Seconds = Field(default=D("120"), description="the account log; positions, orders and fills are compared at every look")
    fills_overlap_minutes: Positive = D("5")
    phantom_policy: Literal["adopt", "alert_only"] = "adopt"
    adopted_stop_distance: RatioBelowOne = Field(default=D("0.02"), description="from min(entry, mark) of a long, mirrored for a short")
    adopted_liquidation_share_min: RatioBelowOne = Field(
        default=D("0.25"), description="of the mark-to-liquidation distance, kept before it"
    )
    adopted_stop_retry_s: Seconds = D("10")
    tp_backfill_after_s: Seconds = Field(default=D("30"), description="a missing take-profit is tried a second time, then at its cooldown")
    tp_backfill_distance_min: RatioBelowOne = D("0.003")
    tp_backfill_cooldown_minutes: NotNegative = D("10")


class CloseSettings(Section):
    """How a position is closed in full: market, then ever wider IOC limits."""

    through_mark: Numbers = (D("0.02"), D("0.04"), D("0.08"))
    step_s: Seconds = D("2")
    mark_through_stop_s: Seconds = Field(default=D("10"), description="mark beyond a stop that did not fire, until we close")


class ExecutionSettings(Section):
    entry_type: Literal["market", "limit", "limit_post_only"] = Field(
        default="market", description="market = IOC limited by the tier's slippage"
    )
    post_only_reprices_max: CountOrZero = 3
    entry_timeout_s: Seconds = D("120")
    entry_price_away_max: RatioBelowOne = D("0.03")
    process_before_s: Seconds = Field(default=D("5"), description="the venue drops an entry that arrives later")
    unknown_settle_s: Seconds = Field(
        default=D("60"), description="beyond process_before_s; only complete reads later than this prove that an entry was not placed"
    )
    slippage_bps_max: Positive | None = Field(default=None, description="a further cap over all tiers")
    spread_max: Ratio = Field(default=D("0.005"), description="before an entry")
    depth_multiple_min: Annotated[Number, Field(ge=1)] = Field(default=D("2"), description="opposing depth within the slippage cap / size")
    signal_spread_max: Ratio = Field(default=D("0.010"), description="SIGNAL_REJECTED_SPREAD above this")
    signal_spread_fails_open: bool = Field(
        default=True, description="an internal error of that check lets the trade pass; the quote gate never"
    )
    index_deviation_max: Ratio = Field(default=D("0.0075"), description="|index - mark| / mark")
    chase_atr_15m_max: Positive = Field(default=D("0.5"), description="|mark - signal price| in ATR14(15m)")
    entry_sends_per_minute_max: Count = Field(default=60, description="entry-rate breaker")
    entry_sends_per_10_s_max: Count = 10
    close: CloseSettings = CloseSettings()
    reconcile: ReconcileSettings = ReconcileSettings()


class SplitSettings(Section):
    """Shares of the entry at TP1, TP2 and left to the runner."""

    tp1: RatioOrZero
    tp2: RatioOrZero
    runner: RatioOrZero


class TrailingStep(Section):
    """From so many R the stop trails by so many ATR14(4h)."""

    from_r: NotNegative
    atr_multiple: Positive


class FinalTargetSettings(Section):
    at_r: Positive = D("3")
    action: Literal["none", "tighten_trail", "close_partial", "close_full"] = "none"
    tighten_atr_multiple: Positive = D("1.2")
    close_share: Ratio = D("0.50")


class MultiTpSettings(Section):
    tp1_r: Positive = D("1.0")
    tp2_r: Positive = D("2.5")
    split_default: SplitSettings = SplitSettings(tp1=D("0.40"), tp2=D("0.40"), runner=D("0.20"))
    split_tight_smc: SplitSettings = SplitSettings(tp1=D("0.50"), tp2=D("0.40"), runner=D("0.10"))
    split_wide_structure: SplitSettings = SplitSettings(tp1=D("0.35"), tp2=D("0.35"), runner=D("0.30"))
    split_consolidation: SplitSettings = SplitSettings(tp1=D("0.50"), tp2=D("0.40"), runner=D("0.10"))
    break_even_fee_multiple: NotNegative = Field(default=D("2"), description="taker fees beyond the average entry")
    trailing_activation_atr_min: NotNegative = Field(default=D("0"), description="trail only if ATR14(4h) / price is at least this")
    trailing_steps: Annotated[tuple[TrailingStep, ...], BeforeValidator(listed)] = (
        TrailingStep(from_r=D("0"), atr_multiple=D("2.0")),
        TrailingStep(from_r=D("3"), atr_multiple=D("1.8")),
        TrailingStep(from_r=D("5"), atr_multiple=D("1.4")),
        TrailingStep(from_r=D("8"), atr_multiple=D("1.0")),
    )
    trailing_move_min: RatioOrZero = Field(default=D("0.001"), description="smaller moves of the stop are not sent")
    final_target: FinalTargetSettings = FinalTargetSettings()
    premise_exit: bool = Field(default=False, description="close when the signal's structure is invalidated")
    time_exit_hours: Hours | None = None


class AutoRecoverySettings(Section):
    """The one halt that may clear by itself: margin-critical, old enough, and low again."""

    enabled: bool = True
    utilization_max: RatioBelowOne = D("0.85")
    halt_age_s_min: Seconds = D("300")
    per_day_max: CountOrZero = 2


class ProtectionSettings(Section):
    """From "fill seen" to "stop rests", and what happens when that takes too long."""

    naked_s_max: Seconds = Field(default=D("15"), description="X: promised while the venue accepts orders")
    startup_grace_s: Seconds = D("90")
    hard_close_s: Seconds = Field(default=D("60"), description="X_hard: an own position still naked is closed")


class SafetySettings(Section):
    """The invariants. Ratios violate when >= the limit, counts and amounts when > it."""

    margin_utilization_halt: RatioBelowOne = Field(default=D("0.92"), description="venue utilisation")
    margin_utilization_degraded: RatioBelowOne = D("0.85")
    drawdown_halt: RatioBelowOne = Field(default=D("0.15"), description="from the high-water mark")
    drawdown_degraded: RatioBelowOne = D("0.10")
    positions_halt: Count = 10
    positions_degraded: Count = 9
    single_position_multiple: Positive = Field(default=D("1.10"), description="x its gate risk.single_position, on the same basis; warns")
    open_notional_usd_halt: Usd = D("500000")
    equity_usd_min: Usd | None = Field(default=None, description="floor of equity; HALT below")
    api_errors_per_minute_max: Count = 10
    rejects_per_cycle_max: Count = 5
    latency_s_max: Seconds = D("5")
    loop_lag_s_max: Seconds = Field(default=D("2"), description="the event loop later than this: DEGRADED")
    clock_skew_s_degraded: Seconds = D("30")
    clock_skew_s_entry_max: Seconds = D("5")
    degraded_clear_s: Seconds = Field(default=D("60"), description="every cause clear for so long lifts DEGRADED")
    kill_file_poll_s: Seconds = D("1")
    auto_recovery: AutoRecoverySettings = AutoRecoverySettings()
    protection: ProtectionSettings = ProtectionSettings()


class MonitoringSettings(Section):
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file_mb: Count = Field(default=50, description="a log file is rotated at this size")
    log_files_kept: Count = 10
    health_port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8080, description="127.0.0.1; 0 = no server")
    health_hosts: Names = Field(default=(), description="further Host header values that are answered")
    alerts_enabled: bool = True
    alert_repeat_s: Seconds = Field(default=D("300"), description="one alert per type and symbol in this time; urgent ones bypass")
    alert_timeout_s: Seconds = D("10")
    starvation_signals: Count = Field(default=10, description="so many signals without an order within the hours below alert")
    starvation_hours: Hours = D("6")


class PaperSettings(Section):
    start_equity_usd: Usd = D("10000")


class SimSettings(Section):
    """The embedded exchange."""

    seed: CountOrZero = 10
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=0, description="0 = any free one")


class BacktestSettings(Section):
    start_equity_usd: Usd = D("10000")
    seed: CountOrZero = 1
    bootstrap_samples: Count = Field(default=2000, description="for the confidence interval of the mean")
    only: bool = Field(default=False, description="true = limits widened for measuring: `run` refuses this configuration")
