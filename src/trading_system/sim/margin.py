"""What positions and open orders tie up. Pure. Margin is a rate of the entry value; the whole position takes its level's rate."""

from __future__ import annotations

from decimal import Decimal

from trading_system.domain.market import MarginLevel
from trading_system.sim.margin_schedule import rate_for


def initial_margin(levels: tuple[MarginLevel, ...], notional: Decimal) -> Decimal:
    """Of a position of `notional` USD (unsigned)."""
    return notional * rate_for(levels, notional).initial


def maintenance_margin(levels: tuple[MarginLevel, ...], notional: Decimal) -> Decimal:
    """Of a position of `notional` USD (unsigned)."""
    return notional * rate_for(levels, notional).maintenance


def margin_with_orders(levels: tuple[MarginLevel, ...], cost: Decimal, buys: Decimal, sells: Decimal) -> Decimal:
    """Initial margin of the worst case: nothing, all buys, or all sells of the open orders execute.

    cost: signed entry value of the position. buys, sells: USD of open orders that are not reduce-only, at their limits.
    """
    worst = max(abs(cost), abs(cost + buys), abs(cost - sells))
    return initial_margin(levels, worst)


def liquidation_mark(size: Decimal, mark: Decimal, equity: Decimal, maintenance: Decimal) -> Decimal | None:
    """The mark at which equity meets total maintenance when only this market moves; None when no positive price does."""
    price = mark - (equity - maintenance) / size
    return price if price > 0 else None
