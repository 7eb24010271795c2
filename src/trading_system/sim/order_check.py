"""The checks of one order request that need no account: words, sizes, prices, modes. Pure; answers the venue's refusal word."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from trading_system.domain.orders import Side
from trading_system.domain.units import is_multiple
from trading_system.sim.model import MarketMode, OrderRow, OrderType, SendRequest, TriggerSignal
from trading_system.sim.source import MarketSpec
from trading_system.sim.trailing import find_offset_fault, find_trailing_fault
from trading_system.sim.variants import ExchangeVariants

CLI_ORD_ID_MAX: Final = 100
_NEEDS_LIMIT: Final = frozenset({OrderType.LMT, OrderType.POST, OrderType.IOC, OrderType.FOK})
SENDABLE: Final = {kind.value: kind for kind in OrderType if not kind.is_forced}

REJECT_REASON: Final = {
    "marketSuspended": "MARKET_SUSPENDED",
    "marketInactive": "MARKET_NOT_FOUND",
    "marketIsPostOnly": "MARKET_IS_POST_ONLY",
    "invalidPrice": "INVALID_PRICE",
    "invalidSize": "INVALID_QUANTITY",
    "tooManyOrders": "ORDER_LIMIT_EXCEEDED",
    "tooManySmallOrders": "SMALL_ORDER_LIMIT_EXCEEDED",
    "outsidePriceCollar": "PRICE_COLLAR",
    "wouldIncreasePriceDislocation": "PRICE_DISLOCATION",
    "wouldCauseLiquidation": "WOULD_CAUSE_LIQUIDATION",
    "fixedLeverageTooHigh": "FIXED_LEVERAGE_TOO_HIGH",
    "insufficientAvailableFunds": "INSUFFICIENT_MARGIN",
    "clientOrderIdAlreadyExist": "CLIENT_ORDER_ID_IN_USE",
    "clientOrderIdTooLong": "CLIENT_ORDER_ID_TOO_LONG",
    "clientOrderIdTooBig": "CLIENT_ORDER_ID_TOO_LONG",
    "maxPositionViolation": "MAX_POSITION_EXCEEDED",
    "postWouldExecute": "POST_WOULD_EXECUTE",
    "iocWouldNotExecute": "IOC_WOULD_NOT_EXECUTE",
    "selfFill": "WOULD_EXECUTE_SELF",
    "wouldNotReducePosition": "WOULD_NOT_REDUCE_POSITION",
}
"""REJECT event reason of a refusal word; words without one answer with no events."""


def find_word_fault(request: SendRequest, now_ms: int, variants: ExchangeVariants) -> str | None:
    """Faults of the request's own words."""
    if request.process_before_ms is not None and now_ms > request.process_before_ms:
        return "wouldProcessAfterSpecifiedTime"
    kind = SENDABLE.get(request.order_type)
    if kind is None or (kind is OrderType.TRAILING_STOP and not variants.accepts_trailing_stops):
        return "invalidOrderType"
    if request.side not in (Side.BUY.value, Side.SELL.value):
        return "invalidSide"
    if request.cli_ord_id is not None and not (request.cli_ord_id.strip() and request.cli_ord_id.isprintable()):
        return "clientOrderIdInvalid"
    if request.cli_ord_id is not None and len(request.cli_ord_id) > CLI_ORD_ID_MAX:
        return variants.long_id_word
    if request.trigger_signal is not None and request.trigger_signal not in {signal.value for signal in TriggerSignal}:
        return "invalidOrderType"
    if word := find_offset_fault(kind.is_trigger, request.offset_value, request.offset_unit, request.limit_price):
        return word
    if kind is OrderType.TRAILING_STOP:
        return find_trailing_fault(request.trailing_deviation, request.trailing_unit)
    if (kind.is_trigger and request.stop_price is None) or (kind in _NEEDS_LIMIT and request.limit_price is None):
        return "invalidPrice"
    return None


def find_collar_fault(order: OrderRow, mark: Decimal, width: Decimal | None) -> str | None:
    """Does a limit reach too far through the mark price? `width`: fraction of mark, None = no collar."""
    if width is None or order.limit_price is None or order.is_trigger:
        return None
    is_outside = order.limit_price > mark * (1 + width) if order.side is Side.BUY else order.limit_price < mark * (1 - width)
    return "outsidePriceCollar" if is_outside else None


def find_count_fault(order: OrderRow, resting: Iterable[OrderRow], variants: ExchangeVariants) -> str | None:
    """Would there be too many resting orders on this market, or too many small ones? A stop counts by its stop price."""
    orders = list(resting)
    if len(orders) >= variants.market_orders_max:
        return "tooManyOrders"
    if not _is_small(order, variants.small_order_usd):
        return None
    small = sum(1 for known in orders if _is_small(known, variants.small_order_usd))
    return "tooManySmallOrders" if small >= variants.small_orders_max else None


def _is_small(order: OrderRow, limit_usd: Decimal) -> bool:
    return order.unfilled * (order.limit_price or order.stop_price or Decimal(0)) < limit_usd


def find_mode_fault(mode: MarketMode, kind: OrderType) -> str | None:
    """Does the market take an order of this kind now?"""
    match mode:
        case MarketMode.ONLINE:
            return None
        case MarketMode.POST_ONLY:
            return None if kind is OrderType.POST or kind.is_trigger else "marketIsPostOnly"
        case MarketMode.SUSPENDED | MarketMode.MAINTENANCE:
            return "marketSuspended"
        case MarketMode.CANCEL_ONLY | MarketMode.DELISTED:
            return "marketInactive"


def find_size_fault(size: Decimal, spec: MarketSpec) -> str | None:
    if not size.is_finite() or size < spec.size_min or size <= 0 or not is_multiple(size, spec.size_step):
        return "invalidSize"
    return None


def find_price_fault(price: Decimal | None, spec: MarketSpec) -> str | None:
    """None is no fault: whether a price is needed is judged elsewhere."""
    if price is None:
        return None
    if not price.is_finite() or price <= 0 or not is_multiple(price, spec.tick):
        return "invalidPrice"
    return None
