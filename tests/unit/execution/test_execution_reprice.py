"""Re-pricing of a post-only entry: at the touch, a few times, and never for more than was approved."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution_builders import D, a_plan, a_view, an_order, at, ledger
from execution_plan_cases import actions
from trading_system.domain import events as ev
from trading_system.domain.actions import AbandonEntry, RetryEntry
from trading_system.domain.orders import Direction, EntryStyle, OrderPurpose
from trading_system.domain.units import Price
from trading_system.execution.ledger import LedgerState


def refused(direction: Direction = Direction.LONG, attempts: int = 1) -> LedgerState:
    """So many attempts of an entry of 10 at 100 with its stop 5 away, each refused because it would have executed."""
    events: list[ev.JournalEvent] = [ev.EntryPlanned(at(0), a_plan(style=EntryStyle.POST_ONLY, direction=direction))]
    for attempt in range(1, attempts + 1):
        order = an_order(OrderPurpose.ENTRY, attempt, style=EntryStyle.POST_ONLY, direction=direction)
        events += [ev.OrderIntended(at(0), order), ev.OrderRejected(at(1), order.client_order_id, "postWouldExecute")]
    return ledger(*events)


@pytest.mark.parametrize(("attempts", "expected"), [(1, RetryEntry), (3, RetryEntry), (4, AbandonEntry)])
def test_a_post_only_entry_is_repriced_three_times(attempts: int, expected: type) -> None:
    found = actions(refused(attempts=attempts), a_view("100", bid=Price(D("99.5"))))

    assert [type(a) for a in found] == [expected]


def test_a_short_that_is_sold_higher_is_cut_to_what_was_approved_in_money() -> None:
    """Ten at 100 were approved; ten at 102 were sent."""
    (again,) = actions(refused(Direction.SHORT), a_view("100", ask=Price(D(102)), size_step=D("0.1")))

    assert again == RetryEntry(again.position_id, D("9.8"), D(102))  # type: ignore[union-attr]


def test_what_is_left_below_the_smallest_order_is_given_up() -> None:
    (found,) = actions(refused(Direction.SHORT), a_view("100", ask=Price(D(102)), size_step=D(10), size_min=D(10)))

    assert isinstance(found, AbandonEntry)


@settings(deadline=None)
@given(direction=st.sampled_from(list(Direction)), ticks=st.integers(-9, 9))
def test_no_touch_makes_the_next_attempt_larger_than_the_approved_one_in_risk_or_in_money(direction: Direction, ticks: int) -> None:
    touch, stop = Price(100 + ticks * D("0.5")), 100 - 5 * direction.sign
    for action in actions(refused(direction), a_view("100", bid=touch, ask=touch)):
        assert isinstance(action, RetryEntry)
        assert action.qty <= 10
        assert action.qty * action.limit_price <= 10 * 100
        assert action.qty * abs(action.limit_price - stop) <= 10 * 5
        assert (action.limit_price - 100) * direction.sign <= 0, "never beyond the approved limit"
