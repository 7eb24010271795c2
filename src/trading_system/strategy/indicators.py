"""EMA, ATR and ADX, one closed bar at a time.

Sources: Wilder, New Concepts in Technical Trading Systems, 1978 (ATR, ADX). The EMA is seeded by the simple mean of its
first n values, so that it does not hang on the first price for hundreds of bars. All are exactly symmetric under negation
of prices (the EMA changes sign, ATR and ADX do not change).
"""

from __future__ import annotations

import msgspec


class Ema(msgspec.Struct):
    """Exponential mean with weight 2 / (n + 1). n: length in values, >= 1."""

    n: int
    count: int = 0
    value: float = 0.0
    """The mean in the unit of its input; meaningful once `is_ready`."""
    total: float = 0.0

    @property
    def is_ready(self) -> bool:
        return self.count >= self.n

    def update(self, value: float) -> None:
        """Add one value. O(1)."""
        self.count += 1
        if self.count > self.n:
            self.value += 2.0 / (self.n + 1) * (value - self.value)
            return
        self.total += value
        if self.count == self.n:
            self.value = self.total / self.n


class Atr(msgspec.Struct):
    """Average true range, Wilder smoothing. n: smoothing length in bars, >= 1.

    The first bar has no predecessor: its true range is high - low. The value is seeded by the mean of the first n.
    """

    n: int
    count: int = 0
    value: float = 0.0
    """Price units; meaningful once `is_ready`."""
    total: float = 0.0
    last_close: float = 0.0

    @property
    def is_ready(self) -> bool:
        return self.count >= self.n

    def update(self, high: float, low: float, close: float) -> None:
        """Add one bar. O(1)."""
        last = self.last_close
        true_range = high - low
        if self.count:
            if high - last > true_range:
                true_range = high - last
            if last - low > true_range:
                true_range = last - low
        self.last_close = close
        self.count += 1
        if self.count > self.n:
            self.value += (true_range - self.value) / self.n
            return
        self.total += true_range
        if self.count == self.n:
            self.value = self.total / self.n


class Adx(msgspec.Struct):
    """Average directional index in 0..100. n: smoothing length in bars, >= 1; ready after 2 n bars.

    The directional moves and the true range are Wilder sums over n; ADX is seeded by the mean of the first n DX.
    """

    n: int
    count: int = 0
    value: float = 0.0
    last_high: float = 0.0
    last_low: float = 0.0
    last_close: float = 0.0
    sum_up: float = 0.0
    sum_down: float = 0.0
    sum_range: float = 0.0
    total_dx: float = 0.0

    @property
    def is_ready(self) -> bool:
        return self.count >= 2 * self.n

    def update(self, high: float, low: float, close: float) -> None:
        """Add one bar. O(1)."""
        up, down = high - self.last_high, self.last_low - low
        true_range = max(high - low, high - self.last_close, self.last_close - low)
        self.last_high, self.last_low, self.last_close = high, low, close
        self.count += 1
        if self.count == 1:
            return
        n, moves = self.n, self.count - 1
        plus = up if up > down and up > 0.0 else 0.0
        minus = down if down > up and down > 0.0 else 0.0
        if moves <= n:
            self.sum_up += plus
            self.sum_down += minus
            self.sum_range += true_range
        else:
            self.sum_up += plus - self.sum_up / n
            self.sum_down += minus - self.sum_down / n
            self.sum_range += true_range - self.sum_range / n
        if moves >= n:
            self._update_average(moves - n + 1)

    def _update_average(self, ordinal: int) -> None:
        both = self.sum_up + self.sum_down
        # The true range cancels out of |DI+ - DI-| / (DI+ + DI-); a market that never moved has no direction.
        dx = 100.0 * abs(self.sum_up - self.sum_down) / both if both > 0.0 else 0.0
        if ordinal > self.n:
            self.value += (dx - self.value) / self.n
            return
        self.total_dx += dx
        if ordinal == self.n:
            self.value = self.total_dx / self.n
