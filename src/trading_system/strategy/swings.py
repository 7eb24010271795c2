"""Swing highs: pivots that are known only once the later bars have closed, and the levels nobody has traded above since.

The trap: a pivot stamped at its extreme bar looks k bars into the future. Here nothing is said before it is confirmed.
Lows are the highs of negated prices.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import msgspec


class PivotHighs(msgspec.Struct):
    """Finds pivots with k bars on each side: above all k before (strict), not below any of the k after."""

    k: int
    count: int = 0
    window: list[float] = msgspec.field(default_factory=list)
    """The last 2 k + 1 highs."""

    def update(self, high: float) -> float | None:
        """Add one high; return the pivot that this bar confirms, or None. The pivot's bar is `confirmed_index`. O(k)."""
        window, k = self.window, self.k
        window.append(high)
        self.count += 1
        if len(window) <= 2 * k:
            return None
        if len(window) > 2 * k + 1:
            del window[0]
        middle = window[k]
        if middle >= high and middle > window[k - 1] and middle > max(window[:k]) and middle >= max(window[k + 1 :]):
            return middle
        return None

    @property
    def confirmed_index(self) -> int:
        """Index of the bar that the newest bar can confirm (bars are counted from 0)."""
        return self.count - 1 - self.k


class SwingHistory(msgspec.Struct):
    """Confirmed swings of the last `lookback` bars, oldest first."""

    lookback: int
    indices: list[int] = msgspec.field(default_factory=list)
    prices: list[float] = msgspec.field(default_factory=list)

    def push(self, index: int, price: float) -> None:
        """Add the next confirmed swing. O(1) amortised."""
        self.indices.append(index)
        self.prices.append(price)

    def expire(self, newest_index: int) -> None:
        """Forget swings whose bar is not among the last `lookback` bars."""
        while self.indices and self.indices[0] <= newest_index - self.lookback:
            del self.indices[0]
            del self.prices[0]


class UntakenHighs(msgspec.Struct):
    """Swing highs with no later high above them (an equal high does not take them).

    A newer untaken high is never above an older one, so the list is a stack: older = higher, and look-up is a bisection.
    """

    lookback: int
    indices: list[int] = msgspec.field(default_factory=list)
    falls: list[float] = msgspec.field(default_factory=list)
    """Prices negated, hence ascending, as bisect wants them."""

    def take(self, high: float, newest_index: int) -> None:
        """Feed the high of one bar: what lies below it is taken, what is older than the lookback is forgotten. O(1) amortised."""
        while self.falls and -self.falls[-1] < high:
            self.falls.pop()
            self.indices.pop()
        if self.indices and self.indices[0] <= newest_index - self.lookback:
            del self.indices[0]
            del self.falls[0]

    def push(self, index: int, price: float) -> None:
        """Add a swing that was just confirmed (so no later high is above it)."""
        self.indices.append(index)
        self.falls.append(-price)

    def nearest(self, at_least: float) -> float | None:
        """The lowest untaken high >= `at_least`, or None."""
        position = bisect_right(self.falls, -at_least)
        return -self.falls[position - 1] if position else None


class UnbrokenHighs(msgspec.Struct):
    """Swing highs no close has been above yet, sorted by price."""

    lookback: int
    prices: list[float] = msgspec.field(default_factory=list)
    indices: list[int] = msgspec.field(default_factory=list)

    def push(self, index: int, price: float) -> None:
        """Add a swing that was just confirmed."""
        position = bisect_right(self.prices, price)
        self.prices.insert(position, price)
        self.indices.insert(position, index)
        # Forgetting here bounds memory; `break_below` judges age itself, so this moment decides nothing.
        if len(self.indices) > self.lookback:
            kept = [(p, i) for p, i in zip(self.prices, self.indices, strict=True) if i > index - self.lookback]
            self.prices, self.indices = [p for p, _ in kept], [i for _, i in kept]

    def break_below(self, close: float, newest_index: int) -> int | None:
        """Remove every swing below `close`; return the index of the latest-confirmed one within the lookback, or None."""
        if not self.prices or self.prices[0] >= close:
            return None
        position = bisect_left(self.prices, close)
        latest = max(self.indices[:position])
        del self.prices[:position]
        del self.indices[:position]
        return latest if latest > newest_index - self.lookback else None
