"""The checks of one order request that need no account: words, sizes, prices, modes. Pure; answers the venue's refusal word."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from trading_system.domain.orders import Side
from trading_system.domain.units import is_multiple
from trading_system.sim.model import MarketMode, OrderType, SendRequest, TriggerSignal
from trading_system.sim.source import MarketSpec

CLI_ORD_ID_MAX: Final = 100
_NEEDS_LIMIT: Final = frozenset({OrderType.LMT, OrderType.POST, OrderType.IOC, OrderType.FOK})
SENDABLE: Final = {kind.value: kind for kind in OrderType if not kind.is_forced and kind is not OrderType.TRAILING_STOP}

REJECT_REASON: Final = {
    "marketSuspended": "MARKET_SUSPENDED",
    "marketInactive": "MARKET_NOT_FOUND",
    "marketIsPostOnly": "MARKET_IS_POST_ONLY",
    "invalidPrice": "INVALID_PRICE",
    "invalidSize": "INVALID_QUANTITY",
    "tooManyOrders": "ORDER_LIMIT_EXCEEDED",
    "insufficientAvailableFunds": "INSUFFICIENT_MARGIN",
    "clientOrderIdAlreadyExist": "CLIENT_ORDER_ID_IN_USE",
    "clientOrderIdTooLong": "CLIENT_ORDER_ID_TOO_LONG",
    "maxPositionViolation": "MAX_POSITION_EXCEEDED",
    "postWouldExecute": "POST_WOULD_EXECUTE",
    "iocWouldNotExecute": "IOC_WOULD_NOT_EXECUTE",
    "selfFill": "WOULD_EXECUTE_SELF",
    "wouldNotReducePosition": "WOULD_NOT_REDUCE_POSITION",
}
"""REJECT event reason of a refusal word; words without one answer with no events."""


def find_word_fault(request: SendRequest, now_ms: int) -> str | None:
    """Faults of the request's own words."""
    if request.process_before_ms is not None and now_ms > request.process_before_ms:
        return "wouldProcessAfterSpecifiedTime"
    kind = SENDABLE.get(request.order_type)
    if kind is None:
        return "invalidOrderType"
    if request.side not in (Side.BUY.value, Side.SELL.value):
        return "invalidSide"
    if request.cli_ord_id is not None and not request.cli_ord_id:
        return "clientOrderIdInvalid"
    if request.cli_ord_id is not None and len(request.cli_ord_id) > CLI_ORD_ID_MAX:
        return "clientOrderIdTooLong"
    if request.trigger_signal is not None and request.trigger_signal not in {signal.value for signal in TriggerSignal}:
        return "invalidOrderType"
    if (kind.is_trigger and request.stop_price is None) or (kind in _NEEDS_LIMIT and request.limit_price is None):
        return "invalidPrice"
    return None


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
