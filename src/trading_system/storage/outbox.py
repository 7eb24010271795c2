"""The durable outbox: what is not yet in the main database, in a small SQLite file of its own.

Used by the writer thread alone. Bounded: when full, the oldest expendable rows go first and the loss is counted. Ids are
never used twice, so the main database can remember how far it got and delivery is exactly-once.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from trading_system.domain.units import from_ms, to_ms

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, at_us INTEGER NOT NULL, payload TEXT NOT NULL, expendable INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS ix_outbox_expendable ON outbox (expendable, id);
CREATE TABLE IF NOT EXISTS refused (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, at_us INTEGER NOT NULL, payload TEXT NOT NULL, why TEXT NOT NULL);
"""
_DROP_SHARE: Final = 20
"""A full outbox makes room for one twentieth of its size, so that the bound is not enforced row by row."""
_REFUSED_MAX: Final = 1_000


class Entry(NamedTuple):
    """A record before it has an id. `payload` is JSON text."""

    kind: str
    at: datetime
    payload: str
    is_expendable: bool


class OutboxRow(NamedTuple):
    outbox_id: int
    kind: str
    at: datetime
    payload: str


class Outbox:
    """Opens (or makes) the file at `path`; sqlite3.Error when that is impossible. Not thread-safe."""

    def __init__(self, path: Path, *, rows_max: int = 200_000) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._rows_max = rows_max
        self.dropped = 0
        """Rows lost to the bound since this object was made."""
        self._connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            # FULL: once taken over, a record survives a power cut; one commit holds a whole batch
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "journal_size_limit=33554432"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.executescript(_SCHEMA)
            self._connection.execute("INSERT OR IGNORE INTO meta VALUES ('source', ?)", (secrets.token_hex(16),))
            self.source: str = self._connection.execute("SELECT value FROM meta WHERE name = 'source'").fetchone()[0]
            self._pending: int = self._connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
        except BaseException:
            self._connection.close()
            raise

    @property
    def pending(self) -> int:
        """Rows waiting for delivery."""
        return self._pending

    def append(self, entries: Sequence[Entry]) -> None:
        """Take entries over in one durable transaction; all or nothing (sqlite3.Error)."""
        if not entries:
            return
        rows = [(e.kind, _to_us(e.at), e.payload, int(e.is_expendable)) for e in entries]
        with _Transaction(self._connection):
            self._connection.executemany("INSERT INTO outbox (kind, at_us, payload, expendable) VALUES (?, ?, ?, ?)", rows)
            surplus = self._pending + len(rows) - self._rows_max
            lost = self._drop(surplus + self._rows_max // _DROP_SHARE) if surplus > 0 else 0
        self._pending += len(rows) - lost
        self.dropped += lost

    def batch(self, limit: int, characters_max: int = 1_000_000) -> list[OutboxRow]:
        """The oldest rows: at most `limit`, and (but for the first) together at most `characters_max` of payload."""
        found = self._connection.execute("SELECT id, kind, at_us, payload FROM outbox ORDER BY id LIMIT ?", (limit,))
        rows: list[OutboxRow] = []
        for outbox_id, kind, at_us, payload in found:
            characters_max -= len(payload)
            if rows and characters_max < 0:
                break
            rows.append(OutboxRow(outbox_id, kind, _from_us(at_us), payload))
        return rows

    def settle(self, ids: Iterable[int]) -> None:
        """Forget delivered rows."""
        with _Transaction(self._connection):
            self._pending -= sum(self._connection.execute("DELETE FROM outbox WHERE id = ?", (i,)).rowcount for i in ids)

    def refuse(self, row: OutboxRow, why: str) -> None:
        """Put a row aside that the database will never take, so that it blocks nothing; the newest thousand are kept."""
        with _Transaction(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO refused VALUES (?, ?, ?, ?, ?)", (row.outbox_id, row.kind, _to_us(row.at), row.payload, why)
            )
            self._connection.execute(
                "DELETE FROM refused WHERE id NOT IN (SELECT id FROM refused ORDER BY id DESC LIMIT ?)", (_REFUSED_MAX,)
            )
            self._pending -= self._connection.execute("DELETE FROM outbox WHERE id = ?", (row.outbox_id,)).rowcount

    def refused(self) -> list[tuple[int, str, str]]:
        """(id, kind, why) of the rows put aside, oldest first."""
        return list(self._connection.execute("SELECT id, kind, why FROM refused ORDER BY id"))

    def close(self) -> None:
        self._connection.close()

    def _drop(self, count: int) -> int:
        oldest = "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox {} ORDER BY id LIMIT ?)"
        lost = self._connection.execute(oldest.format("WHERE expendable = 1"), (count,)).rowcount
        if lost < count:
            lost += self._connection.execute(oldest.format(""), (count - lost,)).rowcount
        return lost


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK on any exception."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _to_us(moment: datetime) -> int:
    return to_ms(moment) * 1000 + moment.microsecond % 1000


def _from_us(at_us: int) -> datetime:
    base = from_ms(at_us // 1000)
    return base.replace(microsecond=base.microsecond + at_us % 1000)
