"""The margin schedules of linear perpetuals (Kraken Futures support pages): the larger the position, the less leverage."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Final

from trading_system.domain.market import MarginLevel


class MarginClass(Enum):
    """A is the most generous (50x), E the least (10x)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


_RATES: Final = ("0.02", "0.04", "0.05", "0.10", "0.20", "0.30", "0.50")
# USD notional from which each rate applies; None = the class does not have that rate
_FROM: Final[dict[MarginClass, tuple[int | None, ...]]] = {
    MarginClass.A: (0, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 60_000_000),
    MarginClass.B: (0, 250_000, 750_000, 1_000_000, 5_000_000, 10_000_000, 30_000_000),
    MarginClass.C: (None, 0, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000),
    MarginClass.D: (None, None, 0, 10_000, 250_000, 500_000, 2_000_000),
    MarginClass.E: (None, None, None, 0, None, None, None),
}


def margin_levels(margin_class: MarginClass) -> tuple[MarginLevel, ...]:
    """The levels of a class, ascending by notional. Maintenance is half of initial."""
    return tuple(
        MarginLevel(Decimal(start), Decimal(rate), Decimal(rate) / 2)
        for start, rate in zip(_FROM[margin_class], _RATES, strict=True)
        if start is not None
    )


def rate_for(levels: tuple[MarginLevel, ...], notional: Decimal) -> MarginLevel:
    """The level of a position of `notional` USD (>= 0); the whole position takes its rate."""
    chosen = levels[0]
    for level in levels:
        if notional >= level.notional_from:
            chosen = level
    return chosen
