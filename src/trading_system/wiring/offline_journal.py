"""The journal of a daemon that is down (or busy), read without writing a byte to it, and verified record by record."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from trading_system.execution.codec import JournalCorrupt, decode_event
from trading_system.execution.journal import Journal
from trading_system.execution.journal_sqlite import checked_row


class ReadOnlyMedium:
    """A JournalMedium that only reads. JournalCorrupt when SQLite cannot read the file, FileNotFoundError when there is none."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        if not path.is_file():
            raise FileNotFoundError(path)
        try:
            self._connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=1.0)
        except sqlite3.Error as error:
            raise JournalCorrupt(0, f"{path.name} cannot be opened ({error})") from error

    def append(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        raise OSError("this journal was opened for reading")

    def read(self, from_seq: int) -> Iterable[tuple[int, bytes, bytes]]:
        try:
            for row in self._connection.execute("SELECT seq, payload, chain FROM journal WHERE seq >= ? ORDER BY seq", (from_seq,)):
                yield checked_row(row)
        except sqlite3.Error as error:
            raise JournalCorrupt(0, f"{self._name} is damaged ({error})") from error

    def close(self) -> None:
        self._connection.close()


def read_journal(path: Path) -> tuple[Journal, datetime | None]:
    """The verified journal and the market time of its newest record. JournalCorrupt, FileNotFoundError."""
    medium = ReadOnlyMedium(path)
    try:
        journal = Journal(medium)
        return journal, newest_at(medium, journal.seq)
    finally:
        medium.close()


def newest_at(medium: ReadOnlyMedium, seq: int) -> datetime | None:
    """Market time of record `seq`, None for an empty journal."""
    for number, payload, _ in medium.read(seq):
        return decode_event(number, payload).at
    return None


def rows_of(path: Path) -> Iterable[tuple[int, bytes, bytes]]:
    """Every row of a file, oldest first. JournalCorrupt, FileNotFoundError."""
    medium = ReadOnlyMedium(path)
    try:
        yield from medium.read(1)
    finally:
        medium.close()
