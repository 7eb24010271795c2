"""How late the event loop is: one busy piece of work in it holds up every stop, every answer and every deadline.

The trap it avoids: synchronous work in the loop makes handshakes and pings time out for hours while the process looks healthy.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Final

from trading_system.domain import log_events as ev
from trading_system.domain.protocols import Clock
from trading_system.live.log_port import Log

LAG_TOLD_S: Final = 0.25
"""Process seconds of lateness from which on a person hears of it."""
_REMEMBERED_S: Final = 60.0
_QUIET_S: Final = 60.0
"""Process seconds between two lines, unless it got worse."""


class LoopWatch:
    """Sleeps a little and looks how much later it woke up."""

    def __init__(self, clock: Clock, log: Log) -> None:
        self._clock = clock
        self._log = log
        self._late: deque[tuple[float, float]] = deque(maxlen=1000)
        """(when, how late), only what is worth telling."""
        self._told_s = float("-inf")
        self._told_lag_s = 0.0

    async def run(self, every_s: float) -> None:
        """Look for ever."""
        while True:
            due_s = self._clock.monotonic() + every_s
            await self._clock.sleep(every_s)
            self.note(self._clock.monotonic() - due_s)

    def note(self, lag_s: float) -> None:
        """One look: the loop came `lag_s` process seconds later than asked."""
        if lag_s <= LAG_TOLD_S:
            return
        now_s = self._clock.monotonic()
        self._late.append((now_s, lag_s))
        if now_s - self._told_s >= _QUIET_S or lag_s > self._told_lag_s:
            self._told_s, self._told_lag_s = now_s, lag_s
            self._log.warning(ev.LOOP_LAG, late_s=round(lag_s, 2), times_last_minute=self._recent())

    def worst_s(self) -> Decimal:
        """The worst of the last minute; zero when every look was in time."""
        self._recent()
        return Decimal(repr(round(max((lag_s for _, lag_s in self._late), default=0.0), 3)))

    def _recent(self) -> int:
        since_s = self._clock.monotonic() - _REMEMBERED_S
        while self._late and self._late[0][0] < since_s:
            self._late.popleft()
        return len(self._late)
