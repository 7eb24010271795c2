"""CPU of the verbs that a person waits for at 3 am: `--help`, which every verb pays before its own work, and `status`."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import Final

from trading_system.app.bench.child import command_of
from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of

RUNS: Final = 7


def measure() -> dict[str, Outcome]:
    """User + system seconds of whole child processes; `status` where no daemon runs, the dearer of its two ways."""
    with tempfile.TemporaryDirectory() as empty:
        return {"help_cpu_s": _cpu_of("--help"), "status_cpu_s": _cpu_of("status", "--data-dir", empty)}


def _cpu_of(*words: str) -> Outcome:
    """One untimed run before writes the byte code."""
    samples = []
    for number in range(RUNS + 1):
        child = subprocess.Popen(command_of(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            return Unmeasured(f"`{' '.join(words)}` ended with exit code {child.returncode}")
        if number:
            samples.append(usage.ru_utime + usage.ru_stime)
    return reading_of(samples)
