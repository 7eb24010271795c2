"""The venue's three lagging read models: open orders, positions and fills, each as it was a while ago, each with its own lag."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_KEPT_MS: Final = 120_000


class PastValues(Generic[T]):
    """Values over time. `note` in order of time; `at` answers the newest one that is not newer than asked."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._values: list[T] = []

    def note(self, at_ms: int, value: T) -> None:
        """The value is this from `at_ms` on."""
        if self._times and self._times[-1] == at_ms:
            self._values[-1] = value
            return
        self._times.append(at_ms)
        self._values.append(value)
        # one value from before the horizon must stay: it is still the answer there
        surplus = bisect_right(self._times, at_ms - _KEPT_MS) - 1
        if surplus > 0:
            del self._times[:surplus]
            del self._values[:surplus]

    def at(self, at_ms: int) -> T:
        """The value then; the oldest known before that; IndexError when nothing was ever noted."""
        return self._values[max(0, bisect_right(self._times, at_ms) - 1)]
