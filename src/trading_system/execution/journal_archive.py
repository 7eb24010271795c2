"""Compacting the journal's file: the old one becomes an archive, a shorter one takes its place, and no moment in between has none.

Order: the new file is written beside the old one, read back and compared; the old one is emptied of its write-ahead file; it gets its
archive name as a second link; one rename puts the new file in its place. A process killed anywhere finds the old file or the new one.
The trap it avoids: a write-ahead file of the old journal that SQLite would replay into the new one. Only at the start, under the
instance lock, before anything runs: it may take a second.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from trading_system.domain.errors import InvariantViolation, TradingError
from trading_system.domain.events import JournalCompacted, JournalEvent
from trading_system.execution.codec import GENESIS, JournalCorrupt, chain_hash, decode_event, encode_event
from trading_system.execution.compaction import CompactionRules, Sieve, booked_by, differences
from trading_system.execution.journal import Journal, before_first
from trading_system.execution.journal_sqlite import FILE_SUFFIXES, SqliteMedium

_BATCH: Final = 2_000
RowReader: TypeAlias = Callable[[Path], Iterable[tuple[int, bytes, bytes]]]


class CompactionFailed(TradingError):
    """The journal was left as it is."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """records: in the old file and in the new one; archive: the old one's name now."""

    records_before: int
    records_after: int
    positions_left_out: int
    archive: str


def archive_name(path: Path, last_seq: int) -> str:
    return f"{path.name}.archive-{last_seq:010d}"


def archives_of(path: Path) -> tuple[Path, ...]:
    """Archives beside the journal, oldest first."""
    return tuple(sorted(path.parent.glob(f"{path.name}.archive-*[0-9]")))


def compact_journal(
    path: Path, now: datetime, rules: CompactionRules | None = None, *, at_step: Callable[[str], None] = lambda step: None
) -> Compaction | None:
    """Shorten the journal when it is long and mostly past; None when there was nothing to do.

    now: market time. CompactionFailed when it could not be done (then nothing has changed), JournalCorrupt when the journal cannot
    be trusted. at_step: told before each step; for tests that end the process there.
    """
    rules = rules or CompactionRules()
    if not path.is_file():
        return None
    _tidy(path)
    if not _is_due(path, now - rules.keep, rules):
        return None
    medium = SqliteMedium(path)
    try:
        journal = Journal(medium)
        first = journal.state.compacted
        records = journal.seq - (0 if first is None else first.archived_seq)
        cut = now - rules.keep
        sieve = Sieve(journal.state, cut)
        kept = [event for event in _events(medium) if sieve.keeps(event)]
        if len(kept) + 1 > records * rules.share_max:
            return None
        left_out = [key for key in journal.state.positions if key not in sieve.positions]
        booked = booked_by(journal.state, left_out)
        archive = archive_name(path, journal.seq)
        head = JournalCompacted(now, archive, journal.seq, journal.durable_chain.hex(), booked, len(left_out))
        at_step("write")
        new_path = _new_path(path)
        _write(new_path, head, kept)
        at_step("verify")
        _verify(new_path, journal, sieve, cut)
    except (OSError, sqlite3.Error) as error:
        raise CompactionFailed(f"{type(error).__name__}: {error}") from error
    finally:
        medium.close()
    _replace(path, new_path, archive, at_step)
    return Compaction(records, len(kept) + 1, len(left_out), archive)


def _is_due(path: Path, cut: datetime, rules: CompactionRules) -> bool:
    """Long enough, and it reaches back behind the cut: two rows tell, without reading the rest."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            low, high = connection.execute("SELECT min(seq), max(seq) FROM journal").fetchone()
            if low is None or high - low + 1 < rules.records_min:
                return False
            payload = connection.execute("SELECT payload FROM journal WHERE seq = ?", (low,)).fetchone()[0]
    except sqlite3.Error:
        return False  # whoever opens it next says what is wrong
    return decode_event(low, payload).at < cut


def _new_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.compacting")


def _tidy(path: Path) -> None:
    """Remove what a process that was killed in the middle left: a half-written new file, a second name of the file still in use."""
    for suffix in FILE_SUFFIXES:
        _new_path(path).with_name(_new_path(path).name + suffix).unlink(missing_ok=True)
    for archive in archives_of(path):
        if archive.samefile(path):
            archive.unlink()


def _events(medium: SqliteMedium) -> Iterator[JournalEvent]:
    for seq, payload, _ in medium.read(1):
        yield decode_event(seq, payload)


def _write(path: Path, head: JournalCompacted, events: Iterable[JournalEvent]) -> None:
    """The new file: chained to the archive's last record, numbered on from it."""
    medium = SqliteMedium(path)
    try:
        seq, link, batch = head.archived_seq, bytes.fromhex(head.archived_chain), list[tuple[int, bytes, bytes]]()
        for event in (head, *events):
            payload = encode_event(event)
            seq, link = seq + 1, chain_hash(link, payload)
            batch.append((seq, payload, link))
            if len(batch) >= _BATCH:
                medium.append(batch)
                batch.clear()
        medium.append(batch)
    finally:
        medium.close()


def _verify(path: Path, old: Journal, sieve: Sieve, cut: datetime) -> None:
    """Read the new file as the next start will and compare."""
    medium = SqliteMedium(path)
    try:
        new = Journal(medium)
    except (JournalCorrupt, InvariantViolation) as error:
        raise CompactionFailed(f"the shortened journal does not fold: {error}") from error
    finally:
        medium.close()
    wrong = differences(old.state, new.state, sieve.positions, cut)
    if wrong:
        raise CompactionFailed(f"the shortened journal tells otherwise: {', '.join(wrong)}")


def _replace(path: Path, new_path: Path, archive: str, at_step: Callable[[str], None]) -> None:
    """Both files without write-ahead file, then a second name for the old one, then the one rename that counts."""
    try:
        at_step("settle")
        _without_wal(new_path)
        _without_wal(path)
        at_step("link")
        os.link(path, path.with_name(archive))
        _sync(path.parent)
        at_step("rename")
        new_path.replace(path)
        _sync(path.parent)
        at_step("done")
    except (OSError, sqlite3.Error) as error:
        raise CompactionFailed(f"{type(error).__name__}: {error}") from error


def _without_wal(path: Path) -> None:
    """One plain file that holds everything; sqlite3.OperationalError while somebody else reads it."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0.25)) as connection:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    if busy or mode != "delete" or path.with_name(f"{path.name}-wal").exists():
        raise sqlite3.OperationalError(f"{path.name} is being read by another process")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class ArchiveFinding:
    """One link of the chain back from the journal. problem None: it is there and every record of it holds."""

    name: str
    records: int
    problem: str | None
    is_missing: bool = False


def check_archives(
    path: Path, compacted: JournalCompacted | None, read: Callable[[Path], Iterable[tuple[int, bytes, bytes]]]
) -> tuple[ArchiveFinding, ...]:
    """Follow the chain from the journal back through its archives, newest first. `read`: rows of a file, without writing to it.

    Ends at the first archive that is missing or does not hold: behind it nothing can be vouched for.
    """
    found: list[ArchiveFinding] = []
    while compacted is not None:
        archive = path.with_name(Path(compacted.archive).name)
        try:
            seq, link, count, earlier = _walk(read(archive))
        except FileNotFoundError:
            found.append(ArchiveFinding(archive.name, 0, "is not here", is_missing=True))
            break
        except JournalCorrupt as error:
            found.append(ArchiveFinding(archive.name, 0, str(error)))
            break
        if (seq, link.hex()) != (compacted.archived_seq, compacted.archived_chain):
            found.append(ArchiveFinding(archive.name, count, f"ends with a record {seq} that is not the one the journal follows"))
            break
        found.append(ArchiveFinding(archive.name, count, None))
        compacted = earlier
    return tuple(found)


def _walk(rows: Iterable[tuple[int, bytes, bytes]]) -> tuple[int, bytes, int, JournalCompacted | None]:
    """(last number, its chain hash, how many, the record it begins with when it is a compacted one); JournalCorrupt when it breaks."""
    seq, link, count, earlier = 0, GENESIS, 0, None
    for number, payload, stored in rows:
        if count == 0 and number > 1:
            seq, link = before_first(number, payload)
            event = decode_event(number, payload)
            earlier = event if isinstance(event, JournalCompacted) else None
        link = chain_hash(link, payload)
        if number != seq + 1 or stored != link:
            raise JournalCorrupt(number, "does not fit its chain")
        decode_event(number, payload)
        seq, count = number, count + 1
    return seq, link, count, earlier
