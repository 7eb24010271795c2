"""Liquidity sweep: a wick beyond the newest swing low that closes back above it."""

from __future__ import annotations

import msgspec


class SweepOfLows(msgspec.Struct):
    """Remembers the newest swing low (oriented prices) and the last bar that swept one."""

    age_bars_max: int
    swing_index: int | None = None
    swing_price: float = 0.0
    last_sweep_index: int | None = None

    def confirm_swing(self, index: int, price: float) -> None:
        """A newer swing low was confirmed; only the newest can be swept."""
        self.swing_index, self.swing_price = index, price

    def update(self, index: int, low: float, close: float) -> None:
        """Feed bar `index`, after the swing it confirms. O(1)."""
        swing = self.swing_index
        if swing is not None and low < self.swing_price < close and index - swing <= self.age_bars_max:
            self.last_sweep_index = index

    def swept_within(self, bars: int, before_index: int) -> bool:
        """True when one of the `bars` bars before `before_index` (or that bar, if already fed) was a sweep."""
        return self.last_sweep_index is not None and before_index - self.last_sweep_index <= bars
