"""The history API: order, trigger and execution events (v2), account log and position events (v3), public executions.

Numbers of orders are text here, unlike in the v3 trading API; times are epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from trading_system.domain.orders import Side
from trading_system.sim.kraken_server.desk import Desk, uid_of
from trading_system.sim.kraken_server.encoding import iso
from trading_system.sim.kraken_server.envelope import Payload, RequestRefused
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.rest_public import known_market
from trading_system.sim.kraken_server.rows_account import log_row
from trading_system.sim.model import HistoryKind, HistoryRow, LogEntry, OrderRow, OrderType, SimFill, TradeRow, TriggerSignal

PAGE_MAX: Final = 1000
PRICE_SPAN_S: Final = 86_400
"""How far back mark price events reach."""
LOG_COUNT_DEFAULT: Final = 500
LOG_COUNT_MAX: Final = 100_000
LOG_COLUMNS: Final = (
    "booking_uid", "date", "asset", "contract", "info", "margin_account", "old_balance", "new_balance", "trade_price", "mark_price",
    "realized_pnl", "fee", "funding_rate", "realized_funding", "collateral", "execution", "liquidation_fee",
)  # fmt: skip

_ORDER_TYPES: Final = {
    OrderType.LMT: "Limit",
    OrderType.POST: "Post",
    OrderType.IOC: "IoC",
    OrderType.FOK: "FoK",
    OrderType.MKT: "IoC",
    OrderType.STP: "Market",
    OrderType.TAKE_PROFIT: "Market",
    OrderType.TRAILING_STOP: "Market",
    OrderType.LIQUIDATION: "Liquidation",
    OrderType.ASSIGNMENT: "Assignment",
    OrderType.UNWIND: "Unwind",
    OrderType.SETTLEMENT: "unknown",
}
_SIGNALS: Final = {TriggerSignal.MARK: "MarkPrice", TriggerSignal.LAST: "LastPrice", TriggerSignal.INDEX: "SpotPrice"}


def order_events(desk: Desk, params: Params) -> Payload:
    return _paged(desk, params, [_history_element(desk, row) for row in _of_market(desk, params, desk.exchange.order_history())])


def trigger_events(desk: Desk, params: Params) -> Payload:
    return _paged(desk, params, [_history_element(desk, row) for row in _of_market(desk, params, desk.exchange.trigger_history())])


def execution_events(desk: Desk, params: Params) -> Payload:
    tradeable = _tradeable(desk, params)
    rows = [fill for fill in desk.exchange.executions() if tradeable in (None, fill.symbol)]
    return _paged(desk, params, [_execution_element(desk, fill) for fill in rows])


def position_events(desk: Desk, params: Params) -> Payload:
    """PositionUpdate events; the change flags (opened, closed, …) select, none given = all."""
    tradeable = _tradeable(desk, params)
    flags = {"opened": "open", "increased": "increase", "decreased": "decrease", "closed": "close", "reversed": "reverse"}
    wanted = {change for flag, change in flags.items() if params.flag(flag)}
    elements = []
    for entry in desk.exchange.account_log():
        if (
            entry.trade_price is None
            or entry.contract is None
            or entry.asset.lower() == "usd"
            or tradeable not in (None, entry.contract.upper())
        ):
            continue
        element = _position_element(desk, entry)
        if not wanted or element["event"]["PositionUpdate"]["positionChange"] in wanted:
            elements.append(element)
    return _paged(desk, params, elements)


def market_executions(desk: Desk, params: Params) -> Payload:
    """Public executions of one market."""
    symbol = known_market(desk, params)
    mark = desk.exchange.quote(symbol).mark
    trades = desk.exchange.trades(symbol, limit=PAGE_MAX)
    return _paged(desk, params, [_public_element(symbol, trade, mark) for trade in reversed(trades)], is_private=False)


def market_orders(desk: Desk, params: Params) -> Payload:
    """Public order events of one market: our own, without a name on them. What others place is not known one by one."""
    symbol = known_market(desk, params)
    rows = [_history_element(desk, row) for row in desk.exchange.order_history() if row.order.symbol == symbol]
    return _paged(desk, params, [_nameless(row) for row in rows], is_private=False)


def market_prices(desk: Desk, params: Params) -> Payload:
    """Mark price events of one market: one per minute, at its close."""
    symbol = known_market(desk, params)
    now_s = desk.now_ms // 1000
    bars = desk.exchange.candles(symbol, "mark", "1m", now_s - PRICE_SPAN_S, now_s)
    elements = [
        {
            "uid": uid_of(symbol, bar.open_ms),
            "timestamp": min(bar.open_ms + 60_000, desk.now_ms),
            "event": {"MarkPriceChanged": {"price": repr(bar.close)}},
        }
        for bar in bars
    ]
    return _paged(desk, params, elements, is_private=False)


def _nameless(element: dict[str, Any]) -> dict[str, Any]:
    """The element without accounts and client ids."""
    (kind, body), *_ = element["event"].items()
    event = {
        name: {key: text for key, text in value.items() if key not in ("accountUid", "clientId")} if isinstance(value, dict) else value
        for name, value in body.items()
    }
    return element | {"event": {kind: event}}


def log_count(params: Params) -> int:
    """How many rows an account-log request asks for; decides its price."""
    return min(params.integer("count", least=1) or LOG_COUNT_DEFAULT, LOG_COUNT_MAX)


def account_log(desk: Desk, params: Params) -> Payload:
    """Account log, newest first unless sort=asc; since/before in ms, from/to as entry ids (inclusive)."""
    since_ms, before_ms = params.integer("since"), params.integer("before")
    from_id, to_id = params.integer("from"), params.integer("to")
    wanted = set(params.texts("info"))

    def is_wanted(entry: LogEntry) -> bool:
        return (
            (since_ms is None or entry.at_ms >= since_ms)
            and (before_ms is None or entry.at_ms < before_ms)
            and (from_id is None or entry.entry_id >= from_id)
            and (to_id is None or entry.entry_id <= to_id)
            and (not wanted or entry.info in wanted)
        )

    log = desk.exchange.account_log()
    ordered: Iterable[LogEntry] = log if _is_ascending(params) else reversed(log)
    rows: list[dict[str, Any]] = []
    for entry in ordered:
        if is_wanted(entry):
            rows.append(log_row(entry))
            if len(rows) == log_count(params):
                break
    return {"accountUid": desk.account_uid, "logs": rows}


def account_log_csv(desk: Desk, params: Params) -> msgspec.Raw:
    """The whole account log as comma-separated text, newest first, a header line first."""
    rows = account_log(desk, Params([("count", str(LOG_COUNT_MAX)), ("sort", params.text("sort") or "desc")]))["logs"]
    names = list(LOG_COLUMNS)
    lines = [",".join(names), *(",".join("" if row[name] is None else str(row[name]) for name in names) for row in rows)]
    return msgspec.Raw(("\n".join(lines) + "\n").encode())


def _is_ascending(params: Params) -> bool:
    sort = params.text("sort") or "desc"
    if sort not in ("asc", "desc"):
        raise RequestRefused("invalidArgument: sort")
    return sort == "asc"


def _tradeable(desk: Desk, params: Params) -> str | None:
    return None if params.text("tradeable") is None else known_market(desk, params, "tradeable")


def _of_market(desk: Desk, params: Params, rows: Sequence[HistoryRow]) -> list[HistoryRow]:
    tradeable = _tradeable(desk, params)
    return [row for row in rows if tradeable in (None, row.order.symbol)]


def _paged(desk: Desk, params: Params, elements: list[dict[str, Any]], *, is_private: bool = True) -> Payload:
    """One page of `elements` (oldest first). The continuation token is the count of rows already given."""
    since_ms, before_ms = params.integer("since"), params.integer("before")
    rows = [
        row
        for row in elements
        if (since_ms is None or row["timestamp"] >= since_ms) and (before_ms is None or row["timestamp"] < before_ms)
    ]
    if not _is_ascending(params):
        rows.reverse()
    start = params.integer("continuation_token", least=0) or 0
    count = min(params.integer("count", least=1) or PAGE_MAX, PAGE_MAX)
    page = rows[start : start + count]
    payload: Payload = {"elements": page, "len": len(page), "serverTime": iso(desk.server_ms)}
    if is_private:
        payload["accountUid"] = desk.account_uid
    if start + count < len(rows):
        payload["continuationToken"] = str(start + count)
    return payload


def _text(value: Decimal | None) -> str:
    """Plain digits without trailing zeros: clients compare `filled` with the text "0"."""
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _direction(side: Side) -> str:
    return "Buy" if side is Side.BUY else "Sell"


def _history_order(desk: Desk, order: OrderRow) -> dict[str, Any]:
    body: dict[str, Any] = {
        "uid": order.order_id,
        "accountUid": desk.account_uid,
        "tradeable": order.symbol,
        "direction": _direction(order.side),
        "quantity": _text(order.unfilled),
        "filled": _text(order.filled),
        "timestamp": order.received_ms,
        "limitPrice": _text(order.limit_price),
        "orderType": "Limit" if order.is_trigger and order.limit_price is not None else _ORDER_TYPES[order.order_type],
        "clientId": order.cli_ord_id or "",
        "reduceOnly": order.reduce_only,
        "lastUpdateTimestamp": order.updated_ms,
    }
    if order.is_trigger:
        body["triggerOptions"] = {
            "triggerPrice": _text(order.stop_price),
            "triggerSignal": _SIGNALS[order.trigger_signal or TriggerSignal.LAST],
            "triggerSide": "Below" if order.fires_below else "Above",
        }
    return body


_TRIGGER_KINDS: Final = {
    HistoryKind.TRIGGER_PLACED,
    HistoryKind.TRIGGER_UPDATED,
    HistoryKind.TRIGGER_ACTIVATED,
    HistoryKind.TRIGGER_CANCELLED,
}


def _history_element(desk: Desk, row: HistoryRow) -> dict[str, Any]:
    order = _history_order(desk, row.order)
    is_update = row.kind in (HistoryKind.ORDER_UPDATED, HistoryKind.TRIGGER_UPDATED)
    old = row.old_order or row.order
    if is_update and row.kind is HistoryKind.ORDER_UPDATED:
        event: dict[str, Any] = {"oldOrder": _history_order(desk, old), "newOrder": order}
    elif is_update:
        event = {"oldOrderTrigger": _history_order(desk, old), "newOrderTrigger": order}
    elif row.kind in _TRIGGER_KINDS and row.kind is not HistoryKind.TRIGGER_ACTIVATED:
        event = {"order": order, "orderTrigger": order}
    else:
        event = {"order": order}
    return {
        "uid": row.uid,
        "timestamp": row.at_ms,
        "event": {row.kind.value: {**event, "reason": row.reason, "reducedQuantity": "", "algoId": ""}},
    }


def _execution_element(desk: Desk, fill: SimFill) -> dict[str, Any]:
    order = {
        "uid": fill.order_id,
        "accountUid": desk.account_uid,
        "tradeable": fill.symbol,
        "direction": _direction(fill.side),
        "quantity": _text(fill.remaining + fill.size),
        "filled": "0",
        "timestamp": fill.at_ms,
        "limitPrice": _text(fill.price),
        "orderType": _ORDER_TYPES[fill.order_type],
        "clientId": fill.cli_ord_id or "",
        "reduceOnly": False,
        "lastUpdateTimestamp": fill.at_ms,
    }
    other = {"tradeable": fill.symbol, "direction": _direction(fill.side.opposite), "uid": uid_of(fill.fill_id, "other side")}
    is_maker = fill.fill_type == "maker"
    execution = {
        "uid": fill.fill_id,
        "makerOrder": order if is_maker else other,
        "takerOrder": other if is_maker else order,
        "timestamp": fill.at_ms,
        "quantity": _text(fill.size),
        "price": _text(fill.price),
        "limitFilled": fill.remaining == 0,
        "usdValue": _text((fill.size * fill.price).quantize(Decimal("0.01"))),
        "orderData": {"fee": _text(fill.fee_paid), "feeCurrency": fill.fee_currency, "positionSize": ""},
    }
    event = {"Execution": {"execution": execution, "takerReducedQuantity": ""}}
    return {"uid": uid_of(fill.fill_id, "event"), "timestamp": fill.at_ms, "event": event}


def _public_element(symbol: str, trade: TradeRow, mark: Decimal) -> dict[str, Any]:
    def order(side: Side, role: str, kind: str) -> dict[str, Any]:
        return {
            "uid": uid_of(trade.uid, role),
            "tradeable": symbol,
            "direction": _direction(side),
            "quantity": _text(trade.size),
            "timestamp": trade.at_ms,
            "limitPrice": _text(trade.price),
            "orderType": kind,
            "reduceOnly": False,
            "lastUpdateTimestamp": trade.at_ms,
        }

    execution = {
        "uid": trade.uid,
        "makerOrder": order(trade.side.opposite, "maker", "Post"),
        "takerOrder": order(trade.side, "taker", "IoC"),
        "timestamp": trade.at_ms,
        "quantity": _text(trade.size),
        "price": _text(trade.price),
        "markPrice": _text(mark),
        "limitFilled": True,
        "usdValue": _text((trade.size * trade.price).quantize(Decimal("0.01"))),
    }
    event = {"Execution": {"execution": execution, "takerReducedQuantity": ""}}
    return {"uid": uid_of(trade.uid, "event"), "timestamp": trade.at_ms, "event": event}


def _position_change(old: Decimal, new: Decimal) -> str:
    if old == new:
        return "noChange"
    if old == 0:
        return "open"
    if new == 0:
        return "close"
    if (old > 0) != (new > 0):
        return "reverse"
    return "increase" if abs(new) > abs(old) else "decrease"


def _position_element(desk: Desk, entry: LogEntry) -> dict[str, Any]:
    assert entry.contract is not None
    update = {
        "accountUid": desk.account_uid,
        "tradeable": entry.contract.upper(),
        "oldPosition": _text(entry.old_balance),
        "newPosition": _text(entry.new_balance),
        "positionChange": _position_change(entry.old_balance, entry.new_balance),
        "oldAverageEntryPrice": _text(entry.old_average_entry_price),
        "newAverageEntryPrice": _text(entry.new_average_entry_price),
        "executionUid": entry.execution or "",
        "executionPrice": _text(entry.trade_price),
        "executionSize": _text(abs(entry.new_balance - entry.old_balance)),
        "realizedPnL": _text(entry.realized_pnl),
        "fee": _text(entry.fee),
        "feeCurrency": "USD",
        "updateReason": "liquidation" if "liquidation" in entry.info else "trade",
        "timestamp": entry.at_ms,
    }
    return {"uid": uid_of(entry.booking_uid, entry.entry_id), "timestamp": entry.at_ms, "event": {"PositionUpdate": update}}
