"""The EngineStore port on a small SQLite file of its own. A cache: a damaged file is thrown away and made anew.

It lies beside the journal and not in the main database, which may be away at a start; its loss costs seconds of warm-up.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Final

from trading_system.domain.errors import ReadFailed
from trading_system.domain.symbols import Symbol

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS engines (symbol TEXT PRIMARY KEY, state BLOB NOT NULL, digest BLOB NOT NULL)"


class SqliteEngineStore:
    """Opened at its first use; `close` at the end. A state that is not whole is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = Lock()
        """Calls run in threads; a cancelled awaiter leaves its thread behind."""

    async def load(self, symbol: Symbol) -> bytes | None:
        """Off the loop."""
        return await asyncio.to_thread(self._load, symbol)

    async def save(self, states: Mapping[Symbol, bytes]) -> None:
        """Off the loop, in one transaction."""
        await asyncio.to_thread(self._save, dict(states))

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _load(self, symbol: Symbol) -> bytes | None:
        try:
            with self._lock:
                row = self._opened().execute("SELECT state, digest FROM engines WHERE symbol = ?", (symbol,)).fetchone()
        except (sqlite3.Error, OSError) as error:
            raise ReadFailed(f"{self._path.name}: {error}") from error
        return row[0] if row is not None and _digest(row[0]) == row[1] else None

    def _save(self, states: Mapping[Symbol, bytes]) -> None:
        rows = [(symbol, state, _digest(state)) for symbol, state in states.items()]
        try:
            with self._lock, self._opened() as connection:
                connection.executemany("INSERT OR REPLACE INTO engines VALUES (?, ?, ?)", rows)
        except (sqlite3.Error, OSError) as error:
            raise ReadFailed(f"{self._path.name}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _open(self._path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise  # no room, no right, busy: the file itself may be fine
                self._path.unlink(missing_ok=True)
                self._connection = _open(self._path)
        return self._connection


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
    try:
        # a torn write after a power cut must not pass for a state: the rollback journal and each row's digest see to that
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(_SCHEMA)
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


def _digest(state: bytes) -> bytes:
    return blake2b(state, digest_size=16).digest()
