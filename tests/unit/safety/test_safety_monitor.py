"""Latches on disk: they survive restarts, damage reads as halted, and only a resume on disk lifts them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest

from risk_builders import NOW
from trading_system.domain.modes import Mode
from trading_system.safety.auto_recovery import RecoveryRefusal, RecoveryRules
from trading_system.safety.instance_lock import AnotherInstanceRunning, InstanceLock
from trading_system.safety.invariant_monitor import HALT_STATE_FILE, KILL_FILE, KILL_STATE_FILE, InvariantMonitor, SafetyRules
from trading_system.safety.invariants import Invariant, InvariantLimits, InvariantValues, judge
from trading_system.safety.modes import Halt, ModeRules, ResumeRefusal
from trading_system.safety.state_file import Loaded, Missing, StateFile, Unreadable

RULES = SafetyRules(InvariantLimits(), ModeRules(), RecoveryRules())
CALM = InvariantValues(D("0.2"), D("1000"), D(0), False, False, 1, D("0.5"), D("500"), 0, 0, D("0.1"), D(0))
FULL = replace(CALM, venue_utilization=D("0.95"))
BY_HAND = Halt(Mode.KILL_SWITCH, Invariant.OPERATOR, "stop please", "operator", NOW)


def a_monitor(directory: Path) -> InvariantMonitor:
    monitor = InvariantMonitor(directory, RULES)
    monitor.load(NOW)
    return monitor


def test_a_first_start_is_normal(tmp_path: Path) -> None:
    assert a_monitor(tmp_path).mode is Mode.NORMAL


def test_a_halt_survives_a_restart(tmp_path: Path) -> None:
    a_monitor(tmp_path).halt(BY_HAND)

    again = a_monitor(tmp_path)

    assert (again.mode, again.state.halt) == (Mode.KILL_SWITCH, BY_HAND)
    assert again.kill_record is not None
    assert (again.kill_record.is_active, again.kill_record.reason) == (True, "stop please")


@pytest.mark.parametrize("name", [HALT_STATE_FILE, KILL_STATE_FILE])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 1}', b'{"version": 9}', b"\xff\xfe", b'{"version": 1, "halt": ["NORMAL"]}']
)
def test_an_unreadable_latch_file_means_halted(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    monitor = a_monitor(tmp_path)

    assert monitor.mode is Mode.HALTED
    assert monitor.state.halt is not None
    assert monitor.state.halt.reason.startswith("halt state unreadable: ")
    assert a_monitor(tmp_path).mode is Mode.HALTED


def test_every_truncation_of_the_latch_still_halts(tmp_path: Path) -> None:
    a_monitor(tmp_path).halt(BY_HAND)
    whole = (tmp_path / HALT_STATE_FILE).read_bytes()
    (tmp_path / KILL_STATE_FILE).unlink()

    for length in range(0, len(whole), 7):
        (tmp_path / HALT_STATE_FILE).write_bytes(whole[:length])
        monitor = InvariantMonitor(tmp_path, RULES)
        assert monitor.load(NOW).is_halted


def test_the_kill_record_alone_is_enough(tmp_path: Path) -> None:
    a_monitor(tmp_path).halt(BY_HAND)
    (tmp_path / HALT_STATE_FILE).unlink()

    assert a_monitor(tmp_path).mode is Mode.KILL_SWITCH


def test_the_kill_file_fires_once_and_removing_it_does_not_resume(tmp_path: Path) -> None:
    monitor = a_monitor(tmp_path)
    assert not monitor.check_kill_file(NOW)
    (tmp_path / KILL_FILE).touch()

    assert monitor.check_kill_file(NOW)
    assert not monitor.check_kill_file(NOW)
    assert monitor.resume("go", NOW, verdicts=judge(CALM, RULES.limits)) is ResumeRefusal.KILL_FILE
    (tmp_path / KILL_FILE).unlink()
    assert monitor.mode is Mode.KILL_SWITCH


def test_a_resume_is_on_disk_before_it_counts(tmp_path: Path) -> None:
    monitor = a_monitor(tmp_path)
    monitor.halt(BY_HAND)

    assert monitor.resume("checked by hand", NOW, verdicts=judge(CALM, RULES.limits)) is None

    assert (monitor.mode, a_monitor(tmp_path).mode) == (Mode.NORMAL, Mode.NORMAL)


def test_a_resume_that_cannot_be_written_leaves_the_latch(tmp_path: Path) -> None:
    monitor = a_monitor(tmp_path)
    monitor.halt(BY_HAND)
    (tmp_path / "halt_state.tmp").mkdir()

    with pytest.raises(OSError, match=r"halt_state\.tmp"):
        monitor.resume("go", NOW, verdicts=judge(CALM, RULES.limits))

    assert (monitor.mode, a_monitor(tmp_path).mode) == (Mode.KILL_SWITCH, Mode.KILL_SWITCH)


def test_a_halt_holds_in_memory_when_the_disk_refuses_and_is_written_later(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    monitor = a_monitor(directory)
    _make_unwritable(directory)

    monitor.halt(BY_HAND)
    assert monitor.mode is Mode.KILL_SWITCH
    assert not monitor.assess(CALM, NOW).is_persisted

    directory.unlink()
    assert monitor.assess(CALM, NOW).is_persisted
    assert a_monitor(directory).mode is Mode.KILL_SWITCH


def _make_unwritable(directory: Path) -> None:
    """A plain file where the directory should be: every write fails, also for root."""
    if directory.exists():
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()
    directory.write_text("not a directory")


def test_a_margin_halt_recovers_by_itself_after_five_minutes_and_says_so(tmp_path: Path) -> None:
    monitor = a_monitor(tmp_path)

    fired = monitor.assess(FULL, NOW)
    early = monitor.assess(CALM, NOW + timedelta(seconds=299))
    late = monitor.assess(CALM, NOW + timedelta(seconds=300))

    assert (fired.before, fired.after) == (Mode.NORMAL, Mode.KILL_SWITCH)
    assert (early.after, early.recovery) == (Mode.KILL_SWITCH, RecoveryRefusal.TOO_YOUNG)
    assert (late.after, late.has_recovered) == (Mode.DEGRADED, True)
    assert monitor.assess(CALM, NOW + timedelta(seconds=359)).after is Mode.NORMAL
    assert (a_monitor(tmp_path).mode, a_monitor(tmp_path).state.recoveries) == (Mode.NORMAL, (NOW + timedelta(seconds=300),))


def test_cleanup_is_remembered_across_a_restart(tmp_path: Path) -> None:
    monitor = a_monitor(tmp_path)
    monitor.halt(BY_HAND)
    monitor.note_cleanup_done()

    record = a_monitor(tmp_path).kill_record

    assert record is not None
    assert record.cleanup_done


def test_a_state_file_reads_three_ways_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    file = StateFile(tmp_path, "x.json")
    assert file.load() == Missing()
    file.save({"a": 1})
    assert file.load() == Loaded({"a": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json"]
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.path.write_text("nonsense")
    assert isinstance(file.load(), Unreadable)


def test_a_second_instance_is_told_who_holds_the_lock_and_why_it_matters(tmp_path: Path) -> None:
    first, second = InstanceLock(tmp_path / "trading-bot.pid"), InstanceLock(tmp_path / "trading-bot.pid")
    first.acquire()
    first.acquire()

    with pytest.raises(AnotherInstanceRunning, match="ANOTHER INSTANCE IS ALREADY RUNNING: process") as caught:
        second.acquire()

    assert caught.value.holder_pid == int((tmp_path / "trading-bot.pid").read_text())
    first.release()
    second.acquire()
    assert second.is_held
    second.release()
