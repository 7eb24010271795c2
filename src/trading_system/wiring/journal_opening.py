"""The journal at a start: shortened when it is long, verified, set aside when it cannot be trusted, compared with its mark."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from trading_system import __version__
from trading_system.config.settings import Settings
from trading_system.domain import log_events as ev
from trading_system.domain.errors import ConfigError, InvariantViolation
from trading_system.domain.events import SessionStarted
from trading_system.domain.protocols import Clock
from trading_system.execution.codec import JournalCorrupt
from trading_system.execution.compaction import CompactionRules
from trading_system.execution.journal import Journal
from trading_system.execution.journal_archive import CompactionFailed, compact_journal
from trading_system.execution.journal_mark import MarkFile, judge_mark, mark_of
from trading_system.execution.journal_sqlite import SqliteMedium, quarantine_journal
from trading_system.live.log_port import Log
from trading_system.wiring.data_files import JOURNAL_FILE

HASH_SHOWN: Final = 12
"""Digits of the configuration's hash in logs and tables."""
MARK_EVERY_S: Final = 30.0
"""Process seconds: an older copy, or a -wal that went missing, shows when it lost more than this."""


@dataclass(frozen=True, slots=True)
class OpenedJournal:
    """doubt: why a human has to look before anything is opened; None = nothing is wrong with it."""

    journal: Journal
    doubt: str | None


def open_journal(
    settings: Settings, account: str, now: datetime, config_hash: str, log: Log, rules: CompactionRules | None = None
) -> OpenedJournal:
    """Open it and write that this process took over. ConfigError when it belongs to another mode, venue or account."""
    data_dir = Path(settings.system.data_dir)
    path = data_dir / JOURNAL_FILE
    _shorten(path, now, rules, log)
    journal, doubt = _open(path, data_dir, now)
    mode, venue = settings.system.mode, settings.exchange.venue
    before = journal.state.session
    try:
        begun = journal.begin_session(SessionStarted(now, mode, venue, account, __version__, config_hash, 0))
    except InvariantViolation as error:
        journal.close()
        raise ConfigError(f"{path}: {error}. Use another system.data_dir, or move the old one away") from error
    _tell_session(before, begun, log)
    if doubt is None:
        # a doubt is latched before the mark forgets it
        save_mark(data_dir, journal, log)
    return OpenedJournal(journal, doubt)


def _tell_session(before: SessionStarted | None, begun: SessionStarted, log: Log) -> None:
    """Which program this is, and whether the process before was another one: nobody should find that out by its orders."""
    log.info(ev.SESSION_BEGUN, session=begun.epoch, version=begun.version, config=begun.config_hash[:HASH_SHOWN])
    if before is not None and (before.version, before.config_hash) != (begun.version, begun.config_hash):
        log.warning(
            ev.OTHER_PROGRAM,
            version=begun.version,
            version_before=before.version,
            config=begun.config_hash[:HASH_SHOWN],
            config_before=before.config_hash[:HASH_SHOWN],
        )


def _open(path: Path, data_dir: Path, now: datetime) -> tuple[Journal, str | None]:
    medium = None
    try:
        medium = SqliteMedium(path)
        journal = Journal(medium)
    except JournalCorrupt as error:
        if medium is not None:
            medium.close()
        kept = quarantine_journal(path, now)
        why = f"the old journal is damaged: {error}; kept as {kept[0].name if kept else path.name}"
        return Journal(SqliteMedium(path)), why
    return journal, judge_mark(MarkFile(data_dir).load(), journal, medium)


def _shorten(path: Path, now: datetime, rules: CompactionRules | None, log: Log) -> None:
    """Compact it when it is due. A journal that could not be is only long; one that is damaged is looked at next."""
    try:
        done = compact_journal(path, now, rules)
    except CompactionFailed as error:
        log.warning(ev.JOURNAL_COMPACTION_FAILED, why=str(error))
    except JournalCorrupt:
        return
    else:
        if done is not None:
            log.info(
                ev.JOURNAL_COMPACTED,
                records_before=done.records_before,
                records_after=done.records_after,
                positions_left_out=done.positions_left_out,
                archive=done.archive,
            )


def save_mark(data_dir: Path, journal: Journal, log: Log) -> None:
    """Write down how far the journal reaches. Blocks for a few fsyncs."""
    try:
        MarkFile(data_dir).save(mark_of(journal))
    except OSError as error:
        log.warning(ev.JOURNAL_MARK_FAILED, why=str(error))


async def keep_mark(journal: Journal, data_dir: Path, clock: Clock, log: Log) -> None:
    """Move the mark along for as long as the process runs; the fsyncs happen off the loop."""
    file, saved = MarkFile(data_dir), mark_of(journal)
    while True:
        await clock.sleep(MARK_EVERY_S)
        mark = mark_of(journal)
        if mark == saved:
            continue
        try:
            await asyncio.to_thread(file.save, mark)
            saved = mark
        except OSError as error:
            log.warning(ev.JOURNAL_MARK_FAILED, why=str(error))
