"""Alerts: delivered by one task, retried, never awaited by the caller, and a log line whatever happens."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from trading_system.domain.alert_kinds import AlertKind, Severity
from trading_system.domain.errors import ConfigError
from trading_system.monitoring.alert_channels import AlertMessage, SendFailed, WebhookChannel, channel_of
from trading_system.monitoring.alerting import ATTEMPTS_MAX, WAITING_MAX, AlertDispatcher, severity_of
from trading_system.monitoring.log_render import Redactor


class ManualClock:
    """Sleeping moves the time; after `sleeps_max` sleeps it blocks, so that an endless task can be looked at."""

    def __init__(self, sleeps_max: int = 1_000_000) -> None:
        self.time = 0.0
        self.left = sleeps_max

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    def market_in(self, process_seconds: float) -> datetime:
        return self.now() + timedelta(seconds=process_seconds)

    async def sleep(self, seconds: float) -> None:
        self.left -= 1
        if self.left < 0:
            await asyncio.Event().wait()
        self.time += seconds
        await asyncio.sleep(0)

    async def sleep_until(self, moment: datetime) -> None:
        await self.sleep((moment - self.now()).total_seconds())


class FakeChannel:
    """Fails the first `failures` sends."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.sent: list[AlertMessage] = []
        self.tries = 0

    async def send(self, message: AlertMessage) -> SendFailed | None:
        self.tries += 1
        if self.failures > 0:
            self.failures -= 1
            return SendFailed("status 502")
        self.sent.append(message)
        return None


def a_dispatcher(clock: ManualClock, *channels: FakeChannel, **options: Any) -> AlertDispatcher:
    return AlertDispatcher(clock, channels, repeat_s=300, **options)


async def run_until(dispatcher: AlertDispatcher, done: Callable[[], bool]) -> None:
    task = asyncio.ensure_future(dispatcher.run())
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_alert_is_delivered_to_every_channel() -> None:
    first, second = FakeChannel(), FakeChannel()
    dispatcher = a_dispatcher(ManualClock(), first, second)

    dispatcher.alert("NEW_POSITION", "long 0.01", symbol="BTC/USD")
    assert dispatcher.waiting == 2
    await run_until(dispatcher, lambda: not dispatcher.waiting)

    assert first.sent == second.sent == [AlertMessage("NEW_POSITION", "INFO", "long 0.01", "BTC/USD")]


async def test_a_failed_send_is_retried_and_its_slot_is_free_meanwhile() -> None:
    clock, channel = ManualClock(), FakeChannel(failures=3)
    dispatcher = a_dispatcher(clock, channel)
    dispatcher.alert("EXCEPTION", "first")

    await run_until(dispatcher, lambda: bool(channel.sent))

    assert (channel.tries, [message.text for message in channel.sent]) == (4, ["first"])
    assert clock.time >= 2 + 5 + 10


async def test_a_newer_alert_of_the_same_key_replaces_the_one_that_could_not_be_sent() -> None:
    clock, channel = ManualClock(sleeps_max=0), FakeChannel(failures=1)
    dispatcher = a_dispatcher(clock, channel)
    dispatcher.alert("EXCEPTION", "old")
    await run_until(dispatcher, lambda: channel.tries == 1)

    dispatcher.alert("EXCEPTION", "new")
    await dispatcher.drain()

    assert [message.text for message in channel.sent] == ["new"]
    assert dispatcher.waiting == 0


async def test_held_back_alerts_are_counted_in_the_next_one() -> None:
    clock, channel = ManualClock(), FakeChannel()
    dispatcher = a_dispatcher(clock, channel)
    for _ in range(3):
        dispatcher.alert("EXCEPTION", "again")
        await dispatcher.drain()
    clock.time = 301
    dispatcher.alert("EXCEPTION", "again")
    await dispatcher.drain()

    assert [message.text for message in channel.sent] == ["again", "again\n(2 more of this kind were held back)"]


async def test_urgent_and_critical_alerts_are_never_held_back() -> None:
    channel = FakeChannel()
    dispatcher = a_dispatcher(ManualClock(), channel)
    for kind, urgent in (("EXCEPTION", True), ("EXCEPTION", True), ("KILL_SWITCH", False), ("KILL_SWITCH", False)):
        dispatcher.alert(kind, "x", urgent=urgent)
        await dispatcher.drain()

    assert [message.severity for message in channel.sent] == ["CRITICAL"] * 4


async def test_a_dead_channel_gives_up_after_a_bound_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    channel = FakeChannel(failures=1_000)
    dispatcher = a_dispatcher(ManualClock(), channel)
    dispatcher.alert("EXCEPTION", "x")

    await run_until(dispatcher, lambda: not dispatcher.waiting)

    assert channel.tries == ATTEMPTS_MAX
    assert "ALERT_DROPPED" in caplog.text


async def test_what_waits_is_bounded() -> None:
    dispatcher = a_dispatcher(ManualClock(), FakeChannel())
    for number in range(WAITING_MAX + 20):
        dispatcher.alert("EXCEPTION", "x", symbol=str(number))

    assert dispatcher.waiting == WAITING_MAX


async def test_without_a_target_an_alert_is_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        a_dispatcher(ManualClock()).alert("DAILY_SUMMARY", "all well")
        a_dispatcher(ManualClock(), FakeChannel(), is_enabled=False).alert("DAILY_SUMMARY", "switched off")

    assert caplog.text.count("Alert (no webhook configured)") == 2


async def test_texts_are_masked_and_escaped() -> None:
    channel = FakeChannel()
    dispatcher = a_dispatcher(ManualClock(), channel, redact=Redactor(["canary-value"]))

    dispatcher.alert("EXCEPTION", "key canary-value\nsecond\x1b[31m line")
    await dispatcher.drain()

    assert channel.sent[0].text == "key ***\nsecond\\x1b[31m line"


def test_severities() -> None:
    assert severity_of("KILL_SWITCH") is Severity.CRITICAL
    assert severity_of("NEW_POSITION") is Severity.INFO
    assert severity_of("DAILY_LOSS_WARNING") is Severity.WARNING
    assert severity_of("SOMETHING_NEW") is Severity.WARNING
    assert severity_of("NEW_POSITION", urgent=True) is Severity.CRITICAL
    assert all(isinstance(kind.severity, Severity) for kind in AlertKind)


@asynccontextmanager
async def a_webhook(status: int = 200, headers: dict[str, str] | None = None) -> AsyncIterator[tuple[str, list[tuple[str, Any]]]]:
    """A local webhook: (base URL, list of (path, body) it got)."""
    got: list[tuple[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.path, json.loads(await request.text())))
        return web.Response(status=status, headers=headers)

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", got
    finally:
        await runner.cleanup()


MESSAGE = AlertMessage("DAILY_STOP", "CRITICAL", "lost <5 %>", "BTC/USD")


async def test_a_telegram_address_gets_chat_and_text() -> None:
    async with a_webhook() as (base, got), aiohttp.ClientSession() as session:
        failure = await WebhookChannel(session, f"{base}/bot123:token/whatever", chat_id="42").send(MESSAGE)

    assert failure is None
    path, body = got[0]
    assert path == "/bot123:token/sendMessage"
    assert (body["chat_id"], body["text"]) == ("42", "[CRITICAL] DAILY_STOP BTC/USD\nlost <5 %>")


async def test_any_other_address_gets_json() -> None:
    async with a_webhook() as (base, got), aiohttp.ClientSession() as session:
        await WebhookChannel(session, f"{base}/hook").send(MESSAGE)

    assert got == [("/hook", {"kind": "DAILY_STOP", "severity": "CRITICAL", "symbol": "BTC/USD", "text": "lost <5 %>"})]


async def test_a_refusal_tells_its_status_and_when_to_try_again() -> None:
    async with a_webhook(429, {"Retry-After": "7"}) as (base, _), aiohttp.ClientSession() as session:
        assert await WebhookChannel(session, f"{base}/hook").send(MESSAGE) == SendFailed("status 429", 7.0)


async def test_a_redirect_is_not_followed() -> None:
    async with a_webhook() as (other, stolen), a_webhook(307, {"Location": f"{other}/x"}) as (base, _), aiohttp.ClientSession() as session:
        assert await WebhookChannel(session, f"{base}/hook").send(MESSAGE) == SendFailed("status 307")

    assert stolen == []


async def test_an_unreachable_webhook_is_named_by_type_only() -> None:
    async with aiohttp.ClientSession() as session:
        channel = WebhookChannel(session, "http://127.0.0.1:9/canary-path")
        failure = await channel.send(MESSAGE)

    assert failure is not None
    assert "canary" not in failure.reason + repr(channel)


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://api.telegram.org/bot1:x/sendMessage", "telegram"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://hooks.slack.com/services/T/B/x", "slack"),
        ("https://example.org/hook", "json"),
    ],
)
def test_the_form_follows_from_the_address(url: str, form: str) -> None:
    assert channel_of(url)[0] == form


@pytest.mark.parametrize("url", ["http://example.org/canary", "ftp://example.org/canary", "canary"])
def test_an_address_that_is_not_https_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="https") as caught:
        channel_of(url)
    assert "canary" not in str(caught.value)


async def test_telegram_without_a_chat_id_is_refused() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigError, match="ALERT_CHAT_ID"):
            WebhookChannel(session, "https://api.telegram.org/bot1:x/sendMessage")
