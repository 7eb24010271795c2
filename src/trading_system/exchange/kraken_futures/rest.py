"""Signed private calls: budget, deadline, raw answer. Reads raise ReadFailed; writes return the raw answer or raise anything.

Only three state-changing endpoints exist here. There is no cancel-all, no dead man's switch, no transfer and no retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from trading_system.domain.errors import ReadFailed
from trading_system.domain.protocols import Clock
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.errors import VenueHttpError, error_word
from trading_system.exchange.kraken_futures.observer import CallReport, VenueObserver
from trading_system.exchange.kraken_futures.rate_budget import BudgetExhausted, CallClass, Endpoint, Pool, RateBudget
from trading_system.exchange.kraken_futures.wire_values import Row, shortened
from trading_system.safety.torn import whole

_READS: Final = {
    "accounts": "privateGetAccounts",
    "openpositions": "privateGetOpenpositions",
    "openorders": "privateGetOpenorders",
    "fills": "privateGetFills",
    "orders/status": "privateGetOrdersStatus",
    "account-log": "historyGetAccountLog",
}
_WRITES: Final = {
    "sendorder": "privatePostSendorder",
    "editorder": "privatePostEditorder",
    "cancelorder": "privatePostCancelorder",
}
_LIMIT_WORD: Final = "apiLimitExceeded"
_LIMIT_RETRY_S: Final = 10.0


class SignedRest:
    """One signed client. `open()` before use, `close()` at the end; without a key every call is refused locally."""

    def __init__(self, config: KrakenConfig, clock: Clock, budget: RateBudget, observer: VenueObserver) -> None:
        self._config = config
        self._clock = clock
        self._budget = budget
        self._observer = observer
        self._session: aiohttp.ClientSession | None = None
        self._client: Any = None

    @property
    def is_open(self) -> bool:
        return self._client is not None

    async def open(self) -> None:
        """Build the session and the client. Sends nothing."""
        if not self._config.has_credentials or self._client is not None:
            return
        # a second of CPU: paid here, once, and by no process that does not trade
        from trading_system.exchange.kraken_futures.ccxt_client import DirectSession, make_client

        self._session = aiohttp.ClientSession(
            trust_env=False,
            connector=aiohttp.TCPConnector(limit=50),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._client = make_client(self._config, DirectSession(self._session))
        # reads the certificate store now, instead of inside the first order
        self._client.open()

    async def close(self) -> None:
        client, self._client = self._client, None
        session, self._session = self._session, None
        if client is not None:
            await client.close()
        if session is not None:
            await session.close()

    async def read(self, endpoint: Endpoint, parameters: Mapping[str, object], call_class: CallClass = CallClass.READ) -> Row:
        """A raw success answer. ReadFailed for everything else: no room, no answer, an error, a wrong shape."""
        call = self._method(_READS[endpoint.name])
        if call is None:
            raise ReadFailed(f"{endpoint.name}: no API key, or the venue is not open")
        try:
            await self._budget.acquire(endpoint, call_class)
        except BudgetExhausted as error:
            raise ReadFailed(str(error), retry_after_s=error.retry_after_s) from error
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._config.read_timeout_s):
                raw = await whole(call(dict(parameters)))
        # the transport raises classes of three libraries and plain TypeErrors; all of them mean "not read"
        except Exception as error:  # noqa: BLE001
            self._note_limit(endpoint.pool, call_class, error.said if isinstance(error, VenueHttpError) else None, error)
            problem = _named(error)
            self._report(endpoint, started, problem)
            # `from None`: the original text holds the address with its parameters
            raise ReadFailed(f"{endpoint.name}: {problem}", retry_after_s=_retry_after(error)) from None
        said = error_word(raw)
        self._note_limit(endpoint.pool, call_class, said, None)
        if said is not None or not isinstance(raw, Mapping):
            problem = f"the venue said {shortened(said)}" if said is not None else f"the answer is {type(raw).__name__}, no object"
            self._report(endpoint, started, problem)
            raise ReadFailed(f"{endpoint.name}: {problem}", retry_after_s=_LIMIT_RETRY_S if said == _LIMIT_WORD else None)
        self._report(endpoint, started, None)
        return raw

    async def reserve(self, endpoint: Endpoint, call_class: CallClass) -> None:
        """Book the points of a write; BudgetExhausted for entries without room."""
        await self._budget.acquire(endpoint, call_class)

    async def write(self, endpoint: Endpoint, parameters: Mapping[str, str]) -> object:
        """Send once and return the raw answer. Raises whatever happened on the way, which proves nothing about the order."""
        call = self._method(_WRITES[endpoint.name])
        if call is None:
            raise ReadFailed(f"{endpoint.name}: no API key, or the venue is not open")
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._config.order_timeout_s):
                raw: object = await whole(call(dict(parameters)))
        except Exception as error:
            self._note_limit(endpoint.pool, CallClass.PROTECTIVE, error.said if isinstance(error, VenueHttpError) else None, error)
            self._report(endpoint, started, _named(error))
            raise
        said = error_word(raw)
        self._note_limit(endpoint.pool, CallClass.PROTECTIVE, said, None)
        self._report(endpoint, started, said)
        return raw

    def _method(self, name: str) -> Any:
        return None if self._client is None else getattr(self._client, name)

    def _note_limit(self, pool: Pool, call_class: CallClass, said: str | None, error: Exception | None) -> None:
        if said == _LIMIT_WORD or (isinstance(error, VenueHttpError) and error.status == 429):
            self._budget.venue_said_exhausted(pool, call_class)

    def _report(self, endpoint: Endpoint, started: float, problem: str | None) -> None:
        self._observer.call_finished(CallReport(endpoint.name, self._clock.monotonic() - started, problem))


def _named(error: Exception) -> str:
    match error:
        case VenueHttpError():
            return str(error)
        case TimeoutError():
            return "no answer in time"
        case _:
            return type(error).__name__


def _retry_after(error: Exception) -> float | None:
    return _LIMIT_RETRY_S if isinstance(error, VenueHttpError) and error.status == 429 else None
