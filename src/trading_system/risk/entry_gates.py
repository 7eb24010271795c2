"""The gates an entry passes before it has a size: each a small pure function, in the order of the table at the end.

Ratios and times are allowed up to and including their limit, except where a rule says "below" (drawdown, loss stops).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from trading_system.domain.exposure import ExposureKind, positions_count
from trading_system.domain.intents import EntryIntent, RefusalReason, Refused
from trading_system.domain.market import Ticker, TradingStatus
from trading_system.domain.units import ONE, ZERO, decimal_of
from trading_system.risk.limits import RiskLimits
from trading_system.risk.situation import Situation
from trading_system.risk.streaks import count_opens

EntryGate: TypeAlias = Callable[[EntryIntent, Situation, RiskLimits], Refused | None]
R = RefusalReason


def check_signal_stop(intent: EntryIntent, situation: Situation, limits: RiskLimits) -> Refused | None:
    """Entry, stop and target are finite and > 0; the stop lies on the loss side of the signal's entry, at a sane distance."""
    signal = intent.signal
    try:
        entry, stop, target = (decimal_of(level) for level in (signal.entry_price, signal.stop_price, signal.target_price))
    except ValueError as error:
        return Refused(R.STOP_WRONG_SIDE, ZERO, ZERO, note=str(error))
    if min(entry, stop, target) <= 0:
        return Refused(R.STOP_WRONG_SIDE, ZERO, min(entry, stop, target), note="signal levels must be above zero")
    return _check_stop(intent, entry, stop, limits)


def check_mode(intent: EntryIntent, situation: Situation, limits: RiskLimits) -> Refused | None:
    """Only NORMAL opens positions; and our clock must agree with the venue's."""
    if not situation.mode.allows_entries:
        return Refused(R.MODE_NOT_NORMAL, ZERO, Decimal(situation.mode.severity), note=f"system state is {situation.mode.value}")
    skew_max = Decimal(limits.quotes.clock_skew_s_max)
    if abs(situation.clock_skew_s) > skew_max:
        return Refused(R.CLOCK_SKEW, skew_max, abs(situation.clock_skew_s), note="seconds between our market time and the venue's")
    return None


def check_market_open(intent: EntryIntent, situation: Situation, limits: RiskLimits) -> Refused | None:
    """The market is in the universe (has a tier), and both the contract's specification and its live quote say OPEN."""
    if situation.market.tier is None:
        return Refused(R.MARKET_CLOSED, ONE, ZERO, note=f"{intent.symbol} is not eligible")
    for status in (situation.market.instrument.status, situation.market.ticker.status):
        if status is not TradingStatus.OPEN:
            return Refused(R.MARKET_CLOSED, ONE, ZERO, note=f"{intent.symbol} is {status.value}")
    return None


def check_quote(intent: EntryIntent, situation: Situation, limits: RiskLimits) -> Refused | None:
    """All prices present, finite, uncrossed, of this market, accepted by the tick guard, fresh, and mark near index."""
    ticker, quotes = situation.market.ticker, limits.quotes
    fault = _quote_fault(ticker, intent, situation)
    if fault is not None:
        return Refused(R.QUOTE_UNUSABLE, ONE, ZERO, note=fault)
    age = situation.now - ticker.at
    if age > timedelta(seconds=quotes.age_s_max) or -age > timedelta(seconds=quotes.clock_skew_s_max):
        return Refused(R.QUOTE_STALE, Decimal(quotes.age_s_max), decimal_of(age.total_seconds()), note="quote age in seconds")
    mark, index = ticker.mark or ZERO, ticker.index or ZERO
    deviation = abs(index - mark) / mark
    if deviation > quotes.index_deviation_max:
        return Refused(R.INDEX_DEVIATION, quotes.index_deviation_max, deviation)
    return None


def _quote_fault(ticker: Ticker, intent: EntryIntent, situation: Situation) -> str | None:
    if ticker.symbol != intent.symbol or situation.market.instrument.symbol != intent.symbol:
        return f"quote is of {ticker.symbol}, contract of {situation.market.instrument.symbol}"
    for name, price in (("bid", ticker.bid), ("ask", ticker.ask), ("mark", ticker.mark), ("index", ticker.index)):
        if price is None or not price.is_finite() or price <= 0:
            return f"{name} is {price}"
    if ticker.spread is None:
        return f"crossed: bid {ticker.bid}, ask {ticker.ask}"
    return None if situation.market.is_quote_accepted else "held back by the tick guard"


def check_stop_at_mark(intent: EntryIntent, situation: Situation, limits: RiskLimits) -> Refused | None:
    """The same stop rule against the price now, and never chase: mark within a share of ATR14(15m) of the signal's close."""
    signal = intent.signal
    mark = situation.market.ticker.mark or ZERO
    refused = _check_stop(intent, mark, decimal_of(signal.stop_price), limits)
    if refused is not None:
        return refused
    try:
        allowed = decimal_of(signal.atr_15m) * limits.quotes.chase_atr_15m_max
    except ValueError as error:
        return Refused(R.PRICE_MOVED, ZERO, ZERO, note=str(error))
    moved = abs(mark - decimal_of(signal.entry_price))
    return Refused(R.PRICE_MOVED, allowed, moved, note="distance of mark from the signal's close") if moved > allowed else None


def _check_stop(intent: EntryIntent, price: Decimal, stop: Decimal, limits: RiskLimits) -> Refused | None:
    distance = (price - stop) * intent.direction.sign / price
    if distance <= 0:
        return Refused(R.STOP_WRONG_SIDE, ZERO, distance, note=f"stop {stop} is not on the loss side of {price}")
    feasibility = limits.feasibility
    if distance < feasibility.stop_distance_min:
        return Refused(R.STOP_DISTANCE, feasibility.stop_distance_min, distance, note="stop too close")
    if distance > feasibility.stop_distance_max:
        return Refused(R.STOP_DISTANCE, feasibility.stop_distance_max, distance, note="stop too far")
    return None


def check_symbol_is_free(intent: EntryIntent, situation: Situation, limits: RiskLimits) -> Refused | None:
    """Nothing of ours or of the venue's lives on this market: no order of open fate, no position, no leftover."""
    for item in situation.book.on(intent.symbol):
        match item.kind:
            case ExposureKind.IN_FLIGHT | ExposureKind.RESTING:
                return Refused(R.PENDING_ORDER, ZERO, item.qty, note=f"an entry order on {intent.symbol} is {item.kind.value}")
            case ExposureKind.UNKNOWN:
                return Refused(R.UNKNOWN_ORDER, ZERO, item.qty, note=f"the fate of an order on {intent.symbol} is not known")
            case ExposureKind.POSITION:
                note = f"Exchange has live exposure on {intent.symbol}: {item.direction.value} {item.qty}. Blocking"
                return Refused(R.LIVE_EXPOSURE, ZERO, item.qty, note=note)
    if intent.symbol in situation.book.leftover_symbols:
        return Refused(R.LEFTOVER_ORDER, ZERO, ONE, note=f"an order of an earlier position still rests on {intent.symbol}")
    return None


def check_losses(intent: EntryIntent, situation: Situation, limits: RiskLimits) -> Refused | None:
    """A usable, fresh account standing; drawdown below its limit; neither day nor week stopped."""
    if situation.account.equity_for_sizing <= 0 or not situation.account.equity_for_sizing.is_finite():
        return Refused(R.EQUITY_UNUSABLE, ZERO, situation.account.equity_for_sizing)
    losses, rules = situation.losses, limits.losses
    if losses is None:
        return Refused(R.LOSS_STATE_STALE, Decimal(rules.reading_age_s_max), ZERO, note="loss limits were never computed")
    age = situation.now - losses.as_of
    if abs(age) > timedelta(seconds=rules.reading_age_s_max):
        return Refused(
            R.LOSS_STATE_STALE, Decimal(rules.reading_age_s_max), decimal_of(age.total_seconds()), note="seconds since the last reading"
        )
    if losses.is_drawdown_degraded or losses.drawdown >= rules.drawdown_degraded:
        return Refused(R.DRAWDOWN, rules.drawdown_degraded, losses.drawdown)
    if losses.is_day_stopped:
        return Refused(R.DAILY_LOSS, losses.day_limit_usd, -losses.day_pnl, note="Daily stop loss hit")
    if losses.is_week_stopped:
        return Refused(R.WEEKLY_LOSS, losses.week_limit_usd, -losses.week_pnl, note="Weekly stop loss hit")
    return None


def check_streaks(intent: EntryIntent, situation: Situation, limits: RiskLimits) -> Refused | None:
    """No pause of the market or of the regime is running."""
    streaks, now = situation.streaks, situation.now
    for reason, until in (
        (R.SYMBOL_PAUSED, streaks.symbol_pause(intent.symbol, now)),
        (R.LOSS_STREAK, streaks.regime_pause(intent.signal.regime, now)),
    ):
        if until is not None:
            seconds_left = decimal_of((until - now).total_seconds())
            return Refused(reason, ZERO, seconds_left, note=f"paused until {until.isoformat()}")
    return None


def check_frequency(intent: EntryIntent, situation: Situation, limits: RiskLimits) -> Refused | None:
    """This open included, no more than the hourly and daily number of entry sends."""
    counts, rules = count_opens(situation.recent_opens, situation.now), limits.frequency
    if counts.hour_room(rules) < 1:
        return Refused(R.FREQUENCY_HOUR, Decimal(rules.hour_max), Decimal(counts.hour + 1))
    if counts.day_room(rules) < 1:
        return Refused(R.FREQUENCY_DAY, Decimal(rules.day_max), Decimal(counts.day + 1))
    return None


def check_position_count(intent: EntryIntent, situation: Situation, limits: RiskLimits) -> Refused | None:
    """This one included, no more positions than the auction plans for: the pre-trade twin of the count invariant."""
    count = positions_count(situation.book.items) + 1
    return Refused(R.POSITIONS_MAX, Decimal(limits.caps.positions_max), Decimal(count)) if count > limits.caps.positions_max else None


ENTRY_GATES: Final[tuple[EntryGate, ...]] = (
    check_signal_stop,
    check_mode,
    check_market_open,
    check_quote,
    check_stop_at_mark,
    check_symbol_is_free,
    check_losses,
    check_streaks,
    check_frequency,
    check_position_count,
)
