"""The main database in words of the trade: taking deliveries in, and reading history back for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.storage.models import Base, Candle, DecisionTrace, Delivery, Equity, Event, Trade, UniverseChange
from trading_system.storage.outbox import OutboxRow
from trading_system.storage.records import TableRow, rows_of

T = TypeVar("T")

_UPSERT: Final = frozenset({"trades", "candles", "equity", "deliveries"})
"""Tables whose rows have an identity of their own: telling one again replaces it."""


@dataclass(frozen=True, slots=True)
class TradeRecord:
    """A closed round trip as told. Amounts in quote currency, `None` where unknown."""

    trade_id: str
    symbol: str
    direction: str | None
    qty: Decimal | None
    entry_price: Decimal | None
    exit_price: Decimal | None
    opened_at: datetime | None
    closed_at: datetime
    gross_pnl_usd: Decimal | None
    fees_usd: Decimal | None
    funding_usd: Decimal | None
    net_pnl_usd: Decimal | None
    exit_reason: str | None
    regime: str | None
    payload: str


@dataclass(frozen=True, slots=True)
class TraceRecord:
    at: datetime
    symbol: str
    outcome: str
    reason_code: str | None
    payload: str


@dataclass(frozen=True, slots=True)
class EquityRecord:
    at: datetime
    equity_usd: Decimal
    balance_usd: Decimal | None
    unrealized_pnl_usd: Decimal | None
    margin_used_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class EventRecord:
    at: datetime
    kind: str
    symbol: str | None
    payload: str


@dataclass(frozen=True, slots=True)
class UniverseRecord:
    at: datetime
    symbol: str
    change: str
    tier: str | None


class Repository:
    """Synchronous. `deliver` belongs to the writer thread; reads may come from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def deliver(self, source: str, rows: Sequence[OutboxRow]) -> None:
        """Write outbox rows once, however often they are handed in.

        The high-water mark of `source` moves in the same transaction, so a lost answer to COMMIT does no harm.
        Raises sqlalchemy.exc.SQLAlchemyError; nothing is written then.
        """
        with self._engine.begin() as connection:
            done = connection.scalar(sa.select(Delivery.last_id).where(Delivery.source == source)) or 0
            fresh = [row for row in rows if row.outbox_id > done]
            if not fresh:
                return
            for table, values in _by_table(row for record in fresh for row in rows_of(record.kind, record.at, record.payload)).items():
                _write(connection, table, values)
            self._move_mark(connection, source, fresh[-1].outbox_id)

    def trades(self, limit: int = 50) -> tuple[TradeRecord, ...]:
        """The newest trades by close time, newest first."""
        return self._read(
            TradeRecord, sa.select(*_columns(Trade, TradeRecord)).order_by(Trade.closed_at.desc(), Trade.trade_id).limit(limit)
        )

    def decision_traces(self, symbol: str | None = None, limit: int = 50) -> tuple[TraceRecord, ...]:
        """The newest judgements (of one symbol), newest first."""
        query = (
            sa.select(*_columns(DecisionTrace, TraceRecord)).order_by(DecisionTrace.at.desc(), DecisionTrace.trace_id.desc()).limit(limit)
        )
        return self._read(TraceRecord, query if symbol is None else query.where(DecisionTrace.symbol == symbol))

    def equity_history(self, since: datetime) -> tuple[EquityRecord, ...]:
        """Equity points from `since` on, oldest first."""
        return self._read(EquityRecord, sa.select(*_columns(Equity, EquityRecord)).where(Equity.at >= since).order_by(Equity.at))

    def events(self, kind: str | None = None, limit: int = 50) -> tuple[EventRecord, ...]:
        """The newest events (of one kind), newest first."""
        query = sa.select(*_columns(Event, EventRecord)).order_by(Event.at.desc(), Event.event_id.desc()).limit(limit)
        return self._read(EventRecord, query if kind is None else query.where(Event.kind == kind))

    def universe_changes(self, limit: int = 50) -> tuple[UniverseRecord, ...]:
        """The newest changes of the universe, newest first."""
        query = sa.select(*_columns(UniverseChange, UniverseRecord)).order_by(UniverseChange.at.desc(), UniverseChange.change_id.desc())
        return self._read(UniverseRecord, query.limit(limit))

    def candles(self, symbol: Symbol, since_ms: Mapping[Timeframe, int]) -> dict[Timeframe, tuple[Bar, ...]]:
        """Bars of one symbol that opened at or after the moment of their timeframe, oldest first. One symbol at a time: a whole
        universe of bars as objects is hundreds of megabytes."""
        columns = [getattr(Candle, name) for name in Bar._fields]
        found: dict[Timeframe, tuple[Bar, ...]] = {}
        with self._engine.connect().execution_options(read=True) as connection:
            for timeframe, since in since_ms.items():
                where = (Candle.symbol == symbol, Candle.timeframe == timeframe.value, Candle.open_ms >= since)
                query = sa.select(*columns).where(*where).order_by(Candle.open_ms)
                found[timeframe] = tuple(Bar(*row) for row in connection.execute(query))
        return found

    def delete_candles(self, timeframe: Timeframe, from_ms: int, before_ms: int) -> int:
        """Delete bars whose open time lies in [from_ms, before_ms); return how many."""
        where = (Candle.timeframe == timeframe.value, Candle.open_ms >= from_ms, Candle.open_ms < before_ms)
        with self._engine.begin() as connection:
            return connection.execute(sa.delete(Candle).where(*where)).rowcount

    def oldest_candle_ms(self, timeframe: Timeframe) -> int | None:
        """Open time of the oldest stored bar of a timeframe."""
        with self._engine.connect().execution_options(read=True) as connection:
            return connection.scalar(sa.select(sa.func.min(Candle.open_ms)).where(Candle.timeframe == timeframe.value))

    def delete_traces(self, before: datetime) -> int:
        """Delete decision traces older than `before`; return how many."""
        with self._engine.begin() as connection:
            return connection.execute(sa.delete(DecisionTrace).where(DecisionTrace.at < before)).rowcount

    def _read(self, record: Callable[..., T], query: sa.Select[Any]) -> tuple[T, ...]:
        with self._engine.connect().execution_options(read=True) as connection:
            return tuple(record(*row) for row in connection.execute(query))

    @staticmethod
    def _move_mark(connection: Connection, source: str, last_id: int) -> None:
        _write(connection, "deliveries", [{"source": source, "last_id": last_id}])


def _columns(model: type[Base], record: type[Any]) -> list[Any]:
    """The model's columns in the order of the record's fields."""
    return [getattr(model, field.name) for field in fields(record)]


def _by_table(rows: Iterable[TableRow]) -> dict[str, list[Mapping[str, Any]]]:
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row.table, []).append(row.values)
    return grouped


def _write(connection: Connection, table_name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    table = Base.metadata.tables[table_name]
    if table_name not in _UPSERT:
        connection.execute(sa.insert(table), list(rows))
        return
    keys = [column.name for column in table.primary_key]
    # one statement may not touch a row twice on PostgreSQL: of one identity the last told wins
    unique = list({tuple(row[key] for key in keys): row for row in rows}.values())
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    told = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=told), unique)
