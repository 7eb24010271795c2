"""Private REST answers to domain types. With the other `wire_*` modules the only place that knows Kraken's field names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from trading_system.domain.account import AccountSnapshot, VenuePosition
from trading_system.domain.errors import ReadFailed
from trading_system.domain.orders import (
    ClientOrderId,
    Direction,
    Fill,
    FillId,
    FillKind,
    OpenOrder,
    OrderKind,
    OrderLife,
    OrderStatus,
    VenueOrderId,
)
from trading_system.domain.units import ZERO, Price, Qty, Usd
from trading_system.exchange.kraken_futures.wire_values import (
    Parsed,
    Row,
    WireError,
    flag_of,
    list_in,
    moment_from,
    moment_of,
    number_of,
    optional_number,
    optional_text,
    parse_each,
    positive_or_none,
    shortened,
    side_of,
    symbol_from,
    text_of,
)

_FILL_KINDS: Final = {
    "maker": FillKind.MAKER,
    "taker": FillKind.TAKER,
    "takerAfterEdit": FillKind.TAKER,
    "liquidation": FillKind.LIQUIDATION,
    "partialLiquidation": FillKind.LIQUIDATION,
    "partial liquidation": FillKind.LIQUIDATION,
    "assignee": FillKind.ASSIGNMENT,
    "assignor": FillKind.ASSIGNMENT,
    "assignment": FillKind.ASSIGNMENT,
    "unwind": FillKind.UNWIND,
    "unwindBankrupt": FillKind.UNWIND,
    "unwindCounterparty": FillKind.UNWIND,
    "settlement": FillKind.SETTLEMENT,
    "termination": FillKind.SETTLEMENT,
}

_ORDER_KINDS: Final = {
    "lmt": OrderKind.LIMIT,
    "limit": OrderKind.LIMIT,
    "post": OrderKind.LIMIT,
    # sources differ on the word; the daemon's own protection must be seen under both
    "stp": OrderKind.STOP,
    "stop": OrderKind.STOP,
    "take_profit": OrderKind.TAKE_PROFIT_TRIGGER,
}

DEAD_STATUS_WORDS: Final = frozenset({"cancelled", "canceled", "filled", "expired", "rejected"})
"""Any other word means alive: an unknown word read as "dead stop" once fired an emergency."""

_ORDER_LIVES: Final = {
    "ENTERED_BOOK": OrderLife.ALIVE,
    "TRIGGER_PLACED": OrderLife.ALIVE,
    "FULLY_EXECUTED": OrderLife.FILLED,
    "CANCELLED": OrderLife.CANCELLED,
    "REJECTED": OrderLife.REJECTED,
    # the trigger fired and what it tried to place was refused: nothing rests and nothing was done
    "TRIGGER_ACTIVATION_FAILURE": OrderLife.REJECTED,
}

_FLEX_FIELDS: Final = {
    "balance_value": "balanceValue",
    "portfolio_value": "portfolioValue",
    "collateral_value": "collateralValue",
    "margin_equity": "marginEquity",
    "initial_margin": "initialMargin",
    "initial_margin_with_orders": "initialMarginWithOrders",
    "maintenance_margin": "maintenanceMargin",
    "available_margin": "availableMargin",
    "unrealized_pnl": "pnl",
    "unrealized_funding": "unrealizedFunding",
}


def server_time_in(payload: object) -> datetime | None:
    """`serverTime` of the envelope, or None when it is absent or unreadable."""
    text = payload.get("serverTime") if isinstance(payload, Mapping) else None
    if not isinstance(text, str):
        return None
    try:
        return moment_from(text)
    except WireError:
        return None


def parse_snapshot(payload: object, fallback_at: datetime) -> AccountSnapshot:
    """The flex wallet of GET accounts. ReadFailed names every field that is missing; none is ever assumed."""
    accounts = payload.get("accounts") if isinstance(payload, Mapping) else None
    flex = accounts.get("flex") if isinstance(accounts, Mapping) else None
    if not isinstance(flex, Mapping):
        raise ReadFailed("the answer holds no flex wallet (accounts.flex)")
    values: dict[str, Usd] = {}
    problems: list[str] = []
    for ours, theirs in _FLEX_FIELDS.items():
        try:
            values[ours] = Usd(number_of(flex, theirs))
        except WireError as error:
            problems.append(str(error))
    if problems:
        raise ReadFailed(f"accounts.flex is incomplete: {'; '.join(problems)}")
    return AccountSnapshot(at=server_time_in(payload) or fallback_at, **values)


def parse_positions(payload: object) -> Parsed[VenuePosition]:
    """GET openpositions. One unreadable row fails the whole read: leaving it out would say "flat" about a real position."""
    parsed = parse_each(list_in(payload, "openPositions"), "openPositions", _position)
    lost = [issue for issue in parsed.issues if issue.is_lost]
    if lost:
        raise ReadFailed(f"an open position cannot be read: {lost[0].where}: {lost[0].detail}")
    return parsed


def _position(row: Row, note: Callable[[str], None]) -> VenuePosition | None:
    name = text_of(row, "symbol")
    side = text_of(row, "side").lower()
    size = number_of(row, "size")
    if side not in ("long", "short"):
        raise WireError(f"side: long or short wanted, was {shortened(side)}")
    if size == 0:
        return None
    if size < 0:
        raise WireError(f"size: unsigned number wanted, was {size}")
    symbol = symbol_from(name)
    if "/" not in symbol:
        note(f"position in {name}, which is no linear perpetual")
    return VenuePosition(
        symbol=symbol,
        direction=Direction(side),
        qty=Qty(size),
        entry_price=Price(number_of(row, "price")),
        is_isolated=row.get("maxFixedLeverage") is not None,
    )


def parse_open_orders(payload: object) -> Parsed[OpenOrder]:
    """GET openorders, triggers and foreign orders included. Triggers come without limitPrice and often without sizes.

    A row that cannot be read and may be a trigger fails the whole read: leaving it out would say "no stop" about a resting one.
    """
    rows = list_in(payload, "openOrders")
    unreadable: list[str] = []

    def one(row: Row, note: Callable[[str], None]) -> OpenOrder | None:
        try:
            return _open_order(row, note)
        except WireError as error:
            if _ORDER_KINDS.get(optional_text(row, "orderType") or "") is not OrderKind.LIMIT:
                unreadable.append(str(error))
            raise

    parsed = parse_each(rows, "openOrders", one)
    if unreadable or not all(isinstance(row, Mapping) for row in rows):
        raise ReadFailed(f"an open order that may be a stop cannot be read: {unreadable[0] if unreadable else 'it is no object'}")
    return parsed


def _open_order(row: Row, note: Callable[[str], None]) -> OpenOrder | None:
    status = optional_text(row, "status") or ""
    if status.lower() in DEAD_STATUS_WORDS:
        return None
    word = optional_text(row, "orderType") or ""
    kind = _ORDER_KINDS.get(word)
    if kind is None:
        note(f"orderType {shortened(word)} is new to us; kept as other")
    filled = optional_number(row, "filledSize") or ZERO
    return OpenOrder(
        venue_order_id=VenueOrderId(text_of(row, "order_id")),
        client_order_id=_client_id(row, "cliOrdId"),
        symbol=symbol_from(text_of(row, "symbol")),
        side=side_of(row),
        kind=kind or OrderKind.OTHER,
        qty=Qty(_remaining(row, filled, note)),
        filled_qty=Qty(filled),
        limit_price=_price(row, "limitPrice"),
        trigger_price=_price(row, "stopPrice"),
        trigger_signal=optional_text(row, "triggerSignal"),
        reduce_only=flag_of(row, "reduceOnly"),
        received_at=moment_of(row, "receivedTime"),
        status_word=status,
    )


def _remaining(row: Row, filled: Decimal, note: Callable[[str], None]) -> Decimal:
    remaining = optional_number(row, "unfilledSize")
    if remaining is not None:
        return remaining
    for key in ("size", "quantity"):
        total = optional_number(row, key)
        if total is not None:
            return max(ZERO, total - filled)
    # zero covers nothing: whoever counts protection will ask for more, never for less
    note("no size is given; counted as zero")
    return ZERO


def parse_fills(payload: object) -> Parsed[Fill]:
    """GET fills, in the order of the answer (newest first). An unknown fill type is kept, its quantity counts."""
    return parse_each(list_in(payload, "fills"), "fills", _fill)


def _fill(row: Row, note: Callable[[str], None]) -> Fill:
    word = optional_text(row, "fillType") or ""
    kind = _FILL_KINDS.get(word)
    if kind is None:
        note(f"fillType {shortened(word)} is new to us; kept as other")
    return Fill(
        fill_id=FillId(text_of(row, "fill_id")),
        venue_order_id=VenueOrderId(optional_text(row, "order_id") or ""),
        client_order_id=_client_id(row, "cliOrdId"),
        symbol=symbol_from(text_of(row, "symbol")),
        side=side_of(row),
        qty=Qty(_positive(row, "size")),
        price=Price(number_of(row, "price")),
        at=moment_of(row, "fillTime"),
        kind=kind or FillKind.OTHER,
        fee_usd=fee_usd_of(row),
    )


def fill_kind_of(word: str) -> FillKind | None:
    """The kind of a fill-type word, or None when it is new to us."""
    return _FILL_KINDS.get(word)


def fee_usd_of(row: Row) -> Decimal | None:
    """The fee when the row tells one in USD. Listings usually do not; a fee in another currency is not guessed at."""
    if optional_text(row, "fee_currency") != "USD":
        return None
    return optional_number(row, "fee_paid")


def parse_order_statuses(payload: object) -> Parsed[OrderStatus]:
    """orders/status. Ids the venue has forgotten are simply not in the answer, which proves nothing."""
    return parse_each(list_in(payload, "orders"), "orders", _order_status)


def _order_status(row: Row, note: Callable[[str], None]) -> OrderStatus:
    order = row.get("order")
    if not isinstance(order, Mapping):
        raise WireError(f"order: object wanted, was {shortened(order)}")
    word = optional_text(row, "status") or ""
    life = _ORDER_LIVES.get(word)
    if life is None:
        note(f"status {shortened(word)} is new to us; taken as alive")
        life = OrderLife.ALIVE
    if life is OrderLife.ALIVE and order.get("type") == "TRIGGER_ORDER" and order.get("triggerTime") is not None:
        life = OrderLife.TRIGGERED
    reasons = (optional_text(row, "updateReason"), optional_text(row, "error"))
    return OrderStatus(
        client_order_id=_client_id(order, "cliOrdId"),
        venue_order_id=VenueOrderId(text_of(order, "orderId")),
        life=life,
        filled_qty=Qty(optional_number(order, "filled") or ZERO),
        reason=" ".join(text for text in (word, *reasons) if text),
    )


def _client_id(row: Row, key: str) -> ClientOrderId | None:
    text = optional_text(row, key)
    return None if text is None else ClientOrderId(text)


def _price(row: Row, key: str) -> Price | None:
    value = positive_or_none(row, key)
    return None if value is None else Price(value)


def _positive(row: Row, key: str) -> Decimal:
    value = number_of(row, key)
    if value <= 0:
        raise WireError(f"{key}: number above zero wanted, was {value}")
    return value
