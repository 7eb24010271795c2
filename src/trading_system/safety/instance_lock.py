"""One daemon per data directory: an flock that the kernel drops with the process, so it cannot go stale and needs no force mode."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from trading_system.domain.errors import TradingError


class AnotherInstanceRunning(TradingError):
    """The lock is held by `holder`. `holder_pid` is what the lock file says, None when it says nothing readable or is not meant."""

    def __init__(self, holder: str, what: str, holder_pid: int | None = None) -> None:
        super().__init__(
            f"ANOTHER INSTANCE IS ALREADY RUNNING: {holder} holds {what}. Two daemons on one account would each answer the other's "
            "orders: double entries, stops cancelled against each other. Stop the other one first (systemctl stop trading-bot)."
        )
        self.holder_pid = holder_pid


class InstanceLock:
    """Held from `acquire` until `release` or the end of the process. Not re-entrant."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the lock and write our process id; AnotherInstanceRunning when somebody has it, OSError when the file cannot be made."""
        if self._descriptor is not None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_pid(descriptor)
            os.close(descriptor)
            name = f"process {holder}" if holder is not None else "another process"
            raise AnotherInstanceRunning(name, str(self._path), holder) from None
        except OSError:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back. The file stays: removing it would let two processes lock two different files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _read_pid(descriptor: int) -> int | None:
    try:
        return int(os.pread(descriptor, 32, 0).split()[0])
    except (OSError, ValueError, IndexError):
        return None
