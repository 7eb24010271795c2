"""The embedded exchange as a child process of a measurement: where it listens, its key pair, its memory, one core of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trading_system.app.bench.child import command_of

STOP_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class ExchangeChild:
    """A running exchange. Memory and CPU are the child's alone."""

    pid: int
    base_url: str
    key: str
    secret: str
    state: Path

    @property
    def rss_mb(self) -> float:
        """Resident memory, MB (10^6 bytes)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def state_mb(self) -> float:
        return self.state.stat().st_size / 1e6


@contextmanager
def running_exchange(folder: Path, *options: str, core: int | None = None) -> Iterator[ExchangeChild]:
    """Start `run.py exchange` with a state file in `folder`; stopped with SIGTERM at the end. RuntimeError when it does not come up.

    core: hold it to this core.
    """
    state = folder / "exchange.state"
    child = subprocess.Popen(  # noqa: S603
        command_of("exchange", "--port", "0", "--state", str(state), "--cache", str(folder), *options),
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        if core is not None:
            os.sched_setaffinity(child.pid, {core})
        assert child.stdout is not None
        base_url = ""
        for line in child.stdout:
            words = line.split()
            if words[:1] == ["LISTENING"]:
                base_url = words[1]
            elif words[:1] == ["KEY"]:
                yield ExchangeChild(child.pid, base_url, words[1], words[3], state)
                break
        else:
            raise RuntimeError(f"the exchange ended with code {child.wait()} before it listened")
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
