"""Unsigned public calls through one pooled session: bounded concurrency, a deadline each, raw bytes back.

Never through ccxt: its throttle takes 600 ms per call and its ticker parser is some 65 times slower.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp

from trading_system.domain.errors import ReadFailed
from trading_system.domain.protocols import Clock
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.observer import CallReport, VenueObserver
from trading_system.exchange.kraken_futures.server_clock import ServerClock
from trading_system.exchange.kraken_futures.wire_public import parse_server_time
from trading_system.safety.torn import is_ending

_RETRY_AFTER_MAX_S = 120.0


class PublicRest:
    """`open()` before use, `close()` at the end. Every answer's serverTime feeds the skew measurement."""

    def __init__(self, config: KrakenConfig, clock: Clock, observer: VenueObserver, server_clock: ServerClock) -> None:
        self._config = config
        self._clock = clock
        self._observer = observer
        self._server_clock = server_clock
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(config.public_concurrency)

    async def open(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                trust_env=False,
                connector=aiohttp.TCPConnector(limit=self._config.public_concurrency),
                cookie_jar=aiohttp.DummyCookieJar(),
            )

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, name: str, url: str, parameters: Mapping[str, str] | None = None) -> bytes:
        """The body of a 200 answer; ReadFailed otherwise. The deadline starts when the request does, not in the queue."""
        if self._session is None:
            raise ReadFailed(f"{name}: the venue is not open")
        async with self._slots:
            started, market_before = self._clock.monotonic(), self._clock.now()
            problem: str | None = "cancelled"
            try:
                async with asyncio.timeout(self._config.public_timeout_s):
                    async with self._session.get(url, params=parameters, allow_redirects=False) as response:
                        body = await response.read()
                        if response.status != 200:
                            problem = f"HTTP {response.status}"
                            raise ReadFailed(f"{name}: {problem}", retry_after_s=_retry_after(response))
                problem = None
            except TimeoutError:
                problem = "no answer in time"
                raise ReadFailed(f"{name}: {problem}") from None
            except asyncio.CancelledError:
                if is_ending():
                    raise
                problem = "cancelled from within"
                raise ReadFailed(f"{name}: {problem}") from None
            except aiohttp.ClientError as error:
                problem = type(error).__name__
                raise ReadFailed(f"{name}: {problem}") from error
            finally:
                self._observer.call_finished(CallReport(name, self._clock.monotonic() - started, problem))
        told = parse_server_time(body)
        if told is not None:
            self._server_clock.note(told, market_before, self._clock.now())
        return body


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return min(float(text), _RETRY_AFTER_MAX_S)
    return 10.0 if response.status == 429 else None
