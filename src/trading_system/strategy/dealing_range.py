"""Dealing range: from the protected low of the ruling break to the highest high since that break."""

from __future__ import annotations

from typing import NamedTuple


class DealingRange(NamedTuple):
    """Oriented prices; `high` >= `low`."""

    low: float
    high: float

    @property
    def height(self) -> float:
        return self.high - self.low

    def retracement(self, price: float) -> float:
        """0 at the high, 1 at the low, above 0.5 = discount. The height must be positive."""
        return (self.high - price) / (self.high - self.low)

    def level(self, retracement: float) -> float:
        """Price at a retracement."""
        return self.high - retracement * (self.high - self.low)
