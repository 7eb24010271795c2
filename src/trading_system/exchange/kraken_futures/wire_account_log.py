"""The account log (history v3) to money movements. A trade is two rows there; its fee stands on the cash row only.

Amounts are USD. A movement of another currency has no USD value in the log: it is reported as OTHER with amount zero and an
issue, so that a person looks, instead of shifting a loss limit by a number of coins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from trading_system.domain.account import AccountFlow, FlowKind
from trading_system.domain.units import ZERO, Usd
from trading_system.exchange.kraken_futures.wire_values import (
    Parsed,
    Row,
    list_in,
    moment_of,
    number_of,
    optional_number,
    optional_text,
    parse_each,
    shortened,
    symbol_from,
)

_TRADES: Final = frozenset(
    {
        "futures trade",
        "futures liquidation",
        "futures assignor",
        "futures assignee",
        "futures unwind counterparty",
        "futures unwind bankrupt",
        "covered liquidation",
        "settlement",
    }
)
_TRANSFERS: Final = frozenset({"transfer", "subaccount transfer", "cross-exchange transfer", "admin transfer"})
_OTHERS: Final = frozenset({"kfee applied", "tax withheld", "tax refund"})


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row with what it moved (usually one flow, none for a plain position leg)."""

    row_id: int
    at: datetime
    flows: tuple[AccountFlow, ...]


def parse_account_log(payload: object) -> Parsed[LogRow]:
    """Rows in the order of the answer. ReadFailed without the list `logs`."""
    return parse_each(list_in(payload, "logs"), "logs", _log_row)


def _log_row(row: Row, note: Callable[[str], None]) -> LogRow:
    row_id = int(number_of(row, "id"))
    at = moment_of(row, "date")
    info = (optional_text(row, "info") or "").lower()
    contract = optional_text(row, "contract")
    symbol = None if contract is None else symbol_from(contract)
    flows: list[AccountFlow] = []

    def add(kind: FlowKind, amount: Decimal, suffix: str = "", fill_id: str | None = None) -> None:
        flows.append(AccountFlow(f"{row_id}{suffix}", at, kind, Usd(amount), symbol, fill_id))

    if info == "funding rate change":
        add(FlowKind.FUNDING, optional_number(row, "realized_funding") or ZERO)
    elif info in _TRADES:
        _trade_flows(row, add)
    elif info in _TRANSFERS:
        amount = _usd_change(row, note)
        add(FlowKind.OTHER if amount is None else FlowKind.DEPOSIT if amount >= 0 else FlowKind.WITHDRAWAL, amount or ZERO)
    elif info == "conversion":
        # one row per currency: the value stays in the wallet, only its form changes
        add(FlowKind.CONVERSION, ZERO)
    elif info == "interest payment":
        amount = _usd_change(row, note)
        add(FlowKind.INTEREST if amount is not None else FlowKind.OTHER, amount or ZERO)
    else:
        if info not in _OTHERS:
            note(f"info {shortened(info)} is new to us; kept as other")
        add(FlowKind.OTHER, _usd_change(row, note) or ZERO)
    return LogRow(row_id, at, tuple(flows))


def _trade_flows(row: Row, add: Callable[..., None]) -> None:
    fee = optional_number(row, "fee") or ZERO
    if fee:
        add(FlowKind.FEE, -fee, ":fee", optional_text(row, "execution"))
    # funding is realised whenever the net position changes, so a trade row can carry some
    funding = optional_number(row, "realized_funding") or ZERO
    if funding:
        add(FlowKind.FUNDING, funding, ":funding")
    liquidation_fee = optional_number(row, "liquidation_fee") or ZERO
    if liquidation_fee:
        add(FlowKind.LIQUIDATION_FEE, -liquidation_fee, ":liquidation")


def _usd_change(row: Row, note: Callable[[str], None]) -> Decimal | None:
    """New minus old balance when the row is about dollars, else None."""
    asset = (optional_text(row, "asset") or "").lower()
    if asset != "usd":
        note(f"movement in {shortened(asset)} has no dollar value in the log")
        return None
    return number_of(row, "new_balance") - number_of(row, "old_balance")


def flows_of(rows: tuple[LogRow, ...]) -> tuple[AccountFlow, ...]:
    """All flows, oldest first, each once."""
    unique = {flow.flow_id: flow for row in rows for flow in row.flows}
    return tuple(sorted(unique.values(), key=lambda flow: (flow.at, flow.flow_id)))
