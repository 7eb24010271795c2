"""The health server: loopback, GET, known Host names, and nothing that matters depends on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from trading_system.domain.modes import Mode
from trading_system.monitoring.health_server import HealthReport, HealthServer, host_name
from trading_system.monitoring.metrics import Metrics


class FakeSource:
    def __init__(self) -> None:
        self.health_report = HealthReport(True)
        self.readiness_report = HealthReport(False, ("not reconciled",))

    def health(self) -> HealthReport:
        return self.health_report

    def readiness(self) -> HealthReport:
        return self.readiness_report


class Served:
    def __init__(self, server: HealthServer, source: FakeSource, metrics: Metrics, port: int, session: aiohttp.ClientSession) -> None:
        self.server, self.source, self.metrics, self.port, self.session = server, source, metrics, port, session

    def request(self, method: str, path: str, host: str | None = None) -> aiohttp.client._RequestContextManager:
        headers = {} if host is None else {"Host": host}
        return self.session.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    source, metrics = FakeSource(), Metrics(version="1", venue="sim", mode="paper")
    server = HealthServer(source, metrics, port=0, names=["bot.lan"])
    port = await server.start()
    assert port is not None
    async with aiohttp.ClientSession() as session:
        yield Served(server, source, metrics, port, session)
    await server.stop()


async def test_liveness_and_readiness_have_a_status_and_reasons(served: Served) -> None:
    async with served.request("GET", "/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok", "reasons": []})
    async with served.request("GET", "/readyz") as answer:
        assert (answer.status, await answer.json()) == (503, {"status": "failing", "reasons": ["not reconciled"]})


async def test_metrics_are_in_the_text_format(served: Served) -> None:
    served.metrics.set_state(Mode.DEGRADED)
    served.metrics.equity.set(345.75)

    async with served.request("GET", "/metrics") as answer:
        text = await answer.text()

    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "trading_system_equity_usd 345.75" in text
    assert 'trading_system_state{state="DEGRADED"} 1.0' in text
    assert 'trading_system_state{state="NORMAL"} 0.0' in text
    assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil", ""])
async def test_a_foreign_host_name_is_refused(served: Served, host: str) -> None:
    async with served.request("GET", "/metrics", host) as answer:
        assert answer.status == 403
        assert "trading_system_" not in await answer.text()


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "LOCALHOST", "bot.lan:8080", "[::1]:8080"])
async def test_known_host_names_are_answered(served: Served, host: str) -> None:
    async with served.request("GET", "/healthz", host) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
async def test_only_get_is_answered(served: Served, method: str) -> None:
    async with served.request(method, "/healthz") as answer:
        assert answer.status == 405


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/metrics"])
async def test_every_answer_forbids_caching_framing_and_guessing(served: Served, path: str) -> None:
    async with served.request("GET", path) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "aiohttp" not in answer.headers["Server"].lower()


async def test_a_taken_port_is_a_warning_and_not_an_error(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    second = HealthServer(FakeSource(), served.metrics, port=served.port)

    assert await second.start() is None
    await second.stop()
    assert f"HEALTH_PORT_TAKEN port={served.port}" in caplog.text


@pytest.mark.parametrize(("header", "name"), [("a:1", "a"), ("A", "a"), ("[::1]:5", "[::1]"), ("[::1]", "[::1]"), ("", ""), (":80", "")])
def test_host_names_are_read_without_their_port(header: str, name: str) -> None:
    assert host_name(header) == name
