"""What is due at a known market time: held orders to release, maintenance, the end of a contract. In order of time, then of arrival."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from trading_system.sim.codec import from_json, to_json


class AgendaKind(Enum):
    """What happens then. `subject`: the order id of a release, the market of a delisting, else empty."""

    ORDER_RELEASED = "order_released"
    EDIT_RELEASED = "edit_released"
    MAINTENANCE_BEGINS = "maintenance_begins"
    MAINTENANCE_ENDS = "maintenance_ends"
    """The venue is back, post-only."""
    TRADING_RESUMES = "trading_resumes"
    DELISTING = "delisting"


@dataclass(frozen=True, slots=True, order=True)
class AgendaItem:
    at_ms: int
    seq: int
    kind: AgendaKind = field(compare=False)
    subject: str = field(default="", compare=False)
    payload: Any = field(default=None, compare=False)
    """JSON-able."""


class Agenda:
    """The list. `next_ms` is None when nothing is due."""

    def __init__(self) -> None:
        self._items: list[AgendaItem] = []
        self._seq = 0
        self.next_ms: int | None = None

    def add(self, at_ms: int, kind: AgendaKind, subject: str = "", payload: Any = None) -> None:
        self._seq += 1
        insort(self._items, AgendaItem(at_ms, self._seq, kind, subject, payload))
        self.next_ms = self._items[0].at_ms

    def pop(self) -> AgendaItem:
        """Take the next item off the list; IndexError when it is empty."""
        item = self._items.pop(0)
        self.next_ms = self._items[0].at_ms if self._items else None
        return item

    def subjects(self, kind: AgendaKind) -> tuple[str, ...]:
        """Of the items of one kind that are still to come."""
        return tuple(item.subject for item in self._items if item.kind is kind)

    def snapshot(self) -> dict[str, Any]:
        return {"seq": self._seq, "items": [to_json(item) for item in self._items]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace everything by a snapshot."""
        self._seq = state["seq"]
        self._items = [from_json(AgendaItem, row) for row in state["items"]]
        self.next_ms = self._items[0].at_ms if self._items else None
