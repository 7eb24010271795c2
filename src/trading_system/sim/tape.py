"""The record of what happened: ids, fills, account log, histories, and the events waiting for their subscribers.

Bounded: a day at sixty times speed must not grow without limit.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from trading_system.sim.codec import from_json, to_json
from trading_system.sim.model import HistoryKind, HistoryRow, LogEntry, OrderRow, OrderState, SimEvent, SimFill, StatusRow

_KEEP: Final = 50_000


class Tape:
    """Append-only from the outside. `finished_memory_ms`: how long orders/status still knows an ended order."""

    def __init__(self, id_seed: int, finished_memory_ms: int) -> None:
        self._id_seed = id_seed
        self._finished_memory_ms = finished_memory_ms
        self._process_ms: Callable[[], int] | None = None
        self._ids = 0
        self._log_ids = 0
        self.order_seq = 0
        self.fills: deque[SimFill] = deque(maxlen=_KEEP)
        self.log: deque[LogEntry] = deque(maxlen=_KEEP)
        self.orders: deque[HistoryRow] = deque(maxlen=_KEEP)
        self.triggers: deque[HistoryRow] = deque(maxlen=_KEEP)
        self.finished: dict[str, tuple[int, StatusRow]] = {}
        self.outbox: list[SimEvent] = []
        self.fill_seq = 0

    def new_id(self) -> str:
        """A UUID-shaped id: the same run gives the same ids."""
        self._ids += 1
        digest = hashlib.blake2b(f"{self._id_seed}:{self._ids}".encode(), digest_size=16).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"

    def next_log_id(self) -> int:
        self._log_ids += 1
        return self._log_ids

    def next_order_seq(self) -> int:
        self.order_seq += 1
        return self.order_seq

    def note(self, at_ms: int, kind: HistoryKind, order: OrderRow, reason: str, old: OrderRow | None = None) -> None:
        """Add a row to the order or trigger history."""
        row = HistoryRow(self.new_id(), at_ms, kind, order, reason, old)
        (self.triggers if kind.value.startswith("OrderTrigger") else self.orders).append(row)

    def finish(self, at_ms: int, order: OrderRow, state: OrderState, reason: str | None, error: str | None = None) -> None:
        """Remember an ended order for a while."""
        ended_ms = self._watch(at_ms)
        self.finished.pop(order.order_id, None)
        self.finished[order.order_id] = (ended_ms, StatusRow(order, state, reason, error))
        for order_id, (ended, _) in list(self.finished.items()):
            if ended_ms - ended <= self._finished_memory_ms:
                break
            del self.finished[order_id]

    def remembered(self, now_ms: int) -> list[StatusRow]:
        """Ended orders that are not forgotten yet; now_ms is market time."""
        now_ms = self._watch(now_ms)
        return [row for ended, row in self.finished.values() if now_ms - ended <= self._finished_memory_ms]

    def keep_finished_by(self, process_ms: Callable[[], int], memory_ms: int) -> None:
        """Count the memory of ended orders in process time from now on."""
        self._process_ms, self._finished_memory_ms = process_ms, memory_ms
        started = process_ms()
        self.finished = {order_id: (started, row) for order_id, (_, row) in self.finished.items()}

    def _watch(self, market_ms: int) -> int:
        return market_ms if self._process_ms is None else self._process_ms()

    def snapshot(self, row_of: Callable[[Any], Any] = to_json) -> dict[str, Any]:
        """row_of: how a row of the long histories is put down; rows are frozen, so they may also be encoded later."""
        return {
            "counters": [self._ids, self._log_ids, self.order_seq, self.fill_seq],
            "fills": [row_of(row) for row in self.fills],
            "log": [row_of(row) for row in self.log],
            "orders": [row_of(row) for row in self.orders],
            "triggers": [row_of(row) for row in self.triggers],
            "finished": [[ended, to_json(row)] for ended, row in self.finished.values()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace everything by a snapshot."""
        for rows in (self.fills, self.log, self.orders, self.triggers, self.finished, self.outbox):
            rows.clear()
        self._ids, self._log_ids, self.order_seq, self.fill_seq = state["counters"]
        self.fills.extend(from_json(SimFill, row) for row in state["fills"])
        self.log.extend(from_json(LogEntry, row) for row in state["log"])
        self.orders.extend(from_json(HistoryRow, row) for row in state["orders"])
        self.triggers.extend(from_json(HistoryRow, row) for row in state["triggers"])
        for ended, data in state["finished"]:
            row = from_json(StatusRow, data)
            self.finished[row.order.order_id] = (ended, row)
