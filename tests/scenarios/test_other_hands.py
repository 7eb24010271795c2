"""Somebody else writes to the account with our names, and orders whose fate stays open: through the running daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from daemon_driver import play
from scenario_parts import BTC, Act, At, Scenario, Wish, by_hand, crash, operator
from scripted_wire import AnswerLost, ArrivesLate, On, Read, Refused, RequestLost

from execution_builders import D
from trading_system.domain.account import FeedEvent, FeedFill
from trading_system.domain.events import EntryDisplaced, PositionAdopted
from trading_system.domain.modes import Mode
from trading_system.domain.orders import Direction, Side
from trading_system.domain.positions import OrderState, PositionState
from trading_system.domain.symbols import to_venue
from trading_system.sim.model import SendRequest
from trading_system.wiring.control_protocol import ResumeOrder

STRANGER = "ts-BTC-202609070300-sl-1"


def another_daemon(**order: Any) -> Act:
    request = SendRequest(to_venue(BTC), order.pop("kind"), order.pop("side"), D("0.01"), cli_ord_id=STRANGER, **order)
    return lambda world: world.as_other(lambda exchange: exchange.send(request))


THEIR_ENTRY = another_daemon(kind="lmt", side="buy", limit_price=D(70_000))
THEIR_STOP = another_daemon(kind="stp", side="sell", stop_price=D(70_000), reduce_only=True, trigger_signal="mark")


@pytest.mark.parametrize("theirs", [THEIR_ENTRY, THEIR_STOP], ids=["an entry", "a stop"])
def test_an_order_with_our_name_that_we_did_not_send_halts_and_is_left_alone(theirs: Act) -> None:
    end = play(Scenario(acts=(At(60, theirs),), wishes=(Wish(), Wish(at_s=900)), until_s=1000))

    assert end.mode_changes[-1][1] is Mode.HALTED
    assert [told.kind for told in end.alarms if told.urgent].count("SYSTEM_HALTED") == 1
    assert any(STRANGER in told.text for told in end.alarms)
    assert sum("StrangeOrder" in told.text for told in end.alarms) == 1, "told once, not at every look"
    assert [order.cli_ord_id for order in end.exchange.open_orders() if order.cli_ord_id == STRANGER] == [STRANGER]
    assert len(end.sent("entry")) == 1
    assert end.stops()


def test_after_a_resume_the_same_order_halts_no_second_time_until_the_next_start() -> None:
    acts = (At(60, THEIR_ENTRY), At(200, operator(ResumeOrder("it is the old machine's, it stays"))), At(400, crash()))
    end = play(Scenario(acts=acts, until_s=600))

    assert end.answers == ("",)
    assert [mode for _, mode in end.mode_changes] == [Mode.NORMAL, Mode.HALTED, Mode.NORMAL, Mode.HALTED]


def test_a_manual_order_without_our_name_halts_nothing() -> None:
    end = play(Scenario(acts=(At(60, by_hand(Side.BUY, "0.01")),), until_s=200))

    assert {mode for _, mode in end.mode_changes} == {Mode.NORMAL}


def test_a_person_hears_of_an_order_whose_fate_is_unknown_for_ten_minutes() -> None:
    settings = {"safety": {"api_errors_per_minute_max": 100_000}}
    end = play(
        Scenario(
            wire=(On("tp1", AnswerLost()),),
            reads=(Read("all", 1, 900, fails=True),),
            feed_mute=((0, 900),),
            settings=settings,
            until_s=880,
            in_peace=False,
            tolerates=("P1", "P3"),
        )
    )

    stuck = [told for told in end.alarms if "ten minutes" in told.text]
    assert len(stuck) == 1
    assert stuck[0].urgent
    assert "tp1-1" in stuck[0].text
    assert len(end.sent("tp1")) == 1


def lost_fill(qty: str) -> Callable[[FeedEvent], Iterable[FeedEvent]]:
    """The private feed never tells of executions of this size."""
    return lambda event: () if isinstance(event, FeedFill) and event.fill.qty == D(qty) else (event,)


def test_a_stop_that_cannot_grow_keeps_its_place_until_the_venue_holds_no_more_than_the_books() -> None:
    """The owner bought twice, one fill went unheard: the second stop covered all of the books, and the first was cancelled."""
    end = play(
        Scenario(
            acts=(At(61, by_hand(Side.BUY, "0.05")), At(61, by_hand(Side.BUY, "0.03"))),
            wire=(On("amend", Refused("invalidPrice"), from_s=59, to_s=70),),
            feed_edit=lost_fill("0.05"),
            until_s=200,
        )
    )

    assert end.naked_s() <= 4
    assert [qty for qty, _ in end.stops()] == [D("0.205")], "in the end one is enough"
    assert "stop cancelled" in end.words()


@pytest.mark.parametrize("fate", [RequestLost(), ArrivesLate(20)], ids=["never arrives", "arrives late"])
def test_what_the_owner_opens_on_the_other_side_does_not_wait_for_the_fate_of_our_entry(fate: Any) -> None:
    """Found by torture: the symbol's place in the books was taken by an entry of unknown fate, and 33 s passed without a stop."""
    end = play(Scenario(wire=(On("entry", fate),), acts=(At(5, by_hand(Side.SELL, "0.5")),), until_s=200))

    (displaced,) = end.of(EntryDisplaced)
    (adopted,) = end.of(PositionAdopted)
    assert (adopted.plan.direction, end.position() < 0) == (Direction.SHORT, True)
    assert sum(size for size, _ in end.stops()) == -end.position()
    assert end.naked_s() <= 15
    assert end.journal.state.positions[displaced.position_id].state is PositionState.CANCELLED
    assert [order.state for order in end.journal.state.orders.values() if order.purpose.is_entry] == [OrderState.ENDED]
    assert len(end.sent("entry")) == (0 if isinstance(fate, RequestLost) else 1)
