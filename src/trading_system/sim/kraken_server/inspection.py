"""`/_sim/state` and `/_sim/log`: the exchange's truth as JSON, for checkers on the same machine. Not part of the venue's protocol."""

from __future__ import annotations

from typing import Any, Final

from trading_system.sim.codec import to_json
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.encoding import iso
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.request_log import RequestLog

FILLS_MAX: Final = 5_000


def state_payload(desk: Desk, speed: float, points_left: dict[str, float]) -> dict[str, Any]:
    """Everything about the account now. Decimals are text here, exact."""
    exchange = desk.exchange
    fills = list(exchange.executions())[-FILLS_MAX:]
    return {
        "market_ms": exchange.now_ms,
        "serverTime": iso(exchange.now_ms),
        "speed": speed,
        "account": to_json(exchange.account()),
        "positions": [to_json(row) for row in exchange.positions()],
        "orders": [to_json(row) for row in exchange.open_orders()],
        "fills": [to_json(row) for row in fills],
        "modes": {symbol: exchange.mode(symbol).value for symbol in exchange.symbols()},
        "points_left": points_left,
    }


def log_payload(log: RequestLog, params: Params) -> dict[str, Any]:
    """The request log after `after_seq` (default all), at most `limit` rows."""
    rows = log.rows(params.integer("after_seq", least=0) or 0, params.integer("limit", least=1) or 20_000)
    return {"requests": rows, "public_requests": log.public_count}
