"""`/_sim/…`: the exchange's truth as JSON, and its levers, for checkers on the same machine. Not part of the venue's protocol.

GET  /_sim/state    account, positions, orders, the newest fills (?fills=N), modes, budgets, faults that struck
GET  /_sim/log      requests and answers with seq and time (after_seq, limit)
GET  /_sim/events   orders that appeared, changed, left; fills; account entries, with seq and process time (after_seq, limit)
POST /_sim/faults   {"kind": …, "path": "sendorder", "count": 1, "skip": 0, "delay_s": 0}
POST /_sim/mode     {"symbol": "PF_XBTUSD", "mode": "post_only"}
POST /_sim/depth    {"symbol": "PF_XBTUSD", "share": "0.05"}: how much of the book is left; 0 = none
POST /_sim/maintenance  {"in_s": 600, "minutes": 10, "post_only_minutes": 5}: announce it (market time)
POST /_sim/delist  {"symbol": "PF_XBTUSD", "in_s": 600}: announce the end of a contract
POST /_sim/delays  {"orders_ms": 0, "positions_ms": 0, "fills_ms": 0}: how far the listings lag (process time)
POST /_sim/clock  {"offset_s": 5}: how far the clock that clients see is off market time
POST /_sim/vanish  {"order_id": …}: an open order is gone without a word
POST /_sim/feeds    {"action": "drop"}: cut every WebSocket
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, Final

import msgspec
from aiohttp import web

from trading_system.sim.codec import to_json
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.encoding import encode, iso
from trading_system.sim.kraken_server.envelope import RequestRefused
from trading_system.sim.kraken_server.event_log import EventLog
from trading_system.sim.kraken_server.faults import Faults, fault_of
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.request_log import RequestLog
from trading_system.sim.model import MarketMode
from trading_system.sim.read_models import delays_of

FILLS_MAX: Final = 5_000


def state_payload(desk: Desk, fills_max: int = FILLS_MAX) -> dict[str, Any]:
    """Everything about the account now, with the newest `fills_max` fills. Decimals are text here, exact."""
    exchange = desk.exchange
    executions = exchange.executions()
    fills = islice(executions, max(0, len(executions) - fills_max), None)
    return {
        "market_ms": exchange.now_ms,
        "serverTime": iso(exchange.now_ms),
        "account": to_json(exchange.account()),
        "positions": [to_json(row) for row in exchange.positions()],
        "orders": [to_json(row) for row in exchange.open_orders()],
        "fills": [to_json(row) for row in fills],
        "rows": {
            "fills": len(executions),
            "account_log": len(exchange.account_log()),
            "orders": len(exchange.order_history()),
            "triggers": len(exchange.trigger_history()),
        },
        "modes": {symbol: exchange.mode(symbol).value for symbol in exchange.symbols()},
        "leverage": to_json(exchange.leverage()),
        "notices": [to_json(notice) for notice in exchange.notices()],
        "is_down": exchange.is_down,
        "read_delays": to_json(desk.reads.delays),
        "clock_offset_ms": desk.clock_offset_ms,
    }


def log_payload(log: RequestLog, params: Params) -> dict[str, Any]:
    """The request log after `after_seq` (default all), at most `limit` rows."""
    rows = log.rows(params.integer("after_seq", least=0) or 0, params.integer("limit", least=1) or 20_000)
    return {"requests": rows, "public_requests": log.public_count}


def events_payload(events: EventLog, params: Params) -> dict[str, Any]:
    """The event log after `after_seq` (default all), at most `limit` rows."""
    return {"events": events.rows(params.integer("after_seq", least=0) or 0, params.integer("limit", least=1) or 20_000)}


def offset_ms(row: Mapping[str, Any], key: str = "offset_s") -> int:
    """A clock offset from {key: …}; ValueError when it is no number of seconds up to an hour."""
    offset_s = row[key]
    if isinstance(offset_s, bool) or not isinstance(offset_s, int | float | Decimal) or not -3600 <= offset_s <= 3600:
        raise ValueError(f"{key} {offset_s!r}: must be seconds from -3600 to 3600")
    return round(offset_s * 1000)


def share_of(row: Mapping[str, Any], key: str = "share") -> Decimal:
    """A share from {key: "0.05"}; ValueError when it is no number."""
    try:
        return Decimal(str(row[key]))
    except InvalidOperation:
        raise ValueError(f"{key} {row[key]!r}: must be a number from 0 to 1") from None


class Inspection:
    """The pages. `facts` adds what only the server knows; `publish` follows every change; `drop_feeds` cuts the WebSockets."""

    def __init__(
        self,
        desk: Desk,
        log: RequestLog,
        events: EventLog,
        faults: Faults,
        facts: Callable[[], dict[str, Any]],
        publish: Callable[[], None],
        drop_feeds: Callable[[], Awaitable[None]],
    ) -> None:
        self._desk = desk
        self._log = log
        self._events = events
        self._faults = faults
        self._facts = facts
        self._publish = publish
        self._drop_feeds = drop_feeds

    def register(self, app: web.Application) -> None:
        app.router.add_get("/_sim/{page}", self._read)
        app.router.add_post("/_sim/{page}", self._change)

    async def _read(self, request: web.Request) -> web.Response:
        params = Params.of_request(request.query_string, "")
        try:
            match request.match_info["page"]:
                case "state":
                    fills_max = params.integer("fills", least=0)
                    payload = state_payload(self._desk, FILLS_MAX if fills_max is None else min(fills_max, FILLS_MAX))
                    payload |= self._facts() | {"faults_struck": dict(self._faults.struck)}
                case "log":
                    payload = log_payload(self._log, params)
                case "events":
                    payload = events_payload(self._events, params)
                case _:
                    return web.Response(status=404, text="pages to read: state, log, events")
        except RequestRefused as refused:
            return web.Response(status=400, text=refused.error)
        return web.Response(body=encode(payload), content_type="application/json")

    async def _change(self, request: web.Request) -> web.Response:
        page = request.match_info["page"]
        try:
            row = msgspec.json.decode(await request.read(), type=dict[str, Any])
            match page:
                case "faults":
                    self._faults.add(fault_of(row))
                case "mode":
                    self._desk.exchange.set_mode(row["symbol"], MarketMode(row["mode"]))
                case "depth":
                    self._desk.exchange.set_depth(row["symbol"], share_of(row))
                case "maintenance":
                    start_ms = self._desk.now_ms + int(row.get("in_s", 0)) * 1000
                    self._desk.exchange.announce_maintenance(start_ms, int(row.get("minutes", 10)), int(row.get("post_only_minutes", 5)))
                case "delist":
                    self._desk.exchange.announce_delisting(row["symbol"], self._desk.now_ms + int(row.get("in_s", 0)) * 1000)
                case "delays":
                    self._desk.reads.set_delays(delays_of(row))
                case "clock":
                    self._desk.clock_offset_ms = offset_ms(row)
                case "vanish":
                    if not self._desk.exchange.vanish(str(row["order_id"])):
                        return web.Response(status=400, text="vanish: no open order of that order_id")
                case "feeds":
                    await self._drop_feeds()
                case _:
                    return web.Response(status=404, text="levers: faults, mode, depth, maintenance, delist, delays, clock, vanish, feeds")
        except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
            return web.Response(status=400, text=f"{page}: {error}")
        self._publish()
        return web.json_response({"result": "success"})
