"""Plans for one position: its stop, its entry, its targets; pure, from facts to actions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from execution_builders import (
    BTC,
    D,
    a_fill,
    a_plan,
    a_view,
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
from execution_plan_cases import ENTRY, PARAMS, PID, STOP, TARGETS, TP1, actions, after_tp1, complete, planned
from trading_system.domain import events as ev
from trading_system.domain.actions import (
    AbandonEntry,
    Action,
    ActivateBreakEven,
    ActivateTrailing,
    BeginClose,
    CancelOrder,
    ClosePartial,
    CompleteEntry,
    MoveStop,
    PlaceStop,
    PlaceTakeProfit,
    ReachFinalTarget,
)
from trading_system.domain.orders import ClientOrderId, Direction, EntryStyle, OrderPurpose, PositionId, VenueOrderId
from trading_system.domain.positions import CloseReason, EndReason, Lineage
from trading_system.domain.units import Price, Qty
from trading_system.execution.ledger import LedgerState
from trading_system.execution.position_view import NEW_WATCH, FinalTarget, MarketView, Watch
from trading_system.execution.stop_plan import emergency_stop
from trading_system.execution.take_profit_plan import compute_targets
from trading_system.execution.trailing_plan import break_even_price

# --- stops ----------------------------------------------------------------------------------------------------------


def test_the_first_fill_however_small_asks_for_a_stop_for_exactly_it() -> None:
    state = ledger(*entry_events(), booked(a_fill("f1", "1")))

    assert actions(state) == (PlaceStop(PID, Qty(D(1)), Price(D(95)), "1 of 1 without a stop"),)


def test_the_stop_grows_with_the_position() -> None:
    state = ledger(*entry_events(), booked(a_fill("f1", "4")), *stop_events("4"), booked(a_fill("f2", "3")))

    assert actions(state) == (MoveStop(PID, STOP, Qty(D(7)), Price(D(95)), "position grew"),)


def shrunk(watch: Watch, venue_read_s: float, mark: str = "103") -> list[Action]:
    """What becomes of the stop when 4 of 10 were taken as profit and a reading begun at that second lists 6."""
    state = complete(booked(a_fill("f2", "4", OrderPurpose.TP1, "105", seconds=5), OrderPurpose.TP1))
    made = planned(state, a_view(mark, venue_qty=Qty(D(6)), venue_read_s=venue_read_s), watch, s=13)
    return [action for action in made.actions if isinstance(action, MoveStop)]


def test_the_stop_shrinks_with_the_position() -> None:
    watch = replace(NEW_WATCH, qty=Qty(D(6)), qty_since_s=10)

    assert shrunk(watch, 12) == [MoveStop(PID, STOP, Qty(D(6)), Price(D(95)), "size follows the position")]


def test_a_stop_that_mark_has_passed_is_not_made_smaller() -> None:
    """By an old list it seemed to rest further away; its size was to follow the position there, and the real one would have moved back."""
    watch = replace(NEW_WATCH, qty=Qty(D(6)), qty_since_s=10)

    assert shrunk(watch, 12, mark="94") == []


def test_a_reading_from_before_the_books_changed_is_no_word_on_how_much_the_venue_holds() -> None:
    """An entry the network had repeated was reduced again; an older reading seemed to agree, and the stop was cut below the position."""
    watch = replace(NEW_WATCH, qty=Qty(D(6)), qty_since_s=10)

    assert shrunk(watch, 10) == []
    assert shrunk(NEW_WATCH, 12) == [], "the books came to this quantity just now"


@pytest.mark.parametrize("venue_qty", [None, Qty(D(10))])
def test_a_stop_is_not_cut_on_the_books_alone_while_the_venue_may_hold_more(venue_qty: Qty | None) -> None:
    state = complete(booked(a_fill("f2", "4", OrderPurpose.TP1, "105", seconds=5), OrderPurpose.TP1))

    assert not any(isinstance(action, MoveStop) for action in actions(state, a_view("103", venue_qty=venue_qty)))


def test_a_stop_that_was_listed_and_is_not_any_more_gets_a_second_one_beside_it() -> None:
    seen = planned(complete(), a_view("103", listed=frozenset({STOP})), s=10).watch
    doubtful = a_view("103", listed=frozenset({TP1}), venue_naked_s=5.0)
    made = planned(complete(), doubtful, seen, s=30)

    assert [type(action) for action in made.actions] == [PlaceStop]
    assert planned(complete(), doubtful, made.watch, s=35).actions == (), "one attempt at a time"


def test_a_new_stop_that_no_list_shows_yet_is_not_taken_for_vanished() -> None:
    assert planned(complete(), a_view("103", listed=frozenset({TP1}), venue_naked_s=5.0), s=30).actions == ()


STOP_2 = ClientOrderId(f"ts-{PID}-sl-2")
SINCE_0 = replace(NEW_WATCH, qty=Qty(D(10)), qty_since_s=0, listed_s=0, stops_missed_s=0)
BOTH = frozenset({STOP, STOP_2})
AGREED = a_view("103", venue_qty=Qty(D(10)), venue_read_s=70, listed=BOTH, listed_s=70, alive=BOTH)
"""A reading begun long after the books came to 10 lists 10, and both stops, and by name they are there too."""


def test_a_cancelled_stop_that_an_old_list_brings_back_is_no_reason_to_cancel_the_one_that_replaced_it() -> None:
    """A list of half a minute ago showed the first stop, whose cancel had been answered; the second, the only one, was cancelled."""
    asked = ev.CancelRequested(at(4), STOP, "replaced", "the second rests")
    gone = ev.OrderEnded(at(5), STOP, EndReason.GONE, Qty(D(0)), "cancel answered: not known")
    back = ev.OrderPlaced(at(6), STOP, VenueOrderId(f"v-{STOP}"), None, "listed again")
    state = ledger(*protected_events(), *stop_events(attempt=2), asked, gone, back)

    both = planned(state, AGREED, SINCE_0, s=70)

    assert [a.client_order_id for a in both.actions if isinstance(a, CancelOrder)] == [STOP]


@pytest.mark.parametrize(("missed_s", "cancelled"), [(10, [STOP]), (11, []), (None, [])])
def test_two_stops_stay_while_the_list_that_shows_both_may_be_older_than_one_that_missed_one(
    missed_s: float | None, cancelled: list[ClientOrderId]
) -> None:
    """The newer stop vanished, an old list brought it back, and the older one, which was all there was, was cancelled."""
    state = ledger(*protected_events(), *stop_events(attempt=2))

    made = planned(state, AGREED, replace(SINCE_0, stops_missed_s=missed_s), s=70)

    assert [a.client_order_id for a in made.actions if isinstance(a, CancelOrder)] == cancelled


@pytest.mark.parametrize(("alive", "cancelled"), [({STOP_2}, [STOP]), ({STOP}, []), (set(), [])])
def test_a_stop_goes_only_when_the_one_that_is_to_stay_was_found_by_name(alive: set[ClientOrderId], cancelled: list[ClientOrderId]) -> None:
    """Every list lagged: the newer stop had vanished after the moment they were of, and the older one, all there was, was cancelled."""
    state = ledger(*protected_events(), *stop_events(attempt=2))

    made = planned(state, replace(AGREED, alive=frozenset(alive)), SINCE_0, s=70)

    assert [a.client_order_id for a in made.actions if isinstance(a, CancelOrder)] == cancelled


def test_a_stop_is_missed_by_a_new_list_that_lacks_it_once_it_was_sent_and_by_the_first_list_of_a_process() -> None:
    two = ledger(*protected_events(), *stop_events(attempt=2))
    sending = ledger(*protected_events(), stop_events(attempt=2)[0])

    def missed_s(state: LedgerState, listed: set[ClientOrderId], listed_s: float, watch: Watch) -> float | None:
        return planned(state, replace(AGREED, listed=frozenset(listed), listed_s=listed_s), watch).watch.stops_missed_s

    assert missed_s(two, {STOP}, 20, SINCE_0) == 20
    assert missed_s(two, {STOP}, 20, replace(SINCE_0, listed_s=20)) == 0, "it was looked at before the second was placed"
    assert missed_s(sending, {STOP}, 20, SINCE_0) == 0
    assert missed_s(two, {STOP, STOP_2}, 20, SINCE_0) == 0
    assert missed_s(two, {STOP, STOP_2}, 20, NEW_WATCH) == 20


def test_a_stop_that_is_to_be_cancelled_protects_nobody() -> None:
    state = ledger(*protected_events(), ev.CancelRequested(at(4), STOP, "replaced", "the second rests"))

    assert PlaceStop(PID, Qty(D(10)), Price(D(95)), "10 of 10 without a stop") in actions(state)


def test_nothing_is_closed_while_the_market_does_not_execute() -> None:
    state = ledger(*open_events(), stop_events()[0], ev.OrderRejected(at(3), STOP, "marketSuspended"))
    watch = Watch(naked_since_s=0, stop_tried_s=50)

    assert not any(isinstance(a, BeginClose) for a in actions(state, a_view("90", is_open=False), watch, s=80))


def test_a_wanted_stop_that_the_market_has_passed_closes_instead_of_searching_a_price() -> None:
    found = actions(ledger(*open_events()), a_view("94.5"))

    assert [(type(a), a.reason) for a in found if isinstance(a, BeginClose)] == [(BeginClose, CloseReason.THROUGH_STOP)]
    assert not any(isinstance(a, PlaceStop) for a in found)


def test_two_stops_converge_to_the_newest() -> None:
    state = ledger(*protected_events(), *stop_events(attempt=2))

    found = [a for a in actions(state, AGREED, SINCE_0, s=70) if isinstance(a, CancelOrder)]

    assert [a.client_order_id for a in found] == [STOP]


@pytest.mark.parametrize("view", [replace(AGREED, venue_qty=None), replace(AGREED, venue_qty=Qty(D(16))), replace(AGREED, venue_read_s=0)])
def test_the_second_stop_stays_while_fills_of_a_larger_position_may_be_on_their_way(view: MarketView) -> None:
    """Half of an entry's fills were known, its stop could not be amended, and the new one "covered all": the old one was cancelled."""
    state = ledger(*protected_events(), *stop_events(attempt=2))

    assert not [a for a in actions(state, view, SINCE_0, s=70) if isinstance(a, CancelOrder)]


def test_a_rest_below_one_step_is_dust_and_closes_nothing() -> None:
    state = ledger(*entry_events(), booked(a_fill("f1", "4.5")), *stop_events("4"))

    found = actions(state, watch=Watch(naked_since_s=0), s=1000)

    assert not [a for a in found if isinstance(a, (BeginClose, MoveStop, PlaceStop))]


def test_a_stop_without_a_market_price_is_placed_all_the_same() -> None:
    assert PlaceStop(PID, Qty(D(10)), Price(D(95)), "10 of 10 without a stop") in actions(ledger(*open_events()), a_view(None))


def test_a_new_tick_rounds_the_stop_to_the_side_that_does_not_cost_more() -> None:
    state = ledger(*entry_events(stop_price=Price(D("95.2"))), booked(a_fill("f1", "10")))

    assert [a.trigger_price for a in actions(state) if isinstance(a, PlaceStop)] == [D("95.5")]


@pytest.mark.parametrize(
    ("direction", "entry", "mark", "liquidation", "stop"),
    [
        (Direction.LONG, "100", "101", None, "98"),
        (Direction.LONG, "100", "90", None, "88.5"),
        (Direction.LONG, "100", "100", "99", "99.5"),
        (Direction.SHORT, "100", "99", None, "102"),
        (Direction.SHORT, "100", "100", "101", "100.5"),
    ],
)
def test_an_emergency_stop_lies_before_liquidation(direction: Direction, entry: str, mark: str, liquidation: str | None, stop: str) -> None:
    level = None if liquidation is None else D(liquidation)
    assert emergency_stop(direction, D(entry), D(mark), D("0.5"), D("0.02"), D("0.25"), level) == D(stop)


def test_an_emergency_stop_never_lies_at_the_mark_even_on_a_coarse_tick() -> None:
    assert emergency_stop(Direction.LONG, D(100), D(100), D(5), D("0.02"), D("0.25"), None) == 95


def test_an_adopted_position_past_its_stop_gets_another_stop_and_is_never_closed() -> None:
    adopted = replace(a_plan("3"), position_id=PositionId("BTC-A20251121081500"), lineage=Lineage.ADOPTED, take_profits=())
    state = ledger(ev.PositionAdopted(at(1), adopted, Price(D(100)), "listed"))

    found = actions(state, a_view("90"), Watch(naked_since_s=0), s=100)

    assert [a.trigger_price for a in found if isinstance(a, PlaceStop)] == [D("88.5")]
    assert not any(isinstance(a, BeginClose) for a in found)


# --- entry ----------------------------------------------------------------------------------------------------------


def resting_entry() -> LedgerState:
    order = an_order(OrderPurpose.ENTRY, style=EntryStyle.LIMIT)
    return ledger(ev.EntryPlanned(at(0), a_plan(style=EntryStyle.LIMIT)), ev.OrderIntended(at(0), order), placed(OrderPurpose.ENTRY))


@pytest.mark.parametrize(
    ("mark", "s", "why"),
    [("100", 119, None), ("100", 120, "entry timeout"), ("102.9", 5, None), ("103", 5, "price moved away"), ("97", 5, "price moved away")],
)
def test_a_resting_entry_is_cancelled_when_old_or_left_behind(mark: str, s: float, why: str | None) -> None:
    found = actions(resting_entry(), a_view(mark), s=s)

    assert [a.why for a in found if isinstance(a, CancelOrder)] == ([] if why is None else [why])


def test_an_entry_is_complete_only_when_everything_the_venue_told_of_is_booked() -> None:
    told = ev.OrderEnded(at(3), ENTRY, EndReason.CANCELLED, Qty(D(6)), "status: cancelled")
    state = ledger(*entry_events(), booked(a_fill("f1", "4")), *stop_events("4"), told)
    assert actions(state) == ()

    state = ledger(*entry_events(), booked(a_fill("f1", "4")), told, booked(a_fill("f2", "2")), *stop_events("6"))
    assert [a.targets.entry_size_initial for a in actions(state) if isinstance(a, CompleteEntry)] == [6]


def test_an_intent_without_any_order_is_given_up() -> None:
    assert actions(ledger(ev.EntryPlanned(at(0), a_plan()))) == (AbandonEntry(PID, "no order was ever sent"),)


def test_an_entry_of_unknown_fate_is_never_given_up_by_the_plan() -> None:
    plan_, intended, _ = entry_events()
    state = ledger(plan_, intended, ev.OrderUnknown(at(1), ENTRY, "timeout"))

    assert actions(state, s=100_000) == ()


def test_a_fill_that_was_told_but_not_booked_keeps_the_intent() -> None:
    plan_, intended, _ = entry_events()
    state = ledger(plan_, intended, ev.OrderEnded(at(1), ENTRY, EndReason.FILLED, Qty(D(10)), "cancel answered: filled"))

    assert actions(state) == ()


# --- take-profits ---------------------------------------------------------------------------------------------------


def test_both_levels_are_placed_once_the_entry_is_complete() -> None:
    state = ledger(*protected_events(), ev.EntryCompleted(at(3), PID, TARGETS, "filled"))

    assert actions(state) == (
        PlaceTakeProfit(PID, OrderPurpose.TP1, Qty(D(4)), Price(D(105))),
        PlaceTakeProfit(PID, OrderPurpose.TP2, Qty(D(4)), Price(D("112.5"))),
    )


def test_a_level_the_market_has_passed_does_not_stop_its_sibling() -> None:
    state = ledger(*protected_events(), ev.EntryCompleted(at(3), PID, TARGETS, "filled"))

    found = [a for a in actions(state, a_view("106")) if isinstance(a, PlaceTakeProfit)]

    assert [a.purpose for a in found] == [OrderPurpose.TP2]


def test_no_take_profit_while_halted_or_naked() -> None:
    naked = ledger(*open_events(), ev.EntryCompleted(at(3), PID, TARGETS, "filled"))
    covered = ledger(*protected_events(), ev.EntryCompleted(at(3), PID, TARGETS, "filled"))

    assert not any(isinstance(a, PlaceTakeProfit) for a in actions(naked))
    assert actions(covered, a_view(allow_take_profits=False)) == ()


def test_a_missing_level_is_tried_again_after_half_a_minute_and_then_once_per_cooldown() -> None:
    state = ledger(*protected_events(), ev.EntryCompleted(at(3), PID, TARGETS, "filled"))
    first = planned(state)

    assert actions(state, watch=first.watch, s=39) == ()
    again = planned(state, watch=first.watch, s=40)
    assert len(again.actions) == 2
    assert actions(state, watch=again.watch, s=639) == ()
    assert len(actions(state, watch=again.watch, s=640)) == 2


@pytest.mark.parametrize(("filled", "tp1", "tp2"), [("10", "4", "4"), ("5", "2", "2"), ("3", "1", "1"), ("2", "1", "0"), ("1", "0", "0")])
def test_targets_come_from_what_was_filled(filled: str, tp1: str, tp2: str) -> None:
    position = ledger(*open_events(filled)).active_on(BTC)
    assert position is not None

    targets = compute_targets(position, a_view())

    assert (targets.tp1_qty_target, targets.tp2_qty_target) == (D(tp1), D(tp2))


def test_a_target_below_the_venues_minimum_becomes_one_minimum_order_or_none() -> None:
    position = ledger(*open_events("10")).active_on(BTC)
    assert position is not None

    targets = compute_targets(position, a_view(size_min=Qty(D(5))))

    assert (targets.tp1_qty_target, targets.tp2_qty_target) == (5, 0)


# --- break-even, trailing, final target -----------------------------------------------------------------------------


def test_the_first_target_moves_the_stop_to_break_even() -> None:
    assert actions(after_tp1(), a_view("104")) == (ActivateBreakEven(PID, Price(D("100.5")), "first target done"),)


def test_break_even_waits_while_the_market_is_below_it() -> None:
    assert actions(after_tp1(), a_view("100")) == ()


def test_a_doubtful_quote_moves_nothing() -> None:
    assert actions(after_tp1(), a_view("104", is_fresh=False)) == ()


def test_without_an_order_for_it_the_first_target_needs_two_quotes_in_a_row() -> None:
    targets = replace(TARGETS, tp1_qty_target=Qty(D(0)), tp2_qty_target=Qty(D(0)))
    state = ledger(*protected_events(), ev.EntryCompleted(at(3), PID, targets, "filled"))
    first = planned(state, a_view("105", quote_at=at(10)))
    same = planned(state, a_view("105", quote_at=at(10)), first.watch)
    back = planned(state, a_view("104", quote_at=at(11)), same.watch)
    third = planned(state, a_view("105", quote_at=at(12)), back.watch)
    fourth = planned(state, a_view("105", quote_at=at(13)), third.watch)

    assert [plan_.actions for plan_ in (first, same, back, third)] == [(), (), (), ()]
    assert [type(a) for a in fourth.actions] == [ActivateBreakEven]


def trailing(multiple: str = "2.0", stop: str = "100.5") -> LedgerState:
    moved = (
        ev.BreakEvenActivated(at(7), PID, Price(D(stop)), "first target done"),
        ev.AmendIntended(at(7), STOP, Qty(D(6)), Price(D(stop)), "wanted"),
        ev.AmendConfirmed(at(7), STOP, Qty(D(6)), Price(D(stop))),
        ev.TrailingActivated(at(8), PID, D(multiple), "1 R"),
    )
    return after_tp1(*moved)


def test_the_stop_trails_by_a_multiple_of_atr() -> None:
    assert [(a.qty, a.trigger_price) for a in actions(trailing(), a_view("108")) if isinstance(a, MoveStop)] == [(6, D(104))]


@pytest.mark.parametrize("mark", ["104.5", "104"])
def test_the_stop_never_trails_backwards_nor_for_less_than_a_tenth_of_a_percent(mark: str) -> None:
    assert actions(trailing(), a_view(mark)) == ()


@pytest.mark.parametrize(("mark", "multiple"), [("115", "1.8"), ("125", "1.4"), ("140", "1.0")])
def test_the_multiple_falls_with_profit(mark: str, multiple: str) -> None:
    assert [a.multiple for a in actions(trailing(), a_view(mark)) if isinstance(a, ActivateTrailing)] == [D(multiple)]


def test_the_smallest_multiple_reached_is_kept() -> None:
    assert [a.trigger_price for a in actions(trailing("1.0"), a_view("108")) if isinstance(a, MoveStop)] == [D(106)]


def test_nothing_trails_below_the_least_volatility() -> None:
    params = replace(PARAMS, trailing_activation_atr_min=D("0.05"))
    assert actions(trailing(), a_view("108"), params=params) == ()


@pytest.mark.parametrize(
    ("target", "kinds"),
    [
        (FinalTarget.NONE, []),
        (FinalTarget.TIGHTEN_TRAIL, [ReachFinalTarget, ActivateTrailing]),
        (FinalTarget.CLOSE_PARTIAL, [ReachFinalTarget, ClosePartial]),
        (FinalTarget.CLOSE_FULL, [ReachFinalTarget, BeginClose]),
    ],
)
def test_the_final_target_does_what_is_configured(target: FinalTarget, kinds: list[type]) -> None:
    found = actions(complete(), a_view("115"), params=replace(PARAMS, final_target=target))
    assert [type(a) for a in found] == kinds


def test_break_even_lies_as_many_fees_away_as_the_setting_says() -> None:
    state = complete()
    position = state.active_on(BTC)
    assert position is not None

    assert break_even_price(position, PARAMS, D("0.01")) == D("100.10")
    assert break_even_price(position, replace(PARAMS, break_even_fees=D(6)), D("0.01")) == D("100.30")
