"""Moves market time: anchor + elapsed process time x speed, in slices short enough that requests stay quick.

The trap it avoids: a process that was stopped for a minute must not race through an hour of market on waking up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from trading_system.domain.protocols import Clock
from trading_system.sim.exchange import SimExchange

STEP_S: Final = 0.01
"""Pause between steps, process seconds."""
SLICE_MS: Final = 1000
"""Market time applied before looking at the watch again."""
BUSY_S: Final = 0.015
"""Process seconds after which others get their turn."""
LAG_S: Final = 2.0
"""Process seconds behind which the lost time is given up instead of caught up."""


class MarketPump:
    """Advances an exchange. `after_slice` publishes what happened.

    speed: market seconds per process second, >= 0 (0 = market time stands still), else ValueError.
    """

    def __init__(self, exchange: SimExchange, clock: Clock, speed: float, after_slice: Callable[[], None]) -> None:
        if not 0 <= speed < float("inf"):
            raise ValueError(f"speed must be finite and >= 0, was {speed!r}")
        self._exchange = exchange
        self._clock = clock
        self._after_slice = after_slice
        self.speed = speed
        self._anchor()

    async def run(self) -> None:
        """Run for ever."""
        self._anchor()
        while True:
            while self.step():
                await self._clock.sleep(0)
            await self._clock.sleep(STEP_S)

    def step(self) -> bool:
        """Apply what is due for at most BUSY_S; True when more is due."""
        started = self._clock.monotonic()
        target = self._target(started)
        if (target - self._exchange.now_ms) > max(LAG_S * 1000 * self.speed, SLICE_MS):
            self._anchor()
            return False
        while self._exchange.now_ms < target:
            self._exchange.advance_to(min(target, self._exchange.now_ms + SLICE_MS))
            self._after_slice()
            if self._clock.monotonic() - started > BUSY_S:
                return self._exchange.now_ms < target
        return False

    def _target(self, now_s: float) -> int:
        return self._anchor_ms + int((now_s - self._anchor_s) * 1000 * self.speed)

    def _anchor(self) -> None:
        self._anchor_ms = self._exchange.now_ms
        self._anchor_s = self._clock.monotonic()
