"""The real daemon as a child process on the embedded exchange: seconds to protecting and to ready, and its memory.

It runs in a temporary folder with a bare environment: no configuration, key or database of this machine can reach it.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from trading_system.app.bench.child import command_of
from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of
from trading_system.app.cli import VERBS

RUNS: Final = 3
DEADLINE_S: Final = 120.0
STOP_S: Final = 30.0
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
_KEYS: Final = ("ready_s", "protecting_s", "rss_mb")


@dataclass(slots=True)
class Start:
    """What was seen of one start: seconds from its process start, memory in MB (10^6 bytes); None = not seen."""

    protecting_s: float | None = None
    ready_s: float | None = None
    rss_mb: float | None = None
    last_line: str = ""

    @property
    def is_complete(self) -> bool:
        return None not in (self.protecting_s, self.ready_s, self.rss_mb)

    def missing(self) -> str:
        """What was not seen, and the last that was."""
        names = ", ".join(key for key in _KEYS if getattr(self, key) is None)
        return f"{names} not seen (waited at most {DEADLINE_S:g} s); last line: {self.last_line[:160]!r}"


def measure() -> dict[str, Outcome]:
    """One first start, which also generates the market, and RUNS restarts in the same folder."""
    if "run" not in dict(VERBS):
        return dict.fromkeys(_KEYS, Unmeasured("this build has no run verb"))
    with tempfile.TemporaryDirectory(prefix="ts-bench-") as folder:
        first = observe_start(Path(folder))
        starts = [observe_start(Path(folder)) for _ in range(RUNS)] if first.is_complete else []
    return readings(first, starts)


def readings(first: Start, starts: list[Start]) -> dict[str, Outcome]:
    """The restarts as readings, the first start in the notes; one that did not get through leaves its figures unmeasured. Pure."""
    if not first.is_complete:
        return dict.fromkeys(_KEYS, Unmeasured(f"the first start did not get through: {first.missing()}"))
    outcomes: dict[str, Outcome] = {}
    for key in _KEYS:
        values: list[float | None] = [getattr(start, key) for start in starts]
        seen = [value for value in values if value is not None]
        if not seen or len(seen) < len(starts):
            broken = next((start for start in starts if getattr(start, key) is None), first)
            outcomes[key] = Unmeasured(f"a restart did not get through: {broken.missing()}")
        elif key == "rss_mb":
            outcomes[key] = reading_of(seen, "the daemon alone; the embedded exchange is a process of its own")
        else:
            outcomes[key] = reading_of(seen, f"restarts; the very first start, which generates the market: {getattr(first, key):.2f} s")
    return outcomes


def observe_start(folder: Path) -> Start:
    """Start the daemon in `folder`, watch its lines until the first cycle is summed up, stop it."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONUNBUFFERED": "1"}
    begun = perf_counter()
    child = subprocess.Popen(  # noqa: S603
        command_of("run"), cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    start = Start()
    try:
        for line in lines_of(child, begun + DEADLINE_S):
            note_line(start, line, perf_counter() - begun, lambda: resident_mb(child.pid))
            if start.is_complete:
                break
    finally:
        stop(child)
    return start


def note_line(start: Start, line: str, seconds: float, resident_mb: Callable[[], float]) -> None:
    """Take what a line of the daemon says about its start. `seconds` since the process began."""
    start.last_line = line or start.last_line
    words = line.split()
    if start.protecting_s is None and "PROTECTING" in words:
        start.protecting_s = seconds
    if start.ready_s is None and words[:1] == ["READY"]:
        start.ready_s = seconds
    if start.rss_mb is None and "CYCLE_SUMMARY" in words:
        start.rss_mb = resident_mb()


def lines_of(child: subprocess.Popen[bytes], deadline: float) -> Iterator[str]:
    """Lines as they come, until the child closes its output or the deadline (perf_counter seconds) passes."""
    assert child.stdout is not None
    descriptor, rest = child.stdout.fileno(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while (left := deadline - perf_counter()) > 0:
            if not selector.select(left):
                return
            chunk = os.read(descriptor, 65536)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace").strip()


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def stop(child: subprocess.Popen[bytes]) -> None:
    """A clean stop, else a kill. Its output is read on: a full pipe would hold it up."""
    child.send_signal(signal.SIGTERM)
    try:
        child.communicate(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
