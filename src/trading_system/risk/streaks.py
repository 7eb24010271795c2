"""Pauses after losses and how often we may open: pure state, fed from closed trades whose numbers come from venue fills."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trading_system.domain.signals import Regime
from trading_system.domain.symbols import Symbol
from trading_system.risk.limits import FrequencyLimits, StreakLimits


@dataclass(frozen=True, slots=True)
class TradeResult:
    """One closed round trip. net_pnl: USD, fees and funding included; equity: USD at the close."""

    symbol: Symbol
    regime: Regime
    closed_at: datetime
    net_pnl: Decimal
    equity: Decimal


@dataclass(frozen=True, slots=True)
class StreakState:
    """Losses remembered and pauses running. Rebuilt after a restart by folding the last two days of closed trades."""

    symbol_losses: Mapping[Symbol, tuple[datetime, ...]] = field(default_factory=dict)
    symbol_paused_until: Mapping[Symbol, datetime] = field(default_factory=dict)
    regime_losses: Mapping[Regime, int] = field(default_factory=dict)
    regime_paused_until: Mapping[Regime, datetime] = field(default_factory=dict)

    def symbol_pause(self, symbol: Symbol, now: datetime) -> datetime | None:
        """End of the running pause of a market, or None."""
        until = self.symbol_paused_until.get(symbol)
        return until if until is not None and now < until else None

    def regime_pause(self, regime: Regime, now: datetime) -> datetime | None:
        """End of the running loss-streak pause of a regime, or None."""
        until = self.regime_paused_until.get(regime)
        return until if until is not None and now < until else None


def record_trade(state: StreakState, trade: TradeResult, limits: StreakLimits) -> StreakState:
    """Fold one closed trade in. A gain ends the regime's streak; a loss below the minimum share of equity changes nothing."""
    if trade.net_pnl > 0:
        return StreakState(
            state.symbol_losses, state.symbol_paused_until, {**state.regime_losses, trade.regime: 0}, state.regime_paused_until
        )
    if -trade.net_pnl < limits.loss_min_share * trade.equity:
        return state
    window = timedelta(seconds=limits.symbol_window_s)
    recent = (*(at for at in state.symbol_losses.get(trade.symbol, ()) if trade.closed_at - at < window), trade.closed_at)
    symbol_pauses = dict(state.symbol_paused_until)
    if len(recent) >= limits.symbol_losses:
        symbol_pauses[trade.symbol] = trade.closed_at + timedelta(seconds=limits.symbol_pause_s)
        recent = ()
    losses = state.regime_losses.get(trade.regime, 0) + 1
    regime_pauses = dict(state.regime_paused_until)
    rule = _rule(trade.regime, limits)
    if rule is not None and losses >= rule[0]:
        regime_pauses[trade.regime] = trade.closed_at + timedelta(seconds=rule[1])
        losses = 0
    return StreakState(
        {**state.symbol_losses, trade.symbol: recent}, symbol_pauses, {**state.regime_losses, trade.regime: losses}, regime_pauses
    )


def _rule(regime: Regime, limits: StreakLimits) -> tuple[int, int] | None:
    """(losses in a row, pause in seconds) of a regime; None = no such pause."""
    match regime:
        case Regime.TIGHT_SMC:
            return limits.tight_losses, limits.tight_pause_s
        case Regime.WIDE_STRUCTURE:
            return limits.wide_losses, limits.wide_pause_s
        case Regime.CONSOLIDATION:
            return None


@dataclass(frozen=True, slots=True)
class OpenCounts:
    """Entry sends in the last rolling hour and 24 hours."""

    hour: int
    day: int

    def hour_room(self, limits: FrequencyLimits) -> int:
        return limits.hour_max - self.hour

    def day_room(self, limits: FrequencyLimits) -> int:
        return limits.day_max - self.day


def count_opens(times: Iterable[datetime], now: datetime) -> OpenCounts:
    """Count sends younger than an hour and a day. A time in the future (clock stepped back) counts: never more freedom."""
    ages = [now - at for at in times]
    return OpenCounts(hour=sum(age < timedelta(hours=1) for age in ages), day=sum(age < timedelta(days=1) for age in ages))
