"""P11: once the day's loss is at its limit no entry is accepted any more. The loss is the venue's equity, flows taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from trading_system.domain.units import ZERO
from trading_system.torture.checker import Checker, Violation
from trading_system.torture.venue_log import Actor, Deposited, Sent, VenueRecord

_DAY_MS: Final = 86_400_000
_GRACE_MS: Final = 5_000
_CLEARLY: Final = Decimal("1.02")
"""The first equity the daemon reads is some seconds and some cents away from ours: the loss must be clearly at the limit."""


class LossChecker(Checker):
    """equity_of: the venue's portfolio value, USD. daily: the limit as a fraction of the day's first equity."""

    def __init__(self, equity_of: Callable[[], Decimal], daily: Decimal) -> None:
        self._equity_of = equity_of
        self._daily = daily
        self._day: int | None = None
        self._start = ZERO
        self._flows = ZERO
        self._over_since_ms: int | None = None
        self.worst = ZERO
        """The largest loss of a day so far, as a fraction."""

    def on_second(self, at_ms: int) -> Iterable[Violation]:
        equity = self._equity_of()
        if at_ms // _DAY_MS != self._day:
            self._day, self._start, self._flows = at_ms // _DAY_MS, equity, ZERO
        loss = (self._start + self._flows - equity) / self._start
        self.worst = max(self.worst, loss)
        if loss < self._daily * _CLEARLY:
            self._over_since_ms = None
        elif self._over_since_ms is None:
            self._over_since_ms = at_ms
        return ()

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        match record:
            case Deposited():
                self._flows += record.amount
            case Sent(actor=Actor.DAEMON, is_accepted=True, is_entry=True):
                if self._over_since_ms is not None and record.at_ms - self._over_since_ms > _GRACE_MS:
                    since_s = (record.at_ms - self._over_since_ms) // 1000
                    text = f"{record.request.cli_ord_id} was accepted {since_s} s after the day's loss passed {self._daily}"
                    yield Violation("P11", record.at_ms, record.request.symbol, text)
            case _:
                pass
