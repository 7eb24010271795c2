"""Closed trades as rows: one flat record each, written to CSV or JSON lines, from which every figure can be computed again."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from trading_system.backtest.statistics import Outcome
from trading_system.domain.errors import ConfigError
from trading_system.domain.units import ZERO, from_ms
from trading_system.execution.registry import ClosedTrade

SUFFIXES: Final = (".csv", ".jsonl")


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One round trip. Money in USD, prices per base unit, moments ISO 8601 UTC; None = not known.

    funding: paid (received = negative); net = gross - fees - funding. entry_slippage_usd: what the entry's fills cost beyond the
    mark price at which it was approved (half the spread, depth), a part of gross. risk_usd: what the initial stop allowed to lose on
    the filled size = 1 R; r_multiple and gross_r are net and gross in it.
    """

    position_id: str
    symbol: str
    direction: str
    regime: str | None
    tier: str | None
    setup: str
    score: float | None
    signal_at: str | None
    opened_at: str
    closed_at: str
    entry_price: Decimal | None
    exit_price: Decimal | None
    stop_price: Decimal
    qty: Decimal
    gross_pnl: Decimal
    fees: Decimal
    funding: Decimal
    net_pnl: Decimal
    entry_slippage_usd: Decimal
    risk_usd: Decimal
    r_multiple: float | None
    gross_r: float | None
    exit_reason: str


def row_of(trade: ClosedTrade) -> TradeRow:
    """The row of a closed position."""
    position = trade.position
    plan, tally = position.plan, position.tally
    risk = (position.risk_per_unit or ZERO) * tally.entered
    entry = tally.average_entry
    slippage = ZERO if entry is None else (entry - plan.reference_price) * plan.direction.sign * tally.entered
    return TradeRow(
        position_id=position.position_id,
        symbol=position.symbol,
        direction=position.direction.value,
        regime=None if plan.regime is None else plan.regime.value,
        tier=None if plan.tier is None else plan.tier.value,
        setup=plan.setup,
        score=plan.score,
        signal_at=None if plan.signal_at_ms is None else from_ms(plan.signal_at_ms).isoformat(),
        opened_at=(tally.first_fill_at or plan.planned_at).isoformat(),
        closed_at=(tally.last_fill_at or trade.closed_at).isoformat(),
        entry_price=entry,
        exit_price=tally.average_exit,
        stop_price=plan.stop_price,
        qty=tally.entered,
        gross_pnl=position.gross,
        fees=tally.fees,
        funding=-tally.funding,
        net_pnl=position.net,
        entry_slippage_usd=slippage,
        risk_usd=risk,
        r_multiple=float(position.net / risk) if risk > 0 else None,
        gross_r=float(position.gross / risk) if risk > 0 else None,
        exit_reason=trade.reason.value,
    )


def as_mapping(row: TradeRow) -> dict[str, Any]:
    """Field by name."""
    return {field.name: getattr(row, field.name) for field in fields(TradeRow)}


def outcome_of(row: Mapping[str, Any]) -> Outcome | None:
    """A trade as statistics take it, from a row or from what JSON or CSV kept of one. None without an R to measure with."""
    if row["r_multiple"] in (None, ""):
        return None
    return Outcome(
        day=datetime.fromisoformat(row["closed_at"]).date(),
        r_multiple=float(row["r_multiple"]),
        gross_r=float(row["gross_r"]),
        net_pnl=float(row["net_pnl"]),
        gross_pnl=float(row["gross_pnl"]),
        costs=float(row["fees"]) + float(row["funding"]),
    )


def check_trades_path(path: Path) -> None:
    """ConfigError for a name that says neither CSV nor JSON lines."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{path}: the name of a trades file ends with {' or '.join(SUFFIXES)}")


def write_trades(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """CSV or JSON lines by the suffix; Decimals as exact text."""
    names = [field.name for field in fields(TradeRow)]
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix == ".csv":
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([["" if row[name] is None else row[name] for name in names] for row in rows])
        else:
            file.writelines(_json_line(row) for row in rows)


def read_trades(path: Path) -> list[dict[str, Any]]:
    """What `write_trades` wrote; numbers stay text in CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


def _json_line(row: Mapping[str, Any]) -> str:
    return json.dumps({name: str(value) if isinstance(value, Decimal) else value for name, value in row.items()}) + "\n"


def outcomes_of(rows: Iterable[Mapping[str, Any]]) -> list[Outcome]:
    """Trades that have an R, in the order given."""
    return [found for row in rows if (found := outcome_of(row)) is not None]
