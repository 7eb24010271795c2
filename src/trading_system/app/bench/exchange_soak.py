"""A long day on the embedded exchange: a client that trades and watches every feed, and what it costs, hour by market hour.

What is looked for is memory that grows without end. The exchange keeps histories, and each is bounded; so the rows beside the
memory say what may grow.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeAlias

from trading_system.app.bench.exchange_child import ExchangeChild, running_exchange
from trading_system.app.bench.exchange_client import ExchangeClient
from trading_system.sim.rng import SeededRandom, seeded
from trading_system.wiring.clock import WallClock

SPEED: Final = 60
HOUR: Final = timedelta(hours=1)
SYMBOLS: Final = ["PF_XBTUSD", "PF_ETHUSD", "PF_SOLUSD", "PF_DOGEUSD"]
_ROUND_S: Final = 1.0
"""One round of orders and readings: about 40 of the 50 points a second that an account has."""

Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Hour:
    """One market hour as seen from outside. Latencies are the client's, ms."""

    hour: int
    rss_mb: float
    state_mb: float
    cpu_s: float
    requests: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    frames: int
    gaps: int
    rows: int
    """Rows of all histories that the exchange keeps."""
    refused: int

    def line(self) -> str:
        return (
            f"hour {self.hour:>2}  rss {self.rss_mb:6.1f} MB  state {self.state_mb:5.1f} MB  cpu {self.cpu_s:6.1f} s  "
            f"requests {self.requests:>6}  p50 {self.p50_ms:5.1f}  p99 {self.p99_ms:6.1f}  max {self.max_ms:6.1f} ms  "
            f"frames {self.frames:>7}  gaps {self.gaps}  rows {self.rows:>6}  refused {self.refused}"
        )


def soak(hours: int, say: Say) -> list[Hour]:
    """Run `hours` market hours at 60 x; tell each as it ends. Whatever the exchange does wrong on the way is raised."""
    with tempfile.TemporaryDirectory(prefix="ts-soak-") as name, running_exchange(Path(name), "--speed", str(SPEED)) as venue:
        return asyncio.run(_soak(venue, hours, say))


async def _soak(venue: ExchangeChild, hours: int, say: Say) -> list[Hour]:
    async with ExchangeClient(venue) as client, asyncio.TaskGroup() as both:
        watching = both.create_task(client.watch(SYMBOLS[:2]))
        seen = await _trade(venue, client, hours, say)
        watching.cancel()
    return seen


async def _trade(venue: ExchangeChild, client: ExchangeClient, hours: int, say: Say) -> list[Hour]:
    trader, clock = Trader(client, seeded("soak")), WallClock()
    await trader.start()
    began = client.server_time
    seen: list[Hour] = []
    while True:
        if client.server_time >= began + len(seen) * HOUR:
            seen.append(await _hour(venue, client, trader, len(seen)))
            say(seen[-1].line())
            if len(seen) > hours:
                return seen
        await trader.round()
        await client.ping()
        await clock.sleep(_ROUND_S)


async def _hour(venue: ExchangeChild, client: ExchangeClient, trader: Trader, number: int) -> Hour:
    times, client.latencies_ms = sorted(client.latencies_ms), []
    rows = (await client.get("/_sim/state", fills="0"))["rows"]
    client.latencies_ms.clear()
    return Hour(
        number, venue.rss_mb, venue.state_mb, venue.cpu_s, trader.requests, _share(times, 0.5), _share(times, 0.99),
        times[-1], client.frames, client.gaps, sum(rows.values()), trader.refused,
    )  # fmt: skip


def _share(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]


class Trader:
    """Places, moves, cancels and takes at random round the market; looks at everything an account can look at."""

    def __init__(self, client: ExchangeClient, rng: SeededRandom) -> None:
        self._client = client
        self._rng = rng
        self._number = 0
        self._ticks: dict[str, Decimal] = {}
        self.requests = 0
        self.refused = 0

    async def start(self) -> None:
        """Learn the price grids."""
        rows = (await self._read("instruments"))["instruments"]
        self._ticks = {row["symbol"]: Decimal(str(row["tickSize"])) for row in rows}

    async def round(self) -> None:
        """One market: a taker or a maker order, a stop for what is open, a cancel, the readings."""
        symbol = self._rng.choice(SYMBOLS)
        ticker = (await self._read("tickers/" + symbol))["ticker"]
        mid, side = Decimal(str(ticker["markPrice"])), self._rng.choice(("buy", "sell"))
        size = {"PF_XBTUSD": "0.001", "PF_ETHUSD": "0.02", "PF_SOLUSD": "0.5", "PF_DOGEUSD": "300"}[symbol]
        if self._rng.random() < 0.5:
            await self._send(symbol=symbol, side=side, size=size, orderType="mkt")
        else:
            away = Decimal("0.999") if side == "buy" else Decimal("1.001")
            await self._send(symbol=symbol, side=side, size=size, orderType="lmt", limitPrice=self._on_grid(symbol, mid * away))
        open_orders = (await self._read("openorders"))["openOrders"]
        if len(open_orders) > 40:
            await self._client.post("cancelallorders")
        elif open_orders:
            order = self._rng.choice(open_orders)
            if "limitPrice" in order and self._rng.random() < 0.5:
                await self._client.post("editorder", orderId=order["order_id"], size=str(order["unfilledSize"]))
            else:
                await self._client.post("cancelorder", order_id=order["order_id"])
            self.requests += 1
        for path in ("accounts", "openpositions", self._rng.choice(("fills", "notifications"))):
            positions = await self._read(path)
            for row in positions.get("openPositions", [])[:1]:
                await self._protect(row)
        if self._number % 30 == 0:
            await self._read(f"/api/charts/v1/trade/{symbol}/15m")
            await self._read("/api/history/v3/account-log", count="25")
            await self._read("instruments")

    async def _protect(self, position: dict[str, Any]) -> None:
        is_long, entry = position["side"] == "long", Decimal(str(position["price"]))
        stop = self._on_grid(position["symbol"], entry * (Decimal("0.97") if is_long else Decimal("1.03")))
        side = "sell" if is_long else "buy"
        await self._send(
            symbol=position["symbol"], side=side, size=str(position["size"]), orderType="stp", stopPrice=stop, triggerSignal="mark",
            reduceOnly="true",
        )  # fmt: skip

    async def _send(self, **order: str) -> None:
        self._number += 1
        self.requests += 1
        answer = await self._client.post("sendorder", cliOrdId=f"soak-{self._number}", **order)
        self.refused += answer["sendStatus"]["status"] != "placed"

    async def _read(self, path: str, **params: str) -> dict[str, Any]:
        self.requests += 1
        return await self._client.get(path, **params)

    def _on_grid(self, symbol: str, price: Decimal) -> str:
        return f"{price // self._ticks[symbol] * self._ticks[symbol]:f}"
