"""How an order meets the book. Pure: levels in, executions out; nothing is booked here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from trading_system.domain.orders import Side
from trading_system.domain.units import floor_to_step
from trading_system.sim.book import Level, Touch

TOUCH_SHARE: Final = Decimal("0.25")
"""Of a point's volume: what a resting order at the traded price gets of it (others queue there too)."""


@dataclass(frozen=True, slots=True)
class Take:
    """One execution against a synthetic level."""

    level: int
    ticks: int
    size: Decimal


def is_within(side: Side, ticks: int, limit_ticks: int) -> bool:
    """True when a taker on `side` may trade at `ticks` under its limit."""
    return ticks <= limit_ticks if side is Side.BUY else ticks >= limit_ticks


def walk(opposite: Iterable[Level], side: Side, size: Decimal, limit_ticks: int) -> tuple[Take, ...]:
    """Walk the opposite levels, best first, up to the limit. The result may sum to less than `size`: the depth was short."""
    takes: list[Take] = []
    left = size
    for level in opposite:
        if left <= 0 or not is_within(side, level.ticks, limit_ticks):
            break
        taken = min(left, level.size)
        takes.append(Take(level.number, level.ticks, taken))
        left -= taken
    return tuple(takes)


def resting_fill(side: Side, limit_ticks: int, unfilled: Decimal, best: Touch, last_ticks: int, traded: Decimal, step: Decimal) -> Decimal:
    """How much of a resting limit order executes now: all when the market moved through it, a part at a touch, else 0.

    traded: base units of this point's public volume. step: size step.
    """
    through = best.ask <= limit_ticks if side is Side.BUY else best.bid >= limit_ticks
    if through:
        return unfilled
    touched = last_ticks <= limit_ticks if side is Side.BUY else last_ticks >= limit_ticks
    if not touched:
        return Decimal(0)
    return min(unfilled, max(step, floor_to_step(traded * TOUCH_SHARE, step)))


def guard_ticks(side: Side, best: Touch, guard: Decimal) -> int:
    """The limit of a market order: `guard` (fraction) beyond the touch it would take, at least that touch."""
    if side is Side.BUY:
        return int((best.ask * (1 + guard)).to_integral_value(ROUND_FLOOR))
    return max(1, int((best.bid * (1 - guard)).to_integral_value(ROUND_CEILING)))
