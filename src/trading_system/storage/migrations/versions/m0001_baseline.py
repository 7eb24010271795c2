"""Baseline: trades, events, decision traces, candles, equity, universe changes, deliveries.

Revision 0001, the first.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from trading_system.storage.columns import ExactDecimal, UtcMoment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INDEXES: Final = (
    ("ix_candles_timeframe_open_ms", "candles", ["timeframe", "open_ms"]),
    ("ix_decision_traces_at", "decision_traces", ["at"]),
    ("ix_decision_traces_symbol_at", "decision_traces", ["symbol", "at"]),
    ("ix_events_at", "events", ["at"]),
    ("ix_events_kind", "events", ["kind"]),
    ("ix_events_symbol", "events", ["symbol"]),
    ("ix_trades_closed_at", "trades", ["closed_at"]),
    ("ix_trades_symbol", "trades", ["symbol"]),
    ("ix_universe_changes_at", "universe_changes", ["at"]),
    ("ix_universe_changes_symbol", "universe_changes", ["symbol"]),
)
_TABLES: Final = ("candles", "decision_traces", "deliveries", "equity", "events", "trades", "universe_changes")


def upgrade() -> None:
    _create_market_tables()
    _create_history_tables()
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, table, _ in _INDEXES:
        op.drop_index(name, table)
    for table in _TABLES:
        op.drop_table(table)


def _numbered(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False)


def _create_market_tables() -> None:
    op.create_table(
        "candles",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("open_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("open", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("close", sa.Double(), nullable=False),
        sa.Column("volume", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "timeframe", "open_ms", name="pk_candles"),
    )
    op.create_table(
        "universe_changes",
        _numbered("change_id"),
        sa.Column("at", UtcMoment(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name="pk_universe_changes"),
    )


def _create_history_tables() -> None:
    op.create_table(
        "decision_traces",
        _numbered("trace_id"),
        sa.Column("at", UtcMoment(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trace_id", name="pk_decision_traces"),
    )
    op.create_table(
        "deliveries",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_deliveries"),
    )
    op.create_table(
        "equity",
        sa.Column("at", UtcMoment(), nullable=False),
        sa.Column("equity_usd", ExactDecimal(), nullable=False),
        sa.Column("balance_usd", ExactDecimal(), nullable=True),
        sa.Column("unrealized_pnl_usd", ExactDecimal(), nullable=True),
        sa.Column("margin_used_usd", ExactDecimal(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("at", name="pk_equity"),
    )
    op.create_table(
        "events",
        _numbered("event_id"),
        sa.Column("at", UtcMoment(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_events"),
    )
    op.create_table(
        "trades",
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("opened_at", UtcMoment(), nullable=True),
        sa.Column("closed_at", UtcMoment(), nullable=False),
        *(sa.Column(name, ExactDecimal(), nullable=True) for name in _TRADE_AMOUNTS),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("regime", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trade_id", name="pk_trades"),
    )


_TRADE_AMOUNTS: Final = ("qty", "entry_price", "exit_price", "gross_pnl_usd", "fees_usd", "funding_usd", "net_pnl_usd")
