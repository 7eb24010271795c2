"""Every write and every send of a process as a numbered boundary, and a process that ends right after one of them.

After a write means: durable, and nothing after it was done. After a send: the venue has acted, the answer was never read. What
dies before a boundary dies after the one before it, and a torn write is rolled back to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from trading_system.domain.events import AmendIntended, CancelRequested, FillBooked, JournalEvent, OrderIntended
from trading_system.domain.orders import CancelOutcome, ClientOrderId, OrderRequest, StopAmendment, SubmitOutcome, VenueOrderId
from trading_system.domain.protocols import Orders
from trading_system.domain.symbols import Symbol
from trading_system.execution.codec import decode_event
from trading_system.execution.journal_memory import DiskModel
from trading_system.execution.order_ids import parse_client_order_id
from trading_system.torture.mortal import ProcessDied


@dataclass(frozen=True, slots=True)
class Boundary:
    """kind: "write" or "send". text: what was written or sent, in the order it was."""

    number: int
    kind: str
    text: str


class Boundaries:
    """Counts them, and ends the process after the `dies_after`-th (0 = never). `names` order ids for people: en-1, sl-1 …"""

    def __init__(self, dies_after: int = 0) -> None:
        self.seen: list[Boundary] = []
        self.died = asyncio.Event()
        self.is_alive = True
        self._dies_after = dies_after

    def passed(self, kind: str, text: str) -> bool:
        """Note one; False when the process has just ended here."""
        self.seen.append(Boundary(len(self.seen) + 1, kind, text))
        if len(self.seen) == self._dies_after:
            self.die()
        return self.is_alive

    def die(self) -> None:
        self.is_alive = False
        self.died.set()

    async def hang(self) -> None:
        """What a call of an ended process does until it is swept away."""
        await asyncio.Event().wait()


class BoundaryOrders:
    """The order port; each request is one boundary."""

    def __init__(self, orders: Orders, boundaries: Boundaries) -> None:
        self._orders = orders
        self._boundaries = boundaries

    async def submit(self, order: OrderRequest) -> SubmitOutcome:
        await self._check()
        outcome = await self._orders.submit(order)
        await self._pass(tail_of(order.client_order_id))
        return outcome

    async def amend_stop(self, amendment: StopAmendment) -> SubmitOutcome:
        await self._check()
        outcome = await self._orders.amend_stop(amendment)
        await self._pass(f"amend {tail_of(amendment.client_order_id)}")
        return outcome

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> CancelOutcome:
        await self._check()
        outcome = await self._orders.cancel(symbol, client_order_id, venue_order_id)
        await self._pass(f"cancel {tail_of(client_order_id)}")
        return outcome

    async def _check(self) -> None:
        if not self._boundaries.is_alive:
            await self._boundaries.hang()

    async def _pass(self, text: str) -> None:
        if not self._boundaries.passed("send", text):
            await self._boundaries.hang()


class BoundaryDisk:
    """The journal's medium; each durable append is one boundary. `told` hears of rows the moment they are durable."""

    def __init__(self, disk: DiskModel, boundaries: Boundaries, told: Callable[[Sequence[tuple[int, bytes, bytes]]], None]) -> None:
        self.disk = disk
        self._boundaries = boundaries
        self._told = told

    def append(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        if not self._boundaries.is_alive:
            raise ProcessDied
        self.disk.append(rows)
        self._told(rows)
        if not self._boundaries.passed("write", text_of([decode_event(seq, payload) for seq, payload, _ in rows])):
            raise ProcessDied

    def read(self, from_seq: int) -> Iterable[tuple[int, bytes, bytes]]:
        return self.disk.read(from_seq)

    def close(self) -> None:
        self.disk.close()


def tail_of(client_order_id: str | None) -> str:
    """`en-1` of ts-BTC-202511210815-en-1."""
    name = None if client_order_id is None else parse_client_order_id(client_order_id)
    return "a foreign order" if name is None else f"{name.purpose.value}-{name.attempt}"


def text_of(events: Sequence[JournalEvent]) -> str:
    """The records of one append, repeated ones counted."""
    words: dict[str, int] = {}
    for event in events:
        word = _word(event)
        words[word] = words.get(word, 0) + 1
    return ", ".join(word if count == 1 else f"{word} x{count}" for word, count in words.items())


def _word(event: JournalEvent) -> str:
    name = type(event).__name__
    match event:
        case OrderIntended():
            return f"{name} {tail_of(event.order.client_order_id)}"
        case AmendIntended() | CancelRequested():
            return f"{name} {tail_of(event.client_order_id)}"
        case FillBooked():
            return f"{name} {event.purpose.value}" if event.purpose is not None else name
        case _:
            key = getattr(event, "client_order_id", None) or getattr(event, "key", None)
            return name if key is None else f"{name} {tail_of(key) if str(key).startswith('ts-') else key}"
