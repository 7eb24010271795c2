"""Wire faults seen by unmodified ccxt: what the client learns, and what really happened at the exchange."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import ccxt
import pytest

from fakes.kraken_server_rig import KEYS, a_ccxt_client, a_server
from trading_system.sim.kraken_server.auth import sign_challenge
from trading_system.sim.kraken_server.faults import Fault, FaultKind
from trading_system.sim.kraken_server.server import KrakenServer

BTC = "BTC/USD:USD"


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server()
    yield server
    await server.close()


@pytest.fixture
async def client(server: KrakenServer) -> AsyncIterator[Any]:
    client = a_ccxt_client(server)
    await client.load_markets()
    yield client
    await client.close()


async def subscribe_privately(socket: aiohttp.ClientWebSocketResponse, feed: str) -> None:
    """Through the challenge to the first message of the feed."""
    await socket.receive_json(timeout=5)
    await socket.send_json({"event": "challenge", "api_key": KEYS.key})
    challenge = (await socket.receive_json(timeout=5))["message"]
    proof = {"api_key": KEYS.key, "original_challenge": challenge, "signed_challenge": sign_challenge(KEYS.secret_bytes, challenge)}
    await socket.send_json({"event": "subscribe", "feed": feed, **proof})
    assert (await socket.receive_json(timeout=5))["event"] == "subscribed"
    await socket.receive_json(timeout=5)


@pytest.mark.parametrize(
    ("kind", "raised", "orders_resting"),
    [
        (FaultKind.REQUEST_LOST, ccxt.NetworkError, 0),
        (FaultKind.ANSWER_LOST, ccxt.NetworkError, 1),
        (FaultKind.UNAVAILABLE, ccxt.ExchangeNotAvailable, 0),
        (FaultKind.BAD_GATEWAY, ccxt.ExchangeNotAvailable, 1),
        (FaultKind.TOO_MANY, ccxt.RateLimitExceeded, 0),
        (FaultKind.SERVER_ERROR, ccxt.ExchangeError, 1),
        (FaultKind.EMPTY_BODY, TypeError, 1),
        (FaultKind.STATUS_MISSING, TypeError, 1),
        (FaultKind.DUPLICATED, ccxt.DuplicateOrderId, 1),
        (FaultKind.TRUNCATED, (TypeError, ccxt.ExchangeError), 1),
    ],
)
async def test_an_error_says_little_about_the_order(
    server: KrakenServer, client: Any, kind: FaultKind, raised: type[Exception] | tuple[type[Exception], ...], orders_resting: int
) -> None:
    server.faults.add(Fault(kind, "sendorder"))
    with pytest.raises(raised):
        await client.create_order(BTC, "limit", "buy", 0.01, 70_000, {"clientOrderId": "c1"})

    assert len(await client.fetch_open_orders()) == orders_resting


async def test_an_answer_without_events_looks_rejected_to_ccxt_although_the_order_rests(server: KrakenServer, client: Any) -> None:
    server.faults.add(Fault(FaultKind.EVENTS_EMPTY, "sendorder"))
    order = await client.create_order(BTC, "limit", "buy", 0.01, 70_000)

    assert (order["id"], order["status"], order["info"]["status"]) == (None, "rejected", "placed")
    assert len(await client.fetch_open_orders()) == 1


async def test_checkers_pull_the_levers_over_http(server: KrakenServer, client: Any) -> None:
    base = f"{server.address.base_url}/_sim"
    async with aiohttp.ClientSession() as http:
        for page, body in (
            ("faults", {"kind": "list_missing", "path": "openpositions"}),
            ("mode", {"symbol": "PF_XBTUSD", "mode": "suspended"}),
            ("depth", {"symbol": "PF_XBTUSD", "share": "0"}),
        ):
            async with http.post(f"{base}/{page}", json=body) as response:
                assert response.status == 200
        async with http.post(f"{base}/mode", json={"symbol": "PF_NOPEUSD", "mode": "suspended"}) as response:
            refused = response.status
        for share in ("1.5", "much", "NaN", None):
            async with http.post(f"{base}/depth", json={"symbol": "PF_XBTUSD", "share": share}) as response:
                assert (response.status, "share" in await response.text()) == (400, True)
        assert (await client.fetch_order_book(BTC))["bids"] == []
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await client.fetch_positions()
        async with http.get(f"{base}/state") as response:
            state = await response.json()

    assert refused == 400
    assert (state["faults_struck"], state["modes"]["PF_XBTUSD"]) == ({"list_missing": 1}, "suspended")
    assert await client.fetch_positions() == []


async def test_cut_feeds_end_for_every_listener(server: KrakenServer) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(server.address.ws_url) as socket:
        await socket.receive_json(timeout=5)
        async with http.post(f"{server.address.base_url}/_sim/feeds", json={"action": "drop"}) as response:
            assert response.status == 200
        end = await socket.receive(timeout=5)

    assert end.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


@pytest.mark.parametrize(
    ("word", "http", "raised"),
    [
        ("apiLimitExceeded", 200, ccxt.RateLimitExceeded),
        ("nonceDuplicate", 200, ccxt.InvalidNonce),
        ("marketUnavailable", 200, ccxt.ContractUnavailable),
        ("accountInactive", 200, ccxt.ExchangeError),
        ("a word nobody knows", 200, ccxt.ExchangeError),
        ("INSUFFICIENT_MARGIN", 500, ccxt.InsufficientFunds),
        ("invalid order type", 400, ccxt.BadRequest),
    ],
)
async def test_a_request_is_refused_with_any_word_at_any_status_and_nothing_is_done(
    server: KrakenServer, client: Any, word: str, http: int, raised: type[Exception]
) -> None:
    server.faults.add(Fault(FaultKind.ERROR, "sendorder", word=word, http=http))
    with pytest.raises(raised):
        await client.create_order(BTC, "limit", "buy", 0.01, 70_000)

    assert await client.fetch_open_orders() == []


async def test_an_order_is_refused_with_any_word(server: KrakenServer, client: Any) -> None:
    for path, word in (("sendorder", "wouldCauseLiquidation"), ("editorder", "orderForEditNotFound"), ("cancelorder", "notFound")):
        server.faults.add(Fault(FaultKind.REFUSED, path, word=word))
    order = await client.create_order(BTC, "limit", "buy", 0.01, 70_000)
    resting = await client.create_order(BTC, "limit", "buy", 0.01, 70_000)
    with pytest.raises(ccxt.OrderNotFound):
        await client.edit_order(resting["id"], BTC, "limit", "buy", 0.02, 70_000)
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order(resting["id"])

    assert order["info"]["status"] == "wouldCauseLiquidation"
    assert [(row["id"], row["amount"]) for row in await client.fetch_open_orders()] == [(resting["id"], 0.01)]


async def test_an_order_vanishes_after_it_was_accepted_and_nothing_tells_of_its_end(server: KrakenServer, client: Any) -> None:
    server.faults.add(Fault(FaultKind.VANISHED, "sendorder"))
    async with aiohttp.ClientSession() as http, http.ws_connect(server.address.ws_url) as socket:
        await subscribe_privately(socket, "open_orders")
        order = await client.create_order(BTC, "limit", "buy", 0.01, 70_000)
        other = await client.create_order(BTC, "limit", "buy", 0.01, 71_000)
        async with http.post(f"{server.address.base_url}/_sim/vanish", json={"order_id": other["id"]}) as response:
            gone = response.status
        async with http.post(f"{server.address.base_url}/_sim/vanish", json={"order_id": other["id"]}) as response:
            twice = response.status
        told = [await socket.receive_json(timeout=5) for _ in range(2)]
    with pytest.raises(ccxt.OrderNotFound):
        await client.fetch_order(order["id"])

    assert (gone, twice) == (200, 400)
    assert [(row["order"]["order_id"], row["is_cancel"]) for row in told] == [(order["id"], False), (other["id"], False)]
    assert await client.fetch_open_orders() == []
    assert [next(iter(row["event"])) for row in (await client.historyGetOrders({}))["elements"]] == ["OrderPlaced"] * 2


async def test_a_held_request_takes_effect_late_and_one_that_is_overtaken_after_the_next(server: KrakenServer, client: Any) -> None:
    server.faults.add(Fault(FaultKind.HELD, "sendorder", delay_s=0.05))
    server.faults.add(Fault(FaultKind.REORDERED, "sendorder", delay_s=5.0))
    held = asyncio.ensure_future(client.create_order(BTC, "limit", "buy", 0.01, 70_000))
    await asyncio.sleep(0.02)
    during = await client.fetch_open_orders()
    first = await held
    overtaken = asyncio.ensure_future(client.create_order(BTC, "limit", "buy", 0.01, 70_001))
    await asyncio.sleep(0.05)
    is_waiting = not overtaken.done()
    overtaker = await client.create_order(BTC, "limit", "buy", 0.01, 70_002)
    last = await overtaken

    assert (during, is_waiting) == ([], True)
    assert [row.order_id for row in server.exchange.open_orders()] == [last["id"], overtaker["id"], first["id"]]


async def test_a_stale_read_repeats_the_last_answer_to_the_same_question(server: KrakenServer, client: Any) -> None:
    server.faults.add(Fault(FaultKind.STALE, "openorders", skip=1))
    before = await client.fetch_open_orders()
    await client.create_order(BTC, "limit", "buy", 0.01, 70_000)
    stale = await client.fetch_open_orders()
    fresh = await client.fetch_open_orders()

    assert (before, stale, len(fresh)) == ([], [], 1)


async def test_a_server_whose_clock_is_off_says_so_and_judges_deadlines_by_it(server: KrakenServer, client: Any) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{server.address.base_url}/_sim/clock", json={"offset_s": 120}) as response:
            assert response.status == 200
        async with http.post(f"{server.address.base_url}/_sim/clock", json={"offset_s": "much"}) as response:
            refused = response.status
    shown = client.parse8601((await client.publicGetTickers())["serverTime"])
    late = await client.create_order(BTC, "limit", "buy", 0.01, 70_000, {"processBefore": client.iso8601(server.exchange.now_ms + 60_000)})
    in_time = await client.create_order(BTC, "limit", "buy", 0.01, 70_000, {"processBefore": client.iso8601(shown + 1_000)})

    assert (shown - server.exchange.now_ms, refused) == (120_000, 400)
    assert (late["info"]["status"], in_time["info"]["status"]) == ("wouldProcessAfterSpecifiedTime", "placed")
