"""What is well and what is not with an installation, looked at from outside and without changing it: one check, one line.

Works whether or not a daemon runs. Each finding says what to do. No check raises: what cannot be looked at is a finding too.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Final

from trading_system.domain.modes import Mode
from trading_system.domain.positions import PositionState
from trading_system.execution.journal_archive import check_archives
from trading_system.execution.journal_mark import MarkFile, judge_mark
from trading_system.wiring.data_files import JOURNAL_FILE
from trading_system.wiring.journal_opening import HASH_SHOWN
from trading_system.wiring.latches import Latches
from trading_system.wiring.offline_journal import ReadOnlyMedium, rows_of
from trading_system.wiring.offline_report import OfflineBooks, offline_positions

_MIB: Final = 1024 * 1024
FREE_MIB_MIN: Final = 200
"""Below this a journal that must not fail is in danger."""
FREE_MIB_FINE: Final = 1024
_FUTURE: Final = timedelta(seconds=30)


class Finding(Enum):
    """FAILED: a human has to act. WARNING: worth knowing."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    finding: Finding
    text: str


def check_journal(books: OfflineBooks, data_dir: Path) -> tuple[Check, ...]:
    """Every record was read, its chain verified and the state folded from it."""
    name = "journal"
    aside = sorted(path.name for path in data_dir.glob(f"{JOURNAL_FILE}.corrupt-*") if not path.name.endswith(("-wal", "-shm")))
    kept = tuple(
        Check(name, Finding.WARNING, f"an older journal was set aside as damaged: {text}; keep it until looked at") for text in aside
    )
    if books.journal is not None:
        session = books.journal.state.session
        who = "no session"
        if session is not None:
            who = f"{session.mode} on {session.venue} ({session.account}), session {session.epoch}"
            who += f" of version {session.version}, config {session.config_hash[:HASH_SHOWN]}"
        compacted = books.journal.state.compacted
        first = 1 if compacted is None else compacted.archived_seq + 1
        text = f"records {first} to {books.journal.seq}, chain unbroken, {who}, newest at {books.newest_at}"
        return (Check(name, Finding.OK, text), *_check_reach(books, data_dir), *_check_archives(books, data_dir), *kept)
    if not (data_dir / JOURNAL_FILE).exists():
        return (Check(name, Finding.OK, f"none yet in {data_dir}: nothing was ever run there"), *kept)
    todo = "a start sets it aside, protects what the venue shows and opens nothing until you resume"
    return (Check(name, Finding.FAILED, f"{books.problem}; {todo}"), *kept)


def _check_reach(books: OfflineBooks, data_dir: Path) -> tuple[Check, ...]:
    """Does the journal reach as far as its mark says? A chain alone does not show that its end is missing."""
    assert books.journal is not None
    medium = ReadOnlyMedium(data_dir / JOURNAL_FILE)
    try:
        doubt = judge_mark(MarkFile(data_dir).load(), books.journal, medium)
    finally:
        medium.close()
    if doubt is None:
        return ()
    return (Check("journal", Finding.FAILED, f"{doubt}; a start protects what the venue shows and is HALTED until you resume"),)


def _check_archives(books: OfflineBooks, data_dir: Path) -> tuple[Check, ...]:
    """What was left out of the journal, record by record, as far back as it is here."""
    assert books.journal is not None
    checks: list[Check] = []
    for finding in check_archives(data_dir / JOURNAL_FILE, books.journal.state.compacted, rows_of):
        if finding.problem is None:
            checks.append(Check("archive", Finding.OK, f"{finding.name}: {finding.records} records, chain unbroken up to what follows it"))
        elif finding.is_missing:
            text = f"{finding.name} {finding.problem}: nothing before the journal's first record can be vouched for"
            checks.append(Check("archive", Finding.WARNING, f"{text}; trading does not need it"))
        else:
            text = f"{finding.name}: {finding.problem}; trading does not need it, restore it from a backup"
            checks.append(Check("archive", Finding.FAILED, text))
    return tuple(checks)


def check_positions(books: OfflineBooks) -> tuple[Check, ...]:
    """Stops, orders nobody knows about, positions that wait for a human: as the journal says."""
    if books.journal is None:
        return ()
    checks: list[Check] = []
    rows = offline_positions(books.journal)
    for row in rows:
        if row.unprotected_qty > 0:
            text = f"{row.position_id}: {row.unprotected_qty} of {row.qty} without a stop"
            checks.append(Check("positions", Finding.FAILED, f"{text}; a running daemon places it, or `place-missing-stops`"))
        if PositionState(row.state).needs_human:
            how = f"look at the venue, then resume --release {row.position_id} --reason TEXT"
            checks.append(Check("positions", Finding.FAILED, f"{row.position_id} is {row.state}: {how}"))
    uncertain = sum(order.is_uncertain for group in books.journal.state.open_orders_of.values() for order in group.values())
    if uncertain:
        checks.append(Check("orders", Finding.WARNING, f"{uncertain} of unknown fate; a running daemon looks them up within 10 minutes"))
    held = sum(row.qty > 0 for row in rows)
    return tuple(checks) or (Check("positions", Finding.OK, f"{held} open, each covered by its stop"),)


def check_latches(latches: Latches) -> tuple[Check, ...]:
    """Why nothing is opened, and what lifts it."""
    checks = [Check("latches", Finding.FAILED, f"unreadable, so HALTED: {text}; `resume` writes it anew") for text in latches.problems]
    halt = latches.state.halt
    if halt is not None:
        lift = "resume --rebase-high-water --reason TEXT" if halt.invariant.value == "drawdown" else "resume --reason TEXT"
        text = f"{halt.mode.value} since {halt.since}, {halt.invariant.value}, by {halt.by}: {halt.reason}"
        checks.append(Check("latches", Finding.FAILED, f"{text}. Stops are kept; lift it with {lift}"))
    elif latches.kill is not None and latches.kill.is_active:
        text = f"kill switch since {latches.kill.at} by {latches.kill.by}: {latches.kill.reason}; lift it with resume --reason TEXT"
        checks.append(Check("latches", Finding.FAILED, text))
    if latches.has_kill_file:
        checks.append(Check("latches", Finding.FAILED, "the file KILL_SWITCH is there; remove it, then resume --reason TEXT"))
    for cause in latches.state.causes:
        how = "clears by itself" if cause.clears_by_itself else "needs resume --reason TEXT"
        checks.append(Check("latches", Finding.WARNING, f"DEGRADED since {cause.since}: {cause.note or cause.invariant.value}; {how}"))
    return tuple(checks) or (Check("latches", Finding.OK, f"none: the mode is {Mode.NORMAL.value}"),)


def check_disk(data_dir: Path) -> tuple[Check, ...]:
    """Room, and that it is ours alone."""
    place = next((path for path in (data_dir, *data_dir.absolute().parents) if path.exists()), Path("/"))
    try:
        free_mib = shutil.disk_usage(place).free // _MIB
    except OSError as error:
        return (Check("disk", Finding.FAILED, f"{place}: {error.strerror}"),)
    checks = []
    if not os.access(place, os.W_OK | os.X_OK):
        checks.append(Check("disk", Finding.FAILED, f"{place} cannot be written by user {os.geteuid()}"))
    finding = Finding.FAILED if free_mib < FREE_MIB_MIN else Finding.WARNING if free_mib < FREE_MIB_FINE else Finding.OK
    checks.append(Check("disk", finding, f"{free_mib} MiB free at {place}"))
    open_to_others = [
        path.name
        for path in sorted(data_dir.glob("*"))
        if path.name.startswith((JOURNAL_FILE, "control.sock")) and path.stat().st_mode & 0o077
    ]
    if open_to_others:
        checks.append(Check("disk", Finding.FAILED, f"readable by others: {', '.join(open_to_others)}; chmod 600"))
    return tuple(checks)


def check_clock(skew_s: float | None, skew_s_max: float, newest_at: datetime | None, now: datetime, *, is_sim: bool) -> tuple[Check, ...]:
    """The machine's clock against the venue's (a running daemon measures it), or at least against our own past."""
    if skew_s is not None:
        finding = Finding.FAILED if skew_s > skew_s_max else Finding.OK
        return (Check("clock", finding, f"{skew_s:.3f} s off the venue's; entries need at most {skew_s_max:g} s"),)
    if is_sim or newest_at is None:
        return (Check("clock", Finding.OK, "nothing to compare with while no daemon runs"),)
    if newest_at > now + _FUTURE:
        return (Check("clock", Finding.FAILED, f"the newest record is of {newest_at}, the machine says {now}: set the clock"),)
    return (Check("clock", Finding.OK, "not behind the journal; the venue's clock is asked only by a running daemon"),)
