"""Position arithmetic that loses no digit.

The trap it avoids: an average entry price is a quotient and cannot be stored exactly. A position keeps its signed cost
(sum of price x quantity) instead; a partial close takes a rounded share of it and leaves the exact rest, so that the
realised sums of a round trip equal its cash flows to the last digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

MONEY_QUANTUM: Final = Decimal("1E-12")
"""Quotients and products with rates are rounded to this before they are booked."""


def booked(amount: Decimal) -> Decimal:
    """Round an amount of USD for booking."""
    return amount.quantize(MONEY_QUANTUM, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Position:
    """An open position. `size` signed, never 0; `cost` has its sign. Funding accrues from `funding_from_ms`."""

    symbol: str
    size: Decimal
    cost: Decimal
    changed_ms: int
    funding_from_ms: int

    @property
    def entry_price(self) -> Decimal:
        """Average, for display: a quotient."""
        return self.cost / self.size

    @property
    def entry_notional(self) -> Decimal:
        """Unsigned USD at entry: the basis of margin."""
        return abs(self.cost)

    def pnl_at(self, price: Decimal) -> Decimal:
        return self.size * price - self.cost


def apply_fill(size: Decimal, cost: Decimal, quantity: Decimal, price: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """Return (new size, new cost, realised P&L) after buying (`quantity` > 0) or selling (< 0) at `price`."""
    if size * quantity >= 0:
        return size + quantity, cost + quantity * price, Decimal(0)
    if abs(quantity) < abs(size):
        closed_cost = booked(cost * (-quantity) / size)
        return size + quantity, cost - closed_cost, -quantity * price - closed_cost
    rest = size + quantity  # zero, or the position flips
    return rest, rest * price, size * price - cost


def funding_due(size: Decimal, absolute_rate: Decimal, elapsed_ms: int) -> Decimal:
    """Funding received (positive) or paid for holding `size` (signed) that long. Rate: USD per base unit per hour, positive = longs pay."""
    return booked(-size * absolute_rate * elapsed_ms / 3_600_000)
