"""The operator's verbs as processes, against a daemon that really runs, and without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.command_line import RUN_PY, CommandLine

pytestmark = pytest.mark.process


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    folder = tmp_path / "cwd"
    folder.mkdir()
    # no health server: whatever else runs on this machine keeps its port
    return CommandLine(folder, {"TS_MONITORING__HEALTH_PORT": "0"})


@pytest.fixture
def daemon(cli: CommandLine) -> Iterator[subprocess.Popen[str]]:
    """`run` in the folder of `cli`, from the moment its first positions read is done."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cli.folder), **cli.environment}
    words = [sys.executable, str(RUN_PY), "run", "--speed", "10"]
    with subprocess.Popen(words, cwd=cli.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout is not None
        said = []
        for line in child.stdout:
            said.append(line)
            if line.startswith("  protection"):
                break
        else:
            pytest.fail("".join(said))
        yield child
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=60)


def facts(cli: CommandLine, *words: str) -> dict[str, Any]:
    answer = cli(*words, "--json")
    assert answer.code == 0, answer.err
    loaded: dict[str, Any] = json.loads(answer.out)
    return loaded


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_running_daemon_is_asked_halted_and_resumed_and_the_disk_answers_when_it_is_gone(
    cli: CommandLine, daemon: subprocess.Popen[str]
) -> None:
    status = facts(cli, "status")
    assert (status["running"], status["state"], status["venue"]) == (True, "NORMAL", "sim")
    assert status["universe"] > 10
    assert facts(cli, "positions") == {"running": True, "positions": []}
    assert facts(cli, "universe")["eligible"] == status["universe"]
    assert facts(cli, "place-missing-stops", "--dry-run")["missing"] == []

    assert facts(cli, "halt", "--reason", "drill")["state"] == "KILL_SWITCH"
    assert "drill" in facts(cli, "status")["halt"]["reason"]
    (cli.folder / "data" / "KILL_SWITCH").touch()
    refused = cli("resume", "--reason", "over")
    assert (refused.code, refused.err_lines) == (1, ["resume: the file data/KILL_SWITCH still exists: remove it first"])
    (cli.folder / "data" / "KILL_SWITCH").unlink()
    assert facts(cli, "resume", "--reason", "over")["state"] in ("NORMAL", "DEGRADED")
    nothing = cli("flatten", "--confirm", "FLATTEN 0 POSITIONS")
    assert (nothing.code, nothing.err_lines) == (1, ["flatten: no position is open; entries are stopped by `halt`"])
    findings = {check["name"]: check["finding"] for check in json.loads(cli("doctor", "--json").out)["checks"]}
    findings.pop("clock")  # a busy test machine may be seconds behind a market at ten times its speed
    assert set(findings.values()) == {"ok"}

    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=60)
    assert daemon.returncode == 0

    assert not (cli.folder / "data" / "control.sock").exists()
    gone = facts(cli, "status")
    assert (gone["running"], gone["mode"], gone["session"], gone["problems"]) == (False, "paper", 1, [])
    assert "the daemon is not running" in cli("why", "BTC").err
    assert facts(cli, "halt", "--reason", "over night") == {"running": False, "state": "KILL_SWITCH"}
    told = cli("doctor")
    assert told.code == 1
    assert "over night" in told.out


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["why"], 2, "SYMBOL"),
        (["why", "BTC", "--all"], 2, "SYMBOL"),
        (["why", "???"], 2, "not a symbol"),
        (["halt", "--reason", " "], 2, "reason"),
        (["resume"], 2, "--reason"),
        (["resume", "--reason", "x"], 1, "nothing to resume"),
        (["positions"], 1, "nothing was ever run"),
        (["universe"], 1, "not running"),
        (["flatten"], 1, "not running"),
        (["place-missing-stops"], 1, "not running"),
        (["status", "--profile", "nope"], 78, "nope"),
    ],
)
def test_without_a_daemon_every_verb_says_so_in_one_line(cli: CommandLine, words: list[str], code: int, named: str) -> None:
    answer = cli(*words)

    assert answer.code == code
    assert named in answer.err_lines[-1]
    assert "Traceback" not in answer.err


def test_status_of_an_empty_folder_answers_and_writes_nothing(cli: CommandLine) -> None:
    answer = cli("status")

    assert answer.code == 0
    assert "NOT RUNNING" in answer.out
    assert cli.files() == []


def test_a_configured_data_directory_is_found_by_every_way_to_name_it(cli: CommandLine) -> None:
    (cli.folder / "else.yaml").write_text("system:\n  data_dir: other\n")

    assert "other/positions.db" in cli("status", "-c", "else.yaml").out
    assert "third/positions.db" in CommandLine(cli.folder, {"TS_SYSTEM__DATA_DIR": "third"})("status").out
    assert "fourth/positions.db" in cli("status", "--data-dir", "fourth").out
