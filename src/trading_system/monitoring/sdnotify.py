"""systemd readiness and watchdog, without a dependency (sd_notify(3) protocol: one datagram per message).

The watchdog is fed by progress, not by a timer: a timer that pings whatever happens only proves that the loop turns.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from trading_system.domain.protocols import Clock


class SystemdNotifier:
    """Says READY, STATUS, WATCHDOG and STOPPING to systemd; silently does nothing elsewhere."""

    def __init__(self, env: Mapping[str, str], *, pid: int | None = None) -> None:
        address = env.get("NOTIFY_SOCKET", "")
        # "@name" is a socket in the abstract namespace
        self._address = "\0" + address[1:] if address.startswith("@") else address
        own_pid = str(os.getpid() if pid is None else pid)
        usec = env.get("WATCHDOG_USEC", "")
        is_ours = env.get("WATCHDOG_PID", own_pid) == own_pid
        self._interval = int(usec) / 2e6 if is_ours and usec.isdigit() and int(usec) else None

    @property
    def watchdog_interval_s(self) -> float | None:
        """Seconds between pings (half of WatchdogSec); None when the watchdog is off or not ours."""
        return self._interval

    def ready(self, status: str) -> bool:
        return self.send(f"READY=1\nSTATUS={_one_line(status)}")

    def status(self, text: str) -> bool:
        return self.send(f"STATUS={_one_line(text)}")

    def stopping(self, status: str = "stopping") -> bool:
        return self.send(f"STOPPING=1\nSTATUS={_one_line(status)}")

    def extend_start(self, seconds: float) -> bool:
        """Ask for more time while starting (a long hydration)."""
        return self.send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def send(self, message: str) -> bool:
        """True when a datagram left. A full or absent socket never stops trading."""
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
                connection.setblocking(False)
                connection.sendto(message.encode(), self._address)
        except OSError:
            return False
        return True

    async def run_watchdog(self, clock: Clock, is_alive: Callable[[], bool]) -> None:
        """Ping for as long as `is_alive()`; returns at once when there is no watchdog. `is_alive` judges the age of finished work."""
        while self._interval is not None:
            if is_alive():
                self.send("WATCHDOG=1")
            await clock.sleep(self._interval)


def _one_line(text: str) -> str:
    return " ".join(text.split())
