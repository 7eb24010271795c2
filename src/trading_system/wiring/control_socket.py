"""The local door to a running daemon: data/control.sock, 0600, same user only, one line in, one line out.

The traps it avoids: a socket that is world-connectable between bind and chmod, a client that connects and says nothing, one
that asks without end, a command that is cut in half because its asker went away, and one that is begun by a daemon that hung
for minutes, long after its asker was told that nothing happened.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trading_system.domain import log_events as ev
from trading_system.domain.protocols import Clock
from trading_system.execution.execution_gateway import Spawn
from trading_system.live.log_port import Log
from trading_system.wiring.control_protocol import REQUEST_BYTES_MAX, Answer, HaltOrder, Request, decode_request, encode_answer, name_of

RETRY_S: Final = 30.0
_PEER: Final = struct.Struct("3i")

Handle = Callable[[Request, str], Coroutine[Any, Any, Answer]]
"""(request, who asks) → answer. Never raises for what the venue or the disk does."""


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """read_s: a connected client says its line within this. work_s: then it is told that the command goes on without it."""

    read_s: float = 5.0
    work_s: float = 25.0
    clients_max: int = 8


class ControlSocket:
    """`serve` runs until it is cancelled. The instance lock is held, so a socket file found here is a dead one.

    owner: the user id that may ask; None = the one this process runs as.
    """

    def __init__(
        self,
        path: Path,
        handle: Handle,
        spawn: Spawn,
        clock: Clock,
        log: Log,
        *,
        limits: DoorLimits | None = None,
        owner: int | None = None,
    ) -> None:
        self._limits = limits or DoorLimits()
        self._owner = os.geteuid() if owner is None else owner
        self._path = path
        self._handle = handle
        self._spawn = spawn
        self._clock = clock
        self._log = log
        self._clients = 0

    async def serve(self) -> None:
        """Listen; a path that cannot be bound is told once and tried again, since trading does not depend on it."""
        is_told = False
        while True:
            try:
                listening = self._bind()
            except OSError as error:
                if not is_told:
                    self._log.warning(ev.CONTROL_SOCKET_FAILED, path=str(self._path), why=str(error))
                    is_told = True
                await self._clock.sleep(RETRY_S)
                continue
            try:
                server = await asyncio.start_unix_server(self._serve_one, sock=listening, limit=REQUEST_BYTES_MAX)
                self._log.info(ev.CONTROL_SOCKET_READY, path=str(self._path))
                async with server:
                    await server.serve_forever()
            finally:
                listening.close()
                self._path.unlink(missing_ok=True)

    def _bind(self) -> socket.socket:
        """A listening socket that never had other rights than 0600. OSError."""
        self._path.unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            made.bind(str(self._path))
        except OSError:
            made.close()
            raise
        finally:
            os.umask(before)
        made.setblocking(False)
        return made

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            writer.write(encode_answer(await self._answer(reader, writer)))
            async with asyncio.timeout(self._limits.read_s):
                await writer.drain()
        except (TimeoutError, OSError):
            return  # the asker went away; what was begun runs to its end
        finally:
            self._clients -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
        if self._clients > self._limits.clients_max:
            return Answer("too many questions at once; ask again in a moment")
        pid, uid = peer_of(writer)
        if uid != self._owner:
            self._log.warning(ev.CONTROL_REFUSED, uid=uid, pid=pid, why="another user")
            return Answer(f"this daemon belongs to user {self._owner}; ask as that user, not as {uid}")
        try:
            async with asyncio.timeout(self._limits.read_s):
                line = await reader.readuntil(b"\n")
        except TimeoutError:
            return Answer(f"nothing was asked within {self._limits.read_s:g} s")
        except asyncio.LimitOverrunError:
            return Answer(f"a request is one line of at most {REQUEST_BYTES_MAX} bytes")
        except asyncio.IncompleteReadError:
            return Answer("a request is one line that ends with a newline")
        try:
            request = decode_request(line)
        except ValueError as error:
            return Answer(str(error))
        if not isinstance(request, HaltOrder) and has_hung_up(writer):
            # whoever asked was told meanwhile that nobody answers; only what makes things safer is still done then
            self._log.warning(ev.CONTROL_REFUSED, command=name_of(request), uid=uid, pid=pid, why="its asker has gone before it was begun")
            return Answer("you hung up before it was begun: nothing was done")
        return await self._work(request, f"operator (user {uid}, process {pid})")

    async def _work(self, request: Request, who: str) -> Answer:
        """Perform it as a piece of its own: an asker that goes away or waits no longer abandons the wait, never what was begun."""
        task = self._spawn(f"command {type(request).__name__}", self._handle(request, who))
        try:
            async with asyncio.timeout(self._limits.work_s):
                done: Answer | None = await asyncio.shield(task)
        except TimeoutError:
            return Answer(f"still under way after {self._limits.work_s:g} s; it goes on: look at the log and at `status`")
        return done if done is not None else Answer("the command failed inside the daemon; the log has its traceback")


def peer_of(writer: asyncio.StreamWriter) -> tuple[int, int]:
    """(process id, user id) of the other end, as the kernel vouches for them."""
    raw = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    pid, uid, _ = _PEER.unpack(raw)
    return pid, uid


def has_hung_up(writer: asyncio.StreamWriter) -> bool:
    """True when the other end waits for nothing any more. Asked of the kernel: the loop may not have come to reading its end yet."""
    poll = select.poll()
    poll.register(writer.get_extra_info("socket").fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))
