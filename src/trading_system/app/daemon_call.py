"""Speaks to the running daemon through its local socket; blocking, bounded, standard library only."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trading_system.domain.errors import TradingError

if TYPE_CHECKING:
    from trading_system.wiring.control_protocol import Answer, Request

WAIT_S = 40.0
"""Longer than the daemon lets an asker wait."""
NOTICE_S = 3.0
"""A person in front of a silent daemon hears after this what is going on."""


class DaemonAway(TradingError):
    """No daemon answers. `holder` is the process that holds the instance lock all the same: it runs, and is silent."""

    def __init__(self, why: str, holder: int | None) -> None:
        super().__init__(why)
        self.holder = holder


def ask(data_dir: Path, request: Request, *, wait_s: float = WAIT_S) -> Answer:
    """The daemon's answer; DaemonAway when none comes."""
    from trading_system.wiring.control_protocol import SOCKET_FILE, decode_answer, encode_request

    path = data_dir / SOCKET_FILE
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(wait_s)
            door.connect(str(path))
            door.sendall(encode_request(request))
            line = _read_line(door, _first_word(door, data_dir, wait_s))
        return decode_answer(line)
    except (OSError, ValueError) as error:
        holder = lock_holder(data_dir)
        if holder is None:
            raise DaemonAway("the daemon is not running", None) from error
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DaemonAway(f"a daemon runs (process {holder}) but does not answer at {path}: {why}", holder) from error


def _first_word(door: socket.socket, data_dir: Path, wait_s: float) -> bytes:
    """What comes first of the answer. A daemon that is silent for long is waited for, and a person is told so meanwhile."""
    if wait_s <= NOTICE_S:
        return door.recv(65536)
    door.settimeout(NOTICE_S)
    try:
        return door.recv(65536)
    except TimeoutError:
        print(
            f"no answer from the daemon (process {lock_holder(data_dir)}) for {NOTICE_S:g} s; waiting up to {wait_s:g} s. "
            "Stops rest at the venue meanwhile. When it hangs: `halt` needs no answer, a restart of the service protects again",
            file=sys.stderr,
            flush=True,
        )
    door.settimeout(wait_s - NOTICE_S)
    return door.recv(65536)


def _read_line(door: socket.socket, first: bytes) -> bytes:
    from trading_system.wiring.control_protocol import ANSWER_BYTES_MAX

    if not first:
        raise ValueError("the answer broke off")
    received = bytearray(first)
    while not received.endswith(b"\n"):
        part = door.recv(65536)
        if not part:
            raise ValueError("the answer broke off")
        received += part
        if len(received) > ANSWER_BYTES_MAX:
            raise ValueError("the answer is too long")
    return bytes(received)


def lock_holder(data_dir: Path) -> int | None:
    """The process that holds the instance lock, from the kernel's own list: looking must not take the lock, not even shortly."""
    from trading_system.wiring.data_files import LOCK_FILE

    try:
        known = (data_dir / LOCK_FILE).stat()
        text = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return None
    wanted = f"{os.major(known.st_dev):02x}:{os.minor(known.st_dev):02x}:{known.st_ino}"
    for line in text.splitlines():
        words = line.split()
        if "FLOCK" in words and wanted in words:
            return int(words[words.index(wanted) - 1])
    return None
