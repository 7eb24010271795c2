"""The clocks. Market time and process time are two things; only this module may look at the machine's own clock.

WallClock follows the machine (real venues). PacedClock follows a venue that runs at N x: it is anchored to the venue's
server time. LoopClock follows the event loop (virtual time): both times come from one source and nothing waits.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta


class WallClock:
    """Market time is the machine's UTC clock; intervals are monotonic."""

    speed: float = 1.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def market_in(self, process_seconds: float) -> datetime:
        return self.now() + timedelta(seconds=process_seconds * self.speed)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, moment: datetime) -> None:
        while (wait := (moment - self.now()).total_seconds()) > 0:
            # short steps: a wall clock that is stepped must neither oversleep nor hang
            await asyncio.sleep(min(wait, 1.0))


class PacedClock:
    """Market time = anchor + elapsed process time x speed. `anchor()` re-bases it on the venue's server time.

    speed: market seconds per process second, > 0, else ValueError.
    """

    def __init__(self, start: datetime, speed: float) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be > 0, was {speed!r}")
        self.speed = speed
        self._market = start
        self._process = time.monotonic()

    def anchor(self, market_now: datetime, *, speed: float | None = None) -> None:
        """Set market time to `market_now` as of this instant, and optionally the pace the venue announced."""
        self._market = market_now
        self._process = time.monotonic()
        if speed is not None:
            self.speed = speed

    def now(self) -> datetime:
        return self._market + timedelta(seconds=(time.monotonic() - self._process) * self.speed)

    def monotonic(self) -> float:
        return time.monotonic()

    def market_in(self, process_seconds: float) -> datetime:
        return self.now() + timedelta(seconds=process_seconds * self.speed)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, moment: datetime) -> None:
        while (wait := (moment - self.now()).total_seconds() / self.speed) > 0:
            await asyncio.sleep(min(wait, 1.0))


class LoopClock:
    """Both times from the running event loop, for virtual time. `start` is the market time of loop time 0."""

    speed: float = 1.0

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> datetime:
        # whole microseconds: the same loop time always gives the same datetime
        return self._start + timedelta(microseconds=round(self._loop.time() * 1_000_000))

    def monotonic(self) -> float:
        return self._loop.time()

    def market_in(self, process_seconds: float) -> datetime:
        return self.now() + timedelta(seconds=process_seconds * self.speed)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, moment: datetime) -> None:
        wait = (moment - self.now()).total_seconds()
        if wait > 0:
            await asyncio.sleep(wait)
