"""The HTTP shell of the REST front: raw bytes in, answer out, faults on request."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from aiohttp import web

from trading_system.domain.protocols import Clock
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.envelope import Answer
from trading_system.sim.kraken_server.fault_answers import RawAnswer, distorted, made_up
from trading_system.sim.kraken_server.faults import Fault, FaultKind, Faults
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.request_log import RequestLog
from trading_system.sim.kraken_server.routes import Api, ApiRequest

_STALE_KEPT: Final = 256
_REORDER_S: Final = 1.0
"""How long a request waits for one that overtakes it, unless the fault says otherwise."""


class RestShell:
    """`publish` makes what happened durable and tells the feeds; it runs before any answer leaves.

    `is_running` False = 503 for everything.
    """

    def __init__(
        self,
        api: Api,
        desk: Desk,
        faults: Faults,
        log: RequestLog,
        clock: Clock,
        publish: Callable[[], None],
        is_running: Callable[[], bool] = lambda: True,
    ) -> None:
        self._api = api
        self._desk = desk
        self._faults = faults
        self._log = log
        self._clock = clock
        self._publish = publish
        self._is_running = is_running
        self._answered: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        """Of reads that may still be answered stale: the newest answer to each."""
        self._next_done = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        if not self._is_running():
            return _response(distorted(FaultKind.UNAVAILABLE, None))
        api_request = await _as_api_request(request)
        fault = self._faults.take(api_request.path)
        if fault is None:
            answer = self._done(api_request)
            return _response(RawAnswer(answer.status, answer.body, answer.content_type))
        return await self._struck(request, api_request, fault)

    def _done(self, api_request: ApiRequest) -> Answer:
        now_s = self._clock.monotonic()
        answer = self._api.answer(api_request, now_s)
        self._publish()
        self._log.note(api_request, answer, self._desk.now_ms, now_s)
        self._next_done.set()
        self._next_done = asyncio.Event()
        if self._faults.awaits(FaultKind.STALE, api_request.path):
            self._remember(api_request, answer)
        return answer

    def _remember(self, api_request: ApiRequest, answer: Answer) -> None:
        self._answered[api_request.path, api_request.query] = answer
        if len(self._answered) > _STALE_KEPT:
            self._answered.popitem(last=False)

    async def _struck(self, request: web.Request, api_request: ApiRequest, fault: Fault) -> web.Response:
        await self._wait_before(fault)
        last = self._answered.get((api_request.path, api_request.query))
        answer = None if fault.kind.is_before else self._done(api_request)
        match fault.kind:
            case FaultKind.DUPLICATED:
                answer = self._done(api_request)
            case FaultKind.DELAYED:
                await self._clock.sleep(fault.delay_s)
            case FaultKind.STALE if last is not None:
                answer = last
            case FaultKind.REFUSED | FaultKind.ERROR:
                params = Params.of_request(api_request.query, api_request.body)
                answer = made_up(fault, api_request.path, self._desk.server_ms, params)
            case FaultKind.VANISHED if answer is not None:
                self._vanish(answer)
            case _:
                pass
        if fault.kind.cuts:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # goes nowhere
        return _response(distorted(fault.kind, answer))

    async def _wait_before(self, fault: Fault) -> None:
        if fault.kind is FaultKind.HELD:
            await self._clock.sleep(fault.delay_s)
        if fault.kind is FaultKind.REORDERED:
            try:
                async with asyncio.timeout(fault.delay_s or _REORDER_S):
                    await self._next_done.wait()
            except TimeoutError:
                return  # nothing overtook it

    def _vanish(self, answer: Answer) -> None:
        """Take the order that was just placed away again."""
        status = answer.payload.get("sendStatus", {})
        if status.get("status") == "placed" and self._desk.exchange.vanish(status["order_id"]):
            self._publish()


async def _as_api_request(request: web.Request) -> ApiRequest:
    # the raw target as it came over the wire: signatures are made over it
    path, _, query = request.raw_path.partition("?")
    body = (await request.read()).decode(errors="replace") if request.can_read_body else ""
    headers = request.headers
    return ApiRequest(request.method, path, query, body, headers.get("APIKey", ""), headers.get("Authent", ""), headers.get("Nonce", ""))


def _response(raw: RawAnswer) -> web.Response:
    return web.Response(body=raw.body, status=raw.status, content_type=raw.content_type)
