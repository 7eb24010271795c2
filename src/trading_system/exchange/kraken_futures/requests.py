"""Domain orders to wire parameters. Pure: returns the exact words that will be sent, or why the order is not sendable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, assert_never

from trading_system.domain.market import Instrument
from trading_system.domain.orders import (
    ClientOrderId,
    EntryOrder,
    EntryStyle,
    ExitOrder,
    OrderRequest,
    StopAmendment,
    StopOrder,
    TakeProfitOrder,
    VenueOrderId,
)
from trading_system.domain.units import is_multiple
from trading_system.exchange.kraken_futures.wire_values import plain, venue_name_of
from trading_system.exchange.kraken_futures.write_gate import WriteKind

CLIENT_ID_LENGTH_MAX: Final = 100
_NUMBER_MAX: Final = Decimal("1e15")

_ENTRY_TYPES: Final = {EntryStyle.IOC: "ioc", EntryStyle.LIMIT: "lmt", EntryStyle.POST_ONLY: "post"}


@dataclass(frozen=True, slots=True)
class WireRequest:
    """Parameters in sending order, and what kind of write it is."""

    kind: WriteKind
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Unsendable:
    """Nothing was sent; `why` says what is wrong with the request itself."""

    why: str


def kind_of(order: OrderRequest) -> WriteKind:
    """The write kind follows from the order's type alone."""
    match order:
        case EntryOrder():
            return WriteKind.ENTRY
        case TakeProfitOrder():
            return WriteKind.TAKE_PROFIT
        case StopOrder() | ExitOrder():
            return WriteKind.PROTECTIVE
        case _:
            assert_never(order)


def build_send(order: OrderRequest, instrument: Instrument | None) -> WireRequest | Unsendable:
    """Parameters of sendorder. `instrument` None (not loaded yet) stops entries; protection goes and the venue judges."""
    if instrument is None and isinstance(order, EntryOrder):
        return Unsendable(f"no contract facts for {order.symbol} yet")
    problem = _id_problem(order.client_order_id) or _size_problem(order.qty, instrument)
    if problem is not None:
        return Unsendable(problem)
    parameters = {
        "symbol": venue_name_of(order.symbol) if instrument is None else instrument.venue_symbol,
        "side": order.side.value,
        "size": plain(order.qty),
        "cliOrdId": str(order.client_order_id),
    }
    prices: dict[str, Decimal] = {}
    match order:
        case EntryOrder():
            parameters["orderType"] = _ENTRY_TYPES[order.style]
            parameters["processBefore"] = iso_ms(order.process_before)
            prices["limitPrice"] = order.limit_price
        case StopOrder():
            # no limitPrice: a stop-limit can be jumped over; mark is named because the venue's default is last
            parameters |= {"orderType": "stp", "reduceOnly": "true", "triggerSignal": "mark"}
            prices["stopPrice"] = order.trigger_price
        case TakeProfitOrder():
            parameters |= {"orderType": "lmt", "reduceOnly": "true"}
            prices["limitPrice"] = order.limit_price
        case ExitOrder():
            parameters |= {"orderType": "mkt" if order.limit_price is None else "ioc", "reduceOnly": "true"}
            if order.limit_price is not None:
                prices["limitPrice"] = order.limit_price
        case _:
            assert_never(order)
    for name, price in prices.items():
        problem = _price_problem(name, price, instrument)
        if problem is not None:
            return Unsendable(problem)
        parameters[name] = plain(price)
    return WireRequest(kind_of(order), parameters)


def build_stop_amendment(amendment: StopAmendment, instrument: Instrument | None) -> WireRequest | Unsendable:
    """Parameters of editorder: trigger and size in one request. qtyMode RELATIVE means that size is the new open size."""
    problem = (
        _size_problem(amendment.qty, instrument)
        or _price_problem("stopPrice", amendment.trigger_price, instrument)
        or (None if amendment.venue_order_id else "no venue order id to amend")
    )
    if problem is not None:
        return Unsendable(problem)
    parameters = {
        "orderId": str(amendment.venue_order_id),
        "size": plain(amendment.qty),
        "stopPrice": plain(amendment.trigger_price),
        "qtyMode": "RELATIVE",
    }
    if amendment.process_before is not None:
        parameters["processBefore"] = iso_ms(amendment.process_before)
    return WireRequest(WriteKind.PROTECTIVE, parameters)


def build_cancel(client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> WireRequest | Unsendable:
    """Parameters of cancelorder, by the venue's id when it is known."""
    if venue_order_id:
        return WireRequest(WriteKind.CANCEL, {"order_id": str(venue_order_id)})
    if client_order_id:
        return WireRequest(WriteKind.CANCEL, {"cliOrdId": str(client_order_id)})
    return Unsendable("a cancel needs an order id")


def iso_ms(moment: datetime) -> str:
    """An aware datetime as `2026-09-07T05:30:00.000Z` (UTC), truncated to milliseconds."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _id_problem(client_order_id: ClientOrderId) -> str | None:
    if not client_order_id:
        return "no client order id"
    return f"client order id longer than {CLIENT_ID_LENGTH_MAX}" if len(client_order_id) > CLIENT_ID_LENGTH_MAX else None


def _size_problem(qty: Decimal, instrument: Instrument | None) -> str | None:
    if not qty.is_finite() or not 0 < qty <= _NUMBER_MAX:
        return f"size {qty} is not a size"
    if instrument is not None and not is_multiple(qty, instrument.size_step):
        return f"size {plain(qty)} is not a multiple of {plain(instrument.size_step)}"
    return None


def _price_problem(name: str, price: Decimal, instrument: Instrument | None) -> str | None:
    if not price.is_finite() or not 0 < price <= _NUMBER_MAX:
        return f"{name} {price} is not a price"
    if instrument is not None and not is_multiple(price, instrument.tick):
        return f"{name} {plain(price)} is not a multiple of the tick {plain(instrument.tick)}"
    return None
