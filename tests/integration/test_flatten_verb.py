"""`flatten` at the command line: it says what is closed, and what is not, before it ends."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

import pytest

from trading_system.app import verb_flatten
from trading_system.wiring.clock import WallClock
from trading_system.wiring.control_protocol import SOCKET_FILE, Answer, FlattenOrder, Request
from trading_system.wiring.control_socket import ControlSocket

WORDS = "FLATTEN 2 POSITIONS"
BTC, ETH = {"position_id": "BTC-1", "qty": "0.5"}, {"position_id": "ETH-1", "qty": "2"}


class SilentLog:
    def debug(self, event: str, **fields: Any) -> None: ...

    info = warning = error = debug


def spawn(name: str, work: Any) -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_task(work, name=name)


async def flatten(data_dir: Path, looks: list[list[dict[str, str]]]) -> int:
    """Run the verb against a daemon that shows these positions, look by look; the last one stays."""

    async def handle(request: Request, who: str) -> Answer:
        if isinstance(request, FlattenOrder):
            return Answer(facts={"state": "KILL_SWITCH", "closing": ["BTC-1", "ETH-1"], "not_closed": []})
        return Answer(facts={"positions": looks.pop(0) if len(looks) > 1 else looks[0]})

    door = asyncio.get_running_loop().create_task(ControlSocket(data_dir / SOCKET_FILE, handle, spawn, WallClock(), SilentLog()).serve())
    while not (data_dir / SOCKET_FILE).is_socket():
        await asyncio.sleep(0.01)
    parser = argparse.ArgumentParser()
    verb_flatten.configure(parser)
    code = await asyncio.to_thread(verb_flatten.run, parser.parse_args(["--data-dir", str(data_dir), "--confirm", WORDS]))
    door.cancel()
    await asyncio.gather(door, return_exceptions=True)
    return code


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb_flatten, "LOOK_S", 0.01)
    monkeypatch.setattr(verb_flatten, "LOOKS_MAX", 5)


async def test_flatten_ends_when_everything_is_closed_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = await flatten(tmp_path, [[BTC, ETH], [ETH], []])

    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    assert told.out.splitlines() == ["KILL_SWITCH: closing BTC-1, ETH-1", "closed; entries stay off until `resume`"]


async def test_flatten_names_what_is_still_open_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = await flatten(tmp_path, [[BTC, ETH], [ETH]])

    assert code == 1
    assert "STILL OPEN: ETH-1; the daemon goes on" in capsys.readouterr().err
