"""The daemon as its user starts it: a real process on the embedded exchange, killed, started again, stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(300)]


class Daemon:
    """One `run.py run` in a working directory of its own."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.output = home / f"out-{len(list(home.glob('out-*')))}.log"
        env = {**os.environ, "TS_MONITORING__HEALTH_PORT": "0"}
        with self.output.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "run.py"), "run", *arguments], cwd=home, stdout=sink, stderr=subprocess.STDOUT, env=env
            )

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_for(self, what: str, holds: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert self.process.poll() is None, f"the daemon ended while waiting for {what}:\n{self.text[-3000:]}"
            assert time.monotonic() < end, f"no {what} in {seconds:g} s:\n{self.text[-3000:]}"
            time.sleep(0.2)

    def exchange_state(self) -> dict[str, Any]:
        address = next(word for word in self.text.split() if word.startswith("http://127.0.0.1:")).rstrip(",")
        with urllib.request.urlopen(f"{address}/_sim/state", timeout=5) as answer:
            state: dict[str, Any] = json.load(answer)
        return state

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    yield tmp_path
    for process in subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout.split():
        os.kill(int(process), signal.SIGKILL)


def stops_cover_positions(state: dict[str, Any]) -> bool:
    """By the exchange's own truth: every position has a reduce-only stop of its size."""
    for position in state["positions"]:
        cover = sum(float(o["quantity"]) for o in state["orders"] if o["symbol"] == position["symbol"] and o["order_type"] == "stp")
        if cover < float(position["size"]):
            return False
    return True


def test_a_killed_daemon_finds_its_positions_protected_and_goes_on(home: Path) -> None:
    first = Daemon(home)
    first.wait_for("READY", lambda: "READY in" in first.text)
    first.wait_for("a position with its stop", lambda: "STOP_PLACED" in first.text and "TAKE_PROFIT_PLACED" in first.text)
    held = {position["symbol"] for position in first.exchange_state()["positions"]}
    first.process.kill()
    first.process.wait(10)

    second = Daemon(home)
    second.wait_for("protection", lambda: "PROTECTING" in second.text)
    state = second.exchange_state()

    assert held, "nothing was held: this test would prove nothing"
    assert held <= {position["symbol"] for position in state["positions"]}
    assert stops_cover_positions(state)
    entries = [
        order for order in (home / "logs/run.log").read_text().splitlines() if order.startswith("ORDER_INTENDED") and "purpose=en " in order
    ]
    assert len(entries) == len({line.split("position_id=")[1].split()[0] for line in entries}), "one entry per intent, over both lives"

    second.wait_for("a cycle", lambda: "CYCLE_SUMMARY" in second.text)
    assert second.stop() == 0
    assert "their stops stay on the venue" in second.text


def test_the_story_of_a_position_is_told_in_order(home: Path) -> None:
    daemon = Daemon(home)
    daemon.wait_for("a position with its take-profits", lambda: daemon.text.count("TAKE_PROFIT_PLACED") >= 2)
    daemon.stop()

    lines = (home / "logs/run.log").read_text().splitlines()
    position = next(line for line in lines if line.startswith("POSITION_OPENED")).split("position_id=")[1].split()[0]
    story = [line.split(" ", 1)[0] for line in lines if position in line]

    order = [
        "SIGNAL",
        "AUCTION_RESULT",
        "ENTRY_APPROVED",
        "ORDER_INTENDED",
        "ORDER_PLACED",
        "FILL",
        "STOP_PLACED",
        "POSITION_OPENED",
        "TAKE_PROFIT_PLACED",
    ]
    assert [word for word in order if word in story] == order
    assert sorted(order, key=story.index) == order


def test_a_second_instance_is_refused_while_the_first_runs(home: Path) -> None:
    daemon = Daemon(home)
    daemon.wait_for("the lock", lambda: (home / "data/trading-bot.pid").exists() and "proof" in daemon.text)

    second = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "run", "--once"], cwd=home, capture_output=True, text=True, timeout=60, check=False
    )

    assert second.returncode == 75
    assert "ANOTHER INSTANCE IS ALREADY RUNNING" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
    daemon.wait_for("READY", lambda: "READY in" in daemon.text)
    assert daemon.stop() == 0


def test_one_cycle_and_a_clean_stop(home: Path) -> None:
    daemon = Daemon(home, "--once")

    assert daemon.process.wait(120) == 0
    assert daemon.text.count("CYCLE_SUMMARY cycle=") >= 1
    assert "DATA_UNAVAILABLE" not in daemon.text, "the first start of all: its database is being made while histories are asked for"
