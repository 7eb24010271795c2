"""The only caller of the order port: intent first, one send, the outcome written whatever happens."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from execution_builders import BTC, D, a_position_id, an_approved
from fakes.execution_rig import Rig
from fakes.execution_venue import FakeVenue, ManualClock
from trading_system.domain.actions import (
    BeginClose,
    CancelOrder,
    CloseStep,
    MoveStop,
    PlaceStop,
    PlaceTakeProfit,
    RetryEntry,
)
from trading_system.domain.events import DestructiveActionJustified, OrderIntended
from trading_system.domain.orders import (
    ClientOrderId,
    EntryOrder,
    EntryStyle,
    OrderPurpose,
    OrderRequest,
    Side,
    StopAmendment,
    StopOrder,
)
from trading_system.domain.positions import CloseReason, EndReason, OrderState, PositionState
from trading_system.domain.units import Price, Qty
from trading_system.execution.codec import decode_event
from trading_system.execution.execution_gateway import SendStatus
from trading_system.execution.journal_memory import DiskModel

PID = a_position_id()
ENTRY = ClientOrderId(f"ts-{PID}-en-1")
STOP = ClientOrderId(f"ts-{PID}-sl-1")


def a_rig(verdict: Any = None, medium: DiskModel | None = None) -> Rig:
    venue = FakeVenue(ManualClock())
    if verdict is not None:
        venue.verdict = verdict if callable(verdict) else lambda request: verdict
    return Rig(venue, medium)


async def an_open_rig() -> Rig:
    """An entry that filled whole and is booked, not yet protected."""
    rig = a_rig()
    await rig.gateway.open_entry(an_approved())
    await rig.look()
    return rig


async def test_the_intent_is_durable_before_the_order_leaves() -> None:
    rig = a_rig()
    seen: list[OrderState] = []
    disk = rig.medium

    def verdict(request: OrderRequest | StopAmendment) -> str:
        assert isinstance(disk, DiskModel)
        events = [decode_event(seq, payload) for seq, payload, _ in disk.crash().read(1)]
        seen.extend(e.order.state for e in events if isinstance(e, OrderIntended))
        return "ok"

    rig.venue.verdict = verdict
    report = await rig.gateway.open_entry(an_approved())

    assert report.status is SendStatus.DONE
    assert seen == [OrderState.INTENDED]
    sent = rig.venue.requests[0]
    assert isinstance(sent, EntryOrder)
    assert (sent.client_order_id, sent.process_before) == (ENTRY, rig.clock.market_in(5))


@pytest.mark.parametrize(
    ("word", "status", "state"),
    [
        ("ok", SendStatus.DONE, OrderState.LIVE),
        ("reject:insufficientAvailableFunds", SendStatus.REJECTED, OrderState.ENDED),
        ("lost", SendStatus.UNKNOWN, OrderState.UNKNOWN),
        ("late", SendStatus.UNKNOWN, OrderState.UNKNOWN),
        ("raise", SendStatus.UNKNOWN, OrderState.UNKNOWN),
    ],
)
async def test_every_outcome_is_written_and_reported(word: str, status: SendStatus, state: OrderState) -> None:
    rig = a_rig(word)

    report = await rig.gateway.open_entry(an_approved())

    assert (report.status, rig.journal.state.orders[ENTRY].state) == (status, state)


async def test_a_disk_that_does_not_write_means_that_nothing_is_sent() -> None:
    disk = DiskModel(fault=lambda append: sqlite3.OperationalError("disk I/O error") if append > 1 else None)
    rig = a_rig(medium=disk)

    report = await rig.gateway.open_entry(an_approved())

    assert (report.status, rig.venue.requests) == (SendStatus.SKIPPED, [])


async def test_a_stop_is_placed_even_when_the_disk_does_not_write() -> None:
    broken: list[bool] = []
    disk = DiskModel(fault=lambda append: OSError("no space left on device") if broken else None)
    rig = a_rig(medium=disk)
    await rig.gateway.open_entry(an_approved())
    broken.append(True)

    await rig.step()

    assert rig.state is PositionState.PROTECTED
    assert rig.venue.covered(BTC) == 10
    assert rig.journal.failure is not None


async def test_a_second_entry_on_the_symbol_is_not_sent() -> None:
    rig = a_rig("lost")
    await rig.gateway.open_entry(an_approved())

    report = await rig.gateway.open_entry(an_approved())

    assert report.status is SendStatus.SKIPPED
    assert len(rig.venue.requests) == 1


async def test_cancelling_the_waiter_does_not_cancel_the_bookkeeping() -> None:
    rig = a_rig()
    waiter = asyncio.get_running_loop().create_task(rig.gateway.open_entry(an_approved()))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert rig.gateway.in_flight == 1

    await rig.gateway.drain()

    assert rig.journal.state.orders[ENTRY].state is OrderState.LIVE
    assert rig.gateway.in_flight == 0


async def test_the_same_purpose_is_not_sent_twice_at_once() -> None:
    rig = await an_open_rig()
    action = PlaceStop(PID, Qty(D(10)), Price(D(95)), "first fill")

    reports = await asyncio.gather(rig.gateway.perform(action), rig.gateway.perform(action))

    assert [report.status for report in reports] == [SendStatus.DONE, SendStatus.SKIPPED]
    assert sum(isinstance(request, StopOrder) for request in rig.venue.requests) == 1


async def test_a_stop_moves_in_place() -> None:
    rig = await an_open_rig()
    await rig.gateway.perform(PlaceStop(PID, Qty(D(10)), Price(D(95)), "first fill"))

    report = await rig.gateway.perform(MoveStop(PID, STOP, Qty(D(10)), Price(D(97)), "trailing"))

    assert (report.status, report.detail) == (SendStatus.DONE, "amended")
    assert rig.journal.state.orders[STOP].trigger_price == 97
    assert rig.position.stop_wanted == 97


@pytest.mark.parametrize("word", ["reject:orderForEditNotFound", "lost", "late"])
@pytest.mark.parametrize("cancel_word", ["ok", "lost", "gone"])
async def test_a_move_that_fails_places_the_new_stop_before_the_old_one_goes(word: str, cancel_word: str) -> None:
    rig = await an_open_rig()
    await rig.gateway.perform(PlaceStop(PID, Qty(D(10)), Price(D(95)), "first fill"))
    rig.venue.verdict = lambda request: word if isinstance(request, StopAmendment) else "ok"
    rig.venue.cancel_verdict = lambda resting: cancel_word
    rig.venue.coverage.clear()

    report = await rig.gateway.perform(MoveStop(PID, STOP, Qty(D(10)), Price(D(97)), "trailing"))

    assert report.status is SendStatus.DONE
    assert rig.journal.state.orders[ClientOrderId(f"ts-{PID}-sl-2")].trigger_price == 97
    assert all(covered >= held for _, covered, held in rig.venue.coverage)


async def test_a_move_whose_replacement_is_refused_keeps_the_old_stop() -> None:
    rig = await an_open_rig()
    await rig.gateway.perform(PlaceStop(PID, Qty(D(10)), Price(D(95)), "first fill"))
    rig.venue.verdict = lambda request: "reject:invalidPrice"

    report = await rig.gateway.perform(MoveStop(PID, STOP, Qty(D(10)), Price(D(97)), "trailing"))

    assert report.status is SendStatus.REJECTED
    assert rig.venue.covered(BTC) == 10
    assert rig.journal.state.orders[STOP].protects == 10


async def test_the_only_stop_of_a_position_is_never_cancelled() -> None:
    rig = await an_open_rig()
    await rig.gateway.perform(PlaceStop(PID, Qty(D(10)), Price(D(95)), "first fill"))

    report = await rig.gateway.perform(CancelOrder(PID, STOP, "tidy", "none"))

    assert report.status is SendStatus.SKIPPED
    assert rig.venue.covered(BTC) == 10


async def test_take_profits_together_never_exceed_the_position() -> None:
    rig = await an_open_rig()
    await rig.gateway.perform(PlaceTakeProfit(PID, OrderPurpose.TP1, Qty(D(6)), Price(D(105))))

    report = await rig.gateway.perform(PlaceTakeProfit(PID, OrderPurpose.TP2, Qty(D(5)), Price(D(110))))

    assert report.status is SendStatus.SKIPPED


async def test_a_close_is_justified_in_the_journal_before_it_is_sent() -> None:
    rig = await an_open_rig()
    await rig.gateway.perform(BeginClose(PID, CloseReason.OPERATOR, "asked by the operator"))
    await rig.gateway.perform(CloseStep(PID, Qty(D(10)), None, 0, "asked by the operator"))

    assert isinstance(rig.medium, DiskModel)
    events = [decode_event(seq, payload) for seq, payload, _ in rig.medium.read(1)]
    justified = next(i for i, e in enumerate(events) if isinstance(e, DestructiveActionJustified) and e.action == "close")
    sent = next(i for i, e in enumerate(events) if isinstance(e, OrderIntended) and e.order.purpose is OrderPurpose.CLOSE)
    assert justified < sent
    assert rig.venue.net[BTC] == 0


async def test_an_adopted_position_is_closed_on_a_humans_order_only() -> None:
    rig = a_rig()
    rig.venue.by_hand(BTC, Side.BUY, "3")
    await rig.steps(2)
    adopted = rig.position

    refused = await rig.gateway.perform(BeginClose(adopted.position_id, CloseReason.STOP_REFUSED, "no stop"))
    accepted = await rig.gateway.perform(BeginClose(adopted.position_id, CloseReason.OPERATOR, "flatten"))

    assert (refused.status, accepted.status) == (SendStatus.SKIPPED, SendStatus.DONE)


async def test_an_entry_is_not_over_by_the_answer_to_its_cancel() -> None:
    rig = a_rig()
    await rig.gateway.open_entry(an_approved(style=EntryStyle.LIMIT))

    await rig.gateway.perform(CancelOrder(PID, ENTRY, "entry timeout", "120 s"))

    assert rig.journal.state.orders[ENTRY].is_open
    assert rig.state is PositionState.CANCEL_PENDING
    await rig.steps(30)
    assert rig.journal.state.orders[ENTRY].end is not None
    assert rig.state is PositionState.CANCELLED


async def test_the_next_attempt_is_sent_only_when_the_last_one_is_gone() -> None:
    rig = a_rig()
    await rig.gateway.open_entry(an_approved(style=EntryStyle.POST_ONLY))

    report = await rig.gateway.perform(RetryEntry(PID, Qty(D(10)), Price(D(99))))

    assert report.status is SendStatus.SKIPPED
    assert len(rig.venue.requests) == 1


async def test_a_cancel_that_answers_filled_waits_for_the_fills() -> None:
    rig = a_rig()
    await rig.gateway.open_entry(an_approved(style=EntryStyle.LIMIT))
    rig.venue.fills_hidden = True
    rig.venue.fill_resting(ENTRY)

    await rig.gateway.perform(CancelOrder(PID, ENTRY, "entry timeout", "120 s"))
    order = rig.journal.state.orders[ENTRY]
    assert order.is_open

    rig.venue.fills_hidden = False
    await rig.step()
    assert rig.journal.state.orders[ENTRY].end == replace(
        rig.journal.state.orders[ENTRY].end,  # type: ignore[type-var]
        reason=EndReason.FILLED,
    )
    assert rig.state is PositionState.PROTECTED
