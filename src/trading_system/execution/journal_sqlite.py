"""The journal's medium in production: one SQLite file, WAL, synchronous=FULL, one connection, one writer.

The traps it avoids: synchronous=NORMAL loses committed rows on power loss; and after a failed fsync the same handle may
"succeed" while the data is gone, so a handle that failed is dropped and the last row is read back before anything follows.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from trading_system.execution.codec import GENESIS, JournalCorrupt

BUSY_TIMEOUT_MS: Final = 250
"""We are the only writer (instance lock); whoever else holds the file must not stop the loop for long."""
FILE_SUFFIXES: Final = ("", "-wal", "-shm")

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL, chain BLOB NOT NULL)"


class SqliteMedium:
    """JournalMedium on a file. JournalCorrupt when SQLite cannot open it; damage further in shows when it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._last: tuple[int, bytes] = (0, GENESIS)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = self._open()
            self._last = self._newest(self._connection)
        except sqlite3.DatabaseError as error:
            self.close()
            raise JournalCorrupt(0, f"{path.name} cannot be opened ({error})") from error

    @property
    def path(self) -> Path:
        return self._path

    def _open(self) -> sqlite3.Connection:
        if not self._path.exists():
            # made here with its rights: SQLite gives -wal and -shm those of the file as it finds it
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
        try:
            _make_durable(connection)
            connection.execute(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        os.chmod(self._path, 0o600)
        return connection

    @staticmethod
    def _newest(connection: sqlite3.Connection) -> tuple[int, bytes]:
        row = connection.execute("SELECT seq, chain FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        return (0, GENESIS) if row is None else (row[0], row[1])

    def append(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Append in one transaction; durable when it returns. Raises sqlite3.Error or OSError, and then nothing is sure."""
        if not rows:
            return
        connection = self._connection
        if connection is None:
            connection, rows = self._reopen(rows)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO journal (seq, payload, chain) VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError):
            self._drop()
            raise
        if rows:
            self._last = (rows[-1][0], rows[-1][2])

    def _reopen(self, rows: Sequence[tuple[int, bytes, bytes]]) -> tuple[sqlite3.Connection, Sequence[tuple[int, bytes, bytes]]]:
        """A fresh connection, and the rows that did not reach the disk after all. sqlite3.Error when the file is not ours any more."""
        connection = self._open()
        seq, link = self._newest(connection)
        known = {self._last[0]: self._last[1]} | {row[0]: row[2] for row in rows}
        if known.get(seq) != link:
            connection.close()
            raise sqlite3.DatabaseError(f"after a failed write the journal ends with a record {seq} that is not the expected one")
        self._connection = connection
        return connection, [row for row in rows if row[0] > seq]

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                self._connection = None  # a handle that cannot even be closed is given up

    def read(self, from_seq: int) -> Iterable[tuple[int, bytes, bytes]]:
        """Rows in order; JournalCorrupt when SQLite finds the file damaged on the way."""
        if self._connection is None:
            self._connection = self._open()
        try:
            for row in self._connection.execute("SELECT seq, payload, chain FROM journal WHERE seq >= ? ORDER BY seq", (from_seq,)):
                yield checked_row(row)
        except sqlite3.DatabaseError as error:
            raise JournalCorrupt(0, f"{self._path.name} is damaged ({error})") from error

    def backup(self, target: Path) -> None:
        """Copy the journal, -wal included, to `target` through SQLite's own backup (a plain copy of the file loses rows)."""
        source = self._connection if self._connection is not None else self._open()
        copy = sqlite3.connect(target)
        try:
            source.backup(copy)
        finally:
            copy.close()
        os.chmod(target, 0o600)

    def close(self) -> None:
        self._drop()


def checked_row(row: tuple[Any, Any, Any]) -> tuple[int, bytes, bytes]:
    """The row with the types it was written with; JournalCorrupt otherwise: a flipped bit may turn a blob into a text."""
    seq, payload, link = row
    if not isinstance(payload, bytes) or not isinstance(link, bytes):
        raise JournalCorrupt(seq, "is not stored as bytes")
    return seq, payload, link


def _make_durable(connection: sqlite3.Connection) -> None:
    """Set the pragmas and read them back: a commit that returns must survive a power loss."""
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    connection.execute("PRAGMA synchronous=FULL")
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    if mode != "wal" or synchronous != 2:
        raise sqlite3.OperationalError(f"the journal needs WAL and synchronous=FULL, this file has {mode} and {synchronous}")


def quarantine_journal(path: Path, now: datetime) -> tuple[Path, ...]:
    """Set a journal that cannot be trusted aside (nothing is deleted), and return where its files are now."""
    moved = []
    for suffix in FILE_SUFFIXES:
        source = path.with_name(path.name + suffix)
        if source.exists():
            target = path.with_name(f"{path.name}.corrupt-{now:%Y%m%dT%H%M%S}{suffix}")
            source.rename(target)
            moved.append(target)
    return tuple(moved)
