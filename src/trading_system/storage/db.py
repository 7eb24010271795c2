"""Engines for the main database: SQLite in WAL with real transactions, PostgreSQL on psycopg2.

Two traps of SQLAlchemy 2.1 it avoids: plain `postgresql://` now means psycopg 3, which is not installed, so create_engine
fails at the owner's own DATABASE_URL; and sqlite3's transaction control begins late, so a read-then-write can fail half-way.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url

_CONNECT_TIMEOUT_S: Final = 5
_STATEMENT_TIMEOUT_MS: Final = 15_000
_BUSY_TIMEOUT_S: Final = 5


def normalise_url(url: str) -> URL:
    """Return the URL with its driver made explicit: `postgres://` and `postgresql://` mean psycopg2.

    Raises ValueError for a backend that is neither PostgreSQL nor SQLite. The text never contains the password.
    """
    scheme, separator, rest = url.strip().partition("://")
    if scheme == "postgres":
        scheme = "postgresql"
    try:
        parsed = make_url(f"{scheme}{separator}{rest}")
    except sa.exc.ArgumentError:
        raise ValueError("DATABASE_URL is not a database URL; write it like postgresql://user:password@host/name") from None
    if parsed.drivername == "postgresql":
        return parsed.set(drivername="postgresql+psycopg2")
    if parsed.get_backend_name() not in ("postgresql", "sqlite"):
        raise ValueError(f"DATABASE_URL must be PostgreSQL or SQLite, was {parsed.get_backend_name()!r}")
    return parsed


def make_engine(url: str) -> Engine:
    """An engine for the main database. Does not connect; the folder of an SQLite file is made."""
    parsed = normalise_url(url)
    if parsed.get_backend_name() == "postgresql":
        return _postgres_engine(parsed)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    return _sqlite_engine(parsed)


def _postgres_engine(url: URL) -> Engine:
    return sa.create_engine(
        url,
        pool_size=3,
        max_overflow=2,
        pool_pre_ping=True,
        pool_recycle=1800,
        # one round trip per page of rows instead of one per row
        executemany_mode="values_plus_batch",
        executemany_batch_page_size=1000,
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "application_name": "trading-bot",
            # a network that swallows packets must not hold the writer for the kernel's two hours
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} -c timezone=UTC",
        },
    )


def _sqlite_engine(url: URL) -> Engine:
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False})
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours
    cursor = connection.cursor()
    # NORMAL: power loss may cost the last moments of history, never its consistency; the outbox still holds what matters
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "temp_store=MEMORY", "journal_size_limit=67108864"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # IMMEDIATE: a writer waits at BEGIN; it never fails half-way when its read lock would have to grow
    is_read = connection.get_execution_options().get("read", False)
    connection.exec_driver_sql("BEGIN" if is_read else "BEGIN IMMEDIATE")
