"""How many requests a second the embedded exchange answers over HTTP on one core.

Its own CPU time is what counts, so that a busy machine and the loading client take no part. Mostly market data, because the
account's rate budget allows no more of the rest: it is the venue's.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Final

from trading_system.app.bench.exchange_child import ExchangeChild, running_exchange
from trading_system.app.bench.exchange_client import ExchangeClient
from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of
from trading_system.wiring.clock import WallClock

REQUESTS: Final = 1_200
RUNS: Final = 5
CONNECTIONS: Final = 4
PAUSE_S: Final = 3.0
"""Between runs: the rate budget refills."""
_KEY: Final = "sim_http_requests_per_s"
_CHART_SPAN_S: Final = 96 * 900


def measure() -> dict[str, Outcome]:
    """Requests ÷ the exchange's CPU seconds; market time runs at 60 x, and every order is on disk before its answer."""
    core = max(os.sched_getaffinity(0))
    try:
        with tempfile.TemporaryDirectory(prefix="ts-bench-") as folder, running_exchange(Path(folder), "--speed", "60", core=core) as venue:
            return {_KEY: asyncio.run(_measure(venue))}
    except RuntimeError as error:
        return {_KEY: Unmeasured(str(error))}


async def _measure(venue: ExchangeChild) -> Outcome:
    samples, walls, clock = [], [], WallClock()
    async with ExchangeClient(venue) as client:
        price = str(int(float((await client.get("tickers/PF_XBTUSD"))["ticker"]["last"]) * 0.9))
        for run in range(RUNS):
            cpu_s, begun = venue.cpu_s, perf_counter()
            work = iter(range(REQUESTS))
            await asyncio.gather(*(_ask(client, work, run, price) for _ in range(CONNECTIONS)))
            walls.append(REQUESTS / (perf_counter() - begun))
            samples.append(REQUESTS / (venue.cpu_s - cpu_s))
            await clock.sleep(PAUSE_S)
    note = "tickers, books, candles, account, orders; by the clock, waiting for client and machine included, {:.0f} - {:.0f}"
    return reading_of(samples, note.format(min(walls), max(walls)))


async def _ask(client: ExchangeClient, work: Iterator[int], run: int, price: str) -> None:
    """Take numbers until there are none: of 240, one order and its cancel, six looks at the account, the rest market data."""
    for number in work:
        name = f"bench-{run}-{number // 240}"
        match number % 240:
            case 0:
                await client.post(
                    "sendorder", symbol="PF_XBTUSD", side="buy", size="0.001", orderType="lmt", limitPrice=price, cliOrdId=name
                )
            case 120:
                await client.post("cancelorder", cliOrdId=name)
            case rest if rest % 40 == 20:
                await client.get("accounts" if rest % 80 == 20 else "openorders")
            case rest if rest % 4 == 1:
                since = int(client.server_time.timestamp()) - _CHART_SPAN_S
                await client.get("/api/charts/v1/trade/PF_XBTUSD/15m", **{"from": str(since)})
            case rest if rest % 4 == 3:
                await client.get("orderbook", symbol="PF_ETHUSD")
            case _:
                await client.get("tickers/PF_SOLUSD")
