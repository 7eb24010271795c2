"""Settings (what people write) into the small parameter groups the rooms take. Here and in `parameters_edge` the two meet.

A test holds `map(Settings())` equal to each room's own defaults, so that a figure cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

from trading_system.config.settings import Settings
from trading_system.config.settings_operation import SplitSettings
from trading_system.config.settings_trading import NotionalCapSettings, TierLimitSettings
from trading_system.data.candle_schedule import CandleParameters
from trading_system.data.data_health import CoverageRule, HealthParameters
from trading_system.data.tick_guard import TickGuardParameters
from trading_system.data.tiering import RegistryParameters, TierLimits, TierRule
from trading_system.domain.exposure import ExitCosts
from trading_system.domain.market import Tier
from trading_system.domain.orders import EntryStyle
from trading_system.domain.signals import Regime
from trading_system.domain.symbols import Symbol, normalise
from trading_system.domain.units import BPS, Usd
from trading_system.execution.position_view import FinalTarget, PositionParameters
from trading_system.execution.reconcile import ReconcileRules
from trading_system.live.signal_handler import SignalRules
from trading_system.live.starvation import StarvationRule
from trading_system.portfolio.candidate import AuctionLimits
from trading_system.portfolio.clusters import ClusterLimits
from trading_system.risk import limits as risk
from trading_system.safety.auto_recovery import RecoveryRules
from trading_system.safety.invariant_monitor import SafetyRules
from trading_system.safety.invariants import InvariantLimits
from trading_system.safety.modes import ModeRules
from trading_system.strategy.parameters import RegimeParameters, SmcParameters

_STYLES = {"market": EntryStyle.IOC, "limit": EntryStyle.LIMIT, "limit_post_only": EntryStyle.POST_ONLY}
_HOUR_MS = Decimal(3_600_000)


def _symbols(names: Iterable[str]) -> frozenset[Symbol]:
    return frozenset(normalise(name) for name in names)


def registry_parameters(settings: Settings) -> RegistryParameters:
    """The universe: tiers, pins, shrink guard."""
    universe, tiers = settings.data.universe, settings.risk.tiers
    rules = universe.tier_rules

    def limit(tier: TierLimitSettings) -> TierLimits:
        return TierLimits(tier.max_leverage, Usd(tier.notional_usd_max), tier.slippage_max)

    return RegistryParameters(
        rules=tuple(
            TierRule(tier, rule.volume_usd_min, rule.spread_max) for tier, rule in ((Tier.A, rules.a), (Tier.B, rules.b), (Tier.C, rules.c))
        ),
        limits=MappingProxyType({Tier.A: limit(tiers.a), Tier.B: limit(tiers.b), Tier.C: limit(tiers.c)}),
        pinned=_symbols(universe.pinned_tier_a),
        blocklist=_symbols(universe.blocklist),
        candidate_symbols=None if universe.candidate_symbols is None else _symbols(universe.candidate_symbols),
        shrink_fraction_min=universe.shrink_fraction_min,
        shrink_guard_above=universe.shrink_guard_above,
        spec_cache_hours=int(universe.spec_cache_hours),
        discovery_interval_hours=int(universe.discovery_hours),
    )


def candle_parameters(settings: Settings) -> CandleParameters:
    return CandleParameters(concurrency=settings.data.concurrency, refetch_floor_ms=int(settings.data.refetch_floor_s * 1000))


def health_parameters(settings: Settings) -> HealthParameters:
    health = settings.data.health
    return HealthParameters(
        failures_to_degrade=health.failures_to_degrade,
        successes_to_heal=health.successes_to_heal,
        degraded_cycles=health.degraded_cycles,
        suspend_after_ms=int(health.suspend_after_hours * _HOUR_MS),
        probe_every_ms=int(health.probe_minutes * 60_000),
    )


def coverage_rule(settings: Settings) -> CoverageRule:
    """How many markets must have their bars before anything is opened."""
    health = settings.data.health
    return CoverageRule(
        ready_count_max_needed=health.coverage_markets_min,
        ready_fraction_min=health.coverage_share,
        ready_fraction_floor=health.coverage_floor,
    )


def tick_guard_parameters(settings: Settings) -> TickGuardParameters:
    guard = settings.data.tick_guard
    return TickGuardParameters(
        quote_age_s_max=guard.quote_age_s_max,
        future_s_max=guard.future_s_max,
        jump_fraction_max=guard.jump_fraction_max,
        thin_volume_ratio=guard.thin_volume_ratio,
        jump_atr_max=guard.jump_atr_max,
        agreeing_quotes=guard.agreeing_quotes,
        agreement_fraction=guard.agreement_fraction,
    )


def smc_parameters(settings: Settings) -> SmcParameters:
    """The SMC engine's figures, as the floats it computes with."""
    s, points, least = settings.strategy, settings.strategy.points, settings.strategy.thresholds
    return SmcParameters(
        bars_4h_min=s.bars_4h_min,
        bars_1h_min=s.bars_1h_min,
        bars_15m_min=s.bars_15m_min,
        bars_1d_for_bias_min=s.bars_1d_min,
        age_of_4h_close_max_ms=int(s.newest_4h_age_hours_max * _HOUR_MS),
        swing_bars_4h=s.swing_bars_4h,
        swing_bars_1h=s.swing_bars_1h,
        break_age_bars_max=s.break_age_bars_max,
        swing_lookback_bars_4h=s.target_swing_bars,
        sweep_swing_age_bars_max=s.sweep_swing_age_bars_max,
        sweep_before_break_bars_max=s.sweep_before_break_bars_max,
        displacement_range_multiple=float(s.displacement_multiple),
        displacement_median_bars=s.displacement_median_bars,
        fair_value_gap_fraction_min=float(s.gap_fraction_min),
        bias_ema_bars=s.bias_ema_bars,
        bias_neutral_bps=float(s.bias_neutral_bps),
        range_atr_min=float(s.range_atr_min),
        atr_bars=s.atr_bars,
        adx_bars=s.adx_bars,
        wide_adx_min=float(s.wide_adx_min),
        ote_low=float(s.ote_low),
        ote_high=float(s.ote_high),
        key_levels=tuple(float(level) for level in s.key_levels),
        key_level_tolerance_bps=float(s.key_level_tolerance_bps),
        touch_tolerance_price_fraction_max=float(s.touch_tolerance_fraction),
        touch_tolerance_atr_4h=float(s.touch_tolerance_atr),
        stop_atr_15m_min=float(s.stop_atr_15m_min),
        stop_distance_fraction_max=float(s.stop_distance_max),
        volatility_rank_values=s.stop_buffer_rank_bars,
        volatility_rank_values_min=s.stop_buffer_rank_bars_min,
        target_reward_risk_min=float(s.target_r_min),
        swing_lookback_bars_1h=s.wide_invalidation_bars_1h,
        equal_levels_bars_1h=s.equal_levels_bars,
        equal_levels_atr_4h=float(s.equal_levels_atr),
        tight=RegimeParameters(
            stop_atr_min=float(s.stop_buffer_tight_low),
            stop_atr_max=float(s.stop_buffer_tight_high),
            stop_cost_multiple_min=float(s.stop_cost_multiple_tight),
            reward_risk_min=float(s.reward_risk_min_tight),
            score_aligned_min=float(least.tight_aligned),
            score_neutral_min=float(least.tight_neutral),
            hold_hours=float(s.hold_hours_tight),
        ),
        wide=RegimeParameters(
            stop_atr_min=float(s.stop_buffer_wide_low),
            stop_atr_max=float(s.stop_buffer_wide_high),
            stop_cost_multiple_min=float(s.stop_cost_multiple_wide),
            reward_risk_min=float(s.reward_risk_min_wide),
            score_aligned_min=float(least.wide_aligned),
            score_neutral_min=float(least.wide_neutral),
            hold_hours=float(s.hold_hours_wide),
        ),
        score_order_block=float(points.tight_order_block),
        score_fair_value_gap=float(points.tight_fair_value_gap),
        score_structure_tight=float(points.tight_break),
        score_structure_wide=float(points.wide_break),
        score_ote=float(points.ote),
        score_key_level=float(points.key_level),
        score_bias_aligned=float(points.bias_aligned),
        score_bias_neutral=float(points.bias_neutral),
        score_adx_steps=_steps(points.adx_levels, points.adx_points, falling=True),
        score_cost_steps=_steps(points.cost_bps_levels, points.cost_points, falling=False),
        score_sweep=float(points.sweep),
        score_tolerance_touch=-float(points.touch_by_tolerance_penalty),
    )


def _steps(levels: Iterable[Decimal], points: Iterable[Decimal], *, falling: bool) -> tuple[tuple[float, float], ...]:
    pairs = ((float(level), float(value)) for level, value in zip(levels, points, strict=True))
    return tuple(sorted(pairs, reverse=falling))


def auction_limits(settings: Settings) -> AuctionLimits:
    a = settings.auction
    return AuctionLimits(
        planned_utilization_max=settings.risk.planned_utilization_max,
        positions_max=a.positions_max,
        cluster_max=a.cluster_positions_max,
        opens_max=a.opens_per_cycle_max,
        closes_max=a.closes_per_cycle_max,
        trades_max=a.trades_per_cycle_max,
        lock_age_s=int(a.locked_minutes * 60),
        entry_cost=a.entry_cost,
        exit_cost=a.exit_cost,
        open_r_weight=a.score_per_open_r,
        advantage_min=a.advantage_min,
        winner_r_max=a.winner_r,
        may_replace_winners=a.replace_winners,
    )


def cluster_limits(settings: Settings) -> ClusterLimits:
    a = settings.auction
    return ClusterLimits(float(a.cluster_correlation_min), a.cluster_returns, a.cluster_common_returns_min)


def _notional_cap(cap: NotionalCapSettings | None) -> risk.NotionalCap | None:
    return None if cap is None else risk.NotionalCap(cap.equity_share, cap.floor_usd)


def _split(split: SplitSettings) -> risk.ProfitSplit:
    return risk.ProfitSplit(split.tp1, split.tp2, split.runner)


def _tier(tier: TierLimitSettings, slippage_cap: Decimal | None) -> risk.TierLimits:
    slippage = tier.slippage_max if slippage_cap is None else min(tier.slippage_max, slippage_cap)
    return risk.TierLimits(tier.max_leverage, tier.notional_usd_max, slippage)


def risk_limits(settings: Settings) -> risk.RiskLimits:
    """The book of limits; its own self-checks raise ConfigError."""
    r, e, tp = settings.risk, settings.execution, settings.multi_tp
    cap = None if e.slippage_bps_max is None else e.slippage_bps_max * BPS
    return risk.RiskLimits(
        leverage_max=r.max_leverage,
        max_open_risk=r.max_open_risk,
        tier_a=_tier(r.tiers.a, cap),
        tier_b=_tier(r.tiers.b, cap),
        tier_c=_tier(r.tiers.c, cap),
        entry_style=_STYLES[e.entry_type],
        sizing=_sizing(settings),
        caps=risk.CapLimits(
            exposure_basis=risk.ExposureBasis(r.exposure_basis),
            single_position=r.single_position,
            aggregate=r.aggregate,
            open_notional_usd_max=r.open_notional_usd_max,
            planned_utilization_max=r.planned_utilization_max,
            available_margin_share=r.available_margin_share,
            positions_max=settings.auction.positions_max,
            position_notional=_notional_cap(r.position_notional),
            total_notional=_notional_cap(r.total_notional),
        ),
        losses=risk.LossLimits(
            daily=r.daily_loss_limit,
            weekly=r.weekly_loss_limit,
            drawdown_degraded=settings.safety.drawdown_degraded,
            drawdown_halt=settings.safety.drawdown_halt,
            warning_share=r.loss_warning_share,
            high_water_implausible_multiple=r.high_water_implausible_multiple,
            unexplained_step=r.unexplained_step,
            unexplained_settle_s=int(r.unexplained_settle_s),
        ),
        streaks=_streaks(settings),
        frequency=risk.FrequencyLimits(r.opens_per_hour_max, r.opens_per_day_max),
        quotes=_quotes(settings),
        feasibility=_feasibility(settings),
        fees=risk.Fees(settings.exchange.maker_fee, settings.exchange.taker_fee),
        exit_costs=ExitCosts(settings.exchange.taker_fee, r.exit_slippage_bps * BPS),
        take_profits=risk.TakeProfitLimits(
            tp1_r=tp.tp1_r,
            tp2_r=tp.tp2_r,
            default_split=_split(tp.split_default),
            splits=MappingProxyType(
                {
                    Regime.TIGHT_SMC: _split(tp.split_tight_smc),
                    Regime.WIDE_STRUCTURE: _split(tp.split_wide_structure),
                    Regime.CONSOLIDATION: _split(tp.split_consolidation),
                }
            ),
        ),
    )


def _sizing(settings: Settings) -> risk.SizingLimits:
    s = settings.risk.sizing
    return risk.SizingLimits(
        method=risk.SizingMethod(s.method),
        risk_per_trade=settings.risk.risk_per_trade,
        risk_ceiling_multiple=s.risk_ceiling_multiple,
        leverage_share=s.leverage_share,
        kelly_win_probability=s.kelly_win_probability,
        kelly_win_loss_ratio=s.kelly_win_loss_ratio,
        kelly_fraction_max=s.kelly_fraction_max,
        volatility_high_ratio=s.volatility_high_ratio,
        volatility_high_factor=s.volatility_high_factor,
        volatility_low_ratio=s.volatility_low_ratio,
        volatility_low_factor=s.volatility_low_factor,
    )


def _streaks(settings: Settings) -> risk.StreakLimits:
    s = settings.risk.streaks
    return risk.StreakLimits(
        loss_min_share=s.loss_bps_of_equity_min * BPS,
        symbol_losses=s.symbol_losses,
        symbol_window_s=int(s.symbol_window_hours * 3600),
        symbol_pause_s=int(s.symbol_pause_hours * 3600),
        tight_losses=s.tight_losses,
        tight_pause_s=int(s.tight_pause_minutes * 60),
        wide_losses=s.wide_losses,
        wide_pause_s=int(s.wide_pause_minutes * 60),
    )


def _quotes(settings: Settings) -> risk.QuoteLimits:
    e = settings.execution
    return risk.QuoteLimits(
        age_s_max=int(settings.data.tick_guard.quote_age_s_max),
        clock_skew_s_max=int(settings.safety.clock_skew_s_entry_max),
        spread_max=e.spread_max,
        signal_spread_max=e.signal_spread_max,
        index_deviation_max=e.index_deviation_max,
        chase_atr_15m_max=e.chase_atr_15m_max,
        depth_multiple_min=e.depth_multiple_min,
    )


def _feasibility(settings: Settings) -> risk.FeasibilityLimits:
    r, s = settings.risk, settings.strategy
    return risk.FeasibilityLimits(
        stop_distance_min=r.stop_distance_min,
        stop_distance_max=r.stop_distance_max,
        notional_min_usd=r.notional_usd_min,
        trade_net_min_usd=r.trade_usd_min,
        liquidation_stop_multiple=r.liquidation_stop_multiple,
        liquidation_distance_min=r.liquidation_distance_min,
        liquidation_buffer_min=r.liquidation_buffer_min,
        stress_shocks=tuple(r.stress_shocks),
        stop_gap_min=r.stop_gap_min,
        tight_cost_bps_max=r.cost_bps_max_tight,
        tight_reward_risk_min=r.reward_risk_min_tight,
        wide_cost_share_max=r.cost_share_of_risk_max_wide,
        tight_hold_h=s.hold_hours_tight,
        wide_hold_h=s.hold_hours_wide,
    )


def signal_rules(settings: Settings) -> SignalRules:
    cooldown = timedelta(hours=float(settings.strategy.signal_cooldown_hours))
    return SignalRules(cooldown, _quotes(settings), spread_fails_open=settings.execution.signal_spread_fails_open)


def starvation_rule(settings: Settings) -> StarvationRule:
    m = settings.monitoring
    return StarvationRule(m.starvation_signals, timedelta(hours=float(m.starvation_hours)))


def reconcile_rules(settings: Settings) -> ReconcileRules:
    r = settings.execution.reconcile
    return ReconcileRules(
        adopt_phantoms=r.phantom_policy == "adopt",
        adopted_stop_distance=r.adopted_stop_distance,
        adopted_liquidation_share=r.adopted_liquidation_share_min,
        unknown_settle_s=float(settings.execution.unknown_settle_s),
    )


def safety_rules(settings: Settings) -> SafetyRules:
    s = settings.safety
    return SafetyRules(
        limits=InvariantLimits(
            margin_degraded=s.margin_utilization_degraded,
            margin_halt=s.margin_utilization_halt,
            drawdown_degraded=s.drawdown_degraded,
            drawdown_halt=s.drawdown_halt,
            positions_degraded=s.positions_degraded,
            positions_halt=s.positions_halt,
            single_position_ratio=s.single_position_multiple,
            open_notional_usd_halt=s.open_notional_usd_halt,
            equity_floor_usd=s.equity_usd_min,
            api_errors_per_minute=s.api_errors_per_minute_max,
            rejects_per_cycle=s.rejects_per_cycle_max,
            latency_s=s.latency_s_max,
            clock_skew_s=s.clock_skew_s_degraded,
            loop_lag_s=s.loop_lag_s_max,
        ),
        modes=ModeRules(int(s.degraded_clear_s)),
        recovery=RecoveryRules(
            halt_age_s_min=int(s.auto_recovery.halt_age_s_min),
            utilization_below=s.auto_recovery.utilization_max,
            per_day_max=s.auto_recovery.per_day_max,
            is_enabled=s.auto_recovery.enabled,
        ),
    )


def position_parameters(settings: Settings) -> PositionParameters:
    """How positions are managed."""
    e, tp = settings.execution, settings.multi_tp
    protection, final = settings.safety.protection, tp.final_target
    return PositionParameters(
        entry_timeout=timedelta(seconds=float(e.entry_timeout_s)),
        entry_price_away=e.entry_price_away_max,
        entry_retries=e.post_only_reprices_max,
        taker_fee=settings.exchange.taker_fee,
        break_even_fees=tp.break_even_fee_multiple,
        premise_exit=tp.premise_exit,
        time_exit=None if tp.time_exit_hours is None else timedelta(hours=float(tp.time_exit_hours)),
        trail_ladder=tuple((step.from_r, step.atr_multiple) for step in tp.trailing_steps),
        trail_move_min=tp.trailing_move_min,
        trailing_activation_atr_min=tp.trailing_activation_atr_min,
        final_target=FinalTarget(final.action),
        final_target_r=final.at_r,
        final_target_tighten=final.tighten_atr_multiple,
        final_target_share=final.close_share,
        take_profit_distance_min=e.reconcile.tp_backfill_distance_min,
        take_profit_again_s=float(e.reconcile.tp_backfill_after_s),
        take_profit_cooldown_s=float(e.reconcile.tp_backfill_cooldown_minutes * 60),
        adopted_stop_retry_s=float(e.reconcile.adopted_stop_retry_s),
        adopted_stop_distance=e.reconcile.adopted_stop_distance,
        adopted_liquidation_share=e.reconcile.adopted_liquidation_share_min,
        naked_hard_s=float(protection.hard_close_s),
        through_stop_s=float(e.close.mark_through_stop_s),
        close_step_s=float(e.close.step_s),
        close_widths=(None, *e.close.through_mark),
    )
