"""Money has a name and is Decimal. The one place for rounding, and the one door from float signals to prices.

The trap it avoids: `quantize()` keeps decimals instead of multiples (7 at step 5 would stay 7), and binary floats
carry digits nobody meant into an order.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final, NewType

Price = NewType("Price", Decimal)
"""Quote currency per base unit, > 0."""
Qty = NewType("Qty", Decimal)
"""Base units, never negative: direction lives in Side or Direction."""
Usd = NewType("Usd", Decimal)
"""US dollars, signed."""

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
BPS: Final = Decimal("0.0001")


def decimal_of(value: Decimal | int | str | float) -> Decimal:
    """Return `value` as an exact, finite Decimal (floats through their shortest repr); ValueError otherwise."""
    result = value if isinstance(value, Decimal) else Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not result.is_finite():
        raise ValueError(f"a number must be finite, was {value!r}")
    return result


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that is not above `value` (value >= 0, step > 0)."""
    return value // step * step


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of `step` that is not below `value` (value >= 0, step > 0)."""
    return (value / step).to_integral_value(ROUND_CEILING) * step


def smallest_order(size_min: Decimal, step: Decimal) -> Decimal:
    """The smallest size an order may have: at least the minimum, at least a step, on the step (> 0)."""
    return max(step, ceil_to_step(size_min, step))


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """True when `value` is an exact multiple of `step` (> 0)."""
    return value % step == 0


def round_price(value: Decimal, tick: Decimal) -> Price:
    """Round to the nearest tick, halves to even."""
    return Price((value / tick).to_integral_value(ROUND_HALF_EVEN) * tick)


def round_price_down(value: Decimal, tick: Decimal) -> Price:
    """Round to the next tick at or below `value`."""
    return Price((value / tick).to_integral_value(ROUND_FLOOR) * tick)


def round_price_up(value: Decimal, tick: Decimal) -> Price:
    """Round to the next tick at or above `value`."""
    return Price((value / tick).to_integral_value(ROUND_CEILING) * tick)


def price_from_signal(level: float, tick: Decimal) -> Price:
    """Round a float signal level to the nearest tick; ValueError on NaN, infinity, or a level <= 0."""
    if not math.isfinite(level) or level <= 0:
        raise ValueError(f"signal level must be finite and > 0, was {level!r}")
    return round_price(Decimal(repr(level)), tick)


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware datetime, exact."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of epoch milliseconds."""
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
