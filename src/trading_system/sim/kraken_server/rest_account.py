"""What an account asks for besides trading: its place in the unwind queue, sub-accounts, self-trade strategy, moving money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.envelope import Payload, RequestRefused
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.model import PositionRow, SelfTrade

_WALLETS: Final = frozenset({"flex", "cash"})


def unwind_queue(desk: Desk, _params: Params) -> Payload:
    """Open positions by how early they would be unwound: 20 to 100 by their profit, since there are no others to rank against."""
    return {"queue": [{"symbol": row.symbol, "percentile": _percentile(row)} for row in desk.exchange.positions()]}


def _percentile(row: PositionRow) -> int:
    gain = row.unrealized_pnl / row.initial_margin if row.initial_margin else Decimal(0)
    return 20 * (1 + sum(gain > Decimal(step) for step in ("0", "0.25", "0.5", "1")))


def subaccounts(desk: Desk, _params: Params) -> Payload:
    return {"masterAccountUid": desk.account_uid, "subaccounts": []}


def self_trade_strategy(desk: Desk, _params: Params) -> Payload:
    return {"strategy": desk.exchange.self_trade.value}


def put_self_trade_strategy(desk: Desk, params: Params) -> Payload:
    """REJECT_TAKER, or one of three that cancel the maker; without sub-accounts those are one."""
    try:
        strategy = SelfTrade(params.required("strategy").upper())
    except ValueError as error:
        raise RequestRefused("invalidArgument: strategy") from error
    desk.exchange.set_self_trade(strategy)
    return self_trade_strategy(desk, params)


def transfer(_desk: Desk, params: Params) -> Payload:
    """Between wallets. All money is in the flex wallet and stays there: any other wallet has nothing to give."""
    amount, unit = _amount(params), params.required("unit").upper()
    source, target = params.required("fromAccount").lower(), params.required("toAccount").lower()
    if unit != "USD":
        raise RequestRefused("invalidUnit")
    if source not in _WALLETS or target != "flex" or source == target:
        raise RequestRefused("invalidAccount")
    assert amount > 0
    raise RequestRefused("insufficientFunds")


def transfer_subaccount(_desk: Desk, params: Params) -> Payload:
    """There are no sub-accounts."""
    _amount(params)
    for name in ("fromUser", "toUser", "fromAccount", "toAccount", "unit"):
        params.required(name)
    raise RequestRefused("invalidAccount")


def withdraw(desk: Desk, params: Params) -> Payload:
    """To the spot wallet: the whole amount or nothing."""
    amount, currency = _amount(params), params.required("currency").upper()
    if currency != "USD":
        raise RequestRefused("invalidUnit")
    if (params.text("sourceWallet") or "flex").lower() != "flex" or amount > desk.exchange.account().available_margin:
        raise RequestRefused("insufficientFunds")
    desk.exchange.deposit(-amount)
    return {"uid": desk.exchange.account_log()[-1].booking_uid}


def _amount(params: Params) -> Decimal:
    amount: Any = params.required_number("amount")
    if amount <= 0:
        raise RequestRefused("invalidAmount")
    return Decimal(amount)
