"""Unmodified ccxt.pro and the feeds; a life of its private ones is followed in the integration tests too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import ccxt.pro as ccxt_pro
import pytest

from fakes.kraken_server_rig import a_ccxt_client, a_server

BTC, DOGE = "BTC/USD:USD", "DOGE/USD:USD"


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    server = await a_server({"PF_XBTUSD": {0: 80_000.0, 2: 80_500.0}, "PF_DOGEUSD": {0: 0.2}}, speed=2.0)
    client = a_ccxt_client(server, module=ccxt_pro)
    await client.load_markets()
    yield client
    await client.close()
    await server.close()


async def test_tickers_of_several_markets_are_watched(client: Any) -> None:
    async with asyncio.timeout(10):
        tickers: dict[str, Any] = {}
        while len(tickers) < 2:
            tickers |= await client.watch_tickers([BTC, DOGE])
        quotes = await client.watch_bids_asks([BTC])

    assert tickers[DOGE]["last"] == pytest.approx(0.2)
    assert quotes[BTC]["bid"] < quotes[BTC]["ask"]


async def test_public_trades_are_watched_each_once(client: Any) -> None:
    seen: list[str] = []
    async with asyncio.timeout(10):
        while len(seen) < 4:
            seen += [trade["id"] for trade in await client.watch_trades(BTC)]

    assert len(seen) == len(set(seen))


async def test_the_book_that_was_watched_through_a_move_is_the_book_that_is_fetched(client: Any) -> None:
    async with asyncio.timeout(10):
        book = await client.watch_order_book(BTC)
        while book["bids"][0][0] < 80_400:
            book = await client.watch_order_book(BTC)
        fetched = await client.fetch_order_book(BTC)
        while book["bids"][0] != fetched["bids"][0] or book["asks"][0] != fetched["asks"][0]:
            book = await client.watch_order_book(BTC)
            fetched = await client.fetch_order_book(BTC)

    assert book["bids"][0][0] < book["asks"][0][0]


@pytest.mark.parametrize("is_verbose", [False, True])
async def test_orders_are_watched_and_only_the_verbose_feed_tells_of_a_post_order_that_failed(client: Any, is_verbose: bool) -> None:
    await client.authenticate()
    async with asyncio.timeout(10):
        watched = asyncio.ensure_future(client.watch_orders(BTC, params={"verbose": is_verbose}))
        await asyncio.sleep(0.3)
        with pytest.raises(ccxt_pro.OrderImmediatelyFillable):
            await client.create_order(BTC, "limit", "buy", 0.01, 85_000, {"postOnly": True, "clientOrderId": "crossing"})
        await client.create_order(BTC, "limit", "buy", 0.01, 70_000, {"clientOrderId": "rest"})
        seen = [row["info"] for row in await watched]

    assert {row["cli_ord_id"] for row in seen} == ({"crossing"} if is_verbose else {"rest"})


async def test_wallet_positions_and_fills_are_watched_through_a_trade(client: Any) -> None:
    await client.authenticate()
    async with asyncio.timeout(10):
        await client.watch_balance({"account": "flex_futures"})
        fills = asyncio.ensure_future(client.watch_my_trades(BTC))
        wallet = asyncio.ensure_future(client.watch_balance({"account": "flex_futures"}))
        await asyncio.sleep(0.3)
        await client.create_order(BTC, "market", "buy", 0.01)
        (fill,) = await fills
        after = await wallet
        positions = await client.watch_positions([BTC])

    assert (fill["amount"], fill["side"]) == (0.01, "buy")
    assert [(row["symbol"], row["contracts"]) for row in positions] == [(BTC, 0.01)]
    assert after["USD"]["total"] < 10_000
