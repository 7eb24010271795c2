"""What a client sees of a fault: answers cut, emptied, refused or made up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from trading_system.sim.kraken_server.desk import uid_of
from trading_system.sim.kraken_server.encoding import iso
from trading_system.sim.kraken_server.envelope import Answer
from trading_system.sim.kraken_server.faults import Fault, FaultKind
from trading_system.sim.kraken_server.params import Params

_LISTS: Final = ("openPositions", "openOrders", "fills", "orders", "accounts", "tickers", "instruments", "logs", "elements", "candles")
_STATUSES: Final = ("sendStatus", "editStatus", "cancelStatus")
_STATUS_OF: Final = {
    "sendorder": "sendStatus",
    "editorder": "editStatus",
    "cancelorder": "cancelStatus",
    "cancelallorders": "cancelStatus",
}
_HTTP_WORDS: Final = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 429: "TOO_MANY_REQUESTS"}


def made_up(fault: Fault, path: str, now_ms: int, params: Params) -> Answer:
    """The answer of a request that never reached the exchange: a refusal with any word. params: of the request."""
    time = iso(now_ms)
    status = _STATUS_OF.get(path.rpartition("/")[2])
    if fault.kind is FaultKind.REFUSED and status is not None:
        refusal = {"status": fault.word, "receivedTime": time, "orderEvents": _rejections(fault.reason, time, params)}
        return Answer(200, {"result": "success", status: refusal, "serverTime": time})
    if fault.kind is FaultKind.ERROR and fault.http != 200:
        word = _HTTP_WORDS.get(fault.http, "INTERNAL_SERVER_ERROR")
        errors = [{"code": 98, "message": fault.word}]
        return Answer(fault.http, {"status": word, "result": "error", "errors": errors, "serverTime": time})
    return Answer(200, {"result": "error", "error": fault.word, "serverTime": time})


def _rejections(reason: str, time: str, params: Params) -> list[dict[str, Any]]:
    if not reason:
        return []
    uid = params.text("order_id", "orderId") or uid_of("refused", time, params.text("cliOrdId"))
    order = {
        "orderId": uid,
        "cliOrdId": params.text("cliOrdId"),
        "type": params.text("orderType"),
        "symbol": params.text("symbol"),
        "side": params.text("side"),
        "quantity": params.number("size"),
        "filled": 0,
        "limitPrice": params.number("limitPrice"),
        "reduceOnly": params.flag("reduceOnly") or False,
        "timestamp": time,
        "lastUpdateTimestamp": time,
    }
    return [{"type": "REJECT", "uid": uid, "order": order, "reason": reason}]


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as bytes, possibly no JSON at all."""

    status: int
    body: bytes
    content_type: str = "application/json"


def distorted(kind: FaultKind, answer: Answer | None) -> RawAnswer:
    """What the client sees. `answer` is None for faults that strike before the exchange."""
    match kind:
        case FaultKind.UNAVAILABLE:
            return RawAnswer(503, b"<html><body>Service Unavailable</body></html>", "text/html")
        case FaultKind.BAD_GATEWAY:
            return RawAnswer(502, b"<html><body>Bad gateway</body></html>", "text/html")
        case FaultKind.TOO_MANY:
            return RawAnswer(429, b"<html><body>Too Many Requests</body></html>", "text/html")
        case FaultKind.EMPTY_BODY:
            return RawAnswer(200, b"")
        case FaultKind.TRUNCATED:
            assert answer is not None
            return RawAnswer(answer.status, answer.body[: len(answer.body) // 2])
        case _:
            assert answer is not None
            changed = replace(answer, payload=_changed(kind, dict(answer.payload))) if isinstance(answer.payload, dict) else answer
            return RawAnswer(changed.status, changed.body)


def _changed(kind: FaultKind, payload: dict[str, Any]) -> dict[str, Any]:
    statuses = [name for name in _STATUSES if name in payload]
    match kind:
        case FaultKind.SERVER_ERROR:
            return {"result": "error", "error": "Server Error", "serverTime": payload.get("serverTime")}
        case FaultKind.STATUS_MISSING:
            return {name: value for name, value in payload.items() if name not in statuses}
        case FaultKind.EVENTS_EMPTY:
            return payload | {name: payload[name] | {"orderEvents": []} for name in statuses}
        case FaultKind.UNKNOWN_WORD:
            return payload | {name: payload[name] | {"status": "somethingUnheardOf"} for name in statuses}
        case FaultKind.LIST_MISSING:
            return {name: value for name, value in payload.items() if name not in _LISTS}
        case _:
            return payload
