"""`halt` and `resume` while no daemon runs: journaled, then done on the latch files that the next start obeys.

The instance lock is held meanwhile, so that no daemon starts on a half-changed state, and none that runs is overruled.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from trading_system.domain.errors import TradingError
from trading_system.domain.events import DecisionNoted, StateNoted
from trading_system.domain.modes import Mode
from trading_system.domain.protocols import Clock
from trading_system.execution.codec import JournalCorrupt
from trading_system.execution.journal import Journal, JournalFailed
from trading_system.execution.journal_sqlite import SqliteMedium
from trading_system.live.booked_pnl import BookedPnl
from trading_system.live.losses import LOSS_STATE_KEY
from trading_system.risk.loss_limits import rebase_high_water
from trading_system.risk.loss_state import EquityReading, encode_loss_state
from trading_system.safety.instance_lock import InstanceLock
from trading_system.safety.invariant_monitor import InvariantMonitor, SafetyRules
from trading_system.safety.invariants import Invariant
from trading_system.safety.modes import Halt, ResumeRefusal
from trading_system.wiring.data_files import JOURNAL_FILE, LOCK_FILE
from trading_system.wiring.offline_journal import ReadOnlyMedium, newest_at
from trading_system.wiring.offline_report import loss_state_of


class Refusal(TradingError):
    """One clear line: why it is not done."""


@contextmanager
def _held(data_dir: Path) -> Iterator[None]:
    """AnotherInstanceRunning when a daemon runs after all."""
    lock = InstanceLock(data_dir / LOCK_FILE)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _books(data_dir: Path, clock: Clock) -> Iterator[tuple[Journal | None, datetime]]:
    """The journal to write into (None when nothing was ever run here) and the market time to write down."""
    path = data_dir / JOURNAL_FILE
    if not path.exists():
        yield None, clock.now()
        return
    try:
        reading = ReadOnlyMedium(path)
        journal = Journal(SqliteMedium(path))
        newest = newest_at(reading, journal.seq)
        reading.close()
    except (JournalCorrupt, sqlite3.Error) as error:
        raise Refusal(
            f"the journal is damaged ({error}); start the daemon: it sets it aside and protects from what the venue shows"
        ) from error
    session = journal.state.session
    try:
        # the embedded exchange has a market time of its own, which only the journal knows while it is down
        is_sim = session is not None and session.venue == "sim"
        yield journal, newest if is_sim and newest is not None else clock.now()
    finally:
        journal.close()


def halt_offline(data_dir: Path, rules: SafetyRules, clock: Clock, *, reason: str, who: str) -> Mode:
    """Latch the kill switch for the next start. AnotherInstanceRunning, Refusal, OSError."""
    with _held(data_dir):
        try:
            with _books(data_dir, clock) as (journal, now):
                if journal is not None:
                    journal.record(DecisionNoted(now, "operator_halt", "account", f"{who}: {reason}"), protective=True)
        except Refusal:
            now = clock.now()  # a damaged journal must not keep a human from halting
        monitor = InvariantMonitor(data_dir, rules)
        monitor.load(now)
        monitor.halt(Halt(Mode.KILL_SWITCH, Invariant.OPERATOR, f"{reason} ({who})", "operator", now))
        after = InvariantMonitor(data_dir, rules).load(now)
        if after is not Mode.KILL_SWITCH:
            raise Refusal("the latch files could not be written: touch the file KILL_SWITCH in the data directory instead")
        return after


def resume_offline(data_dir: Path, rules: SafetyRules, clock: Clock, *, reason: str, rebase: bool, who: str) -> Mode:
    """Lift the latch; the mode the next start begins in. What is still violated then halts or degrades it again."""
    with _held(data_dir), _books(data_dir, clock) as (journal, now):
        monitor = InvariantMonitor(data_dir, rules)
        if not reason.strip():
            raise Refusal(ResumeRefusal.NO_REASON.value)
        if monitor.kill_file_exists():
            raise Refusal(ResumeRefusal.KILL_FILE.value)
        before = monitor.load(now)
        if before is Mode.NORMAL:
            raise Refusal(ResumeRefusal.NOTHING_TO_RESUME.value)
        if journal is not None:
            try:
                journal.record(DecisionNoted(now, "operator_resume", before.value, f"{who}: {reason}"))
                if rebase:
                    _rebase(journal, now)
            except JournalFailed as error:
                raise Refusal(f"the journal cannot be written ({error}): nothing is resumed") from error
        elif rebase:
            raise Refusal("there is no journal, and so no high-water mark to rebase")
        refusal = monitor.resume(reason, now, verdicts=(), rebased_high_water=rebase)
        if refusal is not None:
            raise Refusal(refusal.value)
        return monitor.mode


def _rebase(journal: Journal, now: datetime) -> None:
    """Count the drawdown from the newest account reading the journal knows."""
    state = loss_state_of(journal)
    if state is None:
        raise Refusal("the journal holds no account reading to rebase the high-water mark on; resume with the daemon running")
    booked = BookedPnl().total(journal.state)
    reading = EquityReading(state.explained_at, state.explained_equity, state.explained_offset + booked + state.flows_total, booked)
    journal.record(StateNoted(now, LOSS_STATE_KEY, encode_loss_state(rebase_high_water(state, reading))))
