"""A slip in the configuration, found at a restart: with positions open the daemon protects on, without them it refuses to start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_daemon_process import ROOT, Daemon, home, stops_cover_positions

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]
__all__ = ["home"]


def verb(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "run.py"), *words]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=120, check=False)


def entries_of(home: Path) -> list[str]:
    lines = (home / "logs/run.log").read_text().splitlines()
    return [line for line in lines if line.startswith("ORDER_INTENDED") and "purpose=en " in line]


def test_a_refused_configuration_with_positions_open_is_no_reason_to_leave_them_alone(home: Path) -> None:
    first = Daemon(home)
    first.wait_for("a position with its stop", lambda: "STOP_PLACED" in first.text and "TAKE_PROFIT_PLACED" in first.text)
    first.process.kill()
    first.process.wait(10)
    entries_before = entries_of(home)
    with (home / "config/config.yaml").open("a") as file:
        file.write("\nriks: {max_leverage: 70}\n")

    second = Daemon(home)
    second.wait_for("protection", lambda: "PROTECTING" in second.text)
    second.wait_for("a cycle", lambda: "CYCLE_SUMMARY cycle=1 " in second.text)
    status = verb(home, "status", "--json")
    doctor = verb(home, "doctor", "--json")

    assert second.exchange_state()["positions"], "nothing was held: this test would prove nothing"
    assert stops_cover_positions(second.exchange_state())
    assert "riks" in second.text
    facts = json.loads(status.stdout)
    assert any("riks" in why and "configuration refused" in why for why in facts["entries_off"])
    assert "entries_gated=config_refused" in next(line for line in second.text.splitlines() if "CYCLE_SUMMARY cycle=1 " in line)
    checks = {check["name"]: check for check in json.loads(doctor.stdout)["checks"]}
    assert checks["config"]["finding"] == "failed"
    assert "riks" in checks["config"]["text"]
    assert "running" in checks["daemon"]["text"]
    alerts = [line for line in (home / "logs/run.log").read_text().splitlines() if "kind=CONFIG_REFUSED" in line]
    assert alerts
    second.wait_for("more cycles", lambda: "CYCLE_SUMMARY cycle=5 " in second.text)
    assert entries_of(home) == entries_before
    assert second.stop() == 0


def test_a_refused_configuration_without_anything_to_protect_ends_the_start_with_78(home: Path) -> None:
    # market time runs on however slow this machine is: without a halt a busy one has a position after its one cycle
    (home / "data").mkdir(exist_ok=True)
    (home / "data" / "KILL_SWITCH").touch()
    assert verb(home, "run", "--once").returncode == 0
    with (home / "config/safety.yaml").open("a") as file:
        file.write("\nsafety: {margin: {halt: 0.5}}\n")

    again = verb(home, "run", "--once")

    assert again.returncode == 78
    assert "configuration refused" in again.stderr
    assert "PROTECTING" not in again.stdout
