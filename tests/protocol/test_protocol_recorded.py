"""Our answers and frames beside recorded ones of the real venue: every field that was recorded is there, in the same JSON type.

The recordings are no part of the project; without them these tests skip, and `test_protocol_payloads.py` holds the field lists.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fakes.kraken_server_rig import a_server
from fakes.payload_fields import differences, json_kind, lacking
from fakes.raw_strangers import RawClient, RawFeed
from fakes.scripted_market import START_MS, a_market
from market_data_dir import find_market_data
from trading_system.sim.kraken_server.server import KrakenServer

BTC = "PF_XBTUSD"
DATA = find_market_data()
KNOWN_TO_LACK = {".isin: missing"}
"""An ISIN names a real security: we make none up."""


def recorded(name: str) -> Any:
    """The payload of a recorded file; the test skips where there is none."""
    path = None if DATA is None else DATA / name
    if path is None or not path.is_file():
        pytest.skip(f"no recorded payload {name}: set TS_MARKET_DATA to a folder that holds it")
    return json.loads(path.read_text(encoding="utf-8"))


def row_of(rows: list[dict[str, Any]], symbol: str) -> dict[str, Any]:
    return next(row for row in rows if row["symbol"] == symbol)


def unexplained(theirs: Any, ours: Any) -> list[str]:
    return [line for line in lacking(theirs, ours) if line not in KNOWN_TO_LACK]


@pytest.fixture
async def server() -> AsyncIterator[KrakenServer]:
    server = await a_server({BTC: {0: 80_000.0, 2: 80_050.0}}, specs=[a_market(funding="0.0001")])
    server.advance_to(START_MS + 3_700_000)
    yield server
    await server.close()


@pytest.fixture
async def client(server: KrakenServer) -> AsyncIterator[RawClient]:
    async with RawClient(server) as client:
        yield client


@pytest.mark.parametrize("name", ["kraken/instruments_2026-10-08_subset.json", "kraken/instruments_2026-09-25_subset.json"])
async def test_an_instrument_has_every_recorded_field(client: RawClient, name: str) -> None:
    theirs = row_of(recorded(name)["instruments"], BTC)
    ours = row_of((await client.get("instruments"))["instruments"], BTC)

    assert unexplained(theirs, ours) == []


async def test_a_ticker_has_every_recorded_field(client: RawClient) -> None:
    payload = recorded("kraken/tickers_2026-10-08_subset.json")
    ours = (await client.get("tickers"))["tickers"][0]

    assert unexplained(payload["tickers"][0], ours) == []
    assert unexplained(row_of(payload["tickers"], BTC), ours) == []


async def test_the_envelope_the_book_the_rates_and_the_fees_are_as_recorded(client: RawClient) -> None:
    book = recorded("kraken/orderbook_PF_SOLUSD_2026-10-08.json")
    rates = recorded("kraken/historical_funding_PF_XBTUSD_2026-10-08.json")
    fees = recorded("kraken/feeschedules_2026-09-25_subset.json")

    assert lacking(book, await client.get("orderbook", symbol=BTC)) == []
    assert lacking(rates, await client.get("/derivatives/api/v4/historicalfundingrates", symbol=BTC)) == []
    assert lacking(fees, await client.get("feeschedules")) == []


async def test_public_trades_and_executions_are_as_recorded(client: RawClient) -> None:
    trades = recorded("orderbook/kraken_futures_trades_PI_ETHUSD_2019-11-11.json")
    executions = recorded("orderbook/kraken_futures_public_executions_PF_XBTUSD_2025-11-27.json")

    assert lacking(trades, await client.get("history", symbol=BTC)) == []
    assert lacking(executions["elements"], (await client.get(f"/api/history/v3/market/{BTC}/executions"))["elements"]) == []


async def test_candles_and_errors_are_as_recorded(client: RawClient, server: KrakenServer) -> None:
    samples = recorded("kraken/ws_public_samples_2026-09-25.json")
    async with client.http.get(f"{server.address.base_url}/derivatives/api/v3/accounts") as response:
        unsigned = await response.json()
    bad = await client.get("orderbook", symbol="PF_NOBODYUSD")

    assert lacking(samples["rest_charts_candles"], await client.get(f"/api/charts/v1/trade/{BTC}/1h")) == []
    assert {**bad, "serverTime": 0} == {**samples["rest_error_bad_request"], "serverTime": 0}
    assert {**unsigned, "serverTime": 0} == {**samples["rest_error_authentication"], "serverTime": 0}


async def test_market_frames_are_as_recorded() -> None:
    samples = recorded("kraken/ws_public_samples_2026-09-25.json")
    names = {"ticker": "ticker", "trade_snapshot": "trade_snapshot", "trade": "trade", "book_snapshot": "book_snapshot"}
    server = await a_server({BTC: {0: 80_000.0, 3: 80_050.0}}, specs=[a_market()], speed=2.0)
    try:
        async with RawClient(server) as client, RawFeed(client, server) as feed:
            for name in ("ticker", "trade", "book"):
                await feed.subscribe(name, BTC)
            ours = {name: await feed.of(frame) for name, frame in (names | {"book_delta_removing_a_level": "book"}).items()}
    finally:
        await server.close()

    assert {name: lacking(samples[name], ours[name]) for name in ours} == {name: [] for name in ours}


async def test_a_recorded_stream_has_the_frames_we_send() -> None:
    """Thirty seconds of the public feeds: every kind of frame in it, with its fields and types (the ticker of then had fewer)."""
    path = None if DATA is None else Path(DATA) / "orderbook/kraken_futures_ws_2021-07-22.jsonl.gz"
    if path is None or not path.is_file():
        pytest.skip("no recorded stream: set TS_MARKET_DATA to a folder that holds it")
    theirs: dict[str, dict[str, Any]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)["msg"]
            theirs.setdefault(message.get("event") or message["feed"], message)
    server = await a_server({BTC: {0: 80_000.0, 3: 80_050.0}}, specs=[a_market()], speed=2.0)
    try:
        async with RawClient(server) as client, RawFeed(client, server) as feed:
            for name in ("ticker_lite", "trade", "book"):
                await feed.subscribe(name, BTC)
            subscribed = await feed.event("subscribed")
            frames = ("ticker_lite", "trade_snapshot", "trade", "book_snapshot", "book")
            ours = {name: await feed.of(name) for name in frames if name in theirs}
    finally:
        await server.close()

    assert {"ticker_lite", "trade_snapshot", "book_snapshot", "book"} <= ours.keys()
    assert lacking(theirs["subscribed"], subscribed) == []
    assert {name: lacking(theirs[name], ours[name]) for name in ours} == {name: [] for name in ours}


async def test_times_of_trades_are_the_known_difference(client: RawClient) -> None:
    """The venue writes them with nine digits since 2026, we with three; a whole second is written in several ways there."""
    theirs = {row["lastTime"] for row in recorded("kraken/tickers_2026-10-08_subset.json")["tickers"]}
    ours = (await client.get("tickers"))["tickers"][0]["lastTime"]

    assert {len(text.partition(".")[2].rstrip("Z")) for text in theirs} <= set(range(10))
    assert len(ours.partition(".")[2].rstrip("Z")) == 3
    assert all(datetime.fromisoformat(text[:19]) for text in (*theirs, ours))


def test_a_field_that_is_missing_or_of_another_kind_is_seen() -> None:
    recorded_row: Mapping[str, Any] = {"a": 1, "b": [{"c": "text"}], "d": None, "e": True}

    assert lacking(recorded_row, {"a": 2.5, "b": [{"c": "other"}], "d": None, "e": False, "more": 1}) == []
    assert lacking(recorded_row, {"a": "1", "b": [{}], "e": 1}) == [
        ".d: missing", ".a: recorded number, ours text", ".b[].c: missing", ".e: recorded bool, ours number",
    ]  # fmt: skip
    assert json_kind(1) == json_kind(1.5)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"a": 1, "t": "2026-01-01T00:00:00.000Z"}, []),
        ({"a": 1, "b": None, "t": "2026-01-01T00:00:00.000Z"}, []),
        ({"a": True, "t": "2026-01-01T00:00:00Z"}, ["a: True is no num", "t: '2026-01-01T00:00:00Z' is no iso"]),
        ({"b": "up", "x": 0}, ["missing: a", "missing: t", "unknown: x", "b: 'up' is no buy|sell?"]),
    ],
)
def test_a_field_list_sees_what_is_missing_unknown_or_wrong(payload: dict[str, Any], told: list[str]) -> None:
    assert differences(payload, "a num, ?b buy|sell?, t iso") == told
