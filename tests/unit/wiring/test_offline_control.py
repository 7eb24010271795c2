"""With the daemon down: the disk is read without touching it, and halt and resume obey the same rules as a running one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from execution_builders import BTC
from trading_system.config.settings import Settings
from trading_system.domain import events as je
from trading_system.domain.account import AccountSnapshot
from trading_system.domain.modes import Mode
from trading_system.domain.orders import Direction, PositionId
from trading_system.domain.positions import EntryPlan, Lineage
from trading_system.domain.units import Price, Qty, Usd
from trading_system.execution.journal import Journal
from trading_system.execution.journal_sqlite import SqliteMedium
from trading_system.live.losses import LossBook
from trading_system.safety.instance_lock import AnotherInstanceRunning, InstanceLock
from trading_system.safety.invariant_monitor import InvariantMonitor
from trading_system.safety.invariants import Invariant
from trading_system.safety.mode_record import encode_mode_state
from trading_system.safety.modes import Cause, Halt, ModeState
from trading_system.safety.state_file import StateFile
from trading_system.wiring.clock import PacedClock
from trading_system.wiring.data_files import JOURNAL_FILE, LOCK_FILE
from trading_system.wiring.doctor import Finding, check_clock, check_journal, check_latches, check_positions
from trading_system.wiring.latches import read_latches
from trading_system.wiring.offline_commands import Refusal, halt_offline, resume_offline
from trading_system.wiring.offline_report import loss_state_of, offline_positions, offline_status, open_books
from trading_system.wiring.parameters import risk_limits, safety_rules

NOW = datetime(2026, 9, 7, 12, tzinfo=UTC)
RULES = safety_rules(Settings())
CLOCK = PacedClock(NOW, 1.0)
WHO = "operator (user 1)"
SESSION = je.SessionStarted(NOW, "paper", "sim", "seed 1", "0", "hash", 0)


def a_plan() -> EntryPlan:
    stop, entry = Price(Decimal(98)), Price(Decimal(100))
    return EntryPlan(PositionId("BTC-A20260907120000"), BTC, Direction.LONG, Lineage.ADOPTED, NOW, Qty(Decimal(2)), entry, stop)


@pytest.fixture
def journal(tmp_path: Path) -> Callable[..., None]:
    def write(*events: je.JournalEvent) -> None:
        made = Journal(SqliteMedium(tmp_path / JOURNAL_FILE))
        made.begin_session(SESSION)
        for event in events:
            made.record(event)
        made.close()

    return write


def resume(data_dir: Path, reason: str = "looked", *, rebase: bool = False) -> Mode:
    return resume_offline(data_dir, RULES, CLOCK, reason=reason, rebase=rebase, who=WHO)


def halt(data_dir: Path) -> Mode:
    return halt_offline(data_dir, RULES, CLOCK, reason="drill", who=WHO)


def notes(data_dir: Path) -> list[str]:
    medium = SqliteMedium(data_dir / JOURNAL_FILE)
    from trading_system.execution.codec import decode_event

    events = [decode_event(seq, payload) for seq, payload, _ in medium.read(1)]
    medium.close()
    return [event.kind for event in events if isinstance(event, je.DecisionNoted)]


def test_an_empty_directory_is_read_and_left_empty(tmp_path: Path) -> None:
    status = offline_status(tmp_path)

    assert (status.state, status.positions, status.mode) == ("NORMAL", 0, None)
    assert "nothing was ever run here" in status.problems[0]
    assert list(tmp_path.iterdir()) == []


def test_positions_of_the_journal_are_shown_without_marks(tmp_path: Path, journal: Callable[..., None]) -> None:
    journal(je.PositionAdopted(NOW, a_plan(), Price(Decimal(101)), "found"))
    before = (tmp_path / JOURNAL_FILE).read_bytes()

    books = open_books(tmp_path)

    assert books.journal is not None
    (row,) = offline_positions(books.journal)
    assert (row.symbol, row.qty, row.mark_price, row.pnl_usd, row.unprotected_qty) == ("BTC/USD", 2, None, None, 2)
    assert (tmp_path / JOURNAL_FILE).read_bytes() == before
    assert [check.finding for check in check_positions(books)] == [Finding.FAILED]


def test_a_changed_record_is_found_by_its_chain(tmp_path: Path, journal: Callable[..., None]) -> None:
    journal(je.DecisionNoted(NOW, "a", "b", "c"), je.DecisionNoted(NOW, "d", "e", "f"))
    with sqlite3.connect(tmp_path / JOURNAL_FILE) as database:
        database.execute("UPDATE journal SET payload = replace(payload, '\"c\"', '\"x\"') WHERE seq = 2")

    books = open_books(tmp_path)

    assert books.journal is None
    assert "record 2" in (books.problem or "")
    assert check_journal(books, tmp_path)[0].finding is Finding.FAILED
    assert halt(tmp_path) is Mode.KILL_SWITCH
    with pytest.raises(Refusal, match="damaged"):
        resume(tmp_path)
    assert read_latches(tmp_path).mode is Mode.KILL_SWITCH


def test_a_halt_while_down_is_found_by_the_next_start_and_lifted_with_a_reason(tmp_path: Path, journal: Callable[..., None]) -> None:
    journal()

    assert halt(tmp_path) is Mode.KILL_SWITCH
    assert InvariantMonitor(tmp_path, RULES).load(NOW) is Mode.KILL_SWITCH
    assert "by operator: drill" in check_latches(read_latches(tmp_path))[0].text
    with pytest.raises(Refusal, match="reason is required"):
        resume(tmp_path, " ")
    assert resume(tmp_path) is Mode.NORMAL
    assert InvariantMonitor(tmp_path, RULES).load(NOW) is Mode.NORMAL
    assert notes(tmp_path) == ["operator_halt", "operator_resume"]


def test_resume_while_down_is_refused_while_the_kill_switch_file_exists(tmp_path: Path, journal: Callable[..., None]) -> None:
    journal()
    halt(tmp_path)
    (tmp_path / "KILL_SWITCH").touch()

    with pytest.raises(Refusal, match="KILL_SWITCH still exists"):
        resume(tmp_path)

    assert read_latches(tmp_path).mode is Mode.KILL_SWITCH
    assert notes(tmp_path) == ["operator_halt"]


def test_nothing_is_changed_while_a_daemon_holds_the_lock(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path / LOCK_FILE)
    lock.acquire()

    for act in (halt, resume):
        with pytest.raises(AnotherInstanceRunning):
            act(tmp_path)

    lock.release()
    assert not (tmp_path / "halt_state.json").exists()


@pytest.mark.parametrize("name", ["halt_state.json", "kill_switch_state.json"])
def test_an_unreadable_latch_halts_until_resumed_and_then_for_good(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{")
    assert read_latches(tmp_path).mode is Mode.HALTED
    assert (tmp_path / name).read_text() == "{"

    assert resume(tmp_path) is Mode.NORMAL

    assert read_latches(tmp_path).problems == ()
    assert InvariantMonitor(tmp_path, RULES).load(NOW) is Mode.NORMAL


def test_a_drawdown_is_lifted_by_a_rebase_only_and_then_counted_from_the_last_known_equity(
    tmp_path: Path, journal: Callable[..., None]
) -> None:
    made = Journal(SqliteMedium(tmp_path / JOURNAL_FILE))
    made.begin_session(SESSION)
    losses = LossBook(risk_limits(Settings()), made)
    for equity in ("10000", "8800"):
        losses.observe(a_snapshot(equity), Decimal(equity) - 10_000, NOW)
    made.close()
    state = ModeState(
        causes=(Cause(Invariant.DRAWDOWN, NOW, "12 %"),), halt=Halt(Mode.KILL_SWITCH, Invariant.DRAWDOWN, "drawdown", "invariant", NOW)
    )
    StateFile(tmp_path, "halt_state.json").save(encode_mode_state(state))

    with pytest.raises(Refusal, match="rebase-high-water"):
        resume(tmp_path)
    assert resume(tmp_path, rebase=True) is Mode.NORMAL

    books = open_books(tmp_path)
    assert books.journal is not None
    stored = loss_state_of(books.journal)
    assert stored is not None
    assert (stored.high_water.equity, stored.is_drawdown_degraded) == (Decimal(8800), False)


def a_snapshot(equity: str) -> AccountSnapshot:
    value, zero = Usd(Decimal(equity)), Usd(Decimal(0))
    return AccountSnapshot(NOW, value, value, value, value, zero, zero, zero, value, zero, zero)


def test_a_clock_behind_the_journal_is_a_finding_only_where_time_is_real() -> None:
    later = replace(SESSION, at=NOW).at.replace(hour=13)

    assert check_clock(None, 5.0, later, NOW, is_sim=False)[0].finding is Finding.FAILED
    assert check_clock(None, 5.0, later, NOW, is_sim=True)[0].finding is Finding.OK
    assert check_clock(6.0, 5.0, None, NOW, is_sim=True)[0].finding is Finding.FAILED
