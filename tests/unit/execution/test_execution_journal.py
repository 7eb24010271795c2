"""The write-ahead journal on its media: durable before applied, chained, refused when damaged."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from execution_builders import D, a_fill, a_position_id, at, booked, open_events, placed, protected_events
from fakes.execution_venue import START
from trading_system.domain import events as ev
from trading_system.domain.errors import InvariantViolation
from trading_system.domain.orders import OrderPurpose
from trading_system.execution.codec import GENESIS, SCHEMA_VERSION, JournalCorrupt, chain_hash, decode_event, encode_event
from trading_system.execution.journal import GROUP_MAX, Journal, JournalFailed
from trading_system.execution.journal_memory import DiskModel, EventMemory
from trading_system.execution.journal_sqlite import SqliteMedium, quarantine_journal

PID = a_position_id()
SESSION = ev.SessionStarted(START, "paper", "sim", "a1", "1.0", "hash", 0)


def recorded(medium: DiskModel | EventMemory | SqliteMedium, *events: ev.JournalEvent) -> Journal:
    journal = Journal(medium)
    for event in events:
        journal.record(event)
    return journal


@pytest.mark.parametrize("event", [*protected_events(), SESSION, ev.StateNoted(START, "losses", '{"day":"-1.50"}')])
def test_an_event_survives_its_bytes_exactly(event: ev.JournalEvent) -> None:
    decoded = decode_event(1, encode_event(event))

    assert decoded == event
    assert repr(decoded).replace("datetime.timezone.utc", "UTC") == repr(event).replace("datetime.timezone.utc", "UTC")


def test_the_next_process_finds_the_same_state(tmp_path: Path) -> None:
    medium = SqliteMedium(tmp_path / "positions.db")
    journal = recorded(medium, *protected_events())
    journal.close()

    again = Journal(SqliteMedium(tmp_path / "positions.db"))

    assert again.state == journal.state
    assert again.seq == again.durable_seq == len(protected_events())


def test_what_is_known_already_is_not_written_again() -> None:
    journal = recorded(EventMemory(), *open_events())

    assert not journal.record(booked(a_fill("f1", "10")))
    assert journal.seq == len(open_events())


def test_an_illegal_event_leaves_no_trace_on_the_medium() -> None:
    disk = DiskModel()
    journal = recorded(disk, *open_events())
    size = disk.size

    with pytest.raises(InvariantViolation):
        journal.record(ev.EntryAbandoned(at(3), PID, "?"))
    assert (disk.size, journal.seq) == (size, len(open_events()))


def test_a_group_is_written_with_the_next_durable_record() -> None:
    disk = DiskModel()
    journal = Journal(disk)
    journal.record(ev.StateNoted(START, "a", "1"), durable=False)
    assert (disk.appends, journal.durable_seq) == (0, 0)

    journal.record(ev.StateNoted(START, "b", "2"))

    assert (disk.appends, journal.durable_seq) == (1, 2)
    assert Journal(disk.crash()).state.notes == {"a": "1", "b": "2"}


def test_a_long_group_does_not_wait_for_ever() -> None:
    disk = DiskModel()
    journal = Journal(disk)
    for number in range(GROUP_MAX):
        journal.record(ev.StateNoted(START, "a", str(number)), durable=False)
    assert journal.durable_seq == GROUP_MAX


def test_a_full_disk_refuses_the_entry_and_goes_on_protecting_from_memory() -> None:
    events = open_events()
    disk = DiskModel(fault=lambda append: sqlite3.OperationalError("database or disk is full") if append > len(events) else None)
    journal = recorded(disk, *events)

    with pytest.raises(JournalFailed, match="full"):
        journal.record(ev.StateNoted(START, "x", "1"))
    assert "x" not in journal.state.notes
    assert journal.failure is not None

    journal.record(booked(a_fill("f2", "4", None, "99"), None), protective=True)
    assert journal.state.positions[PID].qty == 6
    assert journal.durable_seq == len(events)
    assert not journal.flush()


def test_what_was_kept_in_memory_is_written_when_the_disk_comes_back() -> None:
    events = open_events()
    broken = [len(events) + 1]
    disk = DiskModel(fault=lambda append: OSError("no space left on device") if append in broken else None)
    journal = recorded(disk, *events)
    journal.record(booked(a_fill("f2", "4", None, "99"), None), protective=True)

    assert journal.flush()
    assert journal.failure is None
    assert Journal(disk.crash()).state == journal.state


def test_every_session_gets_the_next_epoch() -> None:
    disk = DiskModel()
    assert Journal(disk).begin_session(SESSION).epoch == 1
    assert Journal(disk).begin_session(SESSION).epoch == 2


def test_a_paper_journal_is_refused_in_live_mode() -> None:
    disk = DiskModel()
    Journal(disk).begin_session(SESSION)
    size = disk.size

    with pytest.raises(InvariantViolation, match="'paper'"):
        Journal(disk).begin_session(replace(SESSION, mode="live"))
    assert disk.size == size


def test_a_changed_record_is_named_and_refused() -> None:
    disk = DiskModel()
    recorded(disk, *open_events())
    rows = list(disk.read(1))
    forged = DiskModel()
    forged.append([*rows[:2], (3, rows[2][1].replace(b"v-ts", b"w-ts"), rows[2][2]), *rows[3:]])

    with pytest.raises(JournalCorrupt, match="record 3"):
        Journal(forged)


def test_a_missing_record_is_refused() -> None:
    disk = DiskModel()
    recorded(disk, *open_events())
    rows = list(disk.read(1))
    gapped = DiskModel()
    gapped.append([rows[0], *rows[2:]])

    with pytest.raises(JournalCorrupt, match="missing"):
        Journal(gapped)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b'{"v":1,"t":"Nonsense","e":{}}', "unknown type"),
        (b'{"v":9,"t":"StateNoted","e":{}}', "newer version"),
        (b'{"v":1,"t":"StateNoted","e":{"at":1}}', "wrong field"),
        (b"not json", "unreadable"),
    ],
)
def test_a_record_that_is_not_understood_is_never_skipped(payload: bytes, why: str) -> None:
    with pytest.raises(JournalCorrupt, match=why):
        decode_event(7, payload)


def test_a_journal_cut_at_any_byte_opens_at_its_last_whole_record() -> None:
    disk = DiskModel()
    journal = Journal(disk)
    sizes = [0]
    for event in protected_events():
        journal.record(event)
        sizes.append(disk.size)
    for cut in range(disk.size + 1):
        whole = max(index for index, size in enumerate(sizes) if size <= cut)
        assert Journal(disk.crash(cut)).seq == whole


def test_every_connection_is_durable(tmp_path: Path) -> None:
    medium = SqliteMedium(tmp_path / "positions.db")
    connection = medium._connection
    assert connection is not None
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert (tmp_path / "positions.db").stat().st_mode & 0o777 == 0o600


def test_after_a_failed_write_the_handle_is_dropped_and_the_last_record_read_back(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    medium = SqliteMedium(path)
    journal = recorded(medium, *open_events())
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(JournalFailed, match="locked"):
            journal.record(ev.StateNoted(START, "x", "1"))
        assert medium._connection is None
    finally:
        blocker.close()

    assert journal.record(ev.StateNoted(START, "x", "2"))
    journal.close()
    assert Journal(SqliteMedium(path)).state.notes == {"x": "2"}


def test_rows_that_reached_the_disk_after_all_are_not_written_twice(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    medium = SqliteMedium(path)
    disk = DiskModel()
    recorded(disk, *open_events())
    rows = list(disk.read(1))
    medium.append(rows[:3])
    medium._drop()

    medium._last = (rows[1][0], rows[1][2])  # as if the answer to the third had been lost
    medium.append(rows[2:])

    assert list(medium.read(1)) == rows


def test_a_file_that_somebody_else_continued_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    mine, other = SqliteMedium(path), SqliteMedium(path)
    disk = DiskModel()
    recorded(disk, *open_events())
    rows = list(disk.read(1))
    mine.append(rows[:1])
    other.append([(2, b"theirs", b"h" * 32)])
    mine._drop()

    with pytest.raises(sqlite3.Error):
        mine.append(rows[1:2])


def test_a_journal_file_cut_anywhere_opens_at_a_durable_record_or_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    medium = SqliteMedium(path)
    recorded(medium, *protected_events())  # not closed: the rows are in the -wal
    wal, main = path.with_name("positions.db-wal").read_bytes(), path.read_bytes()
    opened = []
    for cut in (*range(0, len(wal), 512), len(wal)):
        copy = tmp_path / f"cut{cut}.db"
        copy.write_bytes(main)
        copy.with_name(copy.name + "-wal").write_bytes(wal[:cut])
        opened.append(Journal(SqliteMedium(copy)).seq)
    assert opened == sorted(opened)
    assert (opened[0], opened[-1]) == (0, len(protected_events()))


def test_a_damaged_file_is_refused_and_can_be_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    recorded(SqliteMedium(path), *protected_events()).close()
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)

    with pytest.raises(JournalCorrupt):
        Journal(SqliteMedium(path))
    moved = quarantine_journal(path, at(0))

    assert [file.name for file in moved] == ["positions.db.corrupt-20251121T081500"]
    assert Journal(SqliteMedium(path)).seq == 0


def test_a_backup_contains_what_is_only_in_the_wal(tmp_path: Path) -> None:
    medium = SqliteMedium(tmp_path / "positions.db")
    journal = recorded(medium, *open_events())

    medium.backup(tmp_path / "copy.db")

    assert Journal(SqliteMedium(tmp_path / "copy.db")).state == journal.state


def test_the_backtest_medium_would_write_the_same_journal() -> None:
    disk, memory = DiskModel(), EventMemory()
    recorded(disk, *protected_events())
    recorded(memory, *protected_events())

    assert list(memory.rows()) == list(disk.read(1))
    assert Journal(EventMemory(memory.read_events())).state == Journal(disk).state


V1_ROWS = (
    b'{"v":1,"t":"SessionStarted","e":{"at":"2026-01-05T08:00:00Z","mode":"paper","venue":"sim","account":"seed 7","version":"0.1.0",'
    b'"config_hash":"ab","epoch":3}}',
    b'{"v":1,"t":"StateNoted","e":{"at":"2026-01-05T08:00:01Z","key":"losses","json":"{}"}}',
    b'{"v":1,"t":"DecisionNoted","e":{"at":"2026-01-05T08:00:02Z","kind":"k","subject":"s","text":"t"}}',
)
"""As version 1 wrote them."""


def rows_on_disk(payloads: tuple[bytes, ...]) -> DiskModel:
    disk, link = DiskModel(), GENESIS
    for seq, payload in enumerate(payloads, start=1):
        link = chain_hash(link, payload)
        disk.append([(seq, payload, link)])
    return disk


def test_rows_of_the_first_schema_still_fold_and_new_ones_follow_them() -> None:
    disk = rows_on_disk(V1_ROWS)
    journal = Journal(disk)
    journal.record(ev.StateNoted(START, "losses", "{1}"))

    again = Journal(disk.crash())

    assert SCHEMA_VERSION > 1
    assert again.epoch == 3
    assert again.state.notes == {"losses": "{1}"}


def test_an_older_row_is_brought_up_step_by_step_without_being_rewritten() -> None:
    def rename(name: str, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return ("StateNoted", {"at": event["at"], "key": event["name"], "json": "{}"}) if name == "Remembered" else (name, event)

    def upper(name: str, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return name, {**event, "key": event["key"].upper()} if name == "StateNoted" else event

    old = b'{"v":1,"t":"Remembered","e":{"at":"2026-01-05T08:00:01Z","name":"losses"}}'
    expected = ev.StateNoted(datetime(2026, 1, 5, 8, 0, 1, tzinfo=UTC), "LOSSES", "{}")

    assert decode_event(1, old, version=3, upgrades={1: rename, 2: upper}) == expected
    with pytest.raises(JournalCorrupt, match="schema 1, which this program cannot bring to 3"):
        decode_event(1, old, version=3, upgrades={2: upper})
    with pytest.raises(JournalCorrupt, match="that cannot be brought to 3"):
        decode_event(1, old, version=3, upgrades={1: None, 2: lambda name, event: (name, {"key": event["no such"]})})


def test_decimals_are_written_as_they_are() -> None:
    event = booked(replace(a_fill("f1", "1"), qty=D("0.1234567890123456789")))  # type: ignore[arg-type]
    assert b'"qty":"0.1234567890123456789"' in encode_event(event)
    assert placed(OrderPurpose.ENTRY) == decode_event(1, encode_event(placed(OrderPurpose.ENTRY)))
