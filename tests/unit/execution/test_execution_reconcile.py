"""Books against venue: adopt, adjust, defer, hand to a human; never destroy."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from execution_builders import (
    BTC,
    D,
    a_fill,
    a_position_id,
    an_order,
    at,
    booked,
    entry_events,
    ledger,
    open_events,
    placed,
    protected_events,
)
from fakes.execution_venue import Looks
from trading_system.domain import events as ev
from trading_system.domain.account import VenuePosition
from trading_system.domain.actions import CancelOrder
from trading_system.domain.orders import (
    ClientOrderId,
    Direction,
    FillKind,
    OpenOrder,
    OrderKind,
    OrderPurpose,
    PositionId,
    Side,
    VenueOrderId,
)
from trading_system.domain.positions import CloseReason, EndReason
from trading_system.domain.units import Price, Qty, Usd
from trading_system.execution.ledger import LedgerState
from trading_system.execution.reconcile import (
    AdjustQuantity,
    Adopt,
    AdoptPending,
    CancelLeftover,
    Defer,
    Finding,
    MarketFacts,
    Orphan,
    Quarantine,
    Reappear,
    ReconcileRules,
    StrangeOrder,
    Unmanaged,
    reconcile,
)
from trading_system.execution.venue_reads import Streaks

PID = a_position_id()
FACTS = {BTC: MarketFacts(Price(D(101)), D("0.5"), D(1))}
RULES = ReconcileRules()


def held(qty: str = "10", direction: Direction = Direction.LONG) -> tuple[VenuePosition, ...]:
    return (VenuePosition(BTC, direction, Qty(D(qty)), Price(D(100))),)


def a_look(s: float, positions: tuple[VenuePosition, ...] | None = (), orders: tuple[OpenOrder, ...] | None = ()) -> Looks:
    return Looks(s, at(s), positions, orders, ())


def findings(state: LedgerState, *looks: Looks, rules: ReconcileRules = RULES) -> list[tuple[Finding, ...]]:
    memory, found = Streaks(), []
    for look in looks:
        result = reconcile(state, look, memory, FACTS, rules)
        memory = result.memory
        found.append(result.findings)
    return found


def a_stop(trigger: str = "97", qty: str = "10", key: str = "v50", side: Side = Side.SELL, reduce_only: bool = True) -> OpenOrder:
    return OpenOrder(
        VenueOrderId(key),
        None,
        BTC,
        side,
        OrderKind.STOP,
        Qty(D(qty)),
        Qty(D(0)),
        None,
        Price(D(trigger)),
        "mark",
        reduce_only,
        at(0),
        "untouched",
    )


def test_a_position_only_the_venue_knows_is_adopted_with_a_stop_price_of_our_own() -> None:
    ((adopt,),) = findings(LedgerState(), a_look(5, held()))

    assert isinstance(adopt, Adopt)
    assert (adopt.plan.position_id, adopt.plan.stop_price, adopt.plan.qty) == ("BTC-A20251121081505", D(98), 10)
    assert adopt.stop is None


def test_an_existing_reduce_only_stop_is_kept() -> None:
    ((adopt,),) = findings(LedgerState(), a_look(5, held(), (a_stop("90", key="v1"), a_stop("97", key="v2"), a_stop("99", "3", key="v3"))))

    assert isinstance(adopt, Adopt)
    assert adopt.stop is not None
    assert (adopt.stop.venue_order_id, adopt.stop.is_foreign, adopt.plan.stop_price) == ("v2", True, D(97))


@pytest.mark.parametrize("useless", [a_stop("102"), a_stop(side=Side.BUY), a_stop(reduce_only=False)])
def test_a_stop_that_does_not_protect_is_not_taken_for_one(useless: OpenOrder) -> None:
    ((adopt,),) = findings(LedgerState(), a_look(5, held(), (useless,)))

    assert isinstance(adopt, Adopt)
    assert adopt.stop is None


def test_under_alert_only_nothing_is_adopted() -> None:
    ((finding,),) = findings(LedgerState(), a_look(5, held()), rules=replace(RULES, adopt_phantoms=False))
    assert isinstance(finding, Unmanaged)


@pytest.mark.parametrize("look", [a_look(5, None), a_look(5, held(), None)])
def test_a_failed_reading_adopts_nothing(look: Looks) -> None:
    ((*found,),) = findings(LedgerState(), look)
    assert not any(isinstance(finding, Adopt) for finding in found)


def test_a_position_just_closed_is_not_adopted_from_an_old_snapshot() -> None:
    state = ledger(
        *open_events(),
        booked(a_fill("f2", "10", None, seconds=4), None),
        ev.PositionClosed(at(5), PID, CloseReason.BY_HAND, None, Usd(D(0)), Usd(D(0)), Usd(D(0)), "fill f2"),
    )

    looks = [a_look(s, held()) for s in (3, 6, 9, 63, 66)]

    assert [type(finding) for (finding,) in findings(state, *looks)] == [Defer, Defer, Defer, Defer, Adopt]


def test_another_position_right_after_a_close_is_adopted_when_a_second_look_agrees() -> None:
    state = ledger(
        *open_events(),
        booked(a_fill("f2", "10", None, seconds=4), None),
        ev.PositionClosed(at(5), PID, CloseReason.BY_HAND, None, Usd(D(0)), Usd(D(0)), Usd(D(0)), "fill f2"),
    )
    short = held("3", Direction.SHORT)

    assert [type(finding) for (finding,) in findings(state, a_look(6, short), a_look(9, short))] == [Defer, Adopt]


def test_an_entry_in_flight_that_the_venue_holds_is_adopted_into_its_intent() -> None:
    plan, intended, _ = entry_events()
    state = ledger(plan, intended, ev.OrderUnknown(at(1), ClientOrderId(f"ts-{PID}-en-1"), "timeout"))

    ((finding,),) = findings(state, a_look(5, held("6")))

    assert isinstance(finding, AdoptPending)
    assert (finding.position_id, finding.delta) == (PID, 6)


def test_an_entry_in_flight_that_the_venue_does_not_hold_is_left_to_its_resolution() -> None:
    assert findings(ledger(*entry_events()), a_look(5), a_look(8), a_look(500)) == [(), (), ()]


def test_a_difference_waits_for_fills_and_is_adjusted_when_a_second_look_agrees() -> None:
    first, second = findings(ledger(*protected_events()), a_look(65, held("7")), a_look(68, held("7")))

    assert [type(finding) for finding in first] == [Defer]
    assert isinstance(second[0], AdjustQuantity)
    assert (second[0].delta, second[0].adjustment_id) == (-3, f"adj-{PID}-10-0-7")


def test_less_than_the_fills_come_to_is_not_believed_while_the_list_may_be_from_before_them() -> None:
    """Our fill is of second 1: a list that lags by up to a minute may still show what was held before it."""
    looks = [a_look(s, held("7")) for s in (5, 8, 57, 60, 63)]

    assert [type(finding) for (finding,) in findings(ledger(*protected_events()), *looks)] == [Defer, Defer, Defer, Defer, AdjustQuantity]


def test_more_than_the_fills_come_to_is_protected_at_once_and_taken_back_as_soon() -> None:
    more = ledger(*protected_events(), ev.QuantityAdjusted(at(8), PID, "adj-1", D(3), Price(D(100)), "venue lists long 13"))

    grown = findings(ledger(*protected_events()), a_look(5, held("13")), a_look(8, held("13")))
    taken_back = findings(more, a_look(11, held("10")), a_look(14, held("10")))

    assert [type(finding) for (finding,) in (*grown, *taken_back)] == [Defer, AdjustQuantity, Defer, AdjustQuantity]


def closed_then(direction: Direction, *later: ev.JournalEvent) -> LedgerState:
    """A long of 10 ended at second 4; an entry of 10 in `direction` is in flight since second 6."""
    other = replace(entry_events()[0].plan, position_id=PositionId("BTC-202511210830"), direction=direction, planned_at=at(6))
    return ledger(
        *open_events(),
        booked(a_fill("f2", "10", None, seconds=4), None),
        ev.PositionClosed(at(5), PID, CloseReason.BY_HAND, None, Usd(D(0)), Usd(D(0)), Usd(D(0)), "fill f2"),
        ev.EntryPlanned(at(6), other),
        *later,
    )


def test_an_entry_in_flight_is_not_taken_for_filled_by_a_list_that_still_shows_the_last_position() -> None:
    state = closed_then(Direction.LONG)

    assert [type(finding) for (finding,) in findings(state, *(a_look(s, held()) for s in (8, 11, 63, 66)))] == [
        Defer,
        Defer,
        Defer,
        AdoptPending,
    ]


def test_a_hand_that_trades_later_does_not_make_the_last_position_end_later() -> None:
    """What the owner opened waited a whole minute for its stop, taken for a position that had ended long before."""
    by_hand = replace(a_fill("f9", "4", None, seconds=98), side=Side.BUY, client_order_id=None)
    state = closed_then(Direction.SHORT, ev.FillBooked(at(98), by_hand, PositionId("BTC-202511210830"), None))

    kinds = [type(finding) for (finding,) in findings(state, a_look(101, held("4")), a_look(104, held("4")))]
    assert kinds == [Defer, Adopt], "two looks, not a minute"


def test_what_is_held_on_the_other_side_does_not_wait_for_the_fate_of_an_entry() -> None:
    """What the owner opened by hand stood for half a minute without a stop: its place in the books was an unknown entry's."""
    plan, intended, _ = entry_events()
    state = ledger(plan, intended, ev.OrderUnknown(at(2), intended.order.client_order_id, "no answer"))

    (first,), (second,) = findings(state, a_look(5, held("3", Direction.SHORT)), a_look(8, held("3", Direction.SHORT)))

    assert isinstance(first, Defer)
    assert isinstance(second, Adopt)
    assert (second.displaces, second.plan.direction, second.plan.qty) == (PID, Direction.SHORT, D(3))


def test_a_reversal_is_not_displaced_by_a_list_that_still_shows_the_last_position() -> None:
    state = closed_then(Direction.SHORT)

    kinds = [type(finding) for (finding,) in findings(state, *(a_look(s, held()) for s in (8, 11, 63, 66)))]
    assert kinds == [Defer, Defer, Defer, Adopt]


def test_a_difference_below_one_step_is_none() -> None:
    assert findings(ledger(*protected_events()), a_look(5, held("10.5")), a_look(8, held("10.5"))) == [(), ()]


def test_a_reading_older_than_our_newest_fill_is_ignored() -> None:
    state = ledger(*open_events(), booked(a_fill("f2", "4", None, seconds=9), None))

    assert findings(state, a_look(7, held("10")), a_look(8.5, held("10"))) == [(), ()]


def test_the_other_direction_is_a_matter_for_a_human() -> None:
    short = held("3", Direction.SHORT)
    first, second = findings(ledger(*protected_events()), a_look(5, short), a_look(8, short))

    assert [type(f) for f in (*first, *second)] == [Defer, Quarantine]


def test_a_position_that_vanished_without_a_fill_is_orphaned_late_and_never_closed() -> None:
    looks = [a_look(s) for s in range(5, 100, 3)]
    found = findings(ledger(*protected_events()), *looks)

    kinds = [type(finding) for look in found for finding in look]
    assert kinds[0] is Defer
    assert Orphan in kinds
    # 21 s after the first complete look that cannot be from before the fill of second 1
    assert looks[kinds.index(Orphan)].started_s == 62 + 21


def test_incomplete_readings_never_orphan() -> None:
    looks = [Looks(s, at(s), (), (), None) for s in range(5, 100, 3)]
    found = findings(ledger(*protected_events()), *looks)

    assert {type(finding) for look in found for finding in look} == {Defer}


def test_an_orphan_that_is_listed_again_comes_back() -> None:
    state = ledger(*protected_events(), ev.PositionOrphaned(at(30), PID, "unexplained"))

    ((finding,),) = findings(state, a_look(40, held()))
    assert isinstance(finding, Reappear)


def leftover(purpose: OrderPurpose) -> LedgerState:
    key = ClientOrderId(f"ts-{PID}-{purpose.value}-1")
    if purpose is OrderPurpose.ENTRY:
        plan, intended, _ = entry_events()
        return ledger(
            plan,
            intended,
            ev.OrderEnded(at(20), key, EndReason.NOT_PLACED, Qty(D(0)), "no trace"),
            ev.EntryAbandoned(at(20), PID, "no trace"),
            placed(purpose, at=at(30)),
        )
    tp = an_order(OrderPurpose.TP1, qty="4", limit_price=Price(D(105)))
    return ledger(
        *open_events(),
        ev.OrderIntended(at(3), tp),
        placed(OrderPurpose.TP1),
        booked(a_fill("f2", "10", None, seconds=4, kind=FillKind.LIQUIDATION), None),
        ev.PositionClosed(at(5), PID, CloseReason.LIQUIDATION, None, Usd(D(0)), Usd(D(0)), Usd(D(0)), "fill f2"),
    )


def test_a_leftover_of_ours_is_cancelled_after_two_looks_without_the_position() -> None:
    first, second = findings(leftover(OrderPurpose.TP1), a_look(8), a_look(11))

    assert first == ()
    assert [f.action.client_order_id for f in second if isinstance(f, CancelLeftover)] == [f"ts-{PID}-tp1-1"]


def test_a_leftover_is_kept_while_the_venue_lists_a_position() -> None:
    found = findings(leftover(OrderPurpose.TP1), a_look(8, held()), a_look(11, held()))
    assert not [f for look in found for f in look if isinstance(f, CancelLeftover)]


def test_an_entry_that_came_to_life_after_its_intent_was_given_up_is_cancelled_at_once() -> None:
    ((finding,),) = findings(leftover(OrderPurpose.ENTRY), a_look(40))

    assert isinstance(finding, CancelLeftover)


def test_the_orders_of_a_human_are_never_touched() -> None:
    found = findings(LedgerState(), a_look(5, (), (a_stop(),)), a_look(8, (), (a_stop(),)))
    assert found == [(), ()]


def test_an_order_of_our_format_that_we_never_wrote_is_reported() -> None:
    strange = replace(a_stop(), client_order_id=ClientOrderId("ts-ETH-202511210815-sl-1"))

    ((finding,),) = findings(LedgerState(), a_look(5, (), (strange,)))
    assert finding == StrangeOrder(strange)


def test_no_finding_can_close_a_position() -> None:
    """The only action a finding can carry is the cancel of an order of ours whose position is over."""
    kinds = Finding.__args__  # type: ignore[attr-defined]
    carried = {field.type for kind in kinds for field in fields(kind) if "Action" in str(field.type) or "Order" in str(field.type)}
    assert carried <= {"CancelOrder", "OwnOrder | None", "OpenOrder"}
    assert CancelOrder.__name__ in carried
