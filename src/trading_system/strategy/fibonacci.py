"""Where in the dealing range the price stands: in the optimal trade entry band, near a key level, or neither."""

from __future__ import annotations

from typing import Final, NamedTuple

from trading_system.domain.tuples import maker_of
from trading_system.strategy.dealing_range import DealingRange


class Retracement(NamedTuple):
    """`distance` is how far r is from the nearest place that passes, in units of r (0 when it passes)."""

    r: float
    is_in_ote: bool
    is_at_key_level: bool
    distance: float

    @property
    def passes(self) -> bool:
        return self.is_in_ote or self.is_at_key_level


_retracement: Final = maker_of(Retracement)


def classify_retracement(
    price: float, dealing_range: DealingRange, *, ote_low: float, ote_high: float, key_levels: tuple[float, ...], tolerance_bps: float
) -> Retracement:
    """Judge an oriented price; `key_levels` is empty where they are not allowed. A price beyond the range high never passes."""
    r = dealing_range.retracement(price)
    if ote_low <= r <= ote_high:
        return _retracement((r, True, False, 0.0))
    distance = ote_low - r if r < ote_low else r - ote_high
    if r < 0.0 or not key_levels:
        return _retracement((r, False, False, distance))
    tolerance = tolerance_bps * 1e-4 * abs(price) / dealing_range.height
    nearest = min([abs(r - level) for level in key_levels]) - tolerance
    if nearest <= 0.0:
        return _retracement((r, False, True, 0.0))
    return _retracement((r, False, False, min(distance, nearest)))
