"""Equal highs: two 1h swing highs at nearly one price, behind which stops are thought to rest."""

from __future__ import annotations

from trading_system.strategy.swings import SwingHistory, UntakenHighs


def nearest_equal_highs(
    swings: SwingHistory, untaken: UntakenHighs, *, first_index: int, tolerance: float, at_least: float
) -> float | None:
    """The lowest level >= `at_least` that the newer swing of a pair marks, or None.

    Both swings lie at or after `first_index`, their prices differ by at most `tolerance`, and the newer one is untaken. The
    older one may have been taken, by the newer one at the latest.
    """
    pairs = [(i, p) for i, p in zip(swings.indices, swings.prices, strict=True) if i >= first_index]
    for index, fall in zip(reversed(untaken.indices), reversed(untaken.falls), strict=True):
        level = -fall
        if index < first_index:
            return None
        if level >= at_least and any(i < index and abs(p - level) <= tolerance for i, p in pairs):
            return level
    return None
