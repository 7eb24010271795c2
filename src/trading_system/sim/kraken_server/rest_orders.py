"""The state-changing calls of the v3 API: send, edit, cancel, cancel all, dead man's switch, batch.

A refused order is a success answer with a status word. What the request itself lacks is a request-level error.
"""

from __future__ import annotations

from typing import Any

import msgspec

from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.encoding import iso
from trading_system.sim.kraken_server.envelope import BadRequest, Payload, RequestRefused
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.rest_public import known_market
from trading_system.sim.kraken_server.rows_order import event_row
from trading_system.sim.model import CancelRequest, CancelResult, EditRequest, EditResult, OrderType, SendRequest, SendResult


def send_order(desk: Desk, params: Params) -> Payload:
    result = _send(desk, params)
    status: dict[str, Any] = {"status": result.status, "receivedTime": iso(result.received_ms)}
    if result.order_id is not None:
        status["order_id"] = result.order_id
    if result.cli_ord_id is not None:
        status["cliOrdId"] = result.cli_ord_id
    return {"sendStatus": status | {"orderEvents": [event_row(event) for event in result.events]}}


def edit_order(desk: Desk, params: Params) -> Payload:
    result = _edit(desk, params)
    status: dict[str, Any] = {"status": result.status, "orderId": result.order_id, "receivedTime": iso(result.received_ms)}
    if result.cli_ord_id is not None:
        status["cliOrdId"] = result.cli_ord_id
    return {"editStatus": status | {"orderEvents": [event_row(event) for event in result.events]}}


def cancel_order(desk: Desk, params: Params) -> Payload:
    result = _cancel(desk, params)
    status: dict[str, Any] = {"status": result.status, "receivedTime": iso(result.received_ms)}
    if result.order_id is not None:
        status["order_id"] = result.order_id
    if result.cli_ord_id is not None:
        status["cliOrdId"] = result.cli_ord_id
    return {"cancelStatus": status | {"orderEvents": [event_row(event) for event in result.events]}}


def cancel_all_orders(desk: Desk, params: Params) -> Payload:
    """Cancels triggers as well, as the venue does."""
    symbol = None if params.text("symbol") is None else known_market(desk, params)
    result = desk.exchange.cancel_all(symbol)
    cancelled = [
        {"order_id": order.order_id} | ({} if order.cli_ord_id is None else {"cliOrdId": order.cli_ord_id}) for order in result.cancelled
    ]
    return {
        "cancelStatus": {
            "receivedTime": iso(result.received_ms),
            "cancelOnly": result.cancel_only,
            "status": "noOrdersToCancel" if desk.exchange.config.variants.cancel_all_denies else result.status,
            "cancelledOrders": cancelled,
            "orderEvents": [event_row(event) for event in result.events],
        }
    }


def cancel_all_orders_after(desk: Desk, params: Params) -> Payload:
    """Arms (seconds of market time) or, with 0, disarms the dead man's switch."""
    params.required("timeout")
    timeout_s = params.integer("timeout", least=0)
    assert timeout_s is not None
    result = desk.exchange.cancel_all_after(timeout_s)
    return {"status": {"currentTime": iso(result.current_ms), "triggerTime": "0" if result.trigger_ms is None else iso(result.trigger_ms)}}


def batch_items(params: Params) -> list[dict[str, Any]]:
    """The instructions of a batchorder; `Json Parse Error` when the form field `json` does not hold them."""
    try:
        batch = msgspec.json.decode(params.required("json").encode())
    except msgspec.DecodeError as error:
        raise RequestRefused("Json Parse Error") from error
    items = batch.get("batchOrder") if isinstance(batch, dict) else None
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise RequestRefused("invalidArgument: batchOrder")
    return items


def batch_order(desk: Desk, params: Params) -> Payload:
    """Each instruction is judged alone, in order; the batch's deadline holds for all that have none of their own."""
    deadline = params.text("processBefore", "ProcessBefore")
    defaults = {} if deadline is None else {"processBefore": deadline}
    items, most = batch_items(params), desk.exchange.config.variants.batch_max
    if most is not None and len(items) > most:
        raise RequestRefused("invalidArgument: batchOrder")
    return {"batchStatus": [_batch_row(desk, defaults | item) for item in items]}


def _batch_row(desk: Desk, item: dict[str, Any]) -> dict[str, Any]:
    order = Params.of_item(item)
    row: dict[str, Any] = {}
    if "order_tag" in item:
        row["order_tag"] = str(item["order_tag"])
    try:
        result = _instructed(desk, order)
    except RequestRefused as refused:
        return {"status": refused.error, **row, "dateTimeReceived": iso(desk.now_ms), "orderEvents": []}
    row = {"status": result.status, **row, "dateTimeReceived": iso(result.received_ms)}
    if result.order_id is not None:
        row["order_id"] = result.order_id
    if result.cli_ord_id is not None:
        row["cliOrdId"] = result.cli_ord_id
    return row | {"orderEvents": [event_row(event) for event in result.events]}


def _instructed(desk: Desk, params: Params) -> SendResult | EditResult | CancelResult:
    match params.required("order"):
        case "send":
            return _send(desk, params)
        case "edit":
            return _edit(desk, params)
        case "cancel":
            return _cancel(desk, params)
        case _:
            raise RequestRefused("invalidArgument: order")


def _send(desk: Desk, params: Params) -> SendResult:
    order_type, side = params.required("orderType"), params.required("side")
    size, symbol = params.required_number("size"), known_market(desk, params)
    if order_type == OrderType.TRAILING_STOP.value and not desk.exchange.config.variants.accepts_trailing_stops:
        raise BadRequest("invalid order type")
    return desk.exchange.send(
        SendRequest(
            symbol=symbol,
            order_type=order_type,
            side=side.lower(),
            size=size,
            limit_price=params.number("limitPrice"),
            stop_price=params.number("stopPrice"),
            trigger_signal=_trigger_signal(params),
            reduce_only=params.flag("reduceOnly") or False,
            cli_ord_id=params.text("cliOrdId"),
            process_before_ms=desk.deadline_ms(params.time_ms("processBefore")),
            trailing_deviation=params.number("trailingStopMaxDeviation"),
            trailing_unit=params.text("trailingStopDeviationUnit"),
            offset_value=params.number("limitPriceOffsetValue"),
            offset_unit=params.text("limitPriceOffsetUnit"),
        )
    )


def _trigger_signal(params: Params) -> str | None:
    """`spot` is what charts, events and an older published client call the index."""
    signal = params.text("triggerSignal")
    return "index" if signal == "spot" else signal


def _edit(desk: Desk, params: Params) -> EditResult:
    order_id, cli_ord_id = _named(params)
    mode = (params.text("qtyMode") or "RELATIVE").upper()
    if mode not in ("RELATIVE", "ABSOLUTE"):
        raise RequestRefused("invalidArgument: qtyMode")
    return desk.exchange.edit(
        EditRequest(
            order_id=order_id,
            cli_ord_id=cli_ord_id,
            size=params.number("size"),
            limit_price=params.number("limitPrice"),
            stop_price=params.number("stopPrice"),
            is_absolute=mode == "ABSOLUTE",
            process_before_ms=desk.deadline_ms(params.time_ms("processBefore")),
            trailing_deviation=params.number("trailingStopMaxDeviation"),
            trailing_unit=params.text("trailingStopDeviationUnit"),
        )
    )


def _cancel(desk: Desk, params: Params) -> CancelResult:
    order_id, cli_ord_id = _named(params)
    return desk.exchange.cancel(CancelRequest(order_id, cli_ord_id, desk.deadline_ms(params.time_ms("processBefore"))))


def _named(params: Params) -> tuple[str | None, str | None]:
    """Order id and client id; the venue's own id wins, one of them must be given."""
    order_id, cli_ord_id = params.text("order_id", "orderId"), params.text("cliOrdId")
    if order_id is None and cli_ord_id is None:
        raise RequestRefused("requiredArgumentMissing")
    return order_id, None if order_id is not None else cli_ord_id
