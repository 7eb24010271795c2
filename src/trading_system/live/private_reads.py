"""One complete look at the account: four reads side by side, each failing alone. Failed never looks like empty."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from trading_system.domain.account import AccountSnapshot, VenuePosition
from trading_system.domain.errors import ReadFailed
from trading_system.domain.orders import Fill, OpenOrder
from trading_system.domain.protocols import Account, Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PrivateReads:
    """What was read between two process times. None = that read failed; an empty tuple = the venue said "none"."""

    started_s: float
    finished_s: float
    at: datetime
    """Market time at which the reads began: facts are at least this new."""
    snapshot: AccountSnapshot | None
    positions: tuple[VenuePosition, ...] | None
    open_orders: tuple[OpenOrder, ...] | None
    fills: tuple[Fill, ...] | None
    failures: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """True when positions, orders and fills were all read: only then absence means anything."""
        return self.positions is not None and self.open_orders is not None and self.fills is not None


async def read_private(
    account: Account, clock: Clock, *, fills_since: datetime, with_snapshot: bool, deadline_s: float = 10.0
) -> PrivateReads:
    """Read positions, open orders, fills and (optionally) the wallet in parallel. Never raises for the venue."""
    started, at = clock.monotonic(), clock.now()
    failures: list[str] = []

    async def guarded(what: str, read: Callable[[], Awaitable[T]]) -> T | None:
        # the call is made here: a task cancelled before its first step must not leave a call nobody awaited
        try:
            async with asyncio.timeout(deadline_s):
                return await read()
        except ReadFailed as error:
            failures.append(f"{what}: {error}")
        except TimeoutError:
            failures.append(f"{what}: no answer in {deadline_s:g} s")
        return None

    async with asyncio.TaskGroup() as group:
        positions = group.create_task(guarded("positions", account.positions))
        orders = group.create_task(guarded("open_orders", account.open_orders))
        fills = group.create_task(guarded("fills", lambda: account.fills(fills_since)))
        snapshot = group.create_task(guarded("snapshot", account.snapshot)) if with_snapshot else None
    return PrivateReads(
        started_s=started,
        finished_s=clock.monotonic(),
        at=at,
        snapshot=snapshot.result() if snapshot is not None else None,
        positions=positions.result(),
        open_orders=orders.result(),
        fills=fills.result(),
        failures=tuple(failures),
    )
