"""Starts the embedded exchange as a child process and waits until it listens.

The daemon knows of it what a stranger would know: one line with the address, one with a throw-away key pair.
The child ends with its parent (the kernel signals it), so a killed daemon leaves no exchange running on.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trading_system.domain.errors import ReadFailed

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ExchangeAddress:
    base_url: str
    key: str
    secret: str


class EmbeddedExchange:
    """The child process. `progress` receives its human lines (history generation) until it listens."""

    def __init__(self, arguments: list[str], *, log_file: Path) -> None:
        self._arguments = arguments
        self._log_file = log_file
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, progress: Callable[[str], None], *, deadline_s: float = 120.0) -> ExchangeAddress:
        """Start the child and return where it listens; ReadFailed when it ends or stays silent past the deadline."""
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "trading_system.app.cli",
                "exchange",
                *self._arguments,
                "--die-with-parent",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        try:
            async with asyncio.timeout(deadline_s):
                return await self._read_address(progress)
        except TimeoutError:
            await self.stop()
            raise ReadFailed(f"the embedded exchange did not listen within {deadline_s:g} s; see {self._log_file}") from None

    async def _read_address(self, progress: Callable[[str], None]) -> ExchangeAddress:
        assert self._process is not None
        assert self._process.stdout is not None
        base_url = ""
        while line := (await self._process.stdout.readline()).decode(errors="replace").strip():
            words = line.split()
            if words[0] == "LISTENING":
                base_url = words[1]
            elif words[0] == "KEY":
                return ExchangeAddress(base_url, key=words[1], secret=words[3])
            else:
                progress(line)
        code = await self._process.wait()
        raise ReadFailed(f"the embedded exchange ended with exit code {code} before it listened; see {self._log_file}")

    async def drain(self) -> None:
        """Read the child's further output for ever (a full pipe would stop it)."""
        assert self._process is not None
        assert self._process.stdout is not None
        while await self._process.stdout.read(65536):
            pass

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.returncode

    async def stop(self, deadline_s: float = 5.0) -> None:
        """SIGTERM, then SIGKILL after the deadline."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(deadline_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends. Called in the child, right at its start (Linux)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:  # the parent died before the request was made
        sys.exit(1)
