"""Builders for risk, auction and safety tests: a healthy world in which each test spoils exactly one thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

from trading_system.domain.account import AccountSnapshot
from trading_system.domain.exposure import ExposureItem, ExposureKind, exposure_item
from trading_system.domain.intents import EntryIntent
from trading_system.domain.market import BookLevel, Instrument, MarginLevel, OrderBook, Ticker, Tier, TradingStatus
from trading_system.domain.modes import Mode
from trading_system.domain.orders import Direction, PositionId
from trading_system.domain.signals import Ladder, Regime, Signal
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty, Usd
from trading_system.risk.limits import RiskLimits
from trading_system.risk.loss_state import LossStanding
from trading_system.risk.situation import ExposureBook, MarketView, Situation
from trading_system.risk.streaks import StreakState

NOW = datetime(2025, 3, 5, 12, 0, tzinfo=UTC)
BTC = Symbol("BTC/USD")
LIMITS = RiskLimits()
LEVELS_A = tuple(
    MarginLevel(D(start), D(initial), D(initial) / 2)
    for start, initial in (
        ("0", "0.02"),
        ("1000000", "0.04"),
        ("2000000", "0.05"),
        ("5000000", "0.10"),
        ("10000000", "0.20"),
        ("20000000", "0.30"),
        ("60000000", "0.50"),
    )
)


def a_signal(
    symbol: str = "BTC/USD",
    direction: Direction = Direction.LONG,
    *,
    entry: float = 100.0,
    stop: float | None = None,
    target: float | None = None,
    score: float = 80.0,
    regime: Regime = Regime.TIGHT_SMC,
    at_ms: int = 1_741_176_000_000,
    setup: str = "ob+fvg bos",
) -> Signal:
    """Long 100, stop 98 (2 %), target 106 (3 R); mirrored for shorts."""
    sign = direction.sign
    return Signal(
        symbol=Symbol(symbol),
        at_ms=at_ms,
        direction=direction,
        regime=regime,
        entry_price=entry,
        stop_price=entry - 2 * sign if stop is None else stop,
        target_price=entry + 6 * sign if target is None else target,
        score=score,
        reward_risk=3.0,
        atr_15m=0.5,
        atr_4h=2.0,
        cost_bps=12.0,
        setup=setup,
        ladder=Ladder(Symbol(symbol), at_ms, entry, ()),
    )


def an_intent(signal: Signal | None = None, **of_signal: Any) -> EntryIntent:
    signal = a_signal(**of_signal) if signal is None else signal
    return EntryIntent(PositionId(f"{signal.symbol.split('/')[0]}-202503051200"), signal, NOW)


def an_instrument(symbol: str = "BTC/USD", **changes: Any) -> Instrument:
    plain = Instrument(
        symbol=Symbol(symbol),
        venue_symbol="PF_XBTUSD",
        tick=D("0.01"),
        size_step=D("0.001"),
        size_min=Qty(D("0.001")),
        position_size_max=None,
        margin_levels=LEVELS_A,
        status=TradingStatus.OPEN,
    )
    return replace(plain, **changes)


def a_ticker(symbol: str = "BTC/USD", mark: str = "100", **changes: Any) -> Ticker:
    price = D(mark)
    plain = Ticker(
        symbol=Symbol(symbol),
        at=NOW - timedelta(seconds=2),
        bid=Price(price - D("0.01")),
        ask=Price(price + D("0.01")),
        last=Price(price),
        mark=Price(price),
        index=Price(price),
        volume_quote_24h=D("50000000"),
        funding_rate_hourly=D("0"),
    )
    return replace(plain, **changes)


def a_book(symbol: str = "BTC/USD", mark: str = "100", qty: str = "100000", **changes: Any) -> OrderBook:
    price = D(mark)
    plain = OrderBook(
        Symbol(symbol),
        NOW - timedelta(seconds=1),
        bids=(BookLevel(Price(price - D("0.01")), Qty(D(qty))),),
        asks=(BookLevel(Price(price + D("0.01")), Qty(D(qty))),),
    )
    return replace(plain, **changes)


def an_account(equity: str = "10000", available: str | None = None, **changes: Any) -> AccountSnapshot:
    value = Usd(D(equity))
    plain = AccountSnapshot(
        at=NOW,
        balance_value=value,
        portfolio_value=value,
        collateral_value=value,
        margin_equity=value,
        initial_margin=Usd(D(0)),
        initial_margin_with_orders=Usd(D(0)),
        maintenance_margin=Usd(D(0)),
        available_margin=value if available is None else Usd(D(available)),
        unrealized_pnl=Usd(D(0)),
        unrealized_funding=Usd(D(0)),
    )
    return replace(plain, **changes)


def a_standing(equity: str = "10000", **changes: Any) -> LossStanding:
    value = D(equity)
    plain = LossStanding(
        as_of=NOW,
        equity=value,
        day_pnl=D(0),
        day_limit_usd=value * D("0.05"),
        is_day_stopped=False,
        week_pnl=D(0),
        week_limit_usd=value * D("0.07"),
        is_week_stopped=False,
        drawdown=D(0),
    )
    return replace(plain, **changes)


def an_item(
    symbol: str = "ETH/USD",
    direction: Direction = Direction.LONG,
    *,
    qty: str = "10",
    mark: str = "100",
    entry: str | None = None,
    stop: str | None = "98",
    kind: ExposureKind = ExposureKind.POSITION,
    leverage: str = "7",
) -> ExposureItem:
    """A long of 10 at 100 with its stop 2 % away: notional 1,000 USD."""
    return exposure_item(
        symbol=Symbol(symbol),
        direction=direction,
        kind=kind,
        qty=Qty(D(qty)),
        mark=Price(D(mark)),
        entry_price=Price(D(mark if entry is None else entry)),
        stop_price=None if stop is None else Price(D(stop)),
        margin_levels=LEVELS_A,
        leverage_max=D(leverage),
    )


def a_market(symbol: str = "BTC/USD", mark: str = "100", tier: Tier | None = Tier.A, **changes: Any) -> MarketView:
    return replace(MarketView(an_instrument(symbol), tier, a_ticker(symbol, mark), a_book(symbol, mark)), **changes)


def a_situation(equity: str = "10000", **changes: Any) -> Situation:
    plain = Situation(
        now=NOW,
        mode=Mode.NORMAL,
        market=a_market(),
        book=ExposureBook(),
        account=an_account(equity),
        losses=a_standing(equity),
        streaks=StreakState(),
    )
    return replace(plain, **changes)
