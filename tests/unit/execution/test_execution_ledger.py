"""The fold: what events change, and that an illegal one changes nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from execution_builders import (
    BTC,
    D,
    a_fill,
    a_plan,
    a_position_id,
    an_order,
    at,
    booked,
    entry_events,
    ledger,
    open_events,
    placed,
    protected_events,
    stop_events,
)
from fakes.execution_venue import START
from trading_system.domain import events as ev
from trading_system.domain.errors import InvariantViolation
from trading_system.domain.orders import Direction, FillId, OrderPurpose, PositionId, Side, VenueOrderId
from trading_system.domain.positions import (
    CloseReason,
    EndReason,
    Lineage,
    OrderState,
    PositionState,
    Targets,
)
from trading_system.domain.units import Price, Qty, Usd
from trading_system.execution.fills import attribute_fill
from trading_system.execution.ledger_rules import apply

PID = a_position_id()
ENTRY = f"ts-{PID}-en-1"
STOP = f"ts-{PID}-sl-1"


def closed(reason: CloseReason = CloseReason.STOP) -> ev.PositionClosed:
    return ev.PositionClosed(at(9), PID, reason, None, Usd(D(0)), Usd(D(0)), Usd(D(0)), "fills")


def targets_of(size: str = "10") -> Targets:
    return Targets(Qty(D(size)), Qty(D(4)), Qty(D(4)), Price(D(105)), Price(D(110)))


def test_a_planned_entry_blocks_its_symbol() -> None:
    state = ledger(*entry_events())

    assert state.active_on(BTC) is state.positions[PID]
    assert state.positions[PID].state is PositionState.PENDING
    assert state.attempts == {(PID, OrderPurpose.ENTRY): 1}


def test_a_fill_before_the_acknowledgement_opens_the_position_and_proves_the_order() -> None:
    plan, intended, acknowledged = entry_events()
    state = ledger(plan, intended, booked(a_fill("f1", "4")))

    assert state.positions[PID].state is PositionState.OPEN
    assert state.orders[ENTRY].state is OrderState.LIVE  # type: ignore[index]
    apply(state, acknowledged)
    assert state.orders[ENTRY].filled_qty == 4  # type: ignore[index]


def test_stops_for_the_whole_quantity_protect_and_growing_uncovers_again() -> None:
    plan, intended, acknowledged = entry_events()
    state = ledger(plan, intended, acknowledged, booked(a_fill("f1", "4")), *stop_events("4"))
    assert state.positions[PID].state is PositionState.PROTECTED

    apply(state, booked(a_fill("f2", "6")))
    assert state.positions[PID].state is PositionState.OPEN

    apply(state, ev.AmendIntended(at(3), STOP, Qty(D(10)), Price(D(95)), "grown"))  # type: ignore[arg-type]
    assert state.positions[PID].state is PositionState.OPEN
    apply(state, ev.AmendConfirmed(at(3), STOP, Qty(D(10)), Price(D(95))))  # type: ignore[arg-type]
    assert state.positions[PID].state is PositionState.PROTECTED


def test_an_amendment_without_an_outcome_protects_with_the_smaller_size() -> None:
    state = ledger(*protected_events(), ev.AmendIntended(at(3), STOP, Qty(D(6)), Price(D(96)), "shrunk"))  # type: ignore[arg-type]

    assert state.positions[PID].state is PositionState.OPEN
    apply(state, ev.AmendRefused(at(4), STOP, "orderForEditNotFound"))  # type: ignore[arg-type]
    assert state.positions[PID].state is PositionState.PROTECTED


def test_a_stop_that_is_gone_leaves_the_position_open() -> None:
    state = ledger(*protected_events(), ev.OrderEnded(at(5), STOP, EndReason.GONE, Qty(D(0)), "not listed"))  # type: ignore[arg-type]

    assert state.positions[PID].state is PositionState.OPEN


def test_the_first_target_filled_makes_it_partial() -> None:
    tp1 = an_order(OrderPurpose.TP1, qty="4", limit_price=Price(D(105)))
    state = ledger(
        *protected_events(),
        ev.OrderIntended(at(3), tp1),
        booked(a_fill("f2", "4", OrderPurpose.TP1, "105"), OrderPurpose.TP1),
    )

    assert state.positions[PID].state is PositionState.PARTIAL
    assert state.positions[PID].tally.tp1_filled == 4


def test_an_entry_that_was_taken_for_not_placed_comes_back_with_its_fill() -> None:
    plan, intended, _ = entry_events()
    state = ledger(
        plan,
        intended,
        ev.OrderEnded(at(20), ENTRY, EndReason.NOT_PLACED, Qty(D(0)), "no trace"),  # type: ignore[arg-type]
        ev.EntryAbandoned(at(20), PID, "no trace"),
    )
    assert state.positions[PID].state is PositionState.CANCELLED
    assert state.active_on(BTC) is None

    apply(state, booked(a_fill("f1", "10", seconds=30)))

    assert state.positions[PID].state is PositionState.OPEN
    assert state.active_on(BTC) is state.positions[PID]


def test_an_entry_that_gave_its_place_away_nets_with_what_took_it() -> None:
    """Its fill is an exit of the position on the other side, which is what the venue makes of it."""
    plan, intended, _ = entry_events()
    name = PositionId("BTC-202511210900")
    other = replace(plan.plan, position_id=name, direction=Direction.SHORT, planned_at=at(9), lineage=Lineage.ADOPTED)
    state = ledger(plan, intended, ev.EntryDisplaced(at(9), PID, "short 30"), ev.PositionAdopted(at(9), other, Price(D(100)), "short 30"))
    assert state.positions[PID].state is PositionState.CANCELLED
    late = a_fill("f1", "4", seconds=12)

    position_id, purpose = attribute_fill(late, state)
    apply(state, ev.FillBooked(at(12), late, position_id, purpose))

    assert position_id == other.position_id
    assert state.positions[other.position_id].qty == other.qty - 4
    assert state.orders[intended.order.client_order_id].filled_qty == 4


def test_what_holds_something_gives_its_place_to_nobody() -> None:
    state = ledger(*open_events())

    with pytest.raises(InvariantViolation, match="does not give its place away"):
        apply(state, ev.EntryDisplaced(at(9), PID, "short 30"))


def test_a_rejection_after_a_fill_is_not_believed() -> None:
    plan, intended, _ = entry_events()
    state = ledger(plan, intended, booked(a_fill("f1", "4")))
    before = copy.deepcopy(state)

    assert apply(state, ev.OrderRejected(at(3), ENTRY, "insufficientAvailableFunds"))  # type: ignore[arg-type]
    assert state == before


def test_a_second_venue_id_for_one_order_is_written_down_and_changes_nothing() -> None:
    state = ledger(*entry_events())
    before = copy.deepcopy(state)

    assert apply(state, placed(OrderPurpose.ENTRY, venue_order_id=VenueOrderId("other")))
    assert state == before


def test_a_shrunk_acknowledgement_is_the_size_that_rests() -> None:
    state = ledger(*open_events("10"), stop_events("10")[0], placed(OrderPurpose.STOP, reduced_qty=Qty(D(7))))

    assert state.orders[STOP].qty == 7  # type: ignore[index]
    assert state.positions[PID].state is PositionState.OPEN


def test_realised_money_is_exact_and_late_fees_still_arrive() -> None:
    state = ledger(
        *entry_events("3"),
        booked(a_fill("f1", "1", price="100.1", fee="0.01")),
        booked(a_fill("f2", "2", price="100.4", fee=None)),
        booked(a_fill("f3", "3", None, "101.7", fee="0.02"), None),
    )
    position = state.positions[PID]
    assert position.gross == D("4.2")  # 3 * 101.7 - 100.1 - 200.8
    assert state.fees_missing == {FillId("f2"): PID}

    apply(state, ev.FeeBooked(at(9), FillId("f2"), D("0.03")))
    assert state.positions[PID].net == D("4.14")
    assert not apply(state, ev.FeeBooked(at(9), FillId("f2"), D("0.03")))


def test_an_unexplained_quantity_is_replaced_by_the_real_fill() -> None:
    plan, intended, _ = entry_events()
    adjusted = ev.QuantityAdjusted(at(10), PID, "adj-1", D(6), Price(D(100)), "venue lists 6")
    state = ledger(plan, intended, adjusted)
    assert state.positions[PID].state is PositionState.OPEN
    assert state.positions[PID].qty == 6
    assert not apply(state, adjusted)

    apply(state, booked(a_fill("f1", "6", seconds=8)))
    assert state.positions[PID].qty == 6
    apply(state, booked(a_fill("f2", "4", seconds=20)))
    assert state.positions[PID].qty == 10


def test_a_journal_of_one_mode_refuses_another() -> None:
    state = ledger(ev.SessionStarted(START, "paper", "sim", "a", "1", "h", 1))

    with pytest.raises(InvariantViolation, match="paper"):
        apply(state, ev.SessionStarted(START, "live", "sim", "a", "1", "h", 2))
    with pytest.raises(InvariantViolation, match="epoch"):
        apply(state, ev.SessionStarted(START, "paper", "sim", "a", "1", "h", 1))


ILLEGAL: dict[str, Callable[[], tuple[tuple[ev.JournalEvent, ...], ev.JournalEvent]]] = {
    "a second position on the symbol": lambda: (entry_events(), ev.EntryPlanned(START, replace(a_plan(), position_id="BTC-202511210830"))),  # type: ignore[arg-type]
    "a name used twice": lambda: (entry_events(), ev.EntryPlanned(START, a_plan())),
    "an order sent twice": lambda: (entry_events(), ev.OrderIntended(START, an_order(OrderPurpose.ENTRY))),
    "a second entry beside an unresolved one": lambda: (
        (*entry_events("10")[:2], ev.OrderUnknown(at(1), ENTRY, "timeout")),  # type: ignore[arg-type]
        ev.OrderIntended(at(2), an_order(OrderPurpose.ENTRY, 2)),
    ),
    "more than was approved": lambda: (
        (ev.EntryPlanned(START, a_plan("10")),),
        ev.OrderIntended(START, an_order(OrderPurpose.ENTRY, qty="11")),
    ),
    "an entry on the wrong side": lambda: (
        (ev.EntryPlanned(START, a_plan()),),
        ev.OrderIntended(START, an_order(OrderPurpose.ENTRY, side=Side.SELL)),
    ),
    "a stop on the entry side": lambda: (open_events(), ev.OrderIntended(START, an_order(OrderPurpose.STOP, side=Side.BUY))),
    "an attempt out of turn": lambda: (open_events(), ev.OrderIntended(START, an_order(OrderPurpose.STOP, 2))),
    "an order for no position": lambda: ((), ev.OrderIntended(START, an_order(OrderPurpose.ENTRY))),
    "an entry after completion": lambda: (
        (*protected_events(), ev.EntryCompleted(at(3), PID, targets_of(), "filled")),
        ev.OrderIntended(at(4), an_order(OrderPurpose.ENTRY, 2)),
    ),
    "an acknowledgement of nothing": lambda: ((), placed(OrderPurpose.ENTRY)),
    "completion without a fill": lambda: (entry_events(), ev.EntryCompleted(at(3), PID, targets_of(), "?")),
    "giving up an entry that may fill": lambda: (entry_events(), ev.EntryAbandoned(at(3), PID, "?")),
    "giving up an entry that filled": lambda: (open_events(), ev.EntryAbandoned(at(3), PID, "?")),
    "a stop away from profit": lambda: (protected_events(), ev.StopWanted(at(3), PID, Price(D(94)), "?")),
    "closing what is still held": lambda: (protected_events(), closed()),
    "writing off what nobody orphaned": lambda: (protected_events(), closed(CloseReason.WRITTEN_OFF)),
    "closing twice": lambda: (
        (*protected_events(), ev.CloseRequested(at(3), PID, CloseReason.OPERATOR, "?")),
        ev.CloseRequested(at(4), PID, CloseReason.OPERATOR, "?"),
    ),
    "moving an order that is no stop": lambda: (entry_events(), ev.AmendIntended(at(3), ENTRY, Qty(D(1)), Price(D(95)), "?")),  # type: ignore[arg-type]
    "a fee of no fill": lambda: ((), ev.FeeBooked(at(3), FillId("f9"), D(1))),
    "adopting over a position": lambda: (
        entry_events(),
        ev.PositionAdopted(
            at(3),
            replace(a_plan(), position_id="BTC-A20251121081500", lineage=Lineage.ADOPTED),
            Price(D(100)),
            "listed",  # type: ignore[arg-type]
        ),
    ),
    "an adjustment below nothing": lambda: (open_events("4"), ev.QuantityAdjusted(at(3), PID, "a", D(-5), Price(D(100)), "?")),
    "an order for a closed position": lambda: (
        (*open_events("4"), booked(a_fill("f2", "4", None), None), closed()),
        ev.OrderIntended(at(9), an_order(OrderPurpose.STOP)),
    ),
    "a fill of a closed position": lambda: (
        (*open_events("4"), booked(a_fill("f2", "4", None), None), closed()),
        booked(a_fill("f3", "1")),
    ),
}


@pytest.mark.parametrize("case", ILLEGAL)
def test_an_illegal_event_raises_and_changes_nothing(case: str) -> None:
    before, illegal = ILLEGAL[case]()
    state = ledger(*before)
    untouched = copy.deepcopy(state)

    with pytest.raises(InvariantViolation):
        apply(state, illegal)
    assert state == untouched


def test_a_short_position_mirrors_a_long_one() -> None:
    state = ledger(*protected_events(direction=Direction.SHORT), booked(a_fill("f9", "10", None, "97", direction=Direction.SHORT), None))

    assert state.positions[PID].gross == 30
    assert state.positions[PID].qty == 0
