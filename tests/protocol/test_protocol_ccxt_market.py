"""Unmodified ccxt and every public read, on a market that moves while it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import ccxt
import pytest

from fakes.kraken_server_rig import a_ccxt_client, a_server
from fakes.scripted_market import START_MS
from trading_system.sim.kraken_server.charts import RESOLUTIONS
from trading_system.sim.kraken_server.server import KrakenServer

BTC, DOGE = "BTC/USD:USD", "DOGE/USD:USD"
HOUR_MS = 3_600_000
RESOLUTION_MS = {"15m": 900_000, "30m": 1_800_000, "1h": HOUR_MS, "4h": 4 * HOUR_MS, "12h": 12 * HOUR_MS, "1d": 24 * HOUR_MS}


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server({"PF_XBTUSD": {0: 80_000.0, 400: 80_500.0}, "PF_DOGEUSD": {0: 0.2}})
    yield server
    await server.close()


@pytest.fixture
async def client(server: KrakenServer) -> AsyncIterator[Any]:
    client = a_ccxt_client(server)
    await client.load_markets()
    yield client
    await client.close()


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("price", ["trade", "mark", "index"])
async def test_candles_of_every_resolution_are_ascending_whole_and_end_with_the_running_one(
    client: Any, server: KrakenServer, resolution: str, price: str
) -> None:
    server.advance_to(START_MS + 10 * 60_000)
    bars = await client.fetch_ohlcv(BTC, resolution, params={} if price == "trade" else {"price": price})

    opens = [bar[0] for bar in bars]
    assert opens == sorted(set(opens))
    assert all(low <= min(first, last) <= max(first, last) <= high for _, first, high, low, last, _ in bars)
    length = client.parse_timeframe(resolution) * 1000
    assert {later - earlier for earlier, later in pairwise(opens)} <= {length}
    assert opens[-1] <= server.exchange.now_ms < opens[-1] + length
    assert (bars[-1][5] > 0) is (price == "trade")


@pytest.mark.parametrize("resolution", sorted(RESOLUTION_MS))
async def test_a_history_longer_than_a_page_comes_whole_through_paging(client: Any, resolution: str) -> None:
    length = RESOLUTION_MS[resolution]
    count = 2_100 if resolution in ("15m", "1h") else 100
    since = START_MS - START_MS % length - count * length
    bars: list[list[float]] = []
    while not bars or bars[-1][0] + length < START_MS:
        bars += await client.fetch_ohlcv(BTC, resolution, since=bars[-1][0] + 1 if bars else since, limit=min(2_000, count))

    # with the running bar, which the first second of the market has begun
    assert [bar[0] for bar in bars if bar[0] < START_MS - START_MS % length] == [since + number * length for number in range(count)]


@pytest.mark.parametrize(("resolution", "length"), [("1m", 60_000), ("5m", 300_000), ("1w", 7 * 24 * HOUR_MS)])
async def test_the_shortest_and_the_longest_candles_are_paged_too(client: Any, server: KrakenServer, resolution: str, length: int) -> None:
    server.advance_to(START_MS + HOUR_MS + 1_000)
    since = START_MS if length < HOUR_MS else START_MS - 16 * length
    opens: list[int] = []
    while not opens or opens[-1] + length <= server.exchange.now_ms:
        opens += [bar[0] for bar in await client.fetch_ohlcv(BTC, resolution, since=opens[-1] + 1 if opens else since, limit=7)]

    assert opens == list(range(since, server.exchange.now_ms, length))
    assert len(opens) > 7


async def test_instruments_say_what_a_trader_must_know(client: Any) -> None:
    market = client.market(DOGE)
    tiers = (await client.fetch_leverage_tiers([DOGE]))[DOGE]

    assert market["precision"] == {"amount": 1.0, "price": 0.00001}
    assert (market["active"], market["swap"], market["settle"], market["linear"]) == (True, True, "USD", True)
    assert [tier["maxLeverage"] for tier in tiers] == sorted((tier["maxLeverage"] for tier in tiers), reverse=True)
    assert tiers[0]["minNotional"] == 0


async def test_ticker_book_and_funding_of_one_market_agree(client: Any, server: KrakenServer) -> None:
    server.advance_to(START_MS + 2 * HOUR_MS + 5_000)
    ticker = await client.fetch_ticker(BTC)
    book = await client.fetch_order_book(BTC)
    rate = await client.fetch_funding_rate(BTC)
    rates = await client.fetch_funding_rate_history(BTC)

    assert (ticker["bid"], ticker["ask"]) == (book["bids"][0][0], book["asks"][0][0])
    assert [price for price, _ in book["bids"]] == sorted((price for price, _ in book["bids"]), reverse=True)
    assert [price for price, _ in book["asks"]] == sorted(price for price, _ in book["asks"])
    assert [row["timestamp"] for row in rates[-4:]] == [START_MS + hour * HOUR_MS for hour in range(-1, 3)]
    assert len(rates) == 3_002  # the past of this market is 3,000 hours long
    assert rate["interval"] == "1h"


async def test_public_trades_page_back_in_time(client: Any, server: KrakenServer) -> None:
    server.advance_to(START_MS + 30_000)
    newest = await client.fetch_trades(BTC, limit=10)
    older = await client.fetch_trades(BTC, limit=10, params={"before": newest[0]["timestamp"]})

    assert len(newest) == len(older) == 10
    assert older[-1]["timestamp"] < newest[0]["timestamp"]
    assert not {trade["id"] for trade in newest} & {trade["id"] for trade in older}


async def test_an_unknown_market_is_refused(client: Any) -> None:
    with pytest.raises(ccxt.BadSymbol):
        await client.fetch_ticker("NOBODY/USD:USD")
    with pytest.raises(ccxt.BadRequest):
        await client.publicGetOrderbook({"symbol": "PF_NOBODYUSD"})
    with pytest.raises(ccxt.BadRequest):
        await client.chartsGetPriceTypeSymbolInterval({"price_type": "trade", "symbol": "PF_XBTUSD", "interval": "7m"})
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await client.fetch(f"{client.urls['api']['public']}v3/nonsense")
