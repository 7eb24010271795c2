"""L6: whatever happens to its orders, the daemon never floods the venue: so many in a minute on one market, and no more."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from trading_system.torture.checker import Checker, Violation
from trading_system.torture.venue_log import Actor, Sent, VenueRecord

ORDERS_PER_MINUTE_MAX: Final = 60
"""Of one market, by market time: a stop or a close every two seconds while a book is empty, and the rest of what a market needs."""
_MINUTE_MS: Final = 60_000


class PaceChecker(Checker):
    """Counts what reached the venue from the daemon, refused or not. One flood is told once."""

    def __init__(self) -> None:
        self._sent: dict[str, deque[int]] = {}
        self._told_ms: dict[str, int] = {}

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        if not isinstance(record, Sent) or record.actor is not Actor.DAEMON:
            return
        symbol, at_ms = record.request.symbol, record.at_ms
        sent = self._sent.setdefault(symbol, deque())
        sent.append(at_ms)
        while sent[0] <= at_ms - _MINUTE_MS:
            sent.popleft()
        if len(sent) > ORDERS_PER_MINUTE_MAX and at_ms - self._told_ms.get(symbol, -_MINUTE_MS) >= _MINUTE_MS:
            self._told_ms[symbol] = at_ms
            yield Violation("L6", at_ms, symbol, f"{len(sent)} orders within a minute, the last one {record.request.cli_ord_id}")
