"""The WebSocket shell: frames in, frames out. A connection that is silent for 60 s or reads too slowly is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

from aiohttp import WSCloseCode, WSMsgType, web

from trading_system.domain.protocols import Clock
from trading_system.sim.kraken_server.auth import Credentials, challenge_text
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.feed_hub import FeedHub
from trading_system.sim.kraken_server.feed_session import FeedSession

CONNECTIONS_MAX: Final = 100
IDLE_S: Final = 60.0
BACKLOG_MAX: Final = 20_000
"""Frames waiting for a slow reader before it is dropped."""

StartTask: TypeAlias = Callable[[str, Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]


class FeedServer:
    """Serves /ws/v1."""

    def __init__(
        self, desk: Desk, hub: FeedHub, credentials: Credentials, clock: Clock, start_task: StartTask, *, idle_s: float = IDLE_S
    ) -> None:
        self._desk = desk
        self._hub = hub
        self._credentials = credentials
        self._clock = clock
        self._start_task = start_task
        self._idle_s = idle_s
        self._sockets: set[web.WebSocketResponse] = set()
        self._count = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Run one connection to its end."""
        if len(self._sockets) >= CONNECTIONS_MAX:
            return web.Response(status=429, text="too many connections")
        socket = web.WebSocketResponse(autoping=False, max_msg_size=1 << 16)
        await socket.prepare(request)
        self._count += 1
        self._sockets.add(socket)
        backlog: asyncio.Queue[str | None] = asyncio.Queue(BACKLOG_MAX)
        session = FeedSession(self._desk, self._hub, self._credentials, challenge_text(self._credentials, self._count), _putter(backlog))
        writer = self._start_task(f"feed writer {self._count}", _write(socket, backlog))
        session.open()
        try:
            await self._read(socket, session)
        finally:
            session.close()
            self._sockets.discard(socket)
            writer.cancel()
            await socket.close()
        return socket

    @property
    def count(self) -> int:
        """Open connections."""
        return len(self._sockets)

    async def close(self) -> None:
        """Close every connection as a server that goes away."""
        for socket in tuple(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def drop_all(self) -> None:
        """Cut every connection without a word, as a network does."""
        for socket in tuple(self._sockets):
            await socket.close(code=WSCloseCode.ABNORMAL_CLOSURE)

    async def _read(self, socket: web.WebSocketResponse, session: FeedSession) -> None:
        while True:
            try:
                frame = await socket.receive(timeout=self._idle_s)
            except TimeoutError:
                return
            match frame.type:
                case WSMsgType.TEXT:
                    session.receive(frame.data, self._clock.monotonic())
                case WSMsgType.PING:
                    await socket.pong(frame.data)
                case WSMsgType.PONG | WSMsgType.BINARY:
                    pass
                case _:
                    return


def _putter(backlog: asyncio.Queue[str | None]) -> Callable[[str], None]:
    """Queue a frame; a full queue is emptied and ended: the reader is too slow and gets no gap, but an end."""

    def put(text: str) -> None:
        if backlog.full():
            while not backlog.empty():
                backlog.get_nowait()
            backlog.put_nowait(None)
        else:
            backlog.put_nowait(text)

    return put


async def _write(socket: web.WebSocketResponse, backlog: asyncio.Queue[str | None]) -> None:
    while True:
        text = await backlog.get()
        if text is None:
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
            return
        try:
            await socket.send_str(text)
        except ConnectionResetError:
            return  # the reader notices the same and ends the session
