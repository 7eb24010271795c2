"""Rows about our orders in REST answers: events of an answer, open orders, order status, fills."""

from __future__ import annotations

from typing import Any, Final, assert_never

from trading_system.sim.kraken_server.encoding import iso
from trading_system.sim.model import (
    CancelEvent,
    EditEvent,
    ExecutionEvent,
    OrderEvent,
    OrderRow,
    OrderType,
    PlaceEvent,
    RejectEvent,
    SimFill,
    StatusRow,
    TriggerSignal,
)

_SIGNAL_WORDS: Final = {TriggerSignal.MARK: "mark_price", TriggerSignal.LAST: "last_price", TriggerSignal.INDEX: "spot_price"}


def event_type(order: OrderRow) -> str:
    """`order.type` of an event: a market order shows as the IOC it is."""
    return "ioc" if order.order_type is OrderType.MKT else order.order_type.value


def order_body(order: OrderRow) -> dict[str, Any]:
    """An order inside an event; `quantity` is what remains, `filled` what was done before."""
    return {
        "orderId": order.order_id,
        "cliOrdId": order.cli_ord_id,
        "type": event_type(order),
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": order.unfilled,
        "filled": order.filled,
        "limitPrice": order.limit_price,
        "reduceOnly": order.reduce_only,
        "timestamp": iso(order.received_ms),
        "lastUpdateTimestamp": iso(order.updated_ms),
    }


def trigger_body(order: OrderRow) -> dict[str, Any]:
    """A resting trigger inside an event: type = what it becomes when it fires."""
    return {
        "uid": order.order_id,
        "clientId": order.cli_ord_id,
        "type": "ioc" if order.limit_price is None and order.limit_offset is None else "lmt",
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": order.unfilled,
        "limitPrice": order.limit_price,
        "triggerPrice": order.stop_price,
        "triggerSide": trigger_side(order),
        "triggerSignal": _SIGNAL_WORDS[order.trigger_signal or TriggerSignal.LAST],
        "reduceOnly": order.reduce_only,
        "timestamp": iso(order.received_ms),
        "lastUpdateTimestamp": iso(order.updated_ms),
        "startTime": None,
    }


def trigger_side(order: OrderRow) -> str:
    return "trigger_below" if order.fires_below else "trigger_above"


def _subject(order: OrderRow) -> dict[str, Any]:
    return {"orderTrigger": trigger_body(order)} if order.is_trigger else {"order": order_body(order)}


def _either(order: OrderRow) -> dict[str, Any]:
    return trigger_body(order) if order.is_trigger else order_body(order)


def event_row(event: OrderEvent) -> dict[str, Any]:
    """One entry of `orderEvents`."""
    match event:
        case PlaceEvent():
            return {"type": "PLACE", **_subject(event.order), "reducedQuantity": event.reduced_quantity}
        case ExecutionEvent():
            return {
                "type": "EXECUTION",
                "executionId": event.execution_id,
                "price": event.price,
                "amount": event.amount,
                "orderPriorEdit": None if event.order_prior_edit is None else order_body(event.order_prior_edit),
                "orderPriorExecution": order_body(event.order_prior_execution),
                "takerReducedQuantity": event.taker_reduced_quantity,
            }
        case EditEvent():
            return {"type": "EDIT", "old": _either(event.old), "new": _either(event.new), "reducedQuantity": event.reduced_quantity}
        case CancelEvent():
            return {"type": "CANCEL", "uid": event.uid, **_subject(event.order)}
        case RejectEvent():
            return {"type": "REJECT", "uid": event.uid, **_subject(event.order), "reason": event.reason}
        case _:
            assert_never(event)


def open_order_row(order: OrderRow, stop_word: str = OrderType.STP.value) -> dict[str, Any]:
    """One row of `openorders`. A stop-market has no limitPrice. stop_word: stp or stop, sources differ."""
    row: dict[str, Any] = {"order_id": order.order_id}
    if order.cli_ord_id is not None:
        row["cliOrdId"] = order.cli_ord_id
    row |= {"symbol": order.symbol, "side": order.side.value, "orderType": _listed_type(order, stop_word)}
    if order.limit_price is not None:
        row["limitPrice"] = order.limit_price
    if order.is_trigger:
        row |= {"stopPrice": order.stop_price, "triggerSignal": (order.trigger_signal or TriggerSignal.LAST).value}
    if order.trailing is not None:
        row |= {"trailingStopMaxDeviation": order.trailing.max_deviation, "trailingStopDeviationUnit": order.trailing.unit.value}
    if order.limit_offset is not None:
        row |= {"limitPriceOffsetValue": order.limit_offset.value, "limitPriceOffsetUnit": order.limit_offset.unit.value}
    return row | {
        "unfilledSize": order.unfilled,
        "filledSize": order.filled,
        "status": order.status_word,
        "reduceOnly": order.reduce_only,
        "receivedTime": iso(order.received_ms),
        "lastUpdateTime": iso(order.updated_ms),
    }


def _listed_type(order: OrderRow, stop_word: str) -> str:
    if order.order_type is OrderType.STP:
        return stop_word
    return order.order_type.value if order.is_trigger else "lmt"


def status_row(row: StatusRow) -> dict[str, Any]:
    """One row of `orders/status`; here `quantity` is the whole order."""
    order = row.order
    body: dict[str, Any] = {
        "type": "TRIGGER_ORDER" if order.is_trigger else "ORDER",
        "orderId": order.order_id,
        "cliOrdId": order.cli_ord_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": order.quantity,
        "filled": None if order.is_trigger else order.filled,
        "limitPrice": order.limit_price,
        "reduceOnly": order.reduce_only,
        "timestamp": iso(order.received_ms),
        "lastUpdateTimestamp": iso(order.updated_ms),
    }
    if order.is_trigger:
        body["priceTriggerOptions"] = {
            "triggerPrice": order.stop_price,
            "triggerSignal": _SIGNAL_WORDS[order.trigger_signal or TriggerSignal.LAST].upper(),
            "triggerSide": trigger_side(order).upper(),
        }
        body["triggerTime"] = None
    return {"order": body, "status": row.state.value, "updateReason": row.update_reason, "error": row.error}


def fill_row(fill: SimFill, *, shows_fee: bool = False) -> dict[str, Any]:
    """One row of `fills`. Without a fee: most accounts see fees only in the account log and the fills feed."""
    row: dict[str, Any] = {"fill_id": fill.fill_id, "order_id": fill.order_id}
    if fill.cli_ord_id is not None:
        row["cliOrdId"] = fill.cli_ord_id
    if shows_fee:
        row |= {"fee_paid": fill.fee_paid, "fee_currency": fill.fee_currency}
    return row | {
        "symbol": fill.symbol,
        "side": fill.side.value,
        "size": fill.size,
        "price": fill.price,
        "fillTime": iso(fill.at_ms),
        "fillType": fill.fill_type,
    }
