"""The target: the nearest level that still holds liquidity and pays at least one risk. A gate, never an order."""

from __future__ import annotations

from collections.abc import Iterable


def nearest_target(levels: Iterable[float | None], at_least: float) -> float | None:
    """The lowest of the levels that is >= `at_least`, or None."""
    return min((level for level in levels if level is not None and level >= at_least), default=None)
