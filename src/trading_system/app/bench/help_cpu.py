"""CPU of `run.py --help`: every verb pays it before its own work."""

from __future__ import annotations

import os
import subprocess
from typing import Final

from trading_system.app.bench.child import command_of
from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of

RUNS: Final = 7


def measure() -> dict[str, Outcome]:
    """User + system seconds of whole child processes. One untimed run before writes the byte code."""
    samples = []
    for number in range(RUNS + 1):
        child = subprocess.Popen(command_of("--help"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            return {"help_cpu_s": Unmeasured(f"--help ended with exit code {child.returncode}")}
        if number:
            samples.append(usage.ru_utime + usage.ru_stime)
    return {"help_cpu_s": reading_of(samples)}
