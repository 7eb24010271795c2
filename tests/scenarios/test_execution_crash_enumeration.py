"""Kill the process at every write of the journal and at every call to the venue, before and after; then start the next one.

One scenario: an entry fills in two pieces, gets its stop and take-profits, hits the first target, trails, and is stopped out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from execution_builders import BTC, an_approved
from fakes.execution_rig import Rig
from fakes.execution_venue import FakeVenue, ManualClock
from trading_system.domain.orders import CancelOutcome, EntryOrder, EntryStyle, OrderRequest, StopAmendment, SubmitOutcome
from trading_system.domain.positions import PositionState
from trading_system.execution.journal import JournalFailed
from trading_system.execution.journal_memory import DiskModel

ENTRY = "ts-BTC-202511210815-en-1"


class Killed(BaseException):
    """kill -9."""


class MortalDisk(DiskModel):
    """Dies at the n-th append: before it (nothing reached the disk) or after it (all did)."""

    def __init__(self, at: int, after: bool) -> None:
        super().__init__()
        self._at, self._after = at, after

    def append(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        if self.appends + 1 == self._at and not self._after:
            self.appends += 1
            raise Killed
        super().append(rows)
        if self.appends == self._at and self._after:
            raise Killed


class MortalVenue(FakeVenue):
    """The process dies at the n-th call: before the venue has it, or after."""

    calls = 0
    dies_at = 0
    after = False

    async def _around(self, call: Any) -> Any:
        self.calls += 1
        dies = self.calls == self.dies_at
        if dies and not self.after:
            raise Killed
        outcome = await call()
        if dies:
            raise Killed
        return outcome

    async def submit(self, order: OrderRequest) -> SubmitOutcome:
        return await self._around(lambda: FakeVenue.submit(self, order))  # type: ignore[no-any-return]

    async def amend_stop(self, amendment: StopAmendment) -> SubmitOutcome:
        return await self._around(lambda: FakeVenue.amend_stop(self, amendment))  # type: ignore[no-any-return]

    async def cancel(self, *args: Any) -> CancelOutcome:
        return await self._around(lambda: FakeVenue.cancel(self, *args))  # type: ignore[no-any-return]


def events_of_the_market(venue: FakeVenue, step: int) -> None:
    """What happens outside at each step, whether or not anybody is alive to see it."""
    match step:
        case 1 | 3:
            if any(r.order.client_order_id == ENTRY for r in venue.resting.values()):
                venue.fill_resting(ENTRY, "0.5" if step == 1 else "1")
        case 8:
            venue.mark = Decimal(106)
            for resting in [r.order for r in venue.resting.values() if "-tp1-" in str(r.order.client_order_id)]:
                venue.fill_resting(str(resting.client_order_id))
        case 12:
            venue.mark = Decimal(111)
        case 16:
            stops = [r.order for r in venue.resting.values() if r.is_trigger]
            if stops:
                venue.mark = min(order.trigger_price or Decimal(0) for order in stops) - Decimal("0.5")
                for order in stops:
                    if venue.net.get(BTC, Decimal(0)) > 0:
                        venue.fill_resting(str(order.client_order_id))
        case _:
            pass


async def life(rig: Rig, first_step: int) -> int:
    """Live on from `first_step`; returns the step in which the process died, or 0."""
    for step in range(first_step, 40):
        try:
            if step == 0:
                await rig.gateway.open_entry(an_approved(style=EntryStyle.LIMIT))
            events_of_the_market(rig.venue, step)
            await rig.step()
        except Killed:
            return step + 1
    return 0


async def run(venue: FakeVenue, disk: DiskModel) -> tuple[Rig, bool]:
    """One life, killed or not, and after a death the next one over what the disk holds."""
    try:
        rig = Rig(venue, disk)
        died = await life(rig, 0)
    except Killed:
        died = 1
    if not died:
        return rig, False
    venue.clock.advance(5)
    survivor = Rig(venue, disk.crash())
    await life(survivor, died)
    return survivor, True


def check(rig: Rig) -> None:
    venue, state = rig.venue, rig.journal.state
    assert sum(isinstance(request, EntryOrder) for request in venue.requests) <= 1
    assert set(state.fills) == {fill.fill_id for fill in venue.fills_log}
    held = abs(venue.net.get(BTC, Decimal(0)))
    assert venue.covered(BTC) >= held
    assert sum((p.qty for p in state.positions.values() if p.state.is_active), Decimal(0)) == held
    for position in state.positions.values():
        assert position.is_own, "our own entry must be found by its own id, never adopted as a stranger"
        assert position.state in (PositionState.PROTECTED, PositionState.PARTIAL, PositionState.CLOSED, PositionState.CANCELLED)
    for what, covered, now_held in venue.coverage:
        if what.startswith(("amended", "cancelled")):
            assert covered >= now_held, what


def test_the_scenario_itself_ends_stopped_out_with_a_profit() -> None:
    rig, died = asyncio.run(run(FakeVenue(ManualClock()), DiskModel()))

    assert not died
    assert rig.state is PositionState.CLOSED
    assert rig.position.net > 0
    check(rig)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_every_write_of_the_journal(after: bool) -> None:
    for number in range(1, 200):
        rig, died = asyncio.run(run(FakeVenue(ManualClock()), MortalDisk(number, after)))
        check(rig)
        if not died:
            assert number > 20
            return
    raise AssertionError("the scenario never ended")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_every_call_to_the_venue(after: bool) -> None:
    for number in range(1, 100):
        venue = MortalVenue(ManualClock())
        venue.dies_at, venue.after = number, after
        rig, died = asyncio.run(run(venue, DiskModel()))
        check(rig)
        if not died:
            assert number > 8
            return
    raise AssertionError("the scenario never ended")


def test_a_disk_that_fails_at_any_write_and_comes_back_loses_nothing() -> None:
    for number in range(1, 40):
        disk = DiskModel(fault=lambda append, n=number: OSError("no space left on device") if n <= append < n + 4 else None)  # type: ignore[misc]
        try:
            rig = Rig(FakeVenue(ManualClock()), disk)
        except JournalFailed:
            continue  # not even the session could be written: no process, no orders
        asyncio.run(life(rig, 0))
        check(rig)
        assert any(rig.journal.flush() for _ in range(5))
        assert Rig(rig.venue, disk.crash()).journal.state.positions == rig.journal.state.positions
