"""Packets on their way: requests that take effect later than they were sent, whether or not their sender still lives."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from typing import Any

from trading_system.domain.protocols import Clock
from trading_system.domain.units import to_ms
from trading_system.sim.exchange import SimExchange

Act = Callable[[], Awaitable[Any]]


class Wire:
    """A queue in process time. `deliver_due` brings the exchange to each packet's own moment before it takes effect."""

    def __init__(self, clock: Clock, exchange: SimExchange) -> None:
        self._clock = clock
        self._exchange = exchange
        self._queue: list[tuple[float, int, int, Act, asyncio.Future[Any]]] = []
        self._posted = 0

    def post(self, after_s: float, act: Act) -> asyncio.Future[Any]:
        """Let `act` happen `after_s` from now; the future tells its result."""
        self._posted += 1
        arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        at_ms = to_ms(self._clock.market_in(after_s))
        heapq.heappush(self._queue, (self._clock.monotonic() + after_s, self._posted, at_ms, act, arrived))
        return arrived

    async def deliver_due(self) -> None:
        """Everything whose time has come, in order, and market time up to now. Never suspends: the acts are in-process."""
        now_s = self._clock.monotonic()
        while self._queue and self._queue[0][0] <= now_s:
            _, _, at_ms, act, arrived = heapq.heappop(self._queue)
            self._exchange.advance_to(at_ms)
            result = await act()
            if not arrived.done():
                arrived.set_result(result)
        self._exchange.advance_to(to_ms(self._clock.now()))
