"""systemd's notification protocol, over a real datagram socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trading_system.monitoring.sdnotify import SystemdNotifier


class CountingClock:
    """Sleeping returns at once; after `ticks` sleeps the task is cancelled."""

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return sum(self.slept)

    def market_in(self, process_seconds: float) -> datetime:
        return self.now()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) >= self.ticks:
            raise asyncio.CancelledError

    async def sleep_until(self, moment: datetime) -> None:
        await self.sleep(0)


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@notify-{tmp_path.name}-{tmp_path.parent.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind("\0" + name[1:] if name.startswith("@") else name)
        server.settimeout(5)
        yield server, name


def test_ready_and_status_arrive_as_datagrams(listener: tuple[socket.socket, str]) -> None:
    server, name = listener
    notifier = SystemdNotifier({"NOTIFY_SOCKET": name})

    assert notifier.ready("NORMAL,\n2 positions")
    assert server.recv(4096) == b"READY=1\nSTATUS=NORMAL, 2 positions"
    assert notifier.stopping()
    assert server.recv(4096) == b"STOPPING=1\nSTATUS=stopping"


def test_without_systemd_nothing_happens() -> None:
    assert SystemdNotifier({}).ready("x") is False
    assert SystemdNotifier({"NOTIFY_SOCKET": "/nowhere/at/all"}).ready("x") is False


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"WATCHDOG_USEC": "180000000"}, 90.0),
        ({"WATCHDOG_USEC": "180000000", "WATCHDOG_PID": "7"}, 90.0),
        ({"WATCHDOG_USEC": "180000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_interval_is_half_of_what_systemd_allows(env: dict[str, str], expected: float | None) -> None:
    assert SystemdNotifier(env, pid=7).watchdog_interval_s == expected


async def test_the_watchdog_is_fed_only_while_there_is_progress(listener: tuple[socket.socket, str]) -> None:
    server, name = listener
    notifier = SystemdNotifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000000"})
    alive = iter([True, True, False, False])

    with pytest.raises(asyncio.CancelledError):
        await notifier.run_watchdog(CountingClock(4), lambda: next(alive))

    assert [server.recv(4096), server.recv(4096)] == [b"WATCHDOG=1"] * 2
    server.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.recv(4096)


async def test_without_a_watchdog_the_task_ends_at_once() -> None:
    clock = CountingClock(1)

    await SystemdNotifier({}).run_watchdog(clock, lambda: True)

    assert clock.slept == []
