"""The venue's rate limits: points per endpoint, two pools that refill steadily in process time.

Source: Kraken Futures API docs, "Rate Limits" (500 points per 10 s for trading, 100 tokens per 10 min for history).
A refused request costs nothing.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Pool(Enum):
    """Which budget a request is charged to."""

    PUBLIC = "public"
    TRADING = "trading"
    HISTORY = "history"


class TokenPool:
    """`capacity` points that refill at `per_s` points a second."""

    def __init__(self, capacity: float, per_s: float) -> None:
        self._capacity = capacity
        self._per_s = per_s
        self._left = capacity
        self._at_s = 0.0

    def take(self, points: int, now_s: float) -> bool:
        """Charge `points` at process time `now_s`; False, and nothing charged, when they are not there."""
        self._refill(now_s)
        if points > self._left:
            return False
        self._left -= points
        return True

    def left(self, now_s: float) -> float:
        self._refill(now_s)
        return self._left

    def _refill(self, now_s: float) -> None:
        self._left = min(self._capacity, self._left + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = max(self._at_s, now_s)


class RateBudget:
    """The budgets of one account."""

    def __init__(self) -> None:
        self._pools: Final = {Pool.TRADING: TokenPool(500, 50), Pool.HISTORY: TokenPool(100, 100 / 600)}

    def take(self, pool: Pool, points: int, now_s: float) -> bool:
        """Charge a request; public requests are free."""
        return pool is Pool.PUBLIC or self._pools[pool].take(points, now_s)

    def left(self, now_s: float) -> dict[str, float]:
        """Points left by pool, for the inspection page."""
        return {pool.value: tokens.left(now_s) for pool, tokens in self._pools.items()}


def account_log_tokens(count: int) -> int:
    """Tokens of one account-log page of `count` rows."""
    for most, tokens in ((25, 1), (50, 2), (1000, 3), (5000, 6)):
        if count <= most:
            return tokens
    return 10
