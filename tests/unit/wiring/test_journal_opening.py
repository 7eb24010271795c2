"""The journal at a start: shortened, set aside, doubted; and what doctor says of it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes.daemon_rig import LineLog
from trading_system.config.settings import Settings
from trading_system.domain import log_events as ev
from trading_system.domain.errors import ConfigError
from trading_system.domain.events import StateNoted
from trading_system.execution.compaction import CompactionRules
from trading_system.execution.journal_archive import archives_of
from trading_system.execution.journal_sqlite import SqliteMedium
from trading_system.wiring.doctor import Check, Finding, check_journal
from trading_system.wiring.journal_opening import OpenedJournal, open_journal, save_mark
from trading_system.wiring.offline_report import offline_status, open_books

NOW = datetime(2026, 1, 5, tzinfo=UTC)
RULES = CompactionRules(records_min=30)


def opened(folder: Path, log: LineLog, days: int = 0, **system: str) -> OpenedJournal:
    settings = Settings.model_validate({"system": {"data_dir": str(folder), **system}})
    return open_journal(settings, "seed 1", NOW + timedelta(days=days), "hash", log, RULES)


def one_life(folder: Path, log: LineLog, days: int = 0, notes: int = 40) -> str | None:
    """A process that notes something and ends; what it doubted at its start."""
    found = opened(folder, log, days)
    for number in range(notes):
        found.journal.record(StateNoted(NOW + timedelta(days=days), "losses", f'{{"{days}":{number}}}'), durable=False)
    found.journal.close()
    save_mark(folder, found.journal, log)
    return found.doubt


def findings(folder: Path) -> dict[str, tuple[Check, ...]]:
    checks = check_journal(open_books(folder), folder)
    return {name: tuple(check for check in checks if check.name == name) for name in ("journal", "archive")}


def test_a_long_past_is_archived_at_a_start_and_doctor_vouches_for_all_of_it(tmp_path: Path) -> None:
    log = LineLog()
    for days in (0, 20, 40):
        assert one_life(tmp_path, log, days) is None

    assert log.counts[ev.JOURNAL_COMPACTED] == 2
    assert len(archives_of(tmp_path / "positions.db")) == 2
    found = findings(tmp_path)
    assert [check.finding for check in found["archive"]] == [Finding.OK, Finding.OK]
    assert [check.finding for check in found["journal"]] == [Finding.OK]


def test_fault_e06_each_start_writes_down_which_program_it_is_and_tells_when_it_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LineLog()
    for version, config_hash in (("1.0", "a" * 64), ("1.0", "a" * 64), ("1.0", "b" * 64), ("1.1", "b" * 64)):
        monkeypatch.setattr("trading_system.wiring.journal_opening.__version__", version)
        settings = Settings.model_validate({"system": {"data_dir": str(tmp_path)}})
        open_journal(settings, "seed 1", NOW, config_hash, log, RULES).journal.close()

    assert log.counts[ev.SESSION_BEGUN] == 4
    told = [fields for event, fields in log.lines if event == ev.OTHER_PROGRAM]
    assert told == [
        {"version": "1.0", "version_before": "1.0", "config": "b" * 12, "config_before": "a" * 12},
        {"version": "1.1", "version_before": "1.0", "config": "b" * 12, "config_before": "b" * 12},
    ]
    (check,) = findings(tmp_path)["journal"]
    assert "session 4 of version 1.1, config bbbbbbbbbbbb," in check.text
    status = offline_status(tmp_path)
    assert (status.session, status.version, status.config_hash) == (4, "1.1", "b" * 64)


def test_fault_g02_each_connection_of_the_daemons_own_journal_is_fully_synchronous(tmp_path: Path) -> None:
    """With less, what was committed since the last checkpoint may be gone after a power loss, and an order was sent on it."""
    journal = opened(tmp_path, LineLog()).journal
    medium = journal._medium
    assert isinstance(medium, SqliteMedium)
    for number in range(3):
        journal.record(StateNoted(NOW, "losses", f"{{{number}}}"))
        connection = medium._connection
        assert connection is not None
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        medium._drop()  # as after a failed write: the next one opens the file anew


def test_fault_g02_what_was_recorded_is_in_the_files_at_once_and_what_may_wait_follows_with_it(tmp_path: Path) -> None:
    """What the power leaves behind is a copy of the files as they lie there, without a word of goodbye."""
    journal = opened(tmp_path / "running", LineLog()).journal
    for number in range(4):
        waits = number % 2 == 0
        journal.record(StateNoted(NOW, "losses", f"{{{number}}}"), durable=not waits)
        left = tmp_path / f"left {number}"
        shutil.copytree(tmp_path / "running", left)
        found = open_books(left).journal
        assert found is not None
        assert found.seq == journal.seq - waits
        assert found.state.notes.get("losses") == (f"{{{number - waits}}}" if number else None)


def test_an_older_copy_of_the_journal_is_doubted_and_named_by_doctor(tmp_path: Path) -> None:
    log = LineLog()
    one_life(tmp_path, log)
    shutil.copy(tmp_path / "positions.db", tmp_path / "older")
    one_life(tmp_path, log, days=1)
    (tmp_path / "older").replace(tmp_path / "positions.db")

    by_doctor = findings(tmp_path)["journal"]
    doubt = one_life(tmp_path, log, days=2)

    assert any(check.finding is Finding.FAILED and "older copy" in check.text for check in by_doctor)
    assert doubt is not None
    assert "older copy" in doubt


def test_a_damaged_journal_is_set_aside_and_doubted(tmp_path: Path) -> None:
    log = LineLog()
    one_life(tmp_path, log)
    with (tmp_path / "positions.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)

    doubt = one_life(tmp_path, log, days=1, notes=1)

    assert doubt is not None
    assert "kept as positions.db.corrupt-" in doubt
    assert list(tmp_path.glob("positions.db.corrupt-*"))


def test_a_journal_of_another_mode_is_refused(tmp_path: Path) -> None:
    log = LineLog()
    one_life(tmp_path, log)

    with pytest.raises(ConfigError, match="mode 'paper'"):
        opened(tmp_path, log, mode="live")


def test_a_mark_that_cannot_be_written_is_told_and_stops_nothing(tmp_path: Path) -> None:
    log = LineLog()
    (tmp_path / "journal_mark.tmp").mkdir()

    assert one_life(tmp_path, log) is None
    assert log.counts[ev.JOURNAL_MARK_FAILED] == 2
