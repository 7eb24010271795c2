"""The running total of everything positions ever booked, without adding up the whole past at every tick."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from trading_system.domain.orders import PositionId
from trading_system.domain.units import ZERO
from trading_system.execution.ledger import LedgerState

_SETTLED_AFTER: Final = timedelta(hours=2)
"""Late fees and funding of a closed position arrive well within this; afterwards its net is taken as final."""


class BookedPnl:
    """Positions that closed long ago are folded into one number; the others are read anew."""

    def __init__(self) -> None:
        self._folded = ZERO
        self._folded_ids: set[PositionId] = set()
        self._seen = 0

    def total(self, state: LedgerState) -> Decimal:
        """Sum of net results of all positions of the journal, those left out of it by compaction included, USD."""
        closed = state.closed
        newest = state.positions[closed[-1]].closure if closed else None
        if newest is not None:
            self._fold(state, newest.at)
        running = sum((state.positions[key].net for key in closed[self._seen :] if key not in self._folded_ids), ZERO)
        held = sum((state.positions[key].net for key in state.active_by_symbol.values()), ZERO)
        left_out = ZERO if state.compacted is None else state.compacted.booked
        return left_out + self._folded + running + held

    def _fold(self, state: LedgerState, now: datetime) -> None:
        while self._seen < len(state.closed):
            position = state.positions[state.closed[self._seen]]
            closure = position.closure
            if closure is None or now - closure.at < _SETTLED_AFTER:
                return
            if position.position_id not in self._folded_ids:
                self._folded += position.net
                self._folded_ids.add(position.position_id)
            self._seen += 1
