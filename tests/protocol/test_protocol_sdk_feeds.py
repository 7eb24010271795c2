"""python-kraken-sdk's WebSocket client, unmodified. It speaks nothing but wss, so the server shows it a certificate."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fakes.kraken_server_rig import KEYS, a_server
from fakes.loopback_tls import a_loopback_certificate
from trading_system.sim.kraken_server.server import KrakenServer

kraken = pytest.importorskip("kraken.futures", reason="python-kraken-sdk is not installed: make venv")

BTC = "PF_XBTUSD"
PRODUCT_FEEDS = ("ticker", "ticker_lite", "trade", "book")
PRIVATE_FEEDS = ("fills", "open_orders", "open_orders_verbose", "open_positions", "balances", "account_log", "notifications_auth")
FIRST_MESSAGES = {
    *("ticker", "ticker_lite", "trade_snapshot", "book_snapshot", "heartbeat", "fills_snapshot", "open_orders_snapshot"),
    *("open_orders_verbose_snapshot", "open_positions", "balances_snapshot", "account_log_snapshot", "notifications_auth"),
}


class Ear:
    """Collects what the client is told."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    async def __call__(self, message: dict[str, Any]) -> None:
        self.heard.append(message)

    def of(self, feed: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message.get("feed") == feed and "event" not in message]

    async def until(self, what: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not what():
                await asyncio.sleep(0.02)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KrakenServer]:
    certificate, tls = a_loopback_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = await a_server(speed=1.0, tls=tls)
    yield server
    await server.close()


def is_contiguous(messages: list[dict[str, Any]]) -> bool:
    numbers = [message["seq"] for message in messages]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def order_through(server: KrakenServer, *orders: Mapping[str, Any]) -> None:
    """Through the SDK's own REST client, in a thread because it blocks."""
    trade = kraken.Trade(KEYS.key, KEYS.secret, url=server.address.base_url)
    for order in orders:
        await asyncio.to_thread(trade.create_order, **{"symbol": BTC, "size": "0.01", **order})


async def test_every_feed_begins_and_follows_the_account_and_ends_when_unsubscribed(server: KrakenServer) -> None:
    ear = Ear()
    client = kraken.FuturesWSClient(KEYS.key, KEYS.secret, url=server.address.ws_url.removeprefix("wss://"), callback=ear)
    await client.start()
    for feed in PRODUCT_FEEDS:
        await client.subscribe(feed, [BTC])
    for feed in ("heartbeat", *PRIVATE_FEEDS):
        await client.subscribe(feed)
    await ear.until(lambda: {message.get("feed") for message in ear.heard if "event" not in message} >= FIRST_MESSAGES)
    await order_through(
        server,
        {"orderType": "lmt", "side": "buy", "limitPrice": "79000", "cliOrdId": "rest"},
        {"orderType": "mkt", "side": "buy", "cliOrdId": "entry"},
        {"orderType": "stp", "side": "sell", "stopPrice": "78000", "triggerSignal": "mark", "reduceOnly": True, "cliOrdId": "stop"},
    )
    await ear.until(lambda: ear.of("fills") and ear.of("book") and ear.of("trade") and len(ear.of("heartbeat")) > 1)
    await ear.until(lambda: len(ear.of("open_orders")) >= 2 and len(ear.of("open_positions")) >= 2 and len(ear.of("ticker")) > 1)
    for feed in PRODUCT_FEEDS:
        await client.unsubscribe(feed, [BTC])
    for feed in PRIVATE_FEEDS:
        await client.unsubscribe(feed)
    await ear.until(lambda: len(client.get_active_subscriptions()) == 1)
    ears = Counter(message["event"] for message in ear.heard if "event" in message)
    await client.close()

    assert ear.heard[0] == {"event": "info", "version": 1}
    assert ears == {"info": 1, "subscribed": 12, "unsubscribed": 11}
    assert [row["cli_ord_id"] for message in ear.of("fills") for row in message["fills"]] == ["entry"]
    assert [message["order"]["cli_ord_id"] for message in ear.of("open_orders") if "order" in message] == ["rest", "entry", "stop"]
    assert ear.of("open_positions")[-1]["positions"][0]["balance"] == 0.01
    assert {message["new_entry"]["asset"] for message in ear.of("account_log")} == {"usd", "pf_xbtusd"}
    assert ear.of("balances")[-1]["flex_futures"]["initial_margin"] > 0
    assert is_contiguous([*ear.of("book_snapshot"), *ear.of("book")])
    assert is_contiguous(ear.of("trade"))


async def test_a_wrong_secret_a_foreign_feed_and_an_unknown_product_are_told(server: KrakenServer) -> None:
    ear = Ear()
    client = kraken.FuturesWSClient(KEYS.key, "d3Jvbmcgc2VjcmV0", url=server.address.ws_url.removeprefix("wss://"), callback=ear)
    await client.start()
    await client.subscribe("fills")
    await client.subscribe("deposits_withdrawals")
    await client.subscribe("ticker", ["PF_NOBODYUSD"])
    await client.subscribe("heartbeat")
    await ear.until(lambda: len(ear.heard) >= 5)
    await client.close()

    assert [(message["event"], message.get("message")) for message in ear.heard[1:5]] == [
        ("alert", "Failed to subscribe to authenticated feed"),
        ("alert", "Invalid feed"),
        ("error", "Invalid product id"),
        ("subscribed", None),
    ]
    assert client.get_active_subscriptions() == [{"event": "subscribe", "feed": "heartbeat"}]


async def test_the_client_finds_its_feeds_again_after_a_cut(server: KrakenServer) -> None:
    ear = Ear()
    client = kraken.FuturesWSClient(KEYS.key, KEYS.secret, url=server.address.ws_url.removeprefix("wss://"), callback=ear)
    await client.start()
    await client.subscribe("heartbeat")
    await client.subscribe("open_positions")
    await ear.until(lambda: ear.of("open_positions") and ear.of("heartbeat"))
    heard = len(ear.heard)
    await server._feeds.drop_all()
    await ear.until(lambda: any(message.get("feed") == "open_positions" for message in ear.heard[heard:]))
    await ear.until(lambda: any(message.get("feed") == "heartbeat" for message in ear.heard[heard:]))
    await client.close()

    assert ear.heard[heard] == {"event": "info", "version": 1}
