"""When the next stop is sent: what is waited for, for how long, and when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from execution_builders import D, a_view, at, ledger, open_events, protected_events, stop_events
from execution_plan_cases import PID, STOP, planned
from trading_system.domain import events as ev
from trading_system.domain.actions import BeginClose, PlaceStop
from trading_system.domain.orders import ClientOrderId
from trading_system.domain.positions import CloseReason, EndReason
from trading_system.domain.units import Qty
from trading_system.execution.position_view import NEW_WATCH


def test_a_stop_whose_fate_is_unknown_is_waited_for_a_moment_then_another_is_placed() -> None:
    state = ledger(*open_events(), stop_events()[0], ev.OrderUnknown(at(3), STOP, "timeout"))

    first = planned(state, s=10)
    waiting = planned(state, watch=first.watch, s=13)
    again = planned(state, watch=first.watch, s=15)

    assert [sum(isinstance(a, PlaceStop) for a in made.actions) for made in (first, waiting, again)] == [0, 0, 1]


def test_a_stop_that_is_proven_never_to_have_arrived_is_not_waited_for_any_longer() -> None:
    """It was sent beside one that had vanished; its fate was known after a second, and nothing was sent for nine more."""
    unknown = (*open_events(), stop_events()[0], ev.OrderUnknown(at(3), STOP, "the venue said apiLimitExceeded"))
    first = planned(ledger(*unknown), s=10)
    proven = ledger(*unknown, ev.OrderEnded(at(4), STOP, EndReason.NOT_PLACED, Qty(D(0)), "two complete looks"))

    assert [type(a) for a in first.actions if isinstance(a, PlaceStop)] == []
    assert [type(a) for a in planned(proven, watch=first.watch, s=11).actions if isinstance(a, PlaceStop)] == [PlaceStop]


@pytest.mark.parametrize(("sent_s", "waits"), [(4, False), (6, True), (None, True)])
def test_a_second_stop_is_waited_for_from_its_sending_on(sent_s: float | None, waits: bool) -> None:
    state = ledger(*open_events(), stop_events()[0], ev.OrderUnknown(at(3), STOP, "timeout"))

    made = planned(state, watch=replace(NEW_WATCH, backup_tried_s=sent_s), s=10)

    assert any(isinstance(a, PlaceStop) for a in made.actions) is not waits


FIRED = (*protected_events(), ev.OrderEnded(at(9), STOP, EndReason.CANCELLED, Qty(D(0)), "status: cancelled ioc_order_failed"))


@pytest.mark.parametrize(("sent_s", "again"), [(None, True), (7, True), (9, False)])
def test_a_stop_that_fired_unfilled_a_moment_after_it_was_placed_is_not_followed_at_once(sent_s: float | None, again: bool) -> None:
    made = planned(ledger(*FIRED), watch=replace(NEW_WATCH, stop_sent_s=sent_s), s=10)

    assert any(isinstance(a, PlaceStop) for a in made.actions) is again
    if again:
        assert made.watch.stop_sent_s == 10


def test_stops_that_rest_for_a_moment_only_do_not_put_the_close_off_for_ever() -> None:
    """One that fired at once counted as cover until its end was heard of, and the minute without a stop began anew each time."""
    since_0 = replace(NEW_WATCH, naked_since_s=0, stop_tried_s=9, stop_sent_s=9)
    protected = ledger(*protected_events())

    unseen = planned(protected, watch=since_0, s=38).watch
    listed = planned(protected, a_view("103", listed=frozenset({STOP}), listed_s=11), since_0, s=12).watch
    old = planned(protected, watch=since_0, s=39).watch
    hard = planned(ledger(*FIRED), watch=replace(unseen, stop_sent_s=59), s=60)

    assert (unseen.naked_since_s, listed.naked_since_s, old.naked_since_s) == (0, None, None)
    assert hard.actions == (BeginClose(PID, CloseReason.STOP_REFUSED, "no stop held for 60 s"),)


@pytest.mark.parametrize(("s", "again"), [(41, False), (42, True)])
def test_a_second_stop_of_unknown_fate_that_no_list_shows_is_followed_by_a_third(s: float, again: bool) -> None:
    """The first had vanished, the status of both could not be read, and nothing was sent for 45 s."""
    second = stop_events(attempt=2)[0]
    state = ledger(*protected_events(), second, ev.OrderUnknown(at(9), ClientOrderId(f"ts-{PID}-sl-2"), "no answer in time"))
    seen = replace(NEW_WATCH, stops_seen=frozenset({STOP}), backup_tried_s=30)

    made = planned(state, a_view("103", listed=frozenset(), listed_s=s, venue_naked_s=11.0), seen, s=s)

    assert [type(action) for action in made.actions if isinstance(action, PlaceStop)] == [PlaceStop] * again


def test_a_refused_stop_is_tried_again_and_then_the_position_is_closed() -> None:
    state = ledger(*open_events(), stop_events()[0], ev.OrderRejected(at(3), STOP, "invalidPrice"))

    first = planned(state, s=0)
    soon = planned(state, watch=first.watch, s=3)
    later = planned(state, watch=first.watch, s=5)
    hard = planned(state, watch=later.watch, s=60)

    assert [type(a) for a in first.actions if isinstance(a, PlaceStop)] == [PlaceStop]
    assert not any(isinstance(a, PlaceStop) for a in soon.actions)
    assert any(isinstance(a, PlaceStop) for a in later.actions)
    assert hard.actions == (BeginClose(PID, CloseReason.STOP_REFUSED, "no stop held for 60 s"),)
