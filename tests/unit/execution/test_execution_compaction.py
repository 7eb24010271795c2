"""A compacted journal: shorter, the same story of everything that still matters, safe to be killed in the making."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from execution_builders import D, a_position_id, at, protected_events
from fakes.execution_venue import START
from trading_system.domain import events as ev
from trading_system.domain.symbols import normalise
from trading_system.execution.codec import JournalCorrupt, decode_event
from trading_system.execution.compaction import CompactionRules, Sieve, booked_by, differences
from trading_system.execution.journal import Journal
from trading_system.execution.journal_archive import CompactionFailed, archives_of, check_archives, compact_journal
from trading_system.execution.journal_mark import Mark, MarkFile, judge_mark, mark_of
from trading_system.execution.journal_memory import DiskModel, EventMemory
from trading_system.execution.journal_sqlite import SqliteMedium
from trading_system.live.booked_pnl import BookedPnl
from trading_system.torture.case import draw_case
from trading_system.torture.driver import Run
from trading_system.wiring.offline_journal import read_journal, rows_of
from trading_system.wiring.virtual_loop import VirtualLoop, run_virtual

SESSION = ev.SessionStarted(START, "paper", "sim", "a1", "1.0", "hash", 1)
LATER = START + timedelta(days=30)
RULES = CompactionRules(records_min=50)
STEPS = ("write", "verify", "settle", "link", "rename", "done")


def busy_past(count: int = 60) -> Iterator[ev.JournalEvent]:
    """Thirty days ago: notes upon notes. Now: one protected position."""
    yield SESSION
    for number in range(count):
        yield ev.StateNoted(at(number), "losses", f'{{"n":{number}}}')
        yield ev.DecisionNoted(at(number), "exception", "phase x", f"number {number}")


def written(path: Path) -> Journal:
    journal = Journal(SqliteMedium(path))
    for event in (*busy_past(), *protected_events()):
        journal.record(event, durable=False)
    journal.close()
    return journal


def continued(path: Path, *more: ev.JournalEvent) -> Journal:
    journal = Journal(SqliteMedium(path))
    for event in more:
        journal.record(event)
    journal.close()
    return journal


def opened(path: Path) -> Journal:
    medium = SqliteMedium(path)
    try:
        return Journal(medium)
    finally:
        medium.close()


def test_a_long_journal_is_shortened_and_tells_the_same_story(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    before = written(path)

    done = compact_journal(path, LATER, RULES)

    assert done is not None
    assert (done.records_before, done.records_after) == (before.seq, 3 + len(protected_events()))
    after = opened(path)
    assert after.state.positions == before.state.positions
    assert after.state.open_orders_of == before.state.open_orders_of
    assert after.state.notes == before.state.notes
    assert after.state.session == SESSION
    assert after.seq == before.seq + done.records_after
    assert [archive.name for archive in archives_of(path)] == [done.archive]
    assert (path.stat().st_mode & 0o777, archives_of(path)[0].stat().st_mode & 0o777) == (0o600, 0o600)


def test_it_goes_on_where_the_archive_ended_and_the_next_compaction_follows(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    written(path)
    compact_journal(path, LATER, RULES)
    medium = SqliteMedium(path)
    journal = Journal(medium)
    for number in range(60):
        journal.record(ev.StateNoted(LATER, "losses", f'{{"later":{number}}}'), durable=False)
    journal.close()

    second = compact_journal(path, LATER + timedelta(days=30), RULES)

    assert second is not None
    state = opened(path).state
    found = check_archives(path, state.compacted, rows_of)
    assert [(finding.problem, finding.records) for finding in found] == [
        (None, second.records_before),
        (None, 121 + len(protected_events())),
    ]
    assert state.positions.keys() == {a_position_id()}


@pytest.mark.parametrize(
    ("records_min", "now"), [(100_000, LATER), (50, START + timedelta(days=1))], ids=["a short journal", "nothing in it is old"]
)
def test_what_is_not_worth_it_is_left_alone(tmp_path: Path, records_min: int, now: datetime) -> None:
    path = tmp_path / "positions.db"
    written(path)

    assert compact_journal(path, now, CompactionRules(records_min=records_min)) is None
    assert archives_of(path) == ()


def test_a_journal_whose_records_are_mostly_needed_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    written(path)

    assert compact_journal(path, LATER, CompactionRules(records_min=50, share_max=0.01)) is None


def test_there_is_nothing_to_shorten_before_the_first_start(tmp_path: Path) -> None:
    assert compact_journal(tmp_path / "positions.db", LATER, RULES) is None


@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_at_any_step_leaves_a_whole_journal(tmp_path: Path, step: str) -> None:
    path = tmp_path / "positions.db"
    before = written(path)

    def die(at_step: str) -> None:
        if at_step == step:
            os._exit(9)

    child = os.fork()
    if child == 0:
        try:
            compact_journal(path, LATER, RULES, at_step=die)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    journal = opened(path)
    assert (journal.state.compacted is not None) == (step == "done")
    assert journal.state.positions == before.state.positions
    assert journal.state.notes == before.state.notes
    # the next start finishes what was begun, over whatever was left lying about
    compact_journal(path, LATER, RULES)
    assert opened(path).state.compacted is not None
    assert opened(path).state.positions == before.state.positions
    found = check_archives(path, opened(path).state.compacted, rows_of)
    assert [finding.problem for finding in found] == [None]
    assert len(archives_of(path)) == 1
    assert sorted(entry.name for entry in tmp_path.iterdir() if "compacting" in entry.name) == []


def test_a_reader_of_the_old_file_only_postpones_it(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    before = written(path)
    reader = SqliteMedium(path)
    rows = iter(reader.read(1))
    next(rows)

    with pytest.raises(CompactionFailed, match=r"another process|locked"):
        compact_journal(path, LATER, RULES)
    reader.close()

    assert opened(path).state == before.state


def test_a_damaged_journal_is_never_shortened(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    written(path)
    _spoil(path, 5)

    with pytest.raises(JournalCorrupt):
        compact_journal(path, LATER, RULES)


def test_an_archive_that_was_changed_or_moved_away_is_named(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    written(path)
    compact_journal(path, LATER, RULES)
    compacted, archive = opened(path).state.compacted, archives_of(path)[0]
    whole = tmp_path / "whole.db"
    shutil.copy(archive, whole)

    _spoil(archive, 7)
    (changed,) = check_archives(path, compacted, rows_of)
    archive.unlink()
    (gone,) = check_archives(path, compacted, rows_of)
    other = Journal(SqliteMedium(archive))
    other.record(SESSION)
    other.close()
    (another,) = check_archives(path, compacted, rows_of)

    assert "record 7" in (changed.problem or "")
    assert gone.is_missing
    assert "not the one the journal follows" in (another.problem or "")


def test_a_journal_without_its_beginning_is_refused(tmp_path: Path) -> None:
    disk = DiskModel()
    rows = tuple(EventMemory([*busy_past(3)]).rows())
    disk.append(rows[2:])

    with pytest.raises(JournalCorrupt, match="everything before it is missing"):
        Journal(disk)


def _spoil(path: Path, seq: int) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE journal SET payload = replace(payload, '2', '3') WHERE seq = ?", (seq,))
    connection.close()


# --- the story of a busy day ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def busy_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[ev.JournalEvent, ...]:
    """Everything a faulty venue, kills and hands made the journal write in some hours."""
    scratch = tmp_path_factory.mktemp("torture")

    async def run(loop: VirtualLoop) -> DiskModel:
        life = Run(loop, draw_case(11, 2.0), scratch, None)
        await life.to_the_end()
        assert life.life is not None
        return life.life.disk.disk

    disk = run_virtual(run)
    return tuple(decode_event(seq, payload) for seq, payload, _ in disk.read(1))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_cut_anywhere_it_leaves_nothing_out_that_matters(busy_day: tuple[ev.JournalEvent, ...], share: float) -> None:
    old = Journal(EventMemory(busy_day)).state
    began, ended = busy_day[0].at, busy_day[-1].at
    cut = began + (ended - began) * share
    sieve = Sieve(old, cut)
    kept = [event for event in busy_day if sieve.keeps(event)]
    left_out = [key for key in old.positions if key not in sieve.positions]
    head = ev.JournalCompacted(ended, "a", 1, "00", booked_by(old, left_out), len(left_out))

    new = Journal(EventMemory([head, *kept])).state

    assert differences(old, new, sieve.positions, cut) == ()
    assert new.active_by_symbol == old.active_by_symbol
    assert new.open_orders_of == old.open_orders_of
    assert BookedPnl().total(new) == BookedPnl().total(old)
    assert left_out or share < 0.5, "nothing was left out: this test would prove nothing"


def test_the_comparison_sees_what_a_bad_sieve_would_lose(busy_day: tuple[ev.JournalEvent, ...]) -> None:
    old = Journal(EventMemory(busy_day)).state
    cut = busy_day[0].at + (busy_day[-1].at - busy_day[0].at) * 0.5
    sieve = Sieve(old, cut)
    forgotten = (ev.StateNoted, ev.TakeProfitSkipped, ev.BreakEvenActivated, ev.EntryAbandoned)
    kept = [event for event in busy_day if sieve.keeps(event) and not isinstance(event, forgotten)]
    head = ev.JournalCompacted(cut, "a", 1, "00", Decimal(0), 0)

    wrong = differences(old, Journal(EventMemory([head, *kept])).state, sieve.positions, cut)

    assert {"notes", "positions", "result"} <= set(wrong)


# --- how far it reached --------------------------------------------------------------------------------------------------


def test_an_older_copy_that_was_put_back_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    written(path)
    shutil.copy(path, tmp_path / "older.db")
    mark = mark_of(continued(path, ev.StateNoted(at(9), "x", "1")))
    (tmp_path / "older.db").replace(path)

    medium = SqliteMedium(path)
    doubt = judge_mark(mark, Journal(medium), medium)

    assert doubt is not None
    assert "older copy" in doubt


def test_a_lost_wal_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    written(path)
    medium = SqliteMedium(path)
    journal = Journal(medium)
    journal.record(ev.StateNoted(at(9), "x", "1"))
    # as it lies on the disk while the process is killed, without the -wal beside it
    (tmp_path / "crashed").mkdir()
    crashed = tmp_path / "crashed/positions.db"
    shutil.copy(path, crashed)

    found = SqliteMedium(crashed)
    doubt = judge_mark(mark_of(journal), Journal(found), found)

    assert doubt is not None
    assert "-wal was lost" in doubt


def test_another_journal_of_the_same_length_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    mark = mark_of(written(path))
    medium = SqliteMedium(tmp_path / "other.db")
    other = Journal(medium)
    for number in range(mark.seq):
        other.record(ev.StateNoted(at(number), "y", str(number)), durable=False)
    other.flush()

    assert "another journal" in (judge_mark(mark, other, medium) or "")


def test_a_journal_that_went_on_is_fine_and_so_is_one_that_was_compacted_since(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    mark = mark_of(written(path))
    continued(path, ev.StateNoted(at(9), "x", "1"))
    medium = SqliteMedium(path)
    assert judge_mark(mark, Journal(medium), medium) is None
    assert judge_mark(None, Journal(medium), medium) is None
    medium.close()
    compact_journal(path, LATER, RULES)
    medium = SqliteMedium(path)

    assert judge_mark(mark, Journal(medium), medium) is None


@pytest.mark.parametrize("content", ["", "[]", '{"seq": "1"}', '{"seq": 1, "chain": 2, "epoch": 0}'])
def test_a_mark_that_cannot_be_read_is_a_doubt(tmp_path: Path, content: str) -> None:
    (tmp_path / "journal_mark.json").write_text(content)
    medium = SqliteMedium(tmp_path / "positions.db")

    assert judge_mark(MarkFile(tmp_path).load(), Journal(medium), medium) is not None


def test_the_mark_comes_back_as_it_was(tmp_path: Path) -> None:
    file = MarkFile(tmp_path)
    assert file.load() is None
    file.save(Mark(5, "ab", 2))

    assert file.load() == Mark(5, "ab", 2)


def test_the_verified_journal_of_a_daemon_that_is_down_may_be_a_compacted_one(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    written(path)
    compact_journal(path, LATER, RULES)

    journal, newest = read_journal(path)

    assert journal.state.active_by_symbol == {normalise("BTC"): a_position_id()}
    assert newest is not None
    assert journal.state.positions[a_position_id()].qty == D(10)
