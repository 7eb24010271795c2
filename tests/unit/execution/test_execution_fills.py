"""To whom a fill belongs, and why a position ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from execution_builders import BTC, D, a_fill, a_plan, a_position_id, at, booked, entry_events, ledger, open_events, protected_events
from trading_system.domain import events as ev
from trading_system.domain.orders import FillKind, OrderPurpose, PositionId, Side
from trading_system.domain.positions import CloseReason, EndReason, Lineage
from trading_system.domain.units import Price, Qty
from trading_system.execution.fills import attribute_fill, exit_reason
from trading_system.execution.ledger import LedgerState

PID = a_position_id()
ADOPTED = PositionId("BTC-A20251121081510")


def cancelled() -> LedgerState:
    plan, intended, _ = entry_events()
    return ledger(
        plan,
        intended,
        ev.OrderEnded(at(20), intended.order.client_order_id, EndReason.NOT_PLACED, Qty(D(0)), "no trace"),  # type: ignore[union-attr]
        ev.EntryAbandoned(at(20), PID, "no trace"),
    )


def adopted() -> LedgerState:
    plan = replace(a_plan(), position_id=ADOPTED, lineage=Lineage.ADOPTED, planned_at=at(10))
    return ledger(ev.PositionAdopted(at(11), plan, Price(D(100)), "listed"))


def test_a_fill_of_our_order_goes_to_its_position_by_either_id() -> None:
    state = ledger(*entry_events())
    fill = a_fill("f1", "1")

    assert attribute_fill(fill, state) == (PID, OrderPurpose.ENTRY)
    assert attribute_fill(replace(fill, client_order_id=None), state) == (PID, OrderPurpose.ENTRY)


def test_a_fill_by_hand_belongs_to_the_position_on_its_symbol() -> None:
    assert attribute_fill(a_fill("f9", "1", None), ledger(*open_events())) == (PID, None)


def test_a_fill_on_a_free_symbol_belongs_to_nobody() -> None:
    assert attribute_fill(a_fill("f9", "1", None), LedgerState()) == (None, None)


def test_a_fill_from_before_the_position_is_not_its_own() -> None:
    assert attribute_fill(a_fill("f9", "1", None, seconds=-60), ledger(*open_events())) == (None, None)


def test_a_late_fill_revives_the_intent_that_was_given_up() -> None:
    assert attribute_fill(a_fill("f1", "10", seconds=30), cancelled()) == (PID, OrderPurpose.ENTRY)


def test_an_adopted_position_contains_every_fill_up_to_its_reading() -> None:
    state = adopted()

    assert attribute_fill(a_fill("f1", "10", None, seconds=9, side=Side.BUY), state) == (None, None)
    assert attribute_fill(a_fill("f2", "3", None, seconds=12), state) == (ADOPTED, None)


@pytest.mark.parametrize(
    ("purpose", "kind", "reason"),
    [
        (OrderPurpose.STOP, FillKind.TAKER, CloseReason.STOP),
        (OrderPurpose.TP2, FillKind.MAKER, CloseReason.TAKE_PROFIT),
        (None, FillKind.TAKER, CloseReason.BY_HAND),
        (None, FillKind.LIQUIDATION, CloseReason.LIQUIDATION),
        (None, FillKind.SETTLEMENT, CloseReason.SETTLEMENT),
        (None, FillKind.ASSIGNMENT, CloseReason.DELEVERAGED),
        (OrderPurpose.CLOSE, FillKind.TAKER, CloseReason.BY_HAND),
    ],
)
def test_the_last_exit_says_why_a_position_ended(purpose: OrderPurpose | None, kind: FillKind, reason: CloseReason) -> None:
    state = ledger(*protected_events())

    assert exit_reason(state.positions[PID], a_fill("f9", "10", purpose, kind=kind), purpose) is reason


def test_a_close_we_asked_for_keeps_its_reason() -> None:
    state = ledger(*protected_events(), ev.CloseRequested(at(5), PID, CloseReason.AUCTION, "rival"))

    assert exit_reason(state.positions[PID], a_fill("f9", "10", OrderPurpose.CLOSE), OrderPurpose.CLOSE) is CloseReason.AUCTION


def test_the_newest_exit_is_found_whatever_the_order_of_booking() -> None:
    late, early = a_fill("f8", "4", None, seconds=9), a_fill("f9", "6", None, seconds=5)
    one = ledger(*open_events(), booked(late, None), booked(early, None))
    other = ledger(*open_events(), booked(early, None), booked(late, None))

    assert one.last_exit == other.last_exit == {PID: "f8"}
    assert one.newest_fill_at == {BTC: at(9)}
