"""Equal highs: two 1h swing highs at nearly one price, behind which stops are thought to rest."""

from __future__ import annotations

from trading_system.strategy.swings import UntakenHighs


def nearest_equal_highs(untaken: UntakenHighs, *, first_index: int, tolerance: float, at_least: float) -> float | None:
    """The lowest level >= `at_least` marked by a pair of untaken swing highs, or None; the level is the newer of the two.

    Both swings lie at or after `first_index` and their prices differ by at most `tolerance`. A pair of which one is taken
    holds nothing any more. Untaken highs fall from old to new, so the nearest partner of each is the one before it.
    """
    indices, falls = untaken.indices, untaken.falls
    for newer in range(len(falls) - 1, 0, -1):
        if indices[newer - 1] < first_index:
            return None
        if -falls[newer] >= at_least and falls[newer] - falls[newer - 1] <= tolerance:
            return -falls[newer]
    return None
