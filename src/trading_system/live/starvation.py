"""Signals come and no order ever leaves: something refuses everything, and nobody would notice for days."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class StarvationRule:
    """So many signals without one order within `window` of market time are worth an alert."""

    signals: int = 10
    window: timedelta = timedelta(hours=6)


class StarvationWatch:
    """One per process; a restart begins anew. Tells once per so many signals."""

    def __init__(self, rule: StarvationRule | None = None) -> None:
        self.rule = StarvationRule() if rule is None else rule
        self._signals: deque[datetime] = deque(maxlen=self.rule.signals)

    def note(self, signals: int, orders: int, now: datetime) -> int | None:
        """One cycle: signals that could have become orders, and entries that were sent (whatever became of them).

        Returns the number of starved signals when it is time to tell somebody, else None.
        """
        if orders:
            self._signals.clear()
            return None
        self._signals.extend([now] * min(signals, self.rule.signals))
        while self._signals and now - self._signals[0] > self.rule.window:
            self._signals.popleft()
        if len(self._signals) < self.rule.signals:
            return None
        self._signals.clear()
        return self.rule.signals
