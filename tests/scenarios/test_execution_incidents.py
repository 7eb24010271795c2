"""Incidents that must never recur, on the gateway, the books and the plans together with a small fake venue."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from execution_builders import BTC, a_fill, a_position_id, an_approved
from fakes.execution_rig import Rig
from fakes.execution_venue import FakeVenue, ManualClock
from trading_system.domain.account import FeedFill, FeedOrder, FeedReset
from trading_system.domain.actions import BeginClose
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    Direction,
    EntryOrder,
    EntryStyle,
    ExitOrder,
    FillKind,
    Side,
    StopAmendment,
    StopOrder,
    VenueOrderId,
)
from trading_system.domain.positions import CloseReason, EndReason, PositionState
from trading_system.execution.execution_gateway import SendStatus
from trading_system.execution.reconcile import Adopt, Defer

PID = a_position_id()
ENTRY, STOP, TP1 = (ClientOrderId(f"ts-{PID}-{word}-1") for word in ("en", "sl", "tp1"))


def a_rig() -> Rig:
    return Rig(FakeVenue(ManualClock()))


async def protected() -> Rig:
    rig = a_rig()
    await rig.gateway.open_entry(an_approved())
    await rig.step()
    assert rig.state is PositionState.PROTECTED
    return rig


async def test_the_stop_rests_within_one_poll_of_the_first_fill() -> None:
    rig = await protected()
    assert rig.venue.covered(BTC) == 10
    assert rig.clock.elapsed_s == 3


async def test_an_instant_fill_that_no_list_shows_yet_never_leads_to_a_second_entry() -> None:
    """An entry filled at once, its answer lost, fills and status hidden: it was archived as stale and entered again, to 434 %."""
    rig = a_rig()
    rig.venue.verdict = lambda request: "late"
    rig.venue.fills_hidden = True
    await rig.gateway.open_entry(an_approved())
    rig.venue.verdict = lambda request: "ok"

    await rig.steps(30)
    again = await rig.gateway.open_entry(an_approved())

    assert again.status is SendStatus.SKIPPED
    assert sum(isinstance(request, EntryOrder) for request in rig.venue.requests) == 1
    assert rig.position.qty == 10
    assert rig.venue.covered(BTC) == 10
    rig.venue.fills_hidden = False
    await rig.steps(3)
    assert rig.position.qty == 10
    assert rig.position.tally.adjusted == 0


async def test_an_order_that_never_arrived_is_dropped_and_not_sent_again() -> None:
    rig = a_rig()
    rig.venue.verdict = lambda request: "lost"
    await rig.gateway.open_entry(an_approved())

    await rig.steps(20)
    assert rig.state is PositionState.PENDING
    await rig.steps(10)

    assert rig.state is PositionState.CANCELLED
    assert len(rig.venue.requests) == 1


async def test_an_order_that_appears_after_it_was_given_up_is_protected() -> None:
    rig = a_rig()
    rig.venue.verdict = lambda request: "lost"
    await rig.gateway.open_entry(an_approved())
    await rig.steps(30)
    assert rig.state is PositionState.CANCELLED
    rig.venue.verdict = lambda request: "ok"

    rig.venue.accept(rig.venue.requests[0])
    await rig.step()

    assert rig.state is PositionState.PROTECTED
    assert rig.venue.covered(BTC) == 10


async def test_a_resting_entry_that_appears_after_it_was_given_up_is_cancelled() -> None:
    rig = a_rig()
    rig.venue.verdict = lambda request: "lost"
    await rig.gateway.open_entry(an_approved(style=EntryStyle.LIMIT))
    await rig.steps(30)
    rig.venue.verdict = lambda request: "ok"
    rig.venue.accept(rig.venue.requests[0])

    await rig.steps(3)

    assert rig.venue.resting == {}
    assert rig.state is PositionState.CANCELLED


async def test_the_fills_of_a_cancelled_rest_size_everything() -> None:
    """41 of 236 filled, the rest cancelled, and all later sizes assumed 236."""
    rig = a_rig()
    rig.venue.verdict = lambda request: "share:0.4" if isinstance(request, EntryOrder) else "ok"
    await rig.gateway.open_entry(an_approved())
    await rig.steps(4)

    targets = rig.position.targets
    assert targets is not None
    assert (targets.entry_size_initial, targets.tp1_qty_target, targets.tp2_qty_target) == (4, 1, 1)
    assert rig.venue.covered(BTC) == 4


async def test_a_stop_the_venue_dropped_is_placed_again() -> None:
    rig = await protected()
    rig.venue.drop(next(key for key, known in rig.venue.resting.items() if known.is_trigger))

    await rig.steps(2)

    assert rig.venue.covered(BTC) == 10
    assert rig.state is PositionState.PROTECTED


async def test_readings_that_fail_for_hours_change_nothing() -> None:
    """ "Could not read" became "flat": stops were cancelled and books closed."""
    rig = await protected()
    requests = len(rig.venue.requests)
    rig.venue.reads_fail = True

    await rig.steps(200)

    assert rig.state is PositionState.PROTECTED
    assert len(rig.venue.requests) <= requests + 2  # the take-profits of a completed entry at most
    assert rig.venue.covered(BTC) == 10


async def test_an_unknown_position_is_adopted_and_protected_never_closed() -> None:
    """Real positions were market-closed at start because the registry was stale."""
    rig = a_rig()
    rig.venue.net[BTC], rig.venue.entry[BTC] = Decimal(-3), Decimal(100)

    report = await rig.step()

    assert [type(finding) for finding in report.findings] == [Adopt]
    assert (rig.position.direction, rig.position.is_own, rig.state) == (Direction.SHORT, False, PositionState.PROTECTED)
    assert rig.venue.covered(BTC) == 3
    assert not [request for request in rig.venue.requests if not isinstance(request, StopOrder)]


async def test_an_adopted_position_whose_stop_is_refused_is_tried_on_and_never_closed() -> None:
    rig = a_rig()
    rig.venue.net[BTC], rig.venue.entry[BTC] = Decimal(3), Decimal(100)
    rig.venue.verdict = lambda request: "reject:invalidPrice"
    await rig.steps(60)
    assert {type(request) for request in rig.venue.requests} == {StopOrder}
    assert 15 <= len(rig.venue.requests) <= 20  # every 10 s or so, for three minutes

    rig.venue.verdict = lambda request: "ok"
    await rig.steps(5)
    assert rig.state is PositionState.PROTECTED


async def test_a_position_of_ours_without_a_possible_stop_is_closed_within_x_hard() -> None:
    rig = a_rig()
    rig.venue.verdict = lambda request: "reject:invalidPrice" if isinstance(request, StopOrder) else "ok"
    await rig.gateway.open_entry(an_approved())

    await rig.steps(24)

    assert rig.venue.net[BTC] == 0
    assert rig.state is PositionState.CLOSED
    assert rig.position.closure is not None
    assert rig.position.closure.reason is CloseReason.STOP_REFUSED


async def test_closed_by_hand_is_booked_with_its_real_exit_and_the_leftovers_go() -> None:
    rig = await protected()
    await rig.step()
    rig.venue.mark = Decimal(103)
    rig.venue.by_hand(BTC, Side.SELL, "10")

    await rig.steps(4)

    closure = rig.position.closure
    assert closure is not None
    assert (closure.reason, closure.exit_price, closure.gross) == (CloseReason.BY_HAND, 103, 30)
    assert rig.venue.resting == {}


async def test_a_liquidation_is_booked_as_one() -> None:
    rig = await protected()
    rig.venue.mark = Decimal(60)
    rig.venue.by_hand(BTC, Side.SELL, "10", FillKind.LIQUIDATION)
    await rig.steps(2)

    assert rig.position.closure is not None
    assert rig.position.closure.reason is CloseReason.LIQUIDATION


async def test_a_manual_reduction_shrinks_the_stop_and_frees_nothing_else() -> None:
    rig = await protected()
    rig.venue.by_hand(BTC, Side.SELL, "4")
    await rig.steps(2)

    assert (rig.position.qty, rig.venue.covered(BTC), rig.state) == (6, 6, PositionState.PROTECTED)


async def test_a_position_gone_without_any_fill_waits_for_a_human_and_is_closed_when_fills_explain_it() -> None:
    rig = await protected()
    rig.venue.fills_hidden = True
    rig.venue.by_hand(BTC, Side.SELL, "10")
    await rig.steps(30)  # the minute that a list of positions may lag behind our fill, and the time its fills are given
    assert rig.state is PositionState.ORPHANED

    rig.venue.fills_hidden = False
    await rig.steps(2)
    assert rig.state is PositionState.CLOSED


async def test_a_vanished_cancel_target_does_not_keep_the_new_stop_from_resting() -> None:
    """ "Cancel old stop" answered not-found and the new one was never placed."""
    rig = await protected()
    rig.venue.verdict = lambda request: "reject:orderForEditNotFound" if isinstance(request, StopAmendment) else "ok"
    rig.venue.drop(next(key for key, known in rig.venue.resting.items() if known.is_trigger))
    rig.venue.by_hand(BTC, Side.SELL, "1")

    await rig.steps(3)

    assert rig.venue.covered(BTC) == 9


async def test_a_passed_level_does_not_cancel_the_take_profit_plan() -> None:
    rig = a_rig()
    await rig.gateway.open_entry(an_approved())
    rig.venue.mark = Decimal(106)
    await rig.steps(2)

    assert [r.order.client_order_id for r in rig.venue.resting.values() if not r.is_trigger] == [f"ts-{PID}-tp2-1"]


async def test_a_packet_taken_twice_is_found_and_the_excess_given_back() -> None:
    rig = await protected()
    rig.venue.accept(rig.venue.requests[0])
    assert rig.venue.net[BTC] == 20

    await rig.steps(4)

    assert rig.venue.net[BTC] == 10
    assert (rig.position.qty, rig.state) == (10, PositionState.PROTECTED)
    assert rig.venue.covered(BTC) >= 10


async def test_closing_goes_on_through_unknown_outcomes_until_it_is_flat() -> None:
    rig = await protected()
    words = iter(("lost", "share:0.5", "late"))
    rig.venue.verdict = lambda request: next(words, "ok") if isinstance(request, ExitOrder) else "ok"

    await rig.gateway.perform(BeginClose(PID, CloseReason.OPERATOR, "asked"))
    await rig.steps(20)

    assert rig.venue.net[BTC] == 0
    assert rig.state is PositionState.CLOSED
    assert rig.position.closure is not None
    assert rig.position.closure.reason is CloseReason.OPERATOR


async def test_the_feed_books_at_once_and_the_poll_adds_nothing_twice() -> None:
    rig = a_rig()
    await rig.gateway.open_entry(an_approved())
    fill = rig.venue.fills_log[0]

    assert rig.books.on_feed(FeedFill(fill)).fills == (fill,)
    assert rig.state is PositionState.OPEN
    assert rig.books.on_feed(FeedFill(fill)).fills == ()
    await rig.look()
    assert rig.position.qty == 10


async def test_a_gone_order_on_the_feed_concludes_nothing_and_asks_for_a_look() -> None:
    rig = await protected()

    gone = rig.books.on_feed(FeedOrder(BTC, VenueOrderId("v?"), STOP, "cancelled_by_admin"))

    assert gone.read_now
    assert rig.journal.state.orders[STOP].is_open
    assert not rig.books.on_feed(FeedOrder(BTC, VenueOrderId("v?"), ClientOrderId("somebody-else"), "cancelled")).read_now
    assert rig.books.on_feed(FeedReset("reconnected")).read_now


async def test_the_kill_between_send_and_answer_is_unknown_to_the_next_process() -> None:
    rig = a_rig()
    rig.venue.verdict = lambda request: "late"
    await rig.gateway.open_entry(an_approved())

    after = rig.restart()
    assert after.state is PositionState.PENDING
    assert [order.client_order_id for order in after.registry.unknown()] == [ENTRY]
    after.venue.verdict = lambda request: "ok"
    await after.step()
    assert after.state is PositionState.PROTECTED


async def test_the_wrong_direction_on_the_venue_is_left_to_a_human_with_its_stop() -> None:
    rig = await protected()
    await rig.step()
    rig.venue.net[BTC] = Decimal(-10)

    await rig.steps(6)

    assert rig.state is PositionState.QUARANTINED
    assert not [request for request in rig.venue.requests if isinstance(request, ExitOrder)]


@pytest.mark.parametrize("outcome", [CancelOutcome.UNKNOWN, CancelOutcome.ALREADY_GONE])
async def test_an_entry_whose_cancel_is_not_confirmed_keeps_its_symbol_until_it_is_known(outcome: CancelOutcome) -> None:
    rig = a_rig()
    await rig.gateway.open_entry(an_approved(style=EntryStyle.LIMIT))
    rig.venue.cancel_verdict = lambda resting: "lost" if outcome is CancelOutcome.UNKNOWN else "gone"
    await rig.step(120)
    assert rig.state is PositionState.CANCEL_PENDING

    rig.venue.cancel_verdict = lambda resting: "ok"
    await rig.steps(30)

    assert rig.state is PositionState.CANCELLED
    assert rig.journal.state.orders[ENTRY].end is not None


async def test_late_fees_are_booked_on_their_fills() -> None:
    rig = await protected()
    known = rig.venue.fills_log[0]
    late = a_fill("late", "2", None, "101", seconds=4, fee=None)
    rig.books.book_fills((late,))
    before = rig.position.tally.fees

    rig.books.book_fills((replace(late, fee_usd=Decimal("0.1")), known))

    assert rig.position.tally.fees - before == Decimal("0.1")


async def test_a_look_that_arrives_out_of_order_brings_only_its_fills() -> None:
    rig = await protected()
    old = await rig.venue.look()
    await rig.step()

    report = await rig.books.absorb(replace(old, open_orders=(), positions=()), {})

    assert (report.findings, report.events) == ((), ())


async def test_a_partial_reading_defers() -> None:
    rig = await protected()
    look = await rig.venue.look()

    report = await rig.books.absorb(replace(look, started_s=look.started_s + 5, positions=(), fills=None), {})

    assert [type(finding) for finding in report.findings] == [Defer]
    assert rig.journal.state.orders[ENTRY].end is not None
    assert rig.journal.state.orders[ENTRY].end.reason is EndReason.FILLED  # type: ignore[union-attr]
