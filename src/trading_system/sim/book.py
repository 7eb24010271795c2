"""The synthetic book round a mid price: a pure function of mid, the market's liquidity and the point's number.

Levels lie dense at the touch and thin out to 10 % away; their sizes grow outward and sum to the market's depth within 1 %.
Prices are counted in whole ticks: integers cannot drift off the grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading_system.domain.orders import Side
from trading_system.sim.source import MarketSpec

LEVELS: Final = 48
_FARTHEST: Final = 0.10
_WEIGHT_WITHIN_1_PERCENT: Final = sum(k + 1 for k in range(LEVELS) if _FARTHEST * (k / LEVELS) ** 2 <= 0.01)
_OFFSETS: Final = tuple(_FARTHEST * (k / LEVELS) ** 2 for k in range(LEVELS))


@dataclass(frozen=True, slots=True)
class Level:
    """One level: its number from the touch, price in ticks, size in base units (> 0)."""

    number: int
    ticks: int
    size: Decimal


@dataclass(frozen=True, slots=True)
class Touch:
    """Best bid and ask in ticks; bid < ask."""

    bid: int
    ask: int


def touch(mid: float, spec: MarketSpec, tick: float) -> Touch:
    """Best prices round `mid`: the tier's spread, at least one tick. `tick` is spec.tick as float."""
    half = spec.half_spread_bps * 1e-4
    # the epsilon keeps a mid that sits on a tick there in spite of binary division
    bid = max(1, math.floor(mid * (1 - half) / tick + 1e-6))
    ask = math.ceil(mid * (1 + half) / tick - 1e-6)
    return Touch(bid, max(ask, bid + 1))


def levels(side: Side, best: Touch, spec: MarketSpec, point: int) -> Iterator[Level]:
    """The side's own levels (BUY = bids), best first. `point` varies the sizes from point to point."""
    away = -1 if side is Side.BUY else 1
    first = best.bid if side is Side.BUY else best.ask
    tick, step = float(spec.tick), float(spec.size_step)
    salt = (point * 2654435761 + (7919 if side is Side.BUY else 104729)) & 0xFFFFFFFF
    previous = first - away
    for number, offset in enumerate(_OFFSETS):
        ticks = first + away * max(number, round(first * offset))
        if (ticks - previous) * away <= 0:
            ticks = previous + away
        if ticks < 1:
            return
        previous = ticks
        salt = (salt * 1664525 + 1013904223) & 0xFFFFFFFF
        usd = spec.depth_usd * (number + 1) / _WEIGHT_WITHIN_1_PERCENT * (0.5 + salt / 4294967296)
        steps = max(1, int(usd / (ticks * tick) / step))
        yield Level(number, ticks, steps * spec.size_step)
