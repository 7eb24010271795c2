"""The venue as its own raw answers: the real adapter over the exchange's front in this process, without sockets.

Scenarios about the wire's words run through it: what the adapter reads is what the front wrote, byte for byte, unless a `Raw`
rule changes an answer on its way. Requests are charged as the venue charges them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from trading_system.domain.account import AccountFlow, AccountSnapshot, VenuePosition
from trading_system.domain.market import Bar, Instrument, OrderBook, Ticker, Timeframe
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    Fill,
    OpenOrder,
    OrderRequest,
    OrderStatus,
    StopAmendment,
    SubmitOutcome,
    VenueOrderId,
)
from trading_system.domain.protocols import Account
from trading_system.domain.symbols import Symbol
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.errors import VenueHttpError, error_word
from trading_system.live.log_port import Log
from trading_system.sim.exchange import SimExchange
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.encoding import encode
from trading_system.sim.kraken_server.envelope import RequestRefused, failure, not_found, success
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.rate_budget import Pool, RateBudget
from trading_system.sim.kraken_server.routes import find_route
from trading_system.sim.ports import SimVenue
from trading_system.wiring.clock import LoopClock
from trading_system.wiring.venue_kraken import KrakenControl

FOREVER = float("inf")
HOST = "http://127.0.0.1:1"
_PATHS = {
    "privateGetAccounts": ("GET", "/derivatives/api/v3/accounts"),
    "privateGetOpenpositions": ("GET", "/derivatives/api/v3/openpositions"),
    "privateGetOpenorders": ("GET", "/derivatives/api/v3/openorders"),
    "privateGetFills": ("GET", "/derivatives/api/v3/fills"),
    "privateGetOrdersStatus": ("GET", "/derivatives/api/v3/orders/status"),
    "historyGetAccountLog": ("GET", "/api/history/v3/account-log"),
    "privatePostSendorder": ("POST", "/derivatives/api/v3/sendorder"),
    "privatePostEditorder": ("POST", "/derivatives/api/v3/editorder"),
    "privatePostCancelorder": ("POST", "/derivatives/api/v3/cancelorder"),
}
Edit: TypeAlias = Callable[[Any], Any]
Pairs: TypeAlias = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Raw:
    """Answers of an endpoint (the end of its path) are `edit`ed on their way: a new payload, or an exception.

    is_instead: the venue never gets the request, `edit` is given None. where: only requests with these parameters.
    """

    endpoint: str
    edit: Edit
    times: int | None = None
    from_s: float = 0
    to_s: float = FOREVER
    is_instead: bool = False
    where: Callable[[Mapping[str, str]], bool] = lambda params: True


@dataclass(frozen=True)
class Asked:
    """One request that reached the front. is_refused: the venue's own budget was empty."""

    at_s: float
    endpoint: str
    params: Mapping[str, str]
    points: int
    is_refused: bool


@dataclass
class _Left:
    rule: Raw
    left: float


@dataclass
class Front:
    """The exchange's REST front as function calls. One per world: it outlives the daemon's lives."""

    exchange: SimExchange
    clock: LoopClock
    rules: Sequence[Raw]
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._desk = Desk(self.exchange, "account")
        self._budget = RateBudget()
        self._left = [_Left(rule, FOREVER if rule.times is None else rule.times) for rule in self.rules]

    def disturbs(self) -> bool:
        """True while a rule is in force: what the daemon cannot know is not held against it."""
        now = self.clock.monotonic()
        return any(counted.left > 0 and counted.rule.from_s <= now <= counted.rule.to_s for counted in self._left)

    def answer(self, method: str, path: str, pairs: Pairs) -> tuple[int, Any]:
        """Status and payload, decimals exact. Raises what a rule raises."""
        params = dict(pairs)
        for counted in self._left:
            if counted.left > 0 and self._fits(counted.rule, path, params):
                counted.left -= 1
                if counted.rule.is_instead:
                    self._note(path, params, 0, is_refused=False)
                    return 200, counted.rule.edit(None)
                status, payload = self._do(method, path, pairs)
                return status, counted.rule.edit(payload)
        return self._do(method, path, pairs)

    def _fits(self, rule: Raw, path: str, params: Mapping[str, str]) -> bool:
        is_there = path.endswith(rule.endpoint) or f"/{rule.endpoint}/" in path
        return is_there and rule.from_s <= self.clock.monotonic() <= rule.to_s and rule.where(params)

    def _do(self, method: str, path: str, pairs: Pairs) -> tuple[int, Any]:
        found = find_route(method, path)
        assert found is not None, path
        route, path_values = found
        params = Params([*path_values.items(), *pairs])
        variants = self.exchange.config.variants
        points = route.points(params, variants.unpublished_points)
        is_refused = route.pool is not Pool.PUBLIC and not self._budget.take(route.pool, points, self.clock.monotonic())
        self._note(path, dict(pairs), points, is_refused=is_refused)
        now_ms = self.exchange.now_ms
        if route.pool is Pool.HISTORY and not variants.serves_history:
            return 404, _decoded(not_found(now_ms).body)
        if is_refused:
            answer = failure("apiLimitExceeded", now_ms)
            return answer.status, _decoded(answer.body)
        try:
            payload = route.endpoint(self._desk, params)
        except RequestRefused as refused:
            answer = refused.answer(now_ms)
            return answer.status, _decoded(answer.body)
        return 200, _decoded(success(payload, now_ms).body if route.is_enveloped else encode(payload))

    def _note(self, path: str, params: Mapping[str, str], points: int, *, is_refused: bool) -> None:
        endpoint = path.partition("/v3/")[2] or path
        self.asked.append(Asked(round(self.clock.monotonic(), 3), endpoint, params, points, is_refused))


def _decoded(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal)


class _SignedClient:
    """What the signing client offers the adapter, with the front behind it."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def __getattr__(self, name: str) -> Callable[[Mapping[str, object]], Any]:
        method, path = _PATHS[name]

        async def call(parameters: Mapping[str, object]) -> Any:
            status, payload = self._front.answer(method, path, list(_flat(parameters)))
            if status != 200:
                raise VenueHttpError(status, error_word(payload))
            return payload

        return call


def _flat(parameters: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in parameters.items():
        for one in value if isinstance(value, list) else (value,):
            yield name, str(one)


@dataclass
class _PublicAnswer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    async def read(self) -> bytes:
        return self.body


class _PublicSession:
    """What the pooled session offers the adapter, with the front behind it."""

    def __init__(self, front: Front) -> None:
        self._front = front

    @asynccontextmanager
    async def get(
        self, url: str, *, params: Mapping[str, str] | None = None, allow_redirects: bool = False
    ) -> AsyncIterator[_PublicAnswer]:
        del allow_redirects
        status, payload = self._front.answer("GET", urlsplit(url).path, list((params or {}).items()))
        yield _PublicAnswer(status, encode(payload))


class _Half:
    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


def a_control(front: Front, clock: LoopClock, log: Log) -> KrakenControl:
    """The wiring's own edge of the venue, its two transports replaced by the front."""
    config = KrakenConfig.at(HOST, "key", "c2VjcmV0")
    control = KrakenControl(config, clock, _Half(), log, read_only=False)
    control.venue._public._session = _PublicSession(front)  # type: ignore[assignment]
    control.venue._signed._client = _SignedClient(front)
    return control


class AdapterVenue(SimVenue):
    """The daemon's ports through the adapter; the private feed comes from the model."""

    def __init__(self, exchange: SimExchange, control: KrakenControl, account: Account | None = None) -> None:
        super().__init__(exchange)
        self._of = control.venue
        self._account = self._of.account if account is None else account

    async def instruments(self) -> tuple[Instrument, ...]:
        return await self._of.market_data.instruments()

    async def tickers(self) -> tuple[Ticker, ...]:
        return await self._of.market_data.tickers()

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        return await self._of.market_data.candles(symbol, timeframe, since_ms, until_ms)

    async def order_book(self, symbol: Symbol) -> OrderBook:
        return await self._of.market_data.order_book(symbol)

    async def snapshot(self) -> AccountSnapshot:
        return await self._account.snapshot()

    async def positions(self) -> tuple[VenuePosition, ...]:
        return await self._account.positions()

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        return await self._account.open_orders()

    async def fills(self, since: datetime) -> tuple[Fill, ...]:
        return await self._account.fills(since)

    async def order_status(self, ids: Sequence[ClientOrderId]) -> tuple[OrderStatus, ...]:
        return await self._account.order_status(ids)

    async def flows(self, since: datetime) -> tuple[AccountFlow, ...]:
        return await self._account.flows(since)

    async def submit(self, order: OrderRequest) -> SubmitOutcome:
        return await self._of.orders.submit(order)

    async def amend_stop(self, amendment: StopAmendment) -> SubmitOutcome:
        return await self._of.orders.amend_stop(amendment)

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> CancelOutcome:
        return await self._of.orders.cancel(symbol, client_order_id, venue_order_id)
