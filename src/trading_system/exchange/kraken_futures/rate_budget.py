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

_WAIT_STEP_S: Final = 0.05


class CallClass(Enum):
    """Who asks. Reads back off first, entries (and take-profits) next, looks last; protective calls are never refused."""

    PROTECTIVE = "protective"
    LOOK = "look"
    """The protection loop's own reads, one look per poll: without them a stop that vanished is not missed."""
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


WINDOW_MARGIN: Final = 1.05
"""Our windows are this much longer than the venue's."""


LOOK_PAUSE_SHARE: Final = 0.7


@dataclass(frozen=True, slots=True)
class BudgetRules:
    """The venue's pools, as published, and how we share the trading pool.

    protective_share: fraction of it that reads and entries never touch, 0.30 to 0.90, else ValueError. Process seconds.
    """

    trading: PoolRule = PoolRule(500, 10.0)
    history: PoolRule = PoolRule(100, 600.0)
    protective_share: Decimal = Decimal("0.30")
    protective_wait_s_max: float = 1.0

    def __post_init__(self) -> None:
        if not Decimal("0.30") <= self.protective_share <= Decimal("0.90"):
            raise ValueError(f"protective_share must be between 0.30 and 0.90, was {self.protective_share}")


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

    Reads stop a further 10 % of the pool earlier than entries. Looks may use half of the protective share.
    """

    def __init__(self, clock: Clock, rules: BudgetRules | None = None) -> None:
        rules = BudgetRules() if rules is None else rules
        self._clock = clock
        self._rules = rules
        self._looks_from_s = float("-inf")
        pools = {Pool.TRADING: rules.trading, Pool.HISTORY: rules.history}
        self._windows = {pool: SpendingWindow(PoolRule(rule.points, rule.window_s * WINDOW_MARGIN)) for pool, rule in pools.items()}
        points = rules.trading.points
        others = int(points * (1 - rules.protective_share))
        self._ceilings = {
            CallClass.PROTECTIVE: points,
            CallClass.LOOK: others + (points - others) // 2,
            CallClass.ENTRY: others,
            CallClass.READ: max(0, others - points // 10),
        }

    @property
    def remaining(self) -> int:
        """Trading points left in the current window."""
        return max(0, self._rules.trading.points - self._windows[Pool.TRADING].used(self._clock.monotonic()))

    async def acquire(self, endpoint: Endpoint, call_class: CallClass) -> None:
        """Book the call, or raise BudgetExhausted. A protective call waits a bounded time for its points, then goes."""
        window = self._windows[endpoint.pool]
        ceiling = self._ceiling(endpoint.pool, call_class)
        wait = window.wait_s(self._clock.monotonic(), endpoint.points, ceiling)
        if call_class is CallClass.PROTECTIVE:
            deadline = self._clock.monotonic() + self._rules.protective_wait_s_max
            while wait > 0 and (left := deadline - self._clock.monotonic()) > 0:
                await self._clock.sleep(min(wait, left, _WAIT_STEP_S))
                wait = window.wait_s(self._clock.monotonic(), endpoint.points, ceiling)
        else:
            if call_class is CallClass.LOOK:
                wait = max(wait, self._looks_from_s - self._clock.monotonic())
            if wait > 0:
                raise BudgetExhausted(endpoint.name, wait)
        window.spend(self._clock.monotonic(), endpoint.points)

    def venue_said_exhausted(self, pool: Pool = Pool.TRADING, call_class: CallClass = CallClass.READ) -> None:
        """The venue answered apiLimitExceeded to a call: its count is ahead of ours. Reads and entries stop for a window.

        Looks go on, unless it was one of them that was refused: then they pause for a part of the window, so that the venue may
        recover and a stop that vanished is still missed in time.
        """
        now = self._clock.monotonic()
        if call_class is CallClass.LOOK:
            self._looks_from_s = now + self._rules.trading.window_s * LOOK_PAUSE_SHARE
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
                return self._rules.history.points
