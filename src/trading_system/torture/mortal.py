"""A process that dies: at a moment, at a request, in the middle of a write. What it had not made durable is gone with it.

The exchange and the packets on the wire live on. A dead process does nothing more: its writes go nowhere and its requests hang
until its tasks are swept away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from trading_system.domain.orders import CancelOutcome, ClientOrderId, OrderRequest, StopAmendment, SubmitOutcome, VenueOrderId
from trading_system.domain.protocols import Orders
from trading_system.domain.symbols import Symbol
from trading_system.execution.journal_memory import DiskModel


class DeathKind(Enum):
    """Where it strikes: the first such point at or after the death's time."""

    NOW = "now"
    BEFORE_SEND = "before_send"
    AFTER_SEND = "after_send"
    """The exchange has acted, the answer was not read."""
    TORN_WRITE = "torn_write"
    """A part of the record is on the disk."""
    AFTER_WRITE = "after_write"
    """Durable, and nothing after it was done."""
    ASKED = "asked"
    """No death but SIGTERM, again and again: the process ends by itself, in order."""


@dataclass(frozen=True, slots=True)
class Death:
    """at_s: process seconds from the start of the run. down_s: until the next start. torn: share of the write that is kept.

    spoils: what the files of halts hold afterwards is no halt state any more.
    """

    kind: DeathKind
    at_s: float
    down_s: float
    torn: float = 0.5
    spoils: bool = False


class ProcessDied(BaseException):
    """Unwinds whatever was running when the process ended."""


class Mortal:
    """The life of one process. `armed` is the death that is due; `died` is set when it came."""

    def __init__(self) -> None:
        self.is_alive = True
        self.armed: Death | None = None
        self.died = asyncio.Event()

    def is_due(self, kind: DeathKind) -> bool:
        return self.is_alive and self.armed is not None and self.armed.kind is kind

    def die(self) -> None:
        self.is_alive = False
        self.died.set()

    async def hang(self) -> None:
        """What a request of a dead process does."""
        await asyncio.Event().wait()


class MortalOrders:
    """The order port of a process that may die just before or just after a request."""

    def __init__(self, orders: Orders, mortal: Mortal) -> None:
        self._orders = orders
        self._mortal = mortal

    async def submit(self, order: OrderRequest) -> SubmitOutcome:
        await self._pass(DeathKind.BEFORE_SEND)
        outcome = await self._orders.submit(order)
        await self._pass(DeathKind.AFTER_SEND)
        return outcome

    async def amend_stop(self, amendment: StopAmendment) -> SubmitOutcome:
        await self._pass(DeathKind.BEFORE_SEND)
        outcome = await self._orders.amend_stop(amendment)
        await self._pass(DeathKind.AFTER_SEND)
        return outcome

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> CancelOutcome:
        await self._pass(DeathKind.BEFORE_SEND)
        outcome = await self._orders.cancel(symbol, client_order_id, venue_order_id)
        await self._pass(DeathKind.AFTER_SEND)
        return outcome

    async def _pass(self, point: DeathKind) -> None:
        if self._mortal.is_due(point):
            self._mortal.die()
        if not self._mortal.is_alive:
            await self._mortal.hang()


class MortalDisk:
    """The journal's medium in such a process. `told` hears of rows the moment they are durable."""

    def __init__(self, disk: DiskModel, mortal: Mortal, told: Callable[[Sequence[tuple[int, bytes, bytes]]], None]) -> None:
        self.disk = disk
        self._mortal = mortal
        self._told = told

    def append(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        if not self._mortal.is_alive:
            raise ProcessDied
        before = self.disk.size
        self.disk.append(rows)
        death = self._mortal.armed
        if death is not None and self._mortal.is_due(DeathKind.TORN_WRITE):
            self.disk = self.disk.crash(before + int((self.disk.size - before) * death.torn))
            self._mortal.die()
            raise ProcessDied
        self._told(rows)
        if self._mortal.is_due(DeathKind.AFTER_WRITE):
            self._mortal.die()
            raise ProcessDied

    def recovered(self) -> DiskModel:
        """The medium as the next process finds it: a torn record at the end is rolled back, as SQLite does at its next start."""
        fresh = DiskModel()
        whole = tuple(self.disk.read(1))
        if whole:
            fresh.append(whole)
        return fresh

    def read(self, from_seq: int) -> Iterable[tuple[int, bytes, bytes]]:
        return self.disk.read(from_seq)

    def close(self) -> None:
        self.disk.close()
