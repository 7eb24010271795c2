"""Plans for one position: a stop that did not act, closing in full, the end; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from execution_builders import (
    D,
    a_fill,
    a_plan,
    a_view,
    an_order,
    at,
    booked,
    entry_events,
    ledger,
    placed,
    protected_events,
)
from execution_plan_cases import ENTRY, PARAMS, PID, STOP, actions, complete, planned
from trading_system.domain import events as ev
from trading_system.domain.actions import (
    BeginClose,
    CloseStep,
    FinishClose,
    PlaceStop,
)
from trading_system.domain.errors import ConfigError
from trading_system.domain.orders import ClientOrderId, OrderPurpose, PositionId, VenueOrderId
from trading_system.domain.positions import CloseReason, EndReason, Lineage, OrderState, Targets
from trading_system.domain.units import Price, Qty
from trading_system.execution.ledger import LedgerState
from trading_system.execution.position_view import MarketView

# --- through the stop, closing, the end -----------------------------------------------------------------------------


def test_a_stop_that_did_not_act_for_ten_seconds_closes_the_position() -> None:
    state = complete()
    beyond = a_view("94", venue_qty=Qty(D(10)), venue_read_s=19.0)
    first = planned(state, beyond, s=10)

    assert not any(isinstance(a, BeginClose) for a in actions(state, beyond, first.watch, s=19))
    assert any(isinstance(a, BeginClose) for a in actions(state, beyond, first.watch, s=20))
    unread = replace(beyond, venue_read_s=9.0)
    assert not any(isinstance(a, BeginClose) for a in actions(state, unread, first.watch, s=20))
    closed_market = replace(beyond, is_open=False)
    assert not any(isinstance(a, BeginClose) for a in actions(state, closed_market, first.watch, s=20))


def closing(*more: ev.JournalEvent) -> LedgerState:
    return ledger(*protected_events(), ev.CloseRequested(at(4), PID, CloseReason.OPERATOR, "asked"), *more)


def close_order(attempt: int, filled: bool = False) -> tuple[ev.JournalEvent, ...]:
    order = an_order(OrderPurpose.CLOSE, attempt, limit_price=None)
    return (
        ev.OrderIntended(at(5), order),
        placed(OrderPurpose.CLOSE, attempt),
        ev.OrderEnded(at(6), order.client_order_id, EndReason.GONE, Qty(D(0)), "no fill"),
    )


def test_closing_starts_at_the_market_and_widens_step_by_step() -> None:
    limits = []
    events: list[ev.JournalEvent] = []
    for attempt in range(1, 6):
        (step,) = actions(closing(*events), a_view("96"))
        assert isinstance(step, CloseStep)
        limits.append(step.limit_price)
        events += close_order(attempt)
    assert limits == [None, D("94.0"), D("92.0"), D("88.0"), D("88.0")]


def test_the_next_step_waits_for_the_outcome_of_the_last_and_two_seconds() -> None:
    pending = closing(ev.OrderIntended(at(5), an_order(OrderPurpose.CLOSE, limit_price=None)))
    assert actions(pending) == ()

    first = planned(closing(), s=10)
    state = closing(*close_order(1))
    assert actions(state, watch=first.watch, s=11) == ()
    assert [type(a) for a in actions(state, watch=first.watch, s=12)] == [CloseStep]


def test_what_a_fired_stop_left_gets_a_stop_first_and_is_closed_on() -> None:
    left = closing(
        booked(a_fill("f5", "7", OrderPurpose.STOP, "95"), OrderPurpose.STOP),
        ev.OrderEnded(at(6), STOP, EndReason.TRIGGERED, Qty(D(7)), "x"),
    )

    found = actions(left, a_view("94"))

    assert [type(a) for a in found] == [PlaceStop, CloseStep]


@pytest.mark.parametrize("view", [a_view(is_open=False), a_view(venue_qty=Qty(D(0)), venue_read_s=9.0)])
def test_a_market_that_is_shut_or_a_position_not_listed_any_more_is_not_hammered(view: MarketView) -> None:
    assert actions(closing(), view) == ()


def test_a_position_that_is_out_by_its_fills_is_booked_as_closed() -> None:
    state = complete(booked(a_fill("f5", "10", OrderPurpose.STOP, "95"), OrderPurpose.STOP))

    assert actions(state) == (FinishClose(PID, CloseReason.STOP, "fill f5"),)


def test_a_position_that_is_out_waits_for_the_rest_of_its_entry() -> None:
    plan_, intended, _ = entry_events()
    state = ledger(plan_, intended, booked(a_fill("f1", "4")), booked(a_fill("f2", "4", None), None))
    order = state.orders[ENTRY]
    assert order.state is OrderState.LIVE

    assert not any(isinstance(a, FinishClose) for a in actions(state))


def test_a_position_that_needs_a_human_is_left_alone() -> None:
    state = complete(ev.PositionQuarantined(at(9), PID, "venue lists short 3"))
    assert actions(state, a_view("90"), s=1000) == ()


def test_a_plan_with_nothing_to_do_keeps_its_memory_as_it_is() -> None:
    state = complete()
    first = planned(state)
    again = planned(state, watch=first.watch)

    assert again.actions == ()
    assert again.watch is first.watch


@pytest.mark.parametrize(
    "change",
    [
        {"trail_ladder": ((D(0), D(1)), (D(3), D(2)))},
        {"trail_ladder": ((D(1), D(2)),)},
        {"close_widths": ()},
        {"stop_retry_s": 90.0},
    ],
)
def test_figures_that_contradict_each_other_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        replace(PARAMS, **change)


def test_a_foreign_stop_counts_and_is_never_touched() -> None:
    adopted = replace(a_plan("10"), position_id=PositionId("BTC-A20251121081500"), lineage=Lineage.ADOPTED, take_profits=())
    foreign = replace(
        an_order(OrderPurpose.STOP, qty="10"),
        client_order_id=ClientOrderId("venue:v77"),
        position_id=adopted.position_id,
        state=OrderState.LIVE,
        venue_order_id=VenueOrderId("v77"),
        is_foreign=True,
        attempt=0,
    )
    state = ledger(
        ev.PositionAdopted(at(1), adopted, Price(D(100)), "listed"),
        ev.StopAdopted(at(1), foreign, "an existing stop protects it"),
        ev.EntryCompleted(at(2), adopted.position_id, Targets(Qty(D(10)), Qty(D(0)), Qty(D(0))), "adopted"),
    )

    assert actions(state) == ()
