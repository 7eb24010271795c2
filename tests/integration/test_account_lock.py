"""One daemon per account, also on two machines: the lock in a real PostgreSQL, lost and found again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postgres_fixture import PostgresServer
from trading_system.domain import log_events as ev
from trading_system.domain.errors import ReadFailed
from trading_system.safety.instance_lock import AnotherInstanceRunning
from trading_system.storage.account_lock import AccountLock, LockedByOther, LockHeld, is_postgres, shown_database
from trading_system.wiring.account_lock_keeper import LOCK_GATE, AccountLockKeeper
from trading_system.wiring.clock import WallClock

ROOT = Path(__file__).resolve().parents[2]
PAPER = "paper sim seed 10 from 2026-01-05"


class Locks:
    """Makes locks of daemons in several data directories, and ends their sessions."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.made: list[AccountLock] = []

    def of(self, data_dir: str, account: str = "live kraken_futures production") -> AccountLock:
        self.made.append(AccountLock(self._url, account, data_dir))
        return self.made[-1]


@pytest.fixture
def locks(postgres_url: str) -> Iterator[Locks]:
    made = Locks(postgres_url)
    yield made
    for lock in made.made:
        lock.close()


class Notes:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.alerts: list[str] = []
        self.said: list[str] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **fields: self.events.append(event)

    def alert(self, kind: str, text: str, *, symbol: str | None = None, urgent: bool = False) -> None:
        assert urgent
        self.alerts.append(text)


def a_keeper(lock: AccountLock, gates: dict[str, str], notes: Notes, wait_s: float = 30.0) -> AccountLockKeeper:
    return AccountLockKeeper(lock, "the lock of the account 'x' in PostgreSQL", gates, WallClock(), notes, notes.said.append, wait_s)


def taken_soon(lock: AccountLock) -> bool:
    """The server needs a moment to notice that a session was closed."""
    return any(isinstance(lock.take(), LockHeld) or time.sleep(0.05) for _ in range(200))


async def until_free(keeper: AccountLockKeeper, notes: Notes, gates: dict[str, str]) -> None:
    for _ in range(200):
        await one_check(keeper, notes)
        if not gates:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(gates)


async def one_check(keeper: AccountLockKeeper, notes: Notes) -> None:
    """One look of `keep`, without its ten seconds."""
    try:
        keeper._note(await keeper._ask(), notes)
    except ReadFailed as error:
        keeper._unanswered(str(error))


def test_the_second_daemon_is_told_who_has_the_account_and_takes_it_when_that_one_ends(locks: Locks) -> None:
    first, second = locks.of("/srv/a"), locks.of("/srv/b")

    assert (first.take(), first.take()) == (LockHeld(), LockHeld())
    answer = second.take()
    assert isinstance(answer, LockedByOther)
    assert answer.holder.startswith("trading-bot ")
    assert not answer.is_our_ghost
    first.close()
    assert taken_soon(second)


def test_another_account_in_the_same_database_is_free(locks: Locks) -> None:
    assert locks.of("/srv/a").take() == LockHeld()
    assert locks.of("/srv/b", "live kraken_futures demo").take() == LockHeld()


def test_a_session_left_by_a_dead_process_of_the_same_directory_is_recognised(locks: Locks) -> None:
    """After a power cut the server may keep the old session for a minute; the file lock proves that its process is gone."""
    locks.of("/srv/a").take()

    answer = locks.of("/srv/a").take()

    assert isinstance(answer, LockedByOther)
    assert answer.is_our_ghost


def test_a_database_that_went_away_is_a_failed_read_and_the_lock_is_taken_again(postgres_server: PostgresServer, locks: Locks) -> None:
    first, second = locks.of("/srv/a"), locks.of("/srv/b")
    first.take()
    postgres_server.stop()
    try:
        for _ in range(2):
            with pytest.raises(ReadFailed, match="account lock: OperationalError"):
                first.take()
    finally:
        postgres_server.start()

    assert second.take() == LockHeld()
    assert isinstance(first.take(), LockedByOther)
    second.close()
    assert taken_soon(first)


async def test_a_start_is_refused_with_the_database_named_while_a_daemon_elsewhere_runs(locks: Locks) -> None:
    locks.of("/srv/a").take()
    keeper = a_keeper(locks.of("/srv/b"), {}, Notes())

    with pytest.raises(AnotherInstanceRunning, match=r"ANOTHER INSTANCE IS ALREADY RUNNING: trading-bot .* in PostgreSQL"):
        await keeper.begin()
    await keeper.end()


async def test_a_start_goes_on_without_entries_when_only_its_own_ghost_holds_the_lock(locks: Locks) -> None:
    ghost, gates, notes = locks.of("/srv/a"), dict[str, str](), Notes()
    ghost.take()
    keeper = a_keeper(locks.of("/srv/a"), gates, notes, wait_s=5.0)

    await keeper.begin()
    assert list(gates) == [LOCK_GATE]
    ghost.close()
    await until_free(keeper, notes, gates)
    assert notes.alerts == []
    await keeper.end()


async def test_a_start_waits_for_its_own_ghost_to_go(locks: Locks) -> None:
    ghost, gates = locks.of("/srv/a"), dict[str, str]()
    ghost.take()
    keeper = a_keeper(locks.of("/srv/a"), gates, Notes())

    starting = asyncio.create_task(keeper.begin())
    await asyncio.sleep(0.5)
    ghost.close()
    await starting

    assert gates == {}
    await keeper.end()


async def test_a_start_goes_on_and_says_so_when_the_database_does_not_answer(tmp_path: Path) -> None:
    gates, notes = dict[str, str](), Notes()
    keeper = a_keeper(AccountLock(f"postgresql://x@/none?host={tmp_path}", "x", "/srv/a"), gates, notes)

    await keeper.begin()

    assert gates == {}
    assert notes.events == [ev.ACCOUNT_LOCK_UNKNOWN]
    assert "only the lock file guards" in notes.said[0]
    await keeper.end()


async def test_an_account_somebody_else_locked_meanwhile_closes_entries_and_alerts_until_it_is_ours_again(
    postgres_server: PostgresServer, locks: Locks
) -> None:
    gates, notes, thief = dict[str, str](), Notes(), locks.of("/srv/b")
    keeper = a_keeper(locks.of("/srv/a"), gates, notes)
    await keeper.begin()
    postgres_server.stop()
    try:
        await one_check(keeper, notes)
        assert gates == {}, "a database that is away says nothing about the account"
    finally:
        postgres_server.start()
    assert thief.take() == LockHeld()

    for _ in range(3):
        await one_check(keeper, notes)
    assert list(gates) == [LOCK_GATE]
    assert len(notes.alerts) == 1

    thief.close()
    await until_free(keeper, notes, gates)
    assert notes.events == [ev.ACCOUNT_LOCK_HELD, ev.ACCOUNT_LOCK_UNKNOWN, ev.ACCOUNT_LOCK_TAKEN, ev.ACCOUNT_LOCK_HELD]
    await keeper.end()


@pytest.mark.process
def test_a_second_daemon_with_a_directory_of_its_own_ends_with_75(postgres_url: str, locks: Locks, tmp_path: Path) -> None:
    assert locks.of("/srv/elsewhere", PAPER).take() == LockHeld()
    env = {**os.environ, "DATABASE_URL": postgres_url, "TS_MONITORING__HEALTH_PORT": "0"}
    command = [sys.executable, str(ROOT / "run.py"), "run", "--once"]

    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 75, done.stdout + done.stderr
    assert "ANOTHER INSTANCE IS ALREADY RUNNING: trading-bot" in done.stderr
    assert "in PostgreSQL database" in done.stderr


def test_addresses_are_told_from_each_other_and_shown_without_secrets() -> None:
    assert [is_postgres(url) for url in ("postgres://x", "postgresql+psycopg2://x", "postgresql://x", "sqlite:///x")] == [True] * 3 + [
        False
    ]
    assert shown_database("postgresql://me:secret@db.example:5432/bot?sslmode=require") == "PostgreSQL database bot at db.example"
