"""What a measurement gives: a reading with its spread, or an honest "not measured" with the reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Reading:
    """Several runs of one figure, in the unit of its row. `note` says what a reader must know to use it."""

    median: float
    low: float
    high: float
    count: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """No figure, and why. Never a guess."""

    reason: str


Outcome: TypeAlias = Reading | Unmeasured


def reading_of(samples: Sequence[float], note: str = "") -> Reading:
    """Median, range and count of `samples`; ValueError when there are none or one is not finite."""
    if not samples or not all(map(math.isfinite, samples)):
        raise ValueError(f"a reading needs finite samples, got {samples!r}")
    return Reading(median(samples), min(samples), max(samples), len(samples), note)
