"""What size the limits leave for one trade: which limit binds, and where nothing fits at all (dead zone). Pure.

A model of the sizing gates with an empty book, the venue's step sizes and margin schedule left out: it answers whether the
*configured* limits leave room. Notionals are USD, stops and ratios fractions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from trading_system.config.settings import Settings
from trading_system.config.settings_trading import NotionalCapSettings, TierLimitSettings

D = Decimal

TierName: TypeAlias = Literal["A", "B", "C"]

EQUITIES: Final = (D(100), D(350), D(10_000))
TIERS: Final[tuple[TierName, ...]] = ("A", "B", "C")
STOPS: Final = tuple(D(text) / 100 for text in "0.6 0.8 1 1.5 2 3 4 5 6 8 10".split())


@dataclass(frozen=True, slots=True)
class SizeCell:
    """The largest notional the limits leave for one trade, who binds it, and the smallest notional that is allowed."""

    equity: Decimal
    tier: TierName
    stop: Decimal
    notional: Decimal
    binding: str
    minimum: Decimal

    @property
    def is_dead(self) -> bool:
        return self.notional < self.minimum


def scan_sizes(settings: Settings) -> tuple[SizeCell, ...]:
    """Every cell of equity x tier x stop distance."""
    return tuple(size_cell(settings, equity, tier, stop) for equity in EQUITIES for tier in TIERS for stop in STOPS)


def size_cell(settings: Settings, equity: Decimal, tier: TierName, stop: Decimal) -> SizeCell:
    """One cell: the smallest of all bounds, first named wins a tie."""
    binding, notional = min(_bounds(settings, equity, tier, stop), key=lambda bound: bound[1])
    return SizeCell(equity, tier, stop, notional, binding, minimum_notional(settings))


def minimum_notional(settings: Settings) -> Decimal:
    """The larger of the plain minimum and the minimum that must remain net of two taker fees."""
    risk = settings.risk
    return max(risk.notional_usd_min, risk.trade_usd_min / (1 - 2 * settings.exchange.taker_fee))


def tier_limits(settings: Settings, tier: TierName) -> TierLimitSettings:
    tiers = settings.risk.tiers
    match tier:
        case "A":
            return tiers.a
        case "B":
            return tiers.b
        case "C":
            return tiers.c


def planned_leverage_max(settings: Settings, tier: TierName) -> Decimal:
    """min(risk.max_leverage, tier); the venue may allow less."""
    return min(settings.risk.max_leverage, tier_limits(settings, tier).max_leverage)


def _bounds(settings: Settings, equity: Decimal, tier: TierName, stop: Decimal) -> Iterator[tuple[str, Decimal]]:
    risk, leverage = settings.risk, planned_leverage_max(settings, tier)
    basis = leverage if risk.exposure_basis == "margin" else D(1)
    exit_cost = settings.exchange.taker_fee + risk.exit_slippage_bps / 10_000
    yield "risk.risk_per_trade", _wish(settings, equity, leverage, stop)
    yield "risk.max_open_risk", risk.max_open_risk * equity / (stop + (1 - stop) * exit_cost)
    yield f"risk.tiers.{tier.lower()}.notional_usd_max", tier_limits(settings, tier).notional_usd_max
    yield "risk.single_position", risk.single_position * equity * basis
    yield "risk.aggregate", risk.aggregate * equity * basis
    yield "risk.open_notional_usd_max", risk.open_notional_usd_max
    yield "risk.planned_utilization_max", risk.planned_utilization_max * equity * leverage
    yield "risk.available_margin_share", risk.available_margin_share * equity * leverage
    for name, cap in (("risk.position_notional", risk.position_notional), ("risk.total_notional", risk.total_notional)):
        if cap is not None:
            yield name, cap_at(cap, equity)
    yield "liquidation distance", equity * _liquidation_multiple(settings, leverage, stop)
    yield "risk.stress_shocks", equity * stress_multiple(settings, leverage)


def _wish(settings: Settings, equity: Decimal, leverage: Decimal, stop: Decimal) -> Decimal:
    """The size the sizing method asks for at a normal volatility."""
    risk, sizing = settings.risk, settings.risk.sizing
    by_risk = equity * risk.risk_per_trade / stop
    match sizing.method:
        case "risk_based" | "volatility":
            return by_risk
        case "leverage_based":
            return min(equity * leverage * sizing.leverage_share, by_risk * sizing.risk_ceiling_multiple)
        case "kelly" | "kelly_volatility":
            edge = sizing.kelly_win_probability - (1 - sizing.kelly_win_probability) / sizing.kelly_win_loss_ratio
            return by_risk * max(D(0), min(edge, sizing.kelly_fraction_max)) / sizing.kelly_fraction_max


def _maintenance(leverage: Decimal) -> Decimal:
    """Maintenance margin as a fraction of notional: half of the initial margin, as Kraken's linear perpetuals have it."""
    return 1 / leverage / 2


def _liquidation_multiple(settings: Settings, leverage: Decimal, stop: Decimal) -> Decimal:
    """Notional / equity at which the liquidation price is just far enough away (one long position, cross margin)."""
    risk = settings.risk
    needed = max(risk.liquidation_stop_multiple * stop, risk.liquidation_distance_min, stop / (1 - risk.liquidation_buffer_min))
    rate = _maintenance(leverage)
    return 1 / (needed * (1 - rate) + rate)


def stress_multiple(settings: Settings, leverage: Decimal) -> Decimal:
    """One-sided notional / equity at which the largest shock leaves just the maintenance margin."""
    shock, rate = max(settings.risk.stress_shocks), _maintenance(leverage)
    # a short is the worse side: its notional grows with the price
    return 1 / (shock + rate * (1 + shock))


def cap_at(cap: NotionalCapSettings, equity: Decimal) -> Decimal:
    return max(cap.equity_share * equity, cap.floor_usd)


def notional_multiple_max(settings: Settings) -> Decimal:
    """The most notional / equity the whole book can reach at any of the scanned equities."""
    leverage = max(planned_leverage_max(settings, tier) for tier in TIERS)
    by_margin = settings.risk.planned_utilization_max * leverage
    total = settings.risk.total_notional
    if total is None:
        return by_margin
    return min(by_margin, max(cap_at(total, equity) / equity for equity in EQUITIES))


def binding_ranges(cells: Iterable[SizeCell]) -> Iterator[tuple[Decimal, TierName, str, Decimal, Decimal]]:
    """(equity, tier, binding limit, from stop, to stop), neighbouring stops with the same limit joined."""
    current: SizeCell | None = None
    last: SizeCell | None = None
    for cell in cells:
        if current and last and (cell.equity, cell.tier, cell.binding) != (current.equity, current.tier, current.binding):
            yield current.equity, current.tier, current.binding, current.stop, last.stop
            current = None
        current, last = current or cell, cell
    if current and last:
        yield current.equity, current.tier, current.binding, current.stop, last.stop
