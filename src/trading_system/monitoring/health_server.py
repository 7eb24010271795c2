"""GET /healthz, /readyz and /metrics on 127.0.0.1. Read-only; answers only to Host names it knows.

The trap it avoids: a web page in the owner's browser that reaches a local port through a name of its own (DNS rebinding)
sends that name as Host and is refused. A taken port is a warning: trading does not depend on being watched.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from trading_system.domain import log_events
from trading_system.monitoring.logging_setup import get_logger
from trading_system.monitoring.metrics import Metrics

log = get_logger(__name__)

LOOPBACK: Final = "127.0.0.1"
_LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Server": "trading-system",
}


@dataclass(frozen=True, slots=True)
class HealthReport:
    """reasons: why it is not ok, or what is worth knowing; never a secret, never an exception text."""

    is_ok: bool
    reasons: tuple[str, ...] = ()


class HealthSource(Protocol):
    """What the server asks. Both answers are computed at once, without awaiting anything."""

    def health(self) -> HealthReport:
        """Liveness: ticks and the protection loop make progress."""
        ...

    def readiness(self) -> HealthReport:
        """Venue reachable, reconciled, journal writable."""
        ...


class HealthServer:
    """Serves until `stop()`. `names`: further Host values that are answered, without port."""

    def __init__(self, source: HealthSource, metrics: Metrics, *, port: int, names: Iterable[str] = ()) -> None:
        self._source = source
        self._metrics = metrics
        self._port = port
        self._names = frozenset(name.lower() for name in (*_LOCAL_NAMES, *names))
        self._runner: web.AppRunner | None = None

    async def start(self) -> int | None:
        """Listen and return the port (any free one for port 0); None with a warning when it is taken."""
        app = web.Application(middlewares=[self._guard()], client_max_size=1024)
        app.router.add_get("/healthz", self._healthz, allow_head=False)
        app.router.add_get("/health", self._healthz, allow_head=False)
        app.router.add_get("/readyz", self._readyz, allow_head=False)
        app.router.add_get("/metrics", self._render_metrics, allow_head=False)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=15.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, self._port).start()
        except OSError as error:
            await runner.cleanup()
            log.warning(log_events.HEALTH_PORT_TAKEN, port=self._port, error=error.strerror or type(error).__name__)
            return None
        self._runner = runner
        port = int(runner.addresses[0][1])
        log.info(log_events.HEALTH_SERVER_STARTED, address=f"http://{LOOPBACK}:{port}")
        return port

    async def stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _guard(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if host_name(request.headers.get("Host", "")) not in self._names:
                return web.Response(status=403, text="unknown host\n", headers=_HEADERS)
            try:
                return await handler(request)
            except web.HTTPException as refusal:  # 404, 405
                return web.Response(status=refusal.status, text=f"{refusal.reason}\n", headers=_HEADERS)

        return guard

    async def _healthz(self, _: web.Request) -> web.Response:
        return _answer(self._source.health())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self._source.readiness())

    async def _render_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={**_HEADERS, "Content-Type": self._metrics.content_type})


def host_name(header: str) -> str:
    """The name of a Host header, lower case, without its port; brackets of an IPv6 address stay."""
    if header.startswith("["):
        return header.partition("]")[0].lower() + "]"
    return header.partition(":")[0].lower()


def _answer(report: HealthReport) -> web.Response:
    body = json.dumps({"status": "ok" if report.is_ok else "failing", "reasons": report.reasons}) + "\n"
    return web.Response(status=200 if report.is_ok else 503, text=body, content_type="application/json", headers=_HEADERS)
