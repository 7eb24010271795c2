"""The local door with real sockets: who may ask, how much, how long; and that commands outlive their askers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from trading_system.app import daemon_call
from trading_system.app.daemon_call import DaemonAway, ask, lock_holder
from trading_system.safety.instance_lock import InstanceLock
from trading_system.wiring.clock import WallClock
from trading_system.wiring.control_protocol import SOCKET_FILE, Answer, HaltOrder, Request, StatusQuery, decode_answer
from trading_system.wiring.control_socket import ControlSocket, DoorLimits
from trading_system.wiring.data_files import LOCK_FILE

CLIENTS = DoorLimits().clients_max


class SilentLog:
    def debug(self, event: str, **fields: Any) -> None: ...

    info = warning = error = debug


def spawn(name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_task(work, name=name)


class Door:
    """A served socket whose commands answer what the test says."""

    def __init__(self, data_dir: Path, limits: DoorLimits | None = None, owner: int | None = None) -> None:
        self.limits, self.owner = limits, owner
        self.data_dir = data_dir
        self.path = data_dir / SOCKET_FILE
        self.heard: list[tuple[Request, str]] = []
        self.release = asyncio.Event()
        self.release.set()
        self.finished = 0

    async def handle(self, request: Request, who: str) -> Answer:
        self.heard.append((request, who))
        await self.release.wait()
        self.finished += 1
        return Answer(facts={"state": "NORMAL"})

    async def raw(self, data: bytes) -> Answer:
        reader, writer = await asyncio.open_unix_connection(str(self.path), limit=1 << 20)
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
        line = await reader.readline()
        writer.close()
        return decode_answer(line)

    async def __aenter__(self) -> Door:
        self.path.touch()  # what a killed process left
        socket_ = ControlSocket(self.path, self.handle, spawn, WallClock(), SilentLog(), limits=self.limits, owner=self.owner)
        self.served = asyncio.get_running_loop().create_task(socket_.serve())
        while not self.path.is_socket():
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.served.cancel()
        await asyncio.gather(self.served, return_exceptions=True)
        assert not self.path.exists()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with Door(tmp_path) as made:
        yield made


async def test_the_socket_is_for_its_owner_only_and_the_asker_is_named_by_the_kernel(door: Door) -> None:
    answer = await asyncio.to_thread(ask, door.data_dir, StatusQuery())

    assert answer == Answer(facts={"state": "NORMAL"})
    assert stat.S_IMODE(door.path.stat().st_mode) == 0o600
    assert door.heard == [(StatusQuery(), f"operator (user {os.geteuid()}, process {os.getpid()})")]


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"hello\n", "not a JSON object"), (b"x" * 40_000 + b"\n", "at most 16384 bytes"), (b'{"command":"halt"}\n', "missing field")],
)
async def test_rubbish_is_answered_and_does_nothing(door: Door, data: bytes, why: str) -> None:
    assert why in (await door.raw(data)).error
    assert door.heard == []


async def test_another_user_is_refused(tmp_path: Path) -> None:
    async with Door(tmp_path, owner=os.geteuid() + 1) as door:
        answer = await door.raw(b'{"command":"status"}\n')

    assert f"belongs to user {os.geteuid() + 1}" in answer.error
    assert door.heard == []


async def test_an_asker_that_says_nothing_is_shown_out(tmp_path: Path) -> None:
    async with Door(tmp_path, DoorLimits(read_s=0.05)) as door:
        assert "nothing was asked" in (await door.raw(b"")).error


async def test_too_many_askers_are_turned_away_and_the_next_is_served(door: Door) -> None:
    door.release.clear()
    waiting = [asyncio.get_running_loop().create_task(door.raw(b'{"command":"status"}\n')) for _ in range(CLIENTS)]
    while len(door.heard) < CLIENTS:
        await asyncio.sleep(0.01)

    refused = await door.raw(b'{"command":"status"}\n')
    door.release.set()

    assert "too many" in refused.error
    assert all(answer.is_ok for answer in await asyncio.gather(*waiting))
    assert (await door.raw(b'{"command":"status"}\n')).is_ok


async def test_a_command_ends_though_its_asker_went_away(door: Door) -> None:
    door.release.clear()
    _, writer = await asyncio.open_unix_connection(str(door.path))
    writer.write(b'{"command":"halt","reason":"x"}\n')
    await writer.drain()
    while not door.heard:
        await asyncio.sleep(0.01)
    writer.close()
    await writer.wait_closed()

    door.release.set()
    while not door.finished:
        await asyncio.sleep(0.01)

    assert door.heard[0][0] == HaltOrder("x")


async def test_a_command_that_takes_long_is_not_cut(tmp_path: Path) -> None:
    async with Door(tmp_path, DoorLimits(work_s=0.05)) as door:
        door.release.clear()
        answer = await door.raw(b'{"command":"halt","reason":"x"}\n')
        door.release.set()
        while not door.finished:
            await asyncio.sleep(0.01)

    assert "still under way" in answer.error


def test_no_daemon_and_a_silent_one_are_two_things(tmp_path: Path) -> None:
    with pytest.raises(DaemonAway) as absent:
        ask(tmp_path, StatusQuery())
    lock = InstanceLock(tmp_path / LOCK_FILE)
    lock.acquire()
    with pytest.raises(DaemonAway) as silent:
        ask(tmp_path, StatusQuery())

    assert (absent.value.holder, silent.value.holder) == (None, os.getpid())
    assert lock_holder(tmp_path) == os.getpid()
    lock.release()
    assert lock_holder(tmp_path) is None


def test_a_daemon_that_hangs_is_waited_for_only_so_long(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.bind(str(tmp_path / SOCKET_FILE))
        deaf.listen()

        with pytest.raises(DaemonAway):
            ask(tmp_path, StatusQuery(), wait_s=0.1)


@pytest.mark.parametrize(
    ("line", "is_obeyed"),
    [
        (b'{"command":"resume","reason":"x"}\n', False),
        (b'{"command":"flatten","confirmation":"FLATTEN 1 POSITION"}\n', False),
        (b'{"command":"place_missing_stops"}\n', False),
        (b'{"command":"halt","reason":"x"}\n', True),
    ],
    ids=["resume", "flatten", "place-missing-stops", "halt"],
)
async def test_what_a_hung_daemon_finds_when_it_goes_on_is_not_begun_for_an_asker_that_has_gone(
    door: Door, line: bytes, *, is_obeyed: bool
) -> None:
    """The loop stands still from the request to the hanging up, as in a process that hangs: both lie in the socket when it goes on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asker:
        asker.connect(str(door.path))
        asker.sendall(line)

    await door.raw(b'{"command":"status"}\n')  # the loop came to everything that lay there before this
    assert [type(request) for request, _ in door.heard if not isinstance(request, StatusQuery)] == ([HaltOrder] if is_obeyed else [])


def test_a_person_in_front_of_a_silent_daemon_is_told_what_is_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(daemon_call, "NOTICE_S", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.bind(str(tmp_path / SOCKET_FILE))
        deaf.listen()

        with pytest.raises(DaemonAway):
            ask(tmp_path, StatusQuery(), wait_s=0.1)

    assert "waiting up to 0.1 s. Stops rest at the venue meanwhile" in capsys.readouterr().err
