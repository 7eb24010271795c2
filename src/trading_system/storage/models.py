"""Tables of the main database. History only: nothing here is needed to protect or to resume a position."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from trading_system.storage.columns import ExactDecimal, UtcMoment

_BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only for INTEGER PRIMARY KEY."""


class Base(DeclarativeBase):
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {Decimal: ExactDecimal(), datetime: UtcMoment(), str: sa.Text(), float: sa.Double()}


class Trade(Base):
    """One closed round trip. Written again with the same id when a late fee or funding changes it."""

    __tablename__ = "trades"

    trade_id: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(index=True)
    direction: Mapped[str | None]
    qty: Mapped[Decimal | None]
    entry_price: Mapped[Decimal | None]
    exit_price: Mapped[Decimal | None]
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime] = mapped_column(index=True)
    gross_pnl_usd: Mapped[Decimal | None]
    fees_usd: Mapped[Decimal | None]
    funding_usd: Mapped[Decimal | None]
    net_pnl_usd: Mapped[Decimal | None]
    exit_reason: Mapped[str | None]
    regime: Mapped[str | None]
    payload: Mapped[str]
    """JSON of everything that was told, amounts as strings."""


class Event(Base):
    """Anything worth remembering that has no table of its own."""

    __tablename__ = "events"

    event_id: Mapped[int] = mapped_column(_BIG_KEY, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(index=True)
    symbol: Mapped[str | None] = mapped_column(index=True)
    payload: Mapped[str]


class DecisionTrace(Base):
    """Why a symbol was or was not entered: the gate ladder of one judgement."""

    __tablename__ = "decision_traces"
    __table_args__ = (sa.Index("ix_decision_traces_symbol_at", "symbol", "at"),)

    trace_id: Mapped[int] = mapped_column(_BIG_KEY, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    symbol: Mapped[str]
    outcome: Mapped[str]
    """`signal` or `no_signal`."""
    reason_code: Mapped[str | None]
    payload: Mapped[str]


class Candle(Base):
    """One closed bar. Double precision: bars are float everywhere."""

    __tablename__ = "candles"
    __table_args__ = (sa.Index("ix_candles_timeframe_open_ms", "timeframe", "open_ms"),)

    symbol: Mapped[str] = mapped_column(primary_key=True)
    timeframe: Mapped[str] = mapped_column(primary_key=True)
    open_ms: Mapped[int] = mapped_column(sa.BigInteger(), primary_key=True, autoincrement=False)
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    volume: Mapped[float]


class Equity(Base):
    """The account at one moment."""

    __tablename__ = "equity"

    at: Mapped[datetime] = mapped_column(primary_key=True)
    equity_usd: Mapped[Decimal]
    balance_usd: Mapped[Decimal | None]
    unrealized_pnl_usd: Mapped[Decimal | None]
    margin_used_usd: Mapped[Decimal | None]
    payload: Mapped[str]


class UniverseChange(Base):
    """A market entered or left the universe, or changed its tier."""

    __tablename__ = "universe_changes"

    change_id: Mapped[int] = mapped_column(_BIG_KEY, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    symbol: Mapped[str] = mapped_column(index=True)
    change: Mapped[str]
    """`added`, `removed` or `tier`."""
    tier: Mapped[str | None]
    payload: Mapped[str]


class Delivery(Base):
    """How far one outbox was delivered. Moved in the same transaction as the rows: that makes delivery exactly-once."""

    __tablename__ = "deliveries"

    source: Mapped[str] = mapped_column(primary_key=True)
    last_id: Mapped[int] = mapped_column(sa.BigInteger())
