"""Private reads and preferences of the v3 API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.encoding import iso
from trading_system.sim.kraken_server.envelope import MarginRefused, Payload, RequestRefused
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.rest_public import known_market
from trading_system.sim.kraken_server.rows_account import accounts_row, open_position_row
from trading_system.sim.kraken_server.rows_market import FEE_SCHEDULE_UID
from trading_system.sim.kraken_server.rows_order import fill_row, open_order_row, status_row


def accounts(desk: Desk, _params: Params) -> Payload:
    return {"accounts": accounts_row(desk.exchange.account())}


def open_positions(desk: Desk, _params: Params) -> Payload:
    return {"openPositions": [open_position_row(row) for row in desk.reads.positions()]}


def open_orders(desk: Desk, _params: Params) -> Payload:
    stop_word = desk.exchange.config.variants.stop_word
    return {"openOrders": [open_order_row(order, stop_word) for order in desk.reads.open_orders()]}


def orders_status(desk: Desk, params: Params) -> Payload:
    """Open orders and those that just ended; unknown ids are simply missing."""
    rows = desk.exchange.order_status(params.texts("orderIds"), params.texts("cliOrdIds"))
    return {"orders": [status_row(row) for row in rows]}


def fills(desk: Desk, params: Params) -> Payload:
    """The newest (100 unless configured), newest first; `lastFillTime` gives those before it."""
    variants = desk.exchange.config.variants
    rows = desk.reads.fills(before_ms=params.time_ms("lastFillTime"), limit=variants.fills_page)
    return {"fills": [fill_row(fill, shows_fee=variants.fills_show_fees) for fill in rows]}


def fee_volumes(desk: Desk, _params: Params) -> Payload:
    """USD traded in the last 30 days."""
    return {"volumesByFeeSchedule": {FEE_SCHEDULE_UID: desk.exchange.traded_30_days()}}


def notifications(desk: Desk, _params: Params) -> Payload:
    rows = [
        {"type": note.kind, "priority": note.priority, "note": note.note, "effectiveTime": iso(note.effective_ms)}
        for note in desk.exchange.notices()
    ]
    return {"notifications": rows}


def leverage_preferences(desk: Desk, params: Params) -> Payload:
    rows = _preferred(desk, params, desk.exchange.leverage(), "maxLeverage")
    return {"leveragePreferences": rows}


def put_leverage_preference(desk: Desk, params: Params) -> Payload:
    """With maxLeverage the market is isolated; without it returns to cross. Refused when margin would break."""
    symbol, leverage = known_market(desk, params), params.number("maxLeverage")
    try:
        is_accepted = desk.exchange.set_leverage(symbol, leverage)
    except ValueError as error:
        raise RequestRefused("invalidArgument: maxLeverage") from error
    if not is_accepted:
        raise MarginRefused
    return {}


def pnl_preferences(desk: Desk, params: Params) -> Payload:
    return {"preferences": _preferred(desk, params, desk.preferences.pnl_currency, "pnlCurrency")}


def put_pnl_preference(desk: Desk, params: Params) -> Payload:
    """The account holds USD only, so that is the one currency it can be paid in."""
    symbol, currency = known_market(desk, params), params.required("pnlPreference").upper()
    if currency != "USD":
        raise RequestRefused("invalidArgument: pnlPreference")
    desk.preferences.pnl_currency[symbol] = currency
    desk.on_preferences(desk.preferences)
    return {}


def _preferred(desk: Desk, params: Params, preferences: Mapping[str, object], field: str) -> list[dict[str, Any]]:
    wanted = None if params.text("symbol") is None else known_market(desk, params)
    return [{"symbol": symbol, field: value} for symbol, value in sorted(preferences.items()) if wanted in (None, symbol)]
