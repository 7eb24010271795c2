"""State is the fold of the journal: any order and repetition of what is told ends in the same state, replays are identical."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from execution_builders import (
    BTC,
    D,
    a_fill,
    a_plan,
    a_position_id,
    an_order,
    at,
    booked,
    ledger,
    placed,
)
from trading_system.domain import events as ev
from trading_system.domain.errors import InvariantViolation
from trading_system.domain.orders import Direction, OrderPurpose
from trading_system.domain.positions import EndReason, PositionState
from trading_system.domain.units import Price, Qty
from trading_system.execution.codec import JournalCorrupt, decode_event, encode_event
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel, EventMemory
from trading_system.execution.ledger import LedgerState
from trading_system.execution.ledger_positions import covered_qty, settle
from trading_system.execution.ledger_rules import apply

PID = a_position_id()
INTENTS: tuple[ev.JournalEvent, ...] = (
    ev.EntryPlanned(at(0), a_plan("10")),
    ev.OrderIntended(at(0), an_order(OrderPurpose.ENTRY)),
    ev.OrderIntended(at(2), an_order(OrderPurpose.STOP)),
    ev.OrderIntended(at(3), an_order(OrderPurpose.TP1, qty="4", limit_price=Price(D(105)))),
)
TOLD: tuple[ev.JournalEvent, ...] = (
    placed(OrderPurpose.ENTRY),
    placed(OrderPurpose.STOP),
    placed(OrderPurpose.TP1),
    ev.OrderUnknown(at(1), an_order(OrderPurpose.ENTRY).client_order_id, "timeout"),
    ev.CancelRequested(at(3), an_order(OrderPurpose.ENTRY).client_order_id, "entry timeout", "120 s"),
    ev.OrderEnded(at(4), an_order(OrderPurpose.ENTRY).client_order_id, EndReason.CANCELLED, Qty(D(9)), "status: cancelled"),
    booked(a_fill("e1", "2", price="100.1", seconds=1)),
    booked(a_fill("e2", "3", price="100.3", seconds=2)),
    booked(a_fill("e3", "4", price="99.7", seconds=3)),
    booked(a_fill("t1", "4", OrderPurpose.TP1, "105", seconds=4), OrderPurpose.TP1),
    booked(a_fill("x1", "1", None, "103", seconds=5), None),
    booked(a_fill("s1", "2", OrderPurpose.STOP, "95", seconds=6), OrderPurpose.STOP),
)


@given(st.permutations(TOLD), st.lists(st.sampled_from(TOLD), max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_order_and_repetition_of_acknowledgements_and_fills_ends_in_the_same_state(
    order: list[ev.JournalEvent], repeated: list[ev.JournalEvent]
) -> None:
    assert ledger(*INTENTS, *order, *repeated) == ledger(*INTENTS, *TOLD)


@given(st.permutations(TOLD))
@settings(max_examples=100, deadline=None)
def test_the_state_on_the_table_is_what_the_facts_say(order: list[ev.JournalEvent]) -> None:
    state = ledger(*INTENTS)
    for event in order:
        apply(state, event)
        position = state.positions[PID]
        qty, covered = position.qty, covered_qty(state, PID)
        assert settle(state, position) is position
        if not position.tally.has_entered:
            expected = {PositionState.PENDING, PositionState.CANCEL_PENDING}
        elif qty > 0 and covered < qty:
            expected = {PositionState.OPEN}
        else:
            expected = {PositionState.PARTIAL if position.tally.tp1_filled > 0 else PositionState.PROTECTED}
        assert position.state in expected


EVENTS = st.sampled_from(
    [
        *INTENTS,
        *TOLD,
        ev.EntryAbandoned(at(9), PID, "?"),
        ev.OrderRejected(at(1), an_order(OrderPurpose.ENTRY).client_order_id, "?"),
        ev.OrderEnded(at(9), an_order(OrderPurpose.STOP).client_order_id, EndReason.GONE, Qty(D(0)), "?"),
        ev.QuantityAdjusted(at(9), PID, "adj-1", D(3), Price(D(100)), "?"),
        ev.StopWanted(at(9), PID, Price(D(97)), "?"),
        ev.PositionOrphaned(at(9), PID, "?"),
        ev.PositionReappeared(at(10), PID, "?"),
        ev.StateNoted(at(9), "losses", "{}"),
    ]
)


@given(st.lists(EVENTS, max_size=40))
@settings(max_examples=150, deadline=None)
def test_a_replay_gives_the_same_state_twice_and_from_every_medium(events: list[ev.JournalEvent]) -> None:
    disk = DiskModel()
    journal, cheap = Journal(disk), Journal(EventMemory())
    for event in events:
        for target in (journal, cheap):
            try:
                target.record(event)
            except InvariantViolation:
                continue
    assert Journal(disk.crash()).state == Journal(disk.crash()).state == journal.state == cheap.state


@given(st.lists(EVENTS, max_size=30))
@settings(max_examples=100, deadline=None)
def test_quantities_and_order_states_never_go_backwards(events: list[ev.JournalEvent]) -> None:
    state = LedgerState()
    fills = 0
    for event in events:
        with contextlib.suppress(InvariantViolation):
            apply(state, event)
        assert len(state.fills) >= fills
        fills = len(state.fills)
        assert all(position.qty >= 0 for position in state.positions.values())
        active = [p.symbol for p in state.positions.values() if p.state.is_active]
        assert len(active) == len(set(active))


@given(st.binary(max_size=200), st.integers(0, 10_000))
@settings(max_examples=150, deadline=None)
def test_garbage_at_the_end_is_refused_or_ignored_never_believed(garbage: bytes, cut: int) -> None:
    disk = DiskModel()
    journal = Journal(disk)
    for event in (*INTENTS, *TOLD[:5]):
        journal.record(event)
    whole = disk.crash()._content
    damaged = DiskModel(bytes(whole[: cut % (len(whole) + 1)]) + garbage)
    try:
        reopened = Journal(damaged)
    except JournalCorrupt:
        return
    assert reopened.seq <= journal.seq


decimals = st.decimals(min_value="0.00000001", max_value="99999999", allow_nan=False, allow_infinity=False)


@given(decimals, decimals, decimals, st.sampled_from(Direction))
@settings(max_examples=150, deadline=None)
def test_amounts_survive_the_codec_to_the_last_digit(qty: D, price: D, fee: D, direction: Direction) -> None:  # type: ignore[valid-type]
    fill = a_fill("f1", str(qty), price=str(price), fee=str(fee), direction=direction)
    event = booked(fill)

    decoded = decode_event(1, encode_event(event))

    assert isinstance(decoded, ev.FillBooked)
    assert decoded == event
    assert (str(decoded.fill.qty), str(decoded.fill.price), str(decoded.fill.fee_usd)) == (str(qty), str(price), str(fee))
    assert decoded.fill.symbol == BTC
