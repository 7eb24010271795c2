"""Kraken's published call points, spent by our own account book, with a share that only protective calls may touch.

The venue counts 500 points per 10 s (trading) and 100 tokens per 10 min (history) in a way it does not publish exactly.
A sliding window, a little longer than the venue's, stays inside every plausible way of counting. The trap it avoids: polls
and scans eat the budget, and `apiLimitExceeded` hits the stop.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from trading_system.domain.protocols import Clock

PROTECTIVE_WAIT_MAX_S: Final = 1.0
_WAIT_STEP_S: Final = 0.05


class CallClass(Enum):
    """Who asks. Reads back off first, entries (and take-profits) next; protective calls are never refused."""

    PROTECTIVE = "protective"
    ENTRY = "entry"
    READ = "read"


class Pool(Enum):
    TRADING = "trading"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A private endpoint and its price. Points as published in the Kraken Futures rate-limit docs."""

    name: str
    points: int
    pool: Pool = Pool.TRADING


SEND_ORDER: Final = Endpoint("sendorder", 10)
EDIT_ORDER: Final = Endpoint("editorder", 10)
CANCEL_ORDER: Final = Endpoint("cancelorder", 10)
ACCOUNTS: Final = Endpoint("accounts", 2)
OPEN_POSITIONS: Final = Endpoint("openpositions", 2)
OPEN_ORDERS: Final = Endpoint("openorders", 2)
ORDERS_STATUS: Final = Endpoint("orders/status", 1)
FILLS: Final = Endpoint("fills", 2)
FILLS_OLDER: Final = Endpoint("fills", 25)
ACCOUNT_LOG: Final = Endpoint("account-log", 3, Pool.HISTORY)


@dataclass(frozen=True, slots=True)
class PoolRule:
    """`points` in any `window_s` seconds."""

    points: int
    window_s: float


TRADING_RULE: Final = PoolRule(500, 10.5)
HISTORY_RULE: Final = PoolRule(100, 610.0)


class BudgetExhausted(Exception):
    """No room for this class of call now; `retry_after_s` says when there is. Never raised for protective calls."""

    def __init__(self, endpoint: str, retry_after_s: float) -> None:
        super().__init__(f"rate budget: no room for {endpoint}, again in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class SpendingWindow:
    """Points spent within the last window. Pure: time is an argument."""

    def __init__(self, rule: PoolRule) -> None:
        self.rule = rule
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0

    def used(self, now_s: float) -> int:
        """Points spent in (now - window, now]."""
        while self._spent and self._spent[0][0] <= now_s - self.rule.window_s:
            self._total -= self._spent.popleft()[1]
        return self._total

    def spend(self, now_s: float, points: int) -> None:
        self.used(now_s)
        self._spent.append((now_s, points))
        self._total += points

    def wait_s(self, now_s: float, points: int, ceiling: int) -> float:
        """Seconds until `points` fit under `ceiling` with nothing else spent; 0 = now."""
        excess = self.used(now_s) + points - ceiling
        if excess <= 0:
            return 0.0
        for at, spent in self._spent:
            excess -= spent
            if excess <= 0:
                return max(0.0, at + self.rule.window_s - now_s)
        return self.rule.window_s


class RateBudget:
    """The budget of one API key. Share one instance among everything that uses the key.

    protective_share: fraction of the trading pool that reads and entries never touch, 0.30 to 0.90, else ValueError.
    Reads stop a further 10 % of the pool earlier than entries.
    """

    def __init__(self, clock: Clock, *, protective_share: Decimal = Decimal("0.30")) -> None:
        if not Decimal("0.30") <= protective_share <= Decimal("0.90"):
            raise ValueError(f"protective_share must be between 0.30 and 0.90, was {protective_share}")
        self._clock = clock
        self._windows = {Pool.TRADING: SpendingWindow(TRADING_RULE), Pool.HISTORY: SpendingWindow(HISTORY_RULE)}
        others = int(TRADING_RULE.points * (1 - protective_share))
        self._ceilings = {
            CallClass.PROTECTIVE: TRADING_RULE.points,
            CallClass.ENTRY: others,
            CallClass.READ: max(0, others - TRADING_RULE.points // 10),
        }

    @property
    def remaining(self) -> int:
        """Trading points left in the current window."""
        return max(0, TRADING_RULE.points - self._windows[Pool.TRADING].used(self._clock.monotonic()))

    async def acquire(self, endpoint: Endpoint, call_class: CallClass) -> None:
        """Book the call, or raise BudgetExhausted (reads and entries). A protective call waits at most 1 s, then goes."""
        window = self._windows[endpoint.pool]
        ceiling = self._ceiling(endpoint.pool, call_class)
        wait = window.wait_s(self._clock.monotonic(), endpoint.points, ceiling)
        if call_class is CallClass.PROTECTIVE:
            deadline = self._clock.monotonic() + PROTECTIVE_WAIT_MAX_S
            while wait > 0 and (left := deadline - self._clock.monotonic()) > 0:
                await self._clock.sleep(min(wait, left, _WAIT_STEP_S))
                wait = window.wait_s(self._clock.monotonic(), endpoint.points, ceiling)
        elif wait > 0:
            raise BudgetExhausted(endpoint.name, wait)
        window.spend(self._clock.monotonic(), endpoint.points)

    def venue_said_exhausted(self, pool: Pool = Pool.TRADING) -> None:
        """The venue answered apiLimitExceeded: its count is ahead of ours. Reads and entries stop for a window."""
        now = self._clock.monotonic()
        window = self._windows[pool]
        # only up to the ceiling of reads and entries: the protective reserve stays usable, the venue may let it through
        ceiling = self._ceiling(pool, CallClass.ENTRY)
        missing = ceiling - window.used(now)
        if missing > 0:
            window.spend(now, missing)

    def _ceiling(self, pool: Pool, call_class: CallClass) -> int:
        match pool:
            case Pool.TRADING:
                return self._ceilings[call_class]
            case Pool.HISTORY:
                return HISTORY_RULE.points
