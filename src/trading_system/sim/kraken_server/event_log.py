"""What happened inside the exchange, in order, for checkers: orders that appeared, changed and left, executions, account entries.

The request log tells what was asked; this one what came of it, also when nobody asked (a stop that fires, a liquidation).
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from trading_system.domain.protocols import Clock
from trading_system.sim.codec import from_json, to_json
from trading_system.sim.model import FillFeed, LogFeed, OrderFeed, SimEvent

_KEEP: Final = 50_000
_KINDS: Final[dict[str, type[OrderFeed | FillFeed | LogFeed]]] = {"order": OrderFeed, "fill": FillFeed, "log": LogFeed}


class EventLog:
    """The newest 50,000 events. `process_s` of a row: the machine's monotonic clock when it happened."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: deque[tuple[int, float, SimEvent]] = deque(maxlen=_KEEP)
        self._seq = 0

    def on_event(self, event: SimEvent) -> None:
        """Called by the model."""
        if isinstance(event, OrderFeed | FillFeed | LogFeed):
            self._seq += 1
            self._rows.append((self._seq, self._clock.monotonic(), event))

    def rows(self, after_seq: int = 0, limit: int = _KEEP) -> list[dict[str, Any]]:
        """Rows with a higher seq, oldest first, at most `limit`."""
        return [_as_row(*row) for row in self._rows if row[0] > after_seq][:limit]


def _as_row(seq: int, process_s: float, event: SimEvent) -> dict[str, Any]:
    kind = next(name for name, one in _KINDS.items() if isinstance(event, one))
    return {"seq": seq, "process_s": process_s, "kind": kind, "event": to_json(event)}


def event_of(row: dict[str, Any]) -> OrderFeed | FillFeed | LogFeed:
    """The event of a row as it came over the wire; KeyError for an unknown kind."""
    return from_json(_KINDS[row["kind"]], row["event"])
