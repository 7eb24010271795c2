"""The HTTP shell of the REST front: raw bytes in, answer out, faults on request."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from trading_system.domain.protocols import Clock
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.envelope import Answer
from trading_system.sim.kraken_server.faults import Fault, FaultKind, Faults, RawAnswer, distorted
from trading_system.sim.kraken_server.request_log import RequestLog
from trading_system.sim.kraken_server.routes import Api, ApiRequest


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

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        if not self._is_running():
            return _response(distorted(FaultKind.UNAVAILABLE, None))
        api_request = await _as_api_request(request)
        fault = self._faults.take(api_request.path)
        if fault is None:
            answer = self._done(api_request)
            return _response(RawAnswer(answer.status, answer.body))
        return await self._struck(request, api_request, fault)

    def _done(self, api_request: ApiRequest) -> Answer:
        now_s = self._clock.monotonic()
        answer = self._api.answer(api_request, now_s)
        self._publish()
        self._log.note(api_request, answer, self._desk.now_ms, now_s)
        return answer

    async def _struck(self, request: web.Request, api_request: ApiRequest, fault: Fault) -> web.Response:
        answer = None if fault.kind.is_before else self._done(api_request)
        if fault.kind is FaultKind.DUPLICATED:
            answer = self._done(api_request)
        if fault.kind is FaultKind.DELAYED:
            await self._clock.sleep(fault.delay_s)
        if fault.kind.cuts:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # goes nowhere
        return _response(distorted(fault.kind, answer))


async def _as_api_request(request: web.Request) -> ApiRequest:
    # the raw target as it came over the wire: signatures are made over it
    path, _, query = request.raw_path.partition("?")
    body = (await request.read()).decode(errors="replace") if request.can_read_body else ""
    headers = request.headers
    return ApiRequest(request.method, path, query, body, headers.get("APIKey", ""), headers.get("Authent", ""), headers.get("Nonce", ""))


def _response(raw: RawAnswer) -> web.Response:
    return web.Response(body=raw.body, status=raw.status, content_type=raw.content_type)
