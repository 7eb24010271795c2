"""An exchange that was killed continues where it stood: orders, fills, positions, balance and market time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fakes.kraken_server_rig import QUIET, a_ccxt_client, a_server
from fakes.scripted_market import START_MS
from trading_system.sim.kraken_server.event_log import event_of
from trading_system.sim.kraken_server.server import KrakenServer
from trading_system.sim.model import FillFeed, OrderFeed

BTC = "BTC/USD:USD"
MOVING = {"PF_XBTUSD": {0: 80_000.0, 30: 77_500.0}, "PF_DOGEUSD": {0: 0.2}}


async def trade_a_little(server: KrakenServer) -> None:
    client = a_ccxt_client(server)
    await client.create_order(BTC, "market", "buy", 0.02)
    await client.create_order(
        BTC, "market", "sell", 0.01, None, {"stopLossPrice": 78_000, "triggerSignal": "mark", "clientOrderId": "sl-1"}
    )
    await client.create_order(BTC, "limit", "buy", 0.01, 70_000, {"clientOrderId": "rest"})
    await client.set_leverage(7, BTC)
    gone = await client.create_order(BTC, "limit", "buy", 0.01, 71_000)
    await client.cancel_order(gone["id"])
    await client.close()


async def truth(server: KrakenServer) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{server.address.base_url}/_sim/state") as response:
        state: dict[str, Any] = await response.json()
    return {key: state[key] for key in ("market_ms", "account", "positions", "orders", "fills")}


@pytest.mark.parametrize("is_compacted", [False, True])
async def test_a_dropped_exchange_comes_back_with_the_same_truth(tmp_path: Path, *, is_compacted: bool) -> None:
    first = await a_server(MOVING, state_path=tmp_path / "sim.state")
    await trade_a_little(first)
    first.advance_to(START_MS + 31_000)  # the stop fires
    before = await truth(first)
    await (first.close() if is_compacted else first.drop())

    second = await a_server(MOVING, state_path=tmp_path / "sim.state")
    after = await truth(second)
    client = a_ccxt_client(second)
    ids = sorted(str(order["clientOrderId"]) for order in await client.fetch_open_orders())
    leverage = await client.fetch_leverage(BTC)
    later = await client.create_order(BTC, "limit", "buy", 0.01, 69_000)
    await client.close()
    await second.close()

    assert after == before
    assert [len(after[key]) for key in ("positions", "orders", "fills")] == [1, 1, 2]
    assert ids == ["rest"]
    assert leverage["longLeverage"] == 7
    assert later["id"] not in {row["order_id"] for row in before["fills"]}


async def test_market_time_stands_still_while_the_exchange_is_down(tmp_path: Path) -> None:
    first = await a_server(state_path=tmp_path / "sim.state")
    first.advance_to(START_MS + 12_345)
    await first.drop()

    second = await a_server(state_path=tmp_path / "sim.state")
    now_ms = second.exchange.now_ms
    await second.close()

    assert now_ms == START_MS + 12_345


async def test_the_request_log_names_what_was_asked_without_keys(tmp_path: Path) -> None:
    server = await a_server(QUIET, state_path=tmp_path / "sim.state")
    await trade_a_little(server)
    async with aiohttp.ClientSession() as http, http.get(f"{server.address.base_url}/_sim/log?after_seq=1&limit=2") as response:
        text = await response.text()
        rows = (await response.json())["requests"]
    await server.close()

    assert [row["seq"] for row in rows] == [2, 3]
    assert rows[0]["sendStatus"]["cliOrdId"] == "sl-1"
    assert rows[0]["time"] == "2026-09-07T00:00:01.000Z"
    assert server.credentials.key not in text


async def test_the_event_log_tells_what_came_of_it_in_order(tmp_path: Path) -> None:
    server = await a_server(QUIET, state_path=tmp_path / "sim.state")
    await trade_a_little(server)
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{server.address.base_url}/_sim/events") as response:
            rows = (await response.json())["events"]
        async with http.get(f"{server.address.base_url}/_sim/events?after_seq={rows[0]['seq']}&limit=1") as response:
            second = (await response.json())["events"]
        async with http.get(f"{server.address.base_url}/_sim/events?after_seq=x") as response:
            refused = response.status
    fills = [event.fill for event in map(event_of, rows) if isinstance(event, FillFeed)]
    await server.close()

    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["process_s"] for row in rows] == sorted(row["process_s"] for row in rows)
    assert fills == list(server.exchange.executions())
    assert any(isinstance(event, OrderFeed) and event.order.cli_ord_id == "sl-1" for event in map(event_of, rows))
    assert second == rows[1:2]
    assert refused == 400


CHILD = """
import asyncio, sys
from pathlib import Path
from fakes.kraken_server_rig import a_ccxt_client, a_server
async def main():
    server = await a_server(state_path=Path(sys.argv[1]))
    client = a_ccxt_client(server)
    number = 0
    while True:
        order = await client.create_order("BTC/USD:USD", "limit", "buy", 0.01, 70_000, {"clientOrderId": f"c{number}"})
        print(order["clientOrderId"], flush=True)
        number += 1
asyncio.run(main())
"""


@pytest.mark.process
async def test_after_kill_9_every_acknowledged_order_is_there(tmp_path: Path) -> None:
    path = tmp_path / "sim.state"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        acknowledged = {child.stdout.readline().strip() for _ in range(20)}
        child.send_signal(signal.SIGKILL)
        acknowledged |= {line.strip() for line in child.stdout if line.endswith("\n")}

    server = await a_server(state_path=path)
    client = a_ccxt_client(server)
    listed = {order["clientOrderId"] for order in await client.fetch_open_orders()}
    await client.close()
    await server.close()

    assert acknowledged <= listed
    assert len(listed - acknowledged) <= 1  # accepted, but its answer did not leave any more


async def test_when_the_disk_fails_the_exchange_stops_answering_instead_of_forgetting(tmp_path: Path) -> None:
    server = await a_server(state_path=tmp_path / "sim.state", speed=1.0)

    def refuse(_at_ms: int) -> None:
        raise OSError("no space left on device")

    server.exchange.advance_to = refuse  # type: ignore[assignment, method-assign]
    async with aiohttp.ClientSession() as http:
        while server.failure is None:
            await asyncio.sleep(0.01)
        async with http.get(f"{server.address.base_url}/derivatives/api/v3/tickers") as response:
            status = response.status
    await server.drop()

    assert status == 503
