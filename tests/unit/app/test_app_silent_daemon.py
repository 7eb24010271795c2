"""A daemon that runs and does not answer, at three in the morning: `halt` leaves the file, the texts say what hangs and what to do."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_system.app import verb_halt
from trading_system.app.status_text import render_offline_status
from trading_system.safety.instance_lock import InstanceLock
from trading_system.wiring.control_protocol import SOCKET_FILE
from trading_system.wiring.data_files import LOCK_FILE

DISK = {
    "mode": None, "venue": None, "session": 0, "state": "NORMAL", "halt": None, "has_kill_file": False, "causes": [], "journal_records": 0,
    "last_record_at": None, "positions": 0, "unprotected": 0, "open_orders": 0, "orders_of_unknown_fate": 0, "equity_usd": None,
    "equity_at": None, "problems": [],
}  # fmt: skip


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Path]:
    """A data directory whose lock is held and whose socket takes calls and says nothing."""
    lock = InstanceLock(tmp_path / LOCK_FILE)
    lock.acquire()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(tmp_path / SOCKET_FILE))
        door.listen()
        yield tmp_path
    lock.release()


def test_halt_needs_no_reason_and_leaves_the_file_when_the_daemon_is_silent(
    silent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    verb_halt.configure(parser)
    monkeypatch.setattr(verb_halt, "ANSWER_S", 0.2)

    code = verb_halt.run(parser.parse_args(["--data-dir", str(silent)]))

    assert code == 1
    assert (silent / "KILL_SWITCH").exists()
    assert "NOT CONFIRMED" in capsys.readouterr().err
    assert verb_halt.NO_REASON.strip()


def test_the_status_of_a_silent_daemon_does_not_say_that_it_is_not_running() -> None:
    text = render_offline_status(DISK, 4711)

    assert "NOT RUNNING" not in text
    assert "NO ANSWER from process 4711" in text
    assert "NOT RUNNING" in render_offline_status(DISK)
