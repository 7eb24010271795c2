"""The private push feed: one connection, made again for ever. It makes us faster; it is never needed to be right.

`events()` is one async generator that runs the connect loop itself. Nothing is queued here: while the consumer is busy the
socket's own bounded buffer fills and the venue slows down or drops us, which is announced like any loss.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import aiohttp
import msgspec

from trading_system.domain.account import FeedEvent, FeedReset
from trading_system.domain.errors import ReadFailed
from trading_system.domain.protocols import Clock, Random
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.observer import VenueObserver
from trading_system.exchange.kraken_futures.wire_ws import (
    FEEDS,
    WsChallenge,
    WsData,
    WsMessage,
    WsNothing,
    WsRefused,
    WsSubscribed,
    challenge_request,
    parse_message,
    sign_challenge,
    subscribe_request,
)

_log = logging.getLogger(__name__)

_BACKOFF_FIRST_S: Final = 1.0
_STEADY_S: Final = 60.0
_MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
_NO_KEY_WAIT_S: Final = 3600.0
_GAPS_BEFORE_DISTRUST: Final = 3


class FeedLost(Exception):
    """The connection is no longer of use; the text says why, without secrets."""


class SeqWatch:
    """Notices missing message numbers per feed. A feed whose numbers are plainly not contiguous is no longer judged."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._gaps: dict[str, int] = {}

    def gap(self, feed: str, seqs: tuple[int, ...]) -> bool:
        """True when numbers are missing before or inside `seqs` and the feed is still believed to count."""
        found = False
        for seq in seqs:
            last = self._last.get(feed)
            found = found or (last is not None and seq > last + 1)
            self._last[feed] = seq if last is None else max(last, seq)
        if found:
            self._gaps[feed] = self._gaps.get(feed, 0) + 1
        return found and self._gaps[feed] <= _GAPS_BEFORE_DISTRUST


class KrakenPrivateFeed:
    """Implements the PrivateFeed port. One consumer at a time. Without a key it stays silent (polling is authoritative)."""

    def __init__(self, config: KrakenConfig, clock: Clock, random: Random, observer: VenueObserver) -> None:
        self._config = config
        self._clock = clock
        self._random = random
        self._observer = observer
        self._pinged_s = clock.monotonic()

    async def events(self) -> AsyncGenerator[FeedEvent, None]:
        while not self._config.has_credentials:
            await self._clock.sleep(_NO_KEY_WAIT_S)
        attempt = 0
        while True:
            started = self._clock.monotonic()
            why = "closed"
            try:
                # closed here, not by the garbage collector: an abandoned consumer must not leave a socket behind
                async with aclosing(self._one_connection()) as connection:
                    async for event in connection:
                        yield event
            except (FeedLost, ReadFailed, aiohttp.ClientError, TimeoutError, OSError) as error:
                # aiohttp names the address in its texts, which holds no secret; ours hold none either
                why = str(error) or type(error).__name__
            attempt = 0 if self._clock.monotonic() - started >= _STEADY_S else attempt + 1
            pause = self._pause_s(attempt)
            _log.warning("private feed lost (%s), next attempt in %.1f s", why, pause)
            await self._clock.sleep(pause)

    def _pause_s(self, attempt: int) -> float:
        ceiling = min(self._config.ws_backoff_max_s, _BACKOFF_FIRST_S * 2 ** min(attempt, 10))
        return self._random.uniform(ceiling / 2, ceiling)

    async def _one_connection(self) -> AsyncGenerator[FeedEvent, None]:
        key, secret = self._config.key or "", self._config.secret or ""
        async with aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
            async with asyncio.timeout(self._config.ws_handshake_s):
                socket = await session.ws_connect(
                    self._config.ws_url,
                    # aiohttp pings only when nothing arrives: that finds a dead line, it does not keep a busy one open (see _receive)
                    heartbeat=self._config.ws_ping_s,
                    max_msg_size=_MESSAGE_BYTES_MAX,
                )
            async with socket:
                async with asyncio.timeout(self._config.ws_handshake_s):
                    early = await self._handshake(socket, key, secret)
                # announced only when every feed is on: what is read after this cannot miss an event
                yield FeedReset("connected")
                watch = SeqWatch()
                for data in early:
                    for event in self._events_of(data, watch):
                        yield event
                while True:
                    message = await self._receive(socket)
                    if isinstance(message, WsRefused):
                        raise FeedLost(message.text)
                    if isinstance(message, WsData):
                        for event in self._events_of(message, watch):
                            yield event

    async def _handshake(self, socket: aiohttp.ClientWebSocketResponse, key: str, secret: str) -> list[WsData]:
        """Sign in and subscribe to every feed; return the data that came in between."""
        await _send(socket, challenge_request(key))
        waiting = set(FEEDS)
        early: list[WsData] = []
        while waiting:
            match await self._receive(socket):
                case WsChallenge(message=challenge):
                    signed = sign_challenge(challenge, secret)
                    for feed in FEEDS:
                        await _send(socket, subscribe_request(feed, key, challenge, signed))
                case WsSubscribed(feed=feed):
                    waiting.discard(feed)
                case WsData() as data:
                    early.append(data)
                case WsRefused(text=text):
                    raise FeedLost(f"refused: {text}")
                case WsNothing():
                    pass
        return early

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> WsMessage:
        # the venue drops a client that says nothing for 60 s, however much it is telling the client itself
        now_s = self._clock.monotonic()
        if now_s - self._pinged_s >= self._config.ws_ping_s:
            self._pinged_s = now_s
            await socket.ping()
        try:
            async with asyncio.timeout(self._config.ws_silence_s):
                message = await socket.receive()
        except TimeoutError:
            raise FeedLost(f"silent for {self._config.ws_silence_s:g} s") from None
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            raise FeedLost(f"closed by the venue ({message.type.name.lower()}, code {socket.close_code})")
        return parse_message(message.data)

    def _events_of(self, data: WsData, watch: SeqWatch) -> list[FeedEvent]:
        for issue in data.issues:
            self._observer.wire_issue(issue)
        events: list[FeedEvent] = list(data.events)
        if watch.gap(data.feed, data.seqs) or any(issue.is_lost for issue in data.issues):
            events.append(FeedReset(f"gap in {data.feed}"))
        return events


async def _send(socket: aiohttp.ClientWebSocketResponse, request: dict[str, object]) -> None:
    await socket.send_str(msgspec.json.encode(request).decode())
