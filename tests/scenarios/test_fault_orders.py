"""Fault cases A (the outcome of an order is not known) and B (fills) through the running daemon.

Each scenario breaks one thing on the wire; besides what it asserts, the driver judges the safety properties of every run.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pytest
from daemon_driver import play
from scenario_parts import BTC, At, Scenario, Wish, by_hand, crash
from scripted_wire import AnswerLost, ArrivesLate, CutTo, Doubled, On, ProcessDies, Raises, Read, Refused, RequestLost, SlowAnswer

from trading_system.domain import events as ev
from trading_system.domain.account import FeedEvent, FeedFill, FeedOrder
from trading_system.domain.modes import Mode
from trading_system.domain.orders import FillKind, OrderLife, Side
from trading_system.domain.positions import EndReason, PositionState
from trading_system.domain.symbols import to_venue
from trading_system.sim.model import SendRequest
from trading_system.torture.venue_log import Actor, Cancelled

D = Decimal
QUIET_LIFE = ["entry placed", "entry filled", "stop placed", "tp1 placed", "tp2 placed"]
MUTE = ((0, 10_000),)
LISTS = ("fills", "positions", "orders")
QUICK_SIGNALS = {"strategy": {"signal_cooldown_hours": "0.01"}}
POST_ONLY = {"execution": {"entry_type": "limit_post_only"}}


# --- A ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evidence", ["timeout", "502 Bad Gateway"])
def test_fault_a01_a04_an_entry_that_filled_without_an_answer_is_found_and_protected(evidence: str) -> None:
    end = play(Scenario(wire=(On("entry", AnswerLost(evidence)),), feed_mute=MUTE))

    assert end.words() == QUIET_LIFE
    assert end.naked_s() <= 4, "one poll"
    assert [unknown.evidence for unknown in end.of(ev.OrderUnknown)] == [evidence]


def test_fault_a02_an_entry_without_an_answer_is_never_sent_again() -> None:
    end = play(Scenario(wire=(On("entry", RequestLost(), times=None),), until_s=600))

    assert end.words() == []
    assert len(end.of(ev.OrderIntended)) == 1
    assert [p.state for p in end.positions] == [PositionState.CANCELLED]
    assert [ended.reason for ended in end.of(ev.OrderEnded)] == [EndReason.NOT_PLACED]


@pytest.mark.parametrize("after_s", [2, 4])
def test_fault_a03_an_entry_that_arrives_late_is_adopted_by_its_name_and_protected(after_s: float) -> None:
    end = play(Scenario(wire=(On("entry", ArrivesLate(after_s)),), feed_mute=MUTE))

    assert end.words() == QUIET_LIFE
    assert end.naked_s() <= 4


def test_fault_a03_an_entry_that_arrives_after_its_deadline_is_dropped_by_the_venue() -> None:
    end = play(Scenario(wire=(On("entry", ArrivesLate(30)),), feed_mute=MUTE, until_s=300))

    assert end.position() == 0
    assert [s.is_accepted for s in end.sent("entry")] == [False]
    assert [p.state for p in end.positions] == [PositionState.CANCELLED]


def test_fault_a03_a_stop_that_arrives_late_joins_the_one_placed_meanwhile_and_one_is_left() -> None:
    end = play(Scenario(wire=(On("stop", ArrivesLate(20)),), until_s=200))

    assert end.words().count("stop placed") == 2
    assert end.words().count("stop cancelled") == 1
    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert end.naked_s() <= 8, "it does not wait for the first one"


def test_fault_a05_an_acknowledged_entry_that_no_list_shows_never_counts_as_refused() -> None:
    end = play(Scenario(reads=tuple(Read(what, 0, 25, lag_s=25) for what in LISTS), feed_mute=MUTE))

    assert end.words() == QUIET_LIFE
    assert not end.of(ev.OrderRejected)
    assert not end.of(ev.EntryAbandoned)
    assert end.naked_s() <= 30, "as long as nobody could see it"


def test_fault_a06_an_order_that_no_status_knows_is_looked_for_in_the_fills() -> None:
    end = play(Scenario(wire=(On("entry", AnswerLost()),), reads=(Read("status", hides=True),), feed_mute=MUTE))

    assert end.words() == QUIET_LIFE


@pytest.mark.parametrize("answer", [None, AnswerLost()], ids=["acknowledged", "answer lost"])
@pytest.mark.parametrize("life", [None, OrderLife.CANCELLED], ids=["no status", "status cancelled, filled 0"])
def test_fault_a05_a07_an_executed_entry_that_seems_to_be_gone_blocks_its_symbol_until_fills_agree(
    answer: AnswerLost | None, life: OrderLife | None
) -> None:
    """Every list is up to a minute behind; the next signal comes while nothing shows the fill."""
    end = play(
        Scenario(
            wishes=(Wish(), Wish(at_s=900)),
            wire=() if answer is None else (On("entry", answer),),
            reads=(
                Read("status", 0, 1000, hides=life is None, status_says=life),
                *(Read(what, 850, 920, lag_s=55) for what in LISTS),
            ),
            feed_mute=MUTE,
            start_s=865,
            until_s=1000,
            settings=QUICK_SIGNALS,
        )
    )

    assert len(end.sent("entry")) == 1, end.tale()
    assert end.position() == D("0.1250")
    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]
    assert not end.of(ev.EntryAbandoned)


def test_fault_a08_a_packet_the_venue_takes_twice_is_found_protected_and_given_back() -> None:
    end = play(Scenario(wire=(On("entry", Doubled()),)))

    assert end.words().count("entry filled") == 2
    assert end.position() == D("0.1250")
    assert [(s.request.size, s.request.reduce_only) for s in end.sent("reduce")] == [(D("0.1250"), True)]
    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert end.naked_s() <= 4


def test_fault_a08_a_second_copy_of_an_entry_that_rests_is_cancelled_before_it_fills() -> None:
    """It was told as a second order under one id, to a person, and rested until it filled."""
    copy = SendRequest(to_venue(BTC), "lmt", "buy", D("0.125"), limit_price=D(79_500), cli_ord_id="ts-BTC-202609070000-en-1")
    late = At(20, lambda world: world.as_other(lambda exchange: exchange.send(copy), Actor.NETWORK))

    end = play(Scenario(acts=(late,), until_s=100))

    cancelled = [record for record in end.records if isinstance(record, Cancelled) and record.actor is Actor.DAEMON]
    assert [record.order.limit_price for record in cancelled if record.order] == [D(79_500)]
    assert (cancelled[0].at_ms - end.records[0].at_ms) / 1000 <= 20 + 5
    assert [event.kind for event in end.of(ev.DecisionNoted) if "double" in event.kind] == ["double_cancelled"]
    assert (end.position(), [p.state for p in end.positions]) == (D("0.1250"), [PositionState.PROTECTED])


def test_fault_a08_what_was_given_back_is_not_given_back_again_because_an_old_list_still_shows_it() -> None:
    end = play(
        Scenario(
            wire=(On("entry", Doubled()), On("reduce", RequestLost(), times=2)),
            reads=(Read("positions", 13, 60, lag_s=10),),
            until_s=200,
        )
    )

    assert end.words().count("entry filled") == 2
    assert len([s for s in end.sent("reduce") if s.is_accepted]) == 1, end.tale()
    assert end.position() == D("0.1250")
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]


def test_fault_a08_an_id_that_is_in_use_already_means_look_not_another_id() -> None:
    end = play(Scenario(wire=(On("stop", Doubled()), On("tp1", Doubled())), until_s=100))

    assert [word for word in end.words() if word.startswith("stop")] == ["stop placed", "stop clientOrderIdAlreadyExist"]
    assert len(end.stops()) == 1
    assert [kind for kind, _, _ in end.limits()] == ["tp1", "tp2"]


def test_fault_a12_an_answer_nobody_can_read_is_an_unknown_outcome_like_any_other() -> None:
    end = play(Scenario(wire=(On("entry", Raises(TypeError("'NoneType' object is not subscriptable"))),), feed_mute=MUTE))

    assert end.words() == QUIET_LIFE
    assert "TypeError" in end.of(ev.OrderUnknown)[0].evidence
    assert not end.unexpected


def test_fault_a13_an_outage_of_all_reads_forgets_no_order() -> None:
    end = play(Scenario(wire=(On("entry", AnswerLost()),), reads=(Read("all", 1, 300, fails=True),), feed_mute=((0, 300),), until_s=500))

    assert end.words() == QUIET_LIFE
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]
    assert end.modes == [Mode.NORMAL, Mode.DEGRADED, Mode.NORMAL]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("what", ["entry", "stop", "tp1", "amend"])
def test_fault_g11_a_process_that_dies_at_any_request_leaves_one_protected_position_or_none(what: str, moment: str) -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 200: 80_900.0}},
            wire=(On(what, ProcessDies(moment)),),  # type: ignore[arg-type]
            until_s=400,
        )
    )

    assert end.lives == 2
    assert len(end.sent("entry")) == (0 if (what, moment) == ("entry", "before") else 1)
    assert [size for size, _ in end.stops()] == ([abs(end.position())] if end.position() else [])
    assert end.naked_s() <= 15, "five seconds of them nobody was there"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_fault_g11_a_stop_that_was_written_and_perhaps_never_sent_is_sorted_out_by_the_first_look(moment: str) -> None:
    """The next process waited for the time an attempt gets, naked, although whoever could have sent it was gone."""
    end = play(Scenario(wire=(On("stop", ProcessDies(moment)),), feed_mute=MUTE, until_s=120))  # type: ignore[arg-type]

    assert end.lives == 2
    assert end.naked_s() <= (7 if moment == "before" else 0), "five seconds of them nobody was there"
    assert [qty for qty, _ in end.stops()] == [end.position()]
    assert end.words().count("stop placed") == 1


def test_fault_g11_a_stop_that_rests_while_the_list_is_behind_is_doubled_for_a_while_and_one_remains() -> None:
    """After a restart the list does not show the stop that is there: a second one is harmless, and they become one again."""
    end = play(Scenario(wire=(On("stop", ProcessDies("after")),), reads=(Read("orders", 0, 40, lag_s=30),), feed_mute=MUTE, until_s=200))

    assert end.naked_s() == 0
    assert [qty for qty, _ in end.stops()] == [end.position()]


# --- B ------------------------------------------------------------------------------------------------------------------


def test_fault_b01_an_odd_kind_of_fill_is_booked_like_any_other() -> None:
    end = play(
        Scenario(
            acts=(At(60, by_hand(Side.SELL, "0.05")),),
            reads=(Read("fills", 0, 1000, fill_kind=FillKind.ASSIGNMENT),),
            feed_mute=MUTE,
        )
    )

    assert [p.qty for p in end.positions] == [D("0.0750")]
    assert {booked.fill.kind for booked in end.of(ev.FillBooked)} == {FillKind.TAKER, FillKind.ASSIGNMENT}
    assert end.stops()[0][0] == D("0.0750")


def as_cancelled(event: FeedEvent) -> Iterable[FeedEvent]:
    """Every order that leaves the book is told as cancelled, and executions are not told at all."""
    if isinstance(event, FeedFill):
        return ()
    if isinstance(event, FeedOrder) and event.gone_reason is not None:
        return (FeedOrder(event.symbol, event.venue_order_id, event.client_order_id, "cancelled_by_user"),)
    return (event,)


def test_fault_b02_removed_because_it_filled_and_told_as_cancelled_the_fills_win() -> None:
    end = play(Scenario(prices={BTC: {0: 80_000.0, 100: 80_900.0}}, feed_edit=as_cancelled, until_s=250))

    assert end.words()[:6] == [*QUIET_LIFE, "tp1 filled"]
    assert [p.tally.tp1_filled for p in end.positions] == [D("0.0625")]
    assert [p.state for p in end.positions] == [PositionState.PARTIAL]
    assert end.words().count("tp1 placed") == 1


def test_fault_b03_everything_told_twice_counts_once() -> None:
    end = play(Scenario(prices={BTC: {0: 80_000.0, 100: 80_900.0}}, feed_edit=lambda event: (event, event), until_s=250))

    assert len(end.of(ev.FillBooked)) == 2
    assert [p.qty for p in end.positions] == [D("0.0625")]


def test_fault_b05_a_stop_that_fired_unseen_closes_the_books_with_its_real_exit() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 100: 79_100.0}},
            reads=(Read("fills", 95, 130, lag_s=40), Read("status", 0, 1000, hides=True)),
            feed_mute=MUTE,
            until_s=200,
        )
    )

    assert end.position() == 0
    (position,) = end.positions
    assert position.state is PositionState.CLOSED
    assert position.closure is not None
    assert (position.closure.reason.value, position.closure.exit_price) == ("stop", D(79_098))
    assert all(stop.request.reduce_only for stop in end.sent("stop")), "placing it again meanwhile can do no harm"
    assert not end.sent("close")
    assert not end.exchange.open_orders()


def test_fault_b06_lists_that_lag_behind_the_feed_undo_nothing() -> None:
    end = play(Scenario(reads=tuple(Read(what, 0, 65, lag_s=60) for what in LISTS), until_s=200))

    assert end.words() == QUIET_LIFE
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]
    assert end.naked_s() == 0


def test_fault_b08_a_position_seen_before_its_fills_is_not_counted_twice() -> None:
    end = play(Scenario(wire=(On("entry", AnswerLost()),), reads=(Read("fills", 0, 30, lag_s=40),), feed_mute=MUTE))

    assert end.words() == QUIET_LIFE
    assert len(end.of(ev.QuantityAdjusted)) == 1
    assert [(p.qty, p.tally.adjusted) for p in end.positions] == [(D("0.1250"), 0)]
    assert end.naked_s() <= 4, "the stop does not wait for the fills"


def test_fault_b09_a_cancel_that_says_cancelled_for_an_order_that_had_filled() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 119: 79_900.0}},
            wire=(On("cancel entry", Refused("cancelled")),),
            settings=POST_ONLY,
            feed_mute=MUTE,
            until_s=300,
        )
    )

    assert end.position() > 0
    assert end.stops()[0][0] == end.position()
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]
    assert end.naked_s() <= 8


def test_fault_b10_a_cancel_that_loses_the_race_finds_the_fill_and_protects() -> None:
    end = play(Scenario(prices={BTC: {0: 80_000.0, 119: 79_900.0}}, settings=POST_ONLY, feed_mute=MUTE, until_s=300))

    assert end.position() > 0
    assert end.stops()[0][0] == end.position()
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]
    assert end.naked_s() <= 8


def test_fault_b11_what_was_filled_sizes_everything_that_follows() -> None:
    end = play(Scenario(prices={BTC: {0: 80_000.0, 100: 80_900.0}}, wire=(On("entry", CutTo("0.0410")),), until_s=250))

    assert end.sent("entry")[0].request.size == D("0.1250")
    assert end.sent("stop")[0].request.size == D("0.0410")
    assert [(s.request.size) for s in (*end.sent("tp1"), *end.sent("tp2"))] == [D("0.0205"), D("0.0164")]
    assert end.position() == D("0.0205")
    assert end.stops()[0][0] == D("0.0205")


def test_fault_d06_the_stop_grows_with_every_further_fill() -> None:
    """A resting entry fills over ten seconds."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 20: 79_998.0, 60: 80_010.0}},
            deposit="100000",
            settings=POST_ONLY,
            until_s=200,
        )
    )

    fills = end.words().count("entry filled")
    assert fills >= 5
    assert end.naked_s() <= 3
    assert end.stops()[0][0] == end.position()
    sizes = [event.qty for event in end.of(ev.AmendConfirmed)]
    assert sizes == sorted(sizes)


def test_fault_a03_a_slow_answer_to_the_entry_does_not_hold_up_its_stop() -> None:
    end = play(Scenario(wire=(On("entry", SlowAnswer(9)),)))

    assert end.words() == QUIET_LIFE
    assert end.naked_s() <= 4


def test_fault_c07_two_crashes_invent_nothing() -> None:
    end = play(Scenario(acts=(At(40, crash()), At(80, crash())), until_s=200))

    assert end.words() == QUIET_LIFE
    assert len(end.positions) == 1
    assert not end.of(ev.QuantityAdjusted)
