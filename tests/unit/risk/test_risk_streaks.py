"""Pauses after losses."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal as D

from risk_builders import BTC, NOW
from trading_system.domain.signals import Regime
from trading_system.domain.symbols import Symbol
from trading_system.risk.limits import StreakLimits
from trading_system.risk.streaks import OpenCounts, StreakState, TradeResult, count_opens, record_trade

LIMITS = StreakLimits()
HOUR = timedelta(hours=1)


def after(*trades: tuple[datetime, str, Regime, str]) -> StreakState:
    state = StreakState()
    for at, pnl, regime, symbol in trades:
        state = record_trade(state, TradeResult(Symbol(symbol), regime, at, D(pnl), D("10000")), LIMITS)
    return state


TIGHT, WIDE = Regime.TIGHT_SMC, Regime.WIDE_STRUCTURE


def test_three_losses_of_a_market_within_a_day_pause_it_for_twelve_hours() -> None:
    state = after((NOW - 23 * HOUR, "-30", WIDE, "BTC/USD"), (NOW - HOUR, "-30", WIDE, "BTC/USD"), (NOW, "-30", WIDE, "BTC/USD"))

    assert state.symbol_pause(BTC, NOW) == NOW + 12 * HOUR
    assert state.symbol_pause(BTC, NOW + 12 * HOUR) is None
    assert state.symbol_pause(Symbol("ETH/USD"), NOW) is None


def test_losses_a_day_apart_do_not_add_up() -> None:
    state = after((NOW - 24 * HOUR, "-30", WIDE, "BTC/USD"), (NOW - HOUR, "-30", WIDE, "BTC/USD"), (NOW, "-30", WIDE, "BTC/USD"))

    assert state.symbol_pause(BTC, NOW) is None


def test_three_tight_losses_in_a_row_pause_tight_for_two_hours_and_wide_not_at_all() -> None:
    state = after(*((NOW, "-20", TIGHT, f"C{i}/USD") for i in range(3)))

    assert state.regime_pause(TIGHT, NOW) == NOW + 2 * HOUR
    assert state.regime_pause(WIDE, NOW) is None


def test_five_wide_losses_in_a_row_pause_wide_for_ninety_minutes() -> None:
    assert after(*((NOW, "-20", WIDE, f"C{i}/USD") for i in range(4))).regime_pause(WIDE, NOW) is None
    assert after(*((NOW, "-20", WIDE, f"C{i}/USD") for i in range(5))).regime_pause(WIDE, NOW) == NOW + 1.5 * HOUR


def test_a_gain_ends_the_streak_and_a_loss_below_twenty_bps_neither_counts_nor_ends_it() -> None:
    loss, small, gain = ("-20", "-19.99", "1")

    assert after(*((NOW, pnl, TIGHT, "BTC/USD") for pnl in (loss, loss, gain, loss))).regime_pause(TIGHT, NOW) is None
    assert after(*((NOW, pnl, TIGHT, "BTC/USD") for pnl in (loss, loss, small))).regime_pause(TIGHT, NOW) is None
    assert after(*((NOW, pnl, TIGHT, f"{i}X/USD") for i, pnl in enumerate((loss, loss, small, loss)))).regime_pause(TIGHT, NOW) is not None


def test_opens_are_counted_over_rolling_windows_and_a_future_time_counts() -> None:
    times = (NOW + HOUR, NOW - 0.5 * HOUR, NOW - HOUR, NOW - 23 * HOUR, NOW - 24 * HOUR)

    assert count_opens(times, NOW) == OpenCounts(hour=2, day=4)
