"""Rows about the account in REST answers: wallets, positions, the account log."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading_system.sim.kraken_server.encoding import iso
from trading_system.sim.model import AccountRow, LogEntry, PositionRow


def accounts_row(account: AccountRow) -> dict[str, Any]:
    """All wallets. The account holds USD in the flex wallet and nothing else."""
    return {
        "cash": {"type": "cashAccount", "balances": {"usd": Decimal(0)}},
        "flex": {
            "type": "multiCollateralMarginAccount",
            "currencies": {
                "USD": {
                    "quantity": account.balance,
                    "value": account.balance,
                    "collateral": account.balance,
                    "available": max(Decimal(0), min(account.balance, account.available_margin)),
                }
            },
            "initialMargin": account.initial_margin,
            "initialMarginWithOrders": account.initial_margin_with_orders,
            "maintenanceMargin": account.maintenance_margin,
            "balanceValue": account.balance,
            "portfolioValue": account.portfolio_value,
            "collateralValue": account.balance,
            "pnl": account.pnl,
            "unrealizedFunding": account.unrealized_funding,
            "totalUnrealized": account.total_unrealized,
            "totalUnrealizedAsMargin": account.total_unrealized,
            "marginEquity": account.margin_equity,
            "availableMargin": account.available_margin,
        },
    }


def open_position_row(position: PositionRow) -> dict[str, Any]:
    """One row of `openpositions`. Mark, margin and liquidation price are not part of it."""
    row: dict[str, Any] = {
        "side": "long" if position.is_long else "short",
        "symbol": position.symbol,
        "price": position.entry_price,
        "fillTime": iso(position.opened_ms),
        "size": position.size,
        "unrealizedFunding": position.unrealized_funding,
        "pnlCurrency": "USD",
    }
    if position.max_fixed_leverage is not None:
        row["maxFixedLeverage"] = position.max_fixed_leverage
    return row


def log_row(entry: LogEntry) -> dict[str, Any]:
    """One row of the account log; absent figures are null, contracts are written in lower case."""
    contract = None if entry.contract is None else entry.contract.lower()
    is_cash = entry.asset.lower() == "usd"
    return {
        "id": entry.entry_id,
        "date": iso(entry.at_ms),
        "asset": "usd" if is_cash else entry.asset.lower(),
        "contract": contract,
        "info": entry.info,
        "booking_uid": entry.booking_uid,
        "margin_account": "flex",
        "old_balance": entry.old_balance,
        "new_balance": entry.new_balance,
        "old_average_entry_price": entry.old_average_entry_price,
        "new_average_entry_price": entry.new_average_entry_price,
        "trade_price": entry.trade_price,
        "mark_price": entry.mark_price,
        "realized_pnl": entry.realized_pnl,
        "fee": entry.fee,
        "execution": entry.execution,
        "collateral": "usd",
        "funding_rate": entry.funding_rate,
        "realized_funding": entry.realized_funding,
        "conversion_spread_percentage": None,
        "liquidation_fee": entry.liquidation_fee,
        "position_uid": None,
    }
