"""The processes of the crash harness: an exchange that lives on, a daemon that is killed, and the venue's pages for checkers."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from trading_system.config.load import load_settings
from trading_system.domain.errors import ReadFailed
from trading_system.domain.protocols import Clock
from trading_system.torture.case import BASES, BUSY
from trading_system.wiring.embedded_exchange import ExchangeAddress

STRATEGY: Final = "crash_noise"
"""Known to the daemons of the harness only: it writes the package's entry point into their working directory."""
_TROUBLE: Final = (
    "PHASE_FAILED",
    "TASK_FAILED",
    "UNCAUGHT_EXCEPTION",
    "EXCEPTION",
    "KILL SWITCH ACTIVATED",
    "RECONCILE_REFUSED",
    "Traceback",
)
"""Lines that no kill excuses."""
_PR_SET_PDEATHSIG: Final = 1


class Home:
    """A working directory of daemons: configuration, the strategy's entry point, the journal."""

    def __init__(self, path: Path, address: ExchangeAddress, *, seed: int, speed: float, entry_type: str) -> None:
        self.path = path
        self._address = address
        self._speed = speed
        package = path / "plugin" / "crash_noise-1.dist-info"
        package.mkdir(parents=True)
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: crash-noise\nVersion: 1\n")
        (package / "entry_points.txt").write_text(
            f"[trading_system.strategies]\n{STRATEGY} = trading_system.torture.noisy_strategy:noisy_strategy\n"
        )
        (path / "crash.yaml").write_text(json.dumps(_settings(address.base_url, seed, entry_type), indent=1))
        load_settings([path / "crash.yaml"], env={}, root=path)  # ConfigError now, not in each daemon

    @property
    def journal(self) -> Path:
        return self.path / "data" / "positions.db"

    @property
    def arguments(self) -> list[str]:
        """One tick a second: more often would eat the venue's request budget."""
        pace = f"{self._speed:g}"
        return ["run", "-c", "crash.yaml", "--speed", pace, "--interval", pace]

    @property
    def environment(self) -> dict[str, str]:
        mine = {
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(self.path / "plugin"), os.environ.get("PYTHONPATH")))),
            "KRAKEN_FUTURES_API_KEY": self._address.key,
            "KRAKEN_FUTURES_API_SECRET": self._address.secret,
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("TS_")} | mine


def _settings(base_url: str, seed: int, entry_type: str) -> dict[str, Any]:
    """The daemon's settings with the brakes on frequency and noise released, as in torture."""
    settings: dict[str, Any] = {section: dict(values) for section, values in BUSY.items()}
    settings["strategy"] |= {"engine": STRATEGY, "engine_options": [f"seed={seed}"]}
    settings["exchange"] = {"venue": "sim", "base_url": base_url}
    settings["execution"] = {"entry_type": entry_type}
    settings["data"] = {"universe": {"candidate_symbols": list(BASES)}}
    settings["monitoring"] = {"health_port": 0}
    return settings


class DaemonProcess:
    """One `run.py run`. Its lines are heard as they come; it ends with this process at the latest."""

    def __init__(self, clock: Clock, home: Home) -> None:
        self._clock = clock
        self._home = home
        self._waits: list[tuple[Callable[[str], bool], asyncio.Future[float]]] = []
        self.spawn_s = 0.0
        self.protecting_cpu_s: float | None = None
        self.lines: list[str] = []
        self.trouble: list[str] = []

    async def start(self) -> None:
        self.spawn_s = self._clock.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "trading_system.app.cli", *self._home.arguments,
            cwd=self._home.path, env=self._home.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, limit=1 << 20, preexec_fn=_die_with_parent,
        )  # fmt: skip

    async def listen(self) -> None:
        """Hear its lines until it ends. Run this beside everything else."""
        assert self._process.stdout is not None
        with (self._home.path / "daemon.log").open("ab") as copy:
            copy.write(f"--- process {self._process.pid}\n".encode())
            while raw := await self._process.stdout.readline():
                at_s = self._clock.monotonic()
                copy.write(raw)
                self._hear(raw.decode(errors="replace").rstrip(), at_s)
        for _, future in self._waits:
            if not future.done():
                future.set_exception(ReadFailed("the daemon ended"))

    def _hear(self, line: str, at_s: float) -> None:
        self.lines.append(line)
        if line.startswith("PROTECTING "):
            self.protecting_cpu_s = self.cpu_s()
        if line.startswith(_TROUBLE):
            self.trouble.append(line)
        for fits, future in self._waits:
            if not future.done() and fits(line):
                future.set_result(at_s)

    def awaited(self, fits: Callable[[str], bool]) -> asyncio.Future[float]:
        """When the first line that fits is heard, from now on (monotonic seconds); ReadFailed when it ends without."""
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # asked for or not, it was retrieved
        self._waits.append((fits, future))
        return future

    def cpu_s(self) -> float | None:
        """Processor time it has used so far: what a start costs however busy the machine is. None once it is gone."""
        try:
            words = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    async def end(self, number: signal.Signals, deadline_s: float) -> tuple[int | None, float]:
        """Send the signal and wait: (exit code, moment). None when it lives on past the deadline; then it is killed."""
        if self._process.returncode is None:
            self._process.send_signal(number)
        code: int | None
        try:
            async with asyncio.timeout(deadline_s):
                code = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            code = None
        return code, self._clock.monotonic()


def _die_with_parent() -> None:
    """In the child, before it becomes the daemon: a harness that is killed leaves no daemon behind."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class VenuePages:
    """The exchange's own record. ReadFailed when it cannot be had."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    async def requests(self, after_seq: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self._page(f"log?after_seq={after_seq}"))["requests"]
        return rows

    async def events(self, after_seq: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self._page(f"events?after_seq={after_seq}"))["events"]
        return rows

    async def _page(self, name: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(20), self._session.get(f"{self._base_url}/_sim/{name}") as answer:
                return msgspec.json.decode(await answer.read(), type=dict[str, Any])
        except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError) as error:
            raise ReadFailed(f"/_sim/{name}: {error!r}") from error
