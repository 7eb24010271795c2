"""The unit files: systemd accepts them, the sandbox is tight, and the numbers agree with the program."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from trading_system.app.exit_codes import ExitCode
from trading_system.config.settings import Settings

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "trading-bot.service"

systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")


def value_of(key: str) -> str:
    match = re.search(rf"^{key}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert match is not None, key
    return match[1]


@systemd
def test_systemd_accepts_both_units(tmp_path: Path) -> None:
    for name in ("trading-bot.service", "trading-bot-alert.service"):
        # the interpreter is not installed at its final place here
        text = (ROOT / "deploy" / name).read_text(encoding="utf-8").replace("/opt/tradingsystem/.venv/bin/python", "/bin/true")
        (tmp_path / name).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=yes", str(tmp_path / "trading-bot.service")], capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


@systemd
def test_the_exposure_is_at_most_1_5() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(UNIT)], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout[-200:]


def test_exit_codes_that_a_restart_cannot_mend_are_not_restarted() -> None:
    assert {int(code) for code in value_of("RestartPreventExitStatus").split()} == {ExitCode.USAGE, ExitCode.LOCKED, ExitCode.CONFIG}


def test_the_times_of_the_unit_leave_room_for_the_program() -> None:
    system = Settings().system

    assert system.shutdown_s < int(value_of("TimeoutStopSec")) == 90
    assert 2 * system.cycle_seconds < int(value_of("WatchdogSec")) == 180
    assert int(value_of("TimeoutStartSec")) == 180


def test_the_environment_example_names_every_secret_with_a_placeholder_only() -> None:
    text = (ROOT / ".env.local.example").read_text(encoding="utf-8")

    for name in (
        "KRAKEN_FUTURES_API_KEY",
        "KRAKEN_FUTURES_API_SECRET",
        "DATABASE_URL",
        "ALERT_WEBHOOK_URL",
        "ALERT_CHAT_ID",
        "SLACK_WEBHOOK_URL",
        "ALERT_EMAIL",
    ):
        assert re.search(rf"^{name}=$", text, re.MULTILINE), name
