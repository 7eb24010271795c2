"""What became of an order: positive evidence at once, absence only after repeated complete looks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from execution_builders import BTC, D, a_position_id, an_order, at, entry_events, ledger, open_events, protected_events, stop_events
from fakes.execution_venue import Looks
from trading_system.domain import events as ev
from trading_system.domain.account import VenuePosition
from trading_system.domain.orders import (
    ClientOrderId,
    Direction,
    OpenOrder,
    OrderKind,
    OrderLife,
    OrderPurpose,
    OrderStatus,
    Side,
    VenueOrderId,
)
from trading_system.domain.positions import EndReason
from trading_system.domain.units import Price, Qty
from trading_system.execution.ledger import LedgerState
from trading_system.execution.resolution import Resolution, SettleTimes, orders_to_look_up, resolve_orders
from trading_system.execution.venue_reads import StreakCounter, Streaks

PID = a_position_id()
ENTRY, STOP = ClientOrderId(f"ts-{PID}-en-1"), ClientOrderId(f"ts-{PID}-sl-1")
NOTHING = Streaks()
TIMES = SettleTimes(entry=timedelta(seconds=10), lag_s=3.0)


def a_look(s: float, orders: tuple[OpenOrder, ...] = (), positions: tuple[VenuePosition, ...] = ()) -> Looks:
    return Looks(s, at(s), positions, orders, ())


def resolved(state: LedgerState, look: Looks, memory: Streaks = NOTHING, statuses: tuple[OrderStatus, ...] | None = ()) -> Resolution:
    return resolve_orders(state, look, statuses, memory, TIMES, look.at)


def over_looks(state: LedgerState, *looks: Looks) -> list[list[ev.JournalEvent]]:
    memory, found = NOTHING, []
    for look in looks:
        resolution = resolved(state, look, memory)
        memory = resolution.memory
        found.append(list(resolution.events))
    return found


def unknown_entry() -> LedgerState:
    plan, intended, _ = entry_events()
    return ledger(plan, intended, ev.OrderUnknown(at(1), ENTRY, "timeout"))


def listed(key: ClientOrderId, venue_id: str = "", qty: str = "10", filled: str = "0", trigger: str | None = None) -> OpenOrder:
    kind = OrderKind.LIMIT if trigger is None else OrderKind.STOP
    price = None if trigger is None else Price(D(trigger))
    return OpenOrder(
        VenueOrderId(venue_id or f"v-{key}"),
        key,
        BTC,
        Side.SELL if trigger else Side.BUY,
        kind,
        Qty(D(qty)),
        Qty(D(filled)),
        None,
        price,
        "mark",
        trigger is not None,
        at(1),
        "entered_book",
    )


def test_by_default_absence_counts_only_after_the_longest_lag_of_the_venues_lists() -> None:
    assert SettleTimes().entry >= timedelta(seconds=60)
    assert SettleTimes().lag_s >= 60


def test_an_acknowledged_entry_without_a_fill_is_given_up_only_when_the_lists_have_caught_up() -> None:
    found = over_looks(ledger(*entry_events()), a_look(20), a_look(22.5), a_look(25))

    assert [len(events) for events in found] == [0, 0, 1]


def test_an_unknown_entry_is_dropped_only_after_two_complete_looks_well_past_its_deadline() -> None:
    found = over_looks(unknown_entry(), a_look(8), a_look(14.9), a_look(15.5), a_look(18))

    assert [len(events) for events in found] == [0, 0, 0, 1]
    (dropped,) = found[3]
    assert isinstance(dropped, ev.OrderEnded)
    assert (dropped.reason, dropped.filled_qty) == (EndReason.NOT_PLACED, 0)


def test_two_looks_in_quick_succession_count_as_one() -> None:
    assert over_looks(unknown_entry(), a_look(20), a_look(20.5), a_look(21.9))[-1] == []


@pytest.mark.parametrize(
    "broken",
    [
        Looks(23, at(23), None, (), ()),
        Looks(23, at(23), (), None, ()),
        Looks(23, at(23), (), (), None),
    ],
)
def test_a_look_that_failed_in_part_concludes_nothing(broken: Looks) -> None:
    assert over_looks(unknown_entry(), a_look(20), broken)[-1] == []


def test_a_failed_status_look_up_concludes_nothing() -> None:
    state, memory = unknown_entry(), NOTHING
    for s in (20, 23, 26):
        resolution = resolved(state, a_look(s), memory, statuses=None)
        memory = resolution.memory
        assert resolution.events == ()


def test_a_position_that_grew_without_fills_keeps_the_entry_open() -> None:
    grown = (VenuePosition(BTC, Direction.LONG, Qty(D(10)), Price(D(100))),)

    assert over_looks(unknown_entry(), a_look(20, (), grown), a_look(23, (), grown), a_look(26, (), grown))[-1] == []


def test_an_entry_seen_in_the_list_is_alive_whatever_the_status_word() -> None:
    (event,) = resolved(unknown_entry(), a_look(3, (listed(ENTRY),))).events

    assert event == ev.OrderPlaced(at(3), ENTRY, VenueOrderId(f"v-{ENTRY}"), None, "listed, entered_book")


@pytest.mark.parametrize(
    ("life", "kinds"),
    [
        (OrderLife.ALIVE, ["OrderPlaced"]),
        (OrderLife.FILLED, ["OrderPlaced", "OrderEnded"]),
        (OrderLife.CANCELLED, ["OrderPlaced", "OrderEnded"]),
        (OrderLife.TRIGGERED, ["OrderPlaced", "OrderEnded"]),
        (OrderLife.REJECTED, ["OrderRejected"]),
    ],
)
def test_a_status_by_id_decides_at_once(life: OrderLife, kinds: list[str]) -> None:
    status = OrderStatus(ENTRY, VenueOrderId("v9"), life, Qty(D(4)))

    found = resolved(unknown_entry(), a_look(3), statuses=(status,)).events

    assert [type(event).__name__ for event in found] == kinds


def test_an_acknowledged_order_never_becomes_rejected_from_absence() -> None:
    found = over_looks(ledger(*entry_events()), a_look(20), a_look(23))

    assert [event.reason for event in found[-1] if isinstance(event, ev.OrderEnded)] == [EndReason.GONE]


def test_a_look_older_than_the_order_says_nothing_about_it() -> None:
    state = ledger(*protected_events())
    old = Looks(9, at(1), (), (), ())

    assert over_looks(state, old, replace(old, started_s=12)) == [[], []]


def test_a_stop_that_vanished_is_noticed_in_two_looks() -> None:
    found = over_looks(ledger(*protected_events()), a_look(5), a_look(8))

    assert [e.client_order_id for e in found[-1] if isinstance(e, ev.OrderEnded) and e.reason is EndReason.GONE] == [STOP]


def amending() -> LedgerState:
    return ledger(*protected_events(), ev.AmendIntended(at(4), STOP, Qty(D(6)), Price(D(97)), "trailing"))


def test_an_amendment_of_unknown_fate_is_settled_by_what_is_listed() -> None:
    made = resolved(amending(), a_look(5, (listed(STOP, qty="6", trigger="97"),))).events
    assert made == (ev.AmendConfirmed(at(5), STOP, Qty(D(6)), Price(D(97)), "listed"),)

    not_made = listed(STOP, trigger="95")
    found = over_looks(amending(), a_look(5, (not_made,)), a_look(7, (not_made,)), a_look(10, (not_made,)))
    assert found == [[], [], [ev.AmendRefused(at(10), STOP, "listed unchanged")]]


def test_a_stop_that_somebody_shrank_is_booked_as_it_rests() -> None:
    small = listed(STOP, qty="3", trigger="95")
    found = over_looks(ledger(*protected_events()), a_look(8, (small,)), a_look(11, (small,)))

    assert found == [[], [ev.AmendConfirmed(at(11), STOP, Qty(D(3)), Price(D(95)), "listed so")]]


def test_an_order_that_was_given_up_comes_back_when_it_is_listed() -> None:
    plan, intended, _ = entry_events()
    state = ledger(plan, intended, ev.OrderEnded(at(20), ENTRY, EndReason.NOT_PLACED, Qty(D(0)), "no trace"))

    assert [type(e) for e in resolved(state, a_look(40, (listed(ENTRY),))).events] == [ev.OrderPlaced]


def test_a_second_order_under_one_id_is_told_apart() -> None:
    double = listed(ENTRY, venue_id="other")

    resolution = resolved(ledger(*open_events()), a_look(5, (double,)))

    assert resolution.doubles == (double,)


def test_only_orders_that_are_not_listed_are_looked_up() -> None:
    state = ledger(*protected_events())

    assert orders_to_look_up(state, a_look(5)) == (STOP,)
    assert orders_to_look_up(state, a_look(5, (listed(STOP, trigger="95"),))) == ()


def test_of_two_stops_both_are_looked_up_although_they_are_listed() -> None:
    """One of them is to go, and the list may be an old one."""
    state = ledger(*protected_events(), *stop_events(attempt=2))
    second = ClientOrderId(STOP.replace("-sl-1", "-sl-2"))

    assert orders_to_look_up(state, a_look(5, (listed(STOP, trigger="95"), listed(second, trigger="95")))) == (STOP, second)


def test_an_exit_that_left_no_trace_is_settled_by_one_look_when_acknowledged() -> None:
    close = an_order(OrderPurpose.CLOSE, limit_price=None)
    state = ledger(*protected_events(), ev.OrderIntended(at(5), close), ev.OrderPlaced(at(5), close.client_order_id, VenueOrderId("v5")))

    events = resolved(state, a_look(8, (listed(STOP, trigger="95"),))).events

    assert [(e.client_order_id, e.reason) for e in events if isinstance(e, ev.OrderEnded)] == [(close.client_order_id, EndReason.GONE)]


def test_a_streak_is_broken_by_another_value_or_by_a_look_without_it() -> None:
    def look(before: Streaks, s: float, value: str | None) -> tuple[Streaks, int]:
        counter = StreakCounter(before, s, 2.0)
        count = 0 if value is None else counter.count("k", value).count
        return counter.done(), count

    memory, counts = Streaks(), []
    for s, value in ((0, "a"), (3, "a"), (6, "b"), (9, "b"), (12, None), (15, "b")):
        memory, count = look(memory, s, value)
        counts.append(count)
    assert counts == [1, 2, 1, 2, 0, 1]
