"""How a trailing stop follows the market. Pure: an order and a price in, a stop price out."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trading_system.sim.model import DeviationUnit, OrderRow, Trailing

PERCENT_MIN, PERCENT_MAX = Decimal("0.1"), Decimal(50)


def find_trailing_fault(deviation: Decimal | None, unit: str | None) -> str | None:
    """The refusal word for a distance that cannot be, or None."""
    if deviation is None or not deviation.is_finite() or deviation <= 0:
        return "invalidPrice"
    if unit not in {known.value for known in DeviationUnit}:
        return "invalidOrderType"
    if unit == DeviationUnit.PERCENT.value and not PERCENT_MIN <= deviation <= PERCENT_MAX:
        return "invalidPrice"
    return None


def stop_behind(trailing: Trailing, price: Decimal, tick: Decimal, *, fires_below: bool) -> Decimal:
    """The stop price for a signal at `price`, on the tick grid, rounded away from the market; at least one tick."""
    distance = trailing.max_deviation if trailing.unit is DeviationUnit.QUOTE_CURRENCY else price * trailing.max_deviation / 100
    exact = (price - distance if fires_below else price + distance) / tick
    return max(Decimal(1), exact.to_integral_value(ROUND_FLOOR if fires_below else ROUND_CEILING)) * tick


def find_offset_fault(kind_is_trigger: bool, value: Decimal | None, unit: str | None, limit: Decimal | None) -> str | None:
    """The refusal word for a limit price relative to the trigger price, or None."""
    if value is None and unit is None:
        return None
    if value is None or not value.is_finite() or limit is not None or not kind_is_trigger:
        return "invalidPrice"
    return None if unit in {known.value for known in DeviationUnit} else "invalidOrderType"


def offset_limit(order: OrderRow, tick: Decimal) -> Decimal:
    """The limit of a trigger that fires now, on the tick grid, rounded towards the passive side; at least one tick."""
    assert order.limit_offset is not None
    assert order.stop_price is not None
    value = order.limit_offset.value
    distance = value if order.limit_offset.unit is DeviationUnit.QUOTE_CURRENCY else order.stop_price * value / 100
    exact = (order.stop_price + order.side.sign * distance) / tick
    return max(Decimal(1), exact.to_integral_value(ROUND_FLOOR if order.side.sign > 0 else ROUND_CEILING)) * tick


def followed(order: OrderRow, price: Decimal, tick: Decimal) -> Decimal | None:
    """The better stop price that `price` makes possible, or None while the old one stays."""
    assert order.trailing is not None
    assert order.stop_price is not None
    candidate = stop_behind(order.trailing, price, tick, fires_below=order.fires_below)
    is_better = candidate > order.stop_price if order.fires_below else candidate < order.stop_price
    return candidate if is_better else None


def follows_at(order: OrderRow, tick: float) -> float:
    """The signal price (float, a tick early) at which the stop begins to move."""
    assert order.trailing is not None
    assert order.stop_price is not None
    stop, deviation = float(order.stop_price), float(order.trailing.max_deviation)
    sign = 1 if order.fires_below else -1
    if order.trailing.unit is DeviationUnit.QUOTE_CURRENCY:
        return stop + sign * (deviation + tick) - sign * tick / 10
    return (stop + sign * tick) / (1 - sign * deviation / 100) - sign * tick / 10
