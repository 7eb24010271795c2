"""Fault cases C (snapshots and reconciliation) and D (protection) through the running daemon."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest
from daemon_driver import play
from scenario_parts import (
    BTC,
    ETH,
    At,
    Hands,
    Scenario,
    Wish,
    by_hand,
    close_by_hand,
    crash,
    dead_mans_switch,
    drop_stops,
    limit_by_hand,
    market_is,
    operator,
    stop_by_hand,
)
from scripted_wire import Hangs, On, Read, Refused, RequestLost

from trading_system.domain import events as ev
from trading_system.domain.modes import Mode
from trading_system.domain.orders import Direction, Side
from trading_system.domain.positions import CloseReason, EndReason, PositionState
from trading_system.sim.model import MarketMode, OrderType
from trading_system.torture.venue_log import Actor, WatchedExchange
from trading_system.wiring.control_protocol import FlattenOrder

D = Decimal
QUIET_LIFE = ["entry placed", "entry filled", "stop placed", "tp1 placed", "tp2 placed"]
MUTE = ((0, 10_000),)
LISTS = ("fills", "positions", "orders")
FLAT_ETH = {BTC: {0: 80_000.0}, ETH: {0: 3_000.0}}


# --- C ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [*LISTS, "snapshot", "status", "tickers", "instruments"])
def test_fault_c01_could_not_read_is_never_flat(what: str) -> None:
    """Five minutes without that answer, and a restart in the middle of them."""
    end = play(Scenario(acts=(At(150, crash()),), reads=(Read(what, 30, 330, fails=True),), feed_mute=MUTE, until_s=500))

    assert end.words() == QUIET_LIFE
    assert end.position() == D("0.1250")
    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]


def test_fault_c01_one_list_that_says_flat_while_another_lags_concludes_nothing() -> None:
    end = play(Scenario(reads=(Read("positions", 60, 110, lag_s=200), Read("fills", 0, 500, lag_s=30)), feed_mute=MUTE, until_s=300))

    assert end.words() == QUIET_LIFE
    assert not end.of(ev.PositionClosed)
    assert not end.of(ev.PositionOrphaned)


def test_fault_c04_closed_by_hand_while_nobody_was_there() -> None:
    end = play(Scenario(acts=(At(60, crash(down_s=60)), At(80, close_by_hand())), until_s=250))

    (position,) = end.positions
    assert position.closure is not None
    assert (position.closure.reason, position.closure.exit_price) == (CloseReason.BY_HAND, D(79_998))
    assert end.position() == 0
    assert not end.exchange.open_orders(), "ours are gone"
    assert end.words().count("stop placed") == 1, "and no new ones came"


def test_fault_c04_closed_by_hand_while_it_runs_and_nothing_tells_it() -> None:
    end = play(Scenario(acts=(At(60, close_by_hand()),), feed_mute=MUTE, until_s=200))

    assert [p.closure.reason for p in end.positions if p.closure] == [CloseReason.BY_HAND]
    assert not end.exchange.open_orders()
    assert not end.sent("close")


def test_fault_c05_a_liquidation_is_booked_counted_and_told() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 102: 70_300.0}},
            wishes=(),
            acts=(At(1, by_hand(Side.BUY, "1.0")), At(100, drop_stops(who=Actor.HUMAN))),
            wire=(On("stop", Refused("invalidPrice"), times=None, from_s=90, to_s=110),),
            start_s=10,
            until_s=300,
        )
    )

    assert "liquidation filled" in end.words(), end.tale()
    assert end.position() == 0
    (position,) = end.positions
    assert position.closure is not None
    assert position.closure.reason in (CloseReason.LIQUIDATION, CloseReason.DELEVERAGED), "the venue's own kinds of exit"
    assert [alarm.urgent for alarm in end.told("POSITION_CLOSED")] == [True]
    assert end.logged("Daily stop loss hit"), "the loss counts"


def test_fault_c02_an_adopted_position_is_managed_but_never_closed_for_want_of_a_stop() -> None:
    end = play(
        Scenario(
            wishes=(),
            acts=(At(1, by_hand(Side.BUY, "0.05")),),
            wire=(On("stop", Refused("invalidPrice"), times=None, to_s=200),),
            start_s=5,
            until_s=400,
        )
    )

    assert not end.sent("close")
    assert end.position() == D("0.05")
    assert len(end.stops()) == 1
    assert end.told("NAKED_POSITION")
    assert end.modes[-1] is Mode.KILL_SWITCH, "entries are off until somebody looked"


def test_a_close_without_an_answer_does_not_keep_the_stop_waiting() -> None:
    """The stop had vanished while the close was on its way: for nine seconds nothing was sent."""
    end = play(
        Scenario(
            acts=(At(60, operator(FlattenOrder("FLATTEN 1 POSITION"))), At(61, drop_stops())),
            wire=(On("close", Hangs(10.0), times=1),),
            until_s=120,
        )
    )

    assert [sent.request.size for sent in end.sent("stop")] == [D("0.1250")] * 2
    assert end.naked_s() <= 4
    assert len(end.sent("close")) == 1, "the one that hung never arrived"
    assert end.position() == 0
    assert not end.exchange.open_orders()


def every_stop_vanishes(world: Hands) -> None:
    """Without a word: no feed, no history tells of it."""
    for order in world.exchange.open_orders():
        if order.order_type is OrderType.STP:
            world.as_other(partial(_vanish, order.order_id), Actor.VENUE)


def _vanish(order_id: str, exchange: WatchedExchange) -> object:
    return exchange.vanish(order_id)


def test_the_stop_beside_one_that_vanished_never_arrived_and_is_not_waited_for_after_that_is_known() -> None:
    """An adopted position: nine seconds went by between the proof and the next attempt, sixteen without a stop."""
    lost = On("stop", RequestLost("the venue said apiLimitExceeded"), from_s=110, times=1)
    end = play(Scenario(wishes=(), acts=(At(30, by_hand(Side.BUY, "0.05")), At(120, every_stop_vanishes)), wire=(lost,), until_s=200))

    assert [type(event).__name__ for event in end.of(ev.OrderEnded)] == ["OrderEnded", "OrderEnded"]
    proven = [event.at for event in end.of(ev.OrderEnded) if event.reason is EndReason.NOT_PLACED]
    again = [event.at for event in end.of(ev.OrderPlaced) if event.at >= proven[0]]
    assert (again[0] - proven[0]).total_seconds() <= 3
    assert end.stops() == [(D("0.05"), end.positions[0].stop_wanted)]


def test_fault_c02_the_owners_orders_are_never_cancelled() -> None:
    end = play(
        Scenario(
            prices=FLAT_ETH,
            acts=(
                At(1, limit_by_hand(Side.BUY, "1", "2900", ETH)),
                At(20, limit_by_hand(Side.SELL, "0.01", "85000")),
                At(30, stop_by_hand(Side.SELL, "0.01", "79000")),
                At(60, crash()),
            ),
            until_s=200,
        )
    )

    assert "foreign cancelled" not in end.words()
    assert [kind for kind, _, _ in end.limits()] == ["foreign", "tp1", "tp2"]
    assert (D("0.1250"), D(79_200)) in end.stops()


def test_fault_c08_a_list_of_orders_that_cannot_be_read_is_not_a_missing_stop() -> None:
    end = play(Scenario(reads=(Read("orders", 5, 200, fails=True),), until_s=300))

    assert end.words() == QUIET_LIFE


def test_fault_c08_a_list_of_orders_from_before_the_stop_does_not_double_it() -> None:
    end = play(Scenario(reads=(Read("orders", 0, 55, lag_s=60), Read("status", 0, 1000, hides=True)), until_s=200))

    assert end.naked_s() == 0
    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert len(end.limits()) == 2


def test_fault_c10_a_market_that_is_delisted_while_held_does_not_keep_the_others_from_being_managed() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 200: 80_900.0}, ETH: {0: 3_000.0}},
            wishes=(Wish(BTC), Wish(ETH)),
            acts=(At(60, market_is(MarketMode.DELISTED, ETH)), At(100, crash())),
            until_s=400,
        )
    )

    assert "tp1 filled" in end.words(BTC)
    assert end.words(BTC)[-1] == "stop moved"
    assert not end.sent("close")
    assert not end.unexpected


def test_fault_c_a_position_that_was_turned_round_by_hand_is_booked_and_the_new_one_protected() -> None:
    end = play(Scenario(acts=(At(60, by_hand(Side.SELL, "0.2")), At(150, close_by_hand())), until_s=300))

    assert [(p.direction, p.state) for p in end.positions] == [
        (Direction.LONG, PositionState.CLOSED),
        (Direction.SHORT, PositionState.CLOSED),
    ]
    assert not end.sent("close"), "nothing of it was ours to close"
    assert end.sent("stop")[-1].request.side == "buy"
    assert not end.exchange.open_orders(), "the stop of the first one went when nothing was left on its market"
    assert end.naked_s() <= 10


# --- D ------------------------------------------------------------------------------------------------------------------


def test_fault_d03_a_market_that_is_past_the_stop_when_it_is_to_be_placed_again_is_left_at_once() -> None:
    end = play(Scenario(prices={BTC: {0: 80_000.0, 61: 79_050.0}}, acts=(At(60.5, drop_stops()),), feed_mute=MUTE, until_s=200))

    assert end.position() == 0
    assert [p.state for p in end.positions] == [PositionState.CLOSED]
    assert end.naked_s() <= 15
    assert not end.exchange.open_orders()


def test_fault_d03_past_the_stop_and_known_to_be_so_it_closes_instead_of_looking_for_another_price() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 59: 79_050.0}},
            acts=(At(58, drop_stops()),),
            wire=(On("stop", Refused("outsidePriceCollar"), times=None, from_s=50),),
            feed_mute=MUTE,
            until_s=200,
        )
    )

    assert end.position() == 0
    assert [p.closure.reason for p in end.positions if p.closure] == [CloseReason.THROUGH_STOP]
    assert all(s.request.reduce_only for s in end.sent("close"))
    assert end.naked_s() <= 15


def test_fault_d04_two_stops_after_a_cancel_that_failed_become_one_and_never_none() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 100: 80_900.0}},
            wire=(On("amend", Refused("orderForEditNotFound"), times=3), On("cancel stop", RequestLost(), times=2)),
            until_s=400,
        )
    )

    assert len(end.stops()) == 1
    assert end.stops()[0][0] == D("0.0625")
    assert end.naked_s() == 0


def test_fault_d05_a_stop_that_is_refused_twice_is_tried_again_and_nothing_is_closed() -> None:
    end = play(Scenario(wire=(On("stop", Refused("invalidPrice"), times=2),), until_s=100))

    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert end.naked_s() <= 12
    assert not end.sent("close")
    assert [rejected.reason for rejected in end.of(ev.OrderRejected)] == ["invalidPrice"] * 2


def test_fault_d05_a_stop_that_is_always_refused_ends_the_position_within_x_hard() -> None:
    end = play(Scenario(wire=(On("stop", Refused("invalidPrice"), times=None),), until_s=120, tolerates=("P1",)))

    closes = end.sent("close")
    assert closes
    assert 60 <= (closes[0].at_ms - end.sent("entry")[0].at_ms) / 1000 <= 66
    assert end.position() == 0
    assert [p.closure.reason for p in end.positions if p.closure] == [CloseReason.STOP_REFUSED]


@pytest.mark.parametrize("who", [Actor.VENUE, Actor.HUMAN])
def test_fault_d12_a_stop_that_vanishes_is_placed_again_within_a_poll(who: Actor) -> None:
    end = play(Scenario(acts=(At(60, drop_stops(who=who)), At(90, drop_stops(who=who))), feed_mute=MUTE, until_s=200))

    assert end.words() == [*QUIET_LIFE, "stop cancelled", "stop placed", "stop cancelled", "stop placed"]
    assert end.naked_s() <= 12
    assert not end.sent("close")


def test_fault_d07_a_stray_countdown_that_cancels_everything_costs_seconds() -> None:
    end = play(Scenario(acts=(At(60, dead_mans_switch(5)),), until_s=200))

    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert end.naked_s() <= 12


def test_fault_d13_while_nothing_executes_the_stop_stays_and_nothing_is_flattened() -> None:
    """Post-only after a downtime: the market falls through the stop meanwhile."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 100: 78_900.0}, ETH: {0: 3_000.0}},
            wishes=(Wish(BTC), Wish(BTC, at_s=900)),
            acts=(At(60, market_is(MarketMode.POST_ONLY)), At(300, market_is(MarketMode.ONLINE))),
            until_s=400,
        )
    )

    assert not end.sent("close")
    assert end.words(BTC)[-1] == "stop filled"
    assert end.words(BTC).count("stop placed") == 1
    assert [p.closure.reason for p in end.positions if p.closure] == [CloseReason.STOP]
    assert Mode.KILL_SWITCH not in end.modes


def test_fault_d14_d15_a_stop_for_a_position_that_just_went_never_turns_it() -> None:
    """It is closed by hand in the very second in which it fills, and the lists are behind."""
    end = play(
        Scenario(
            acts=(At(0.5, close_by_hand()), At(1, drop_stops())),
            reads=tuple(Read(what, 0, 40, lag_s=20) for what in LISTS),
            feed_mute=MUTE,
            until_s=200,
        )
    )

    assert end.position() == 0
    assert [p.state for p in end.positions] == [PositionState.CLOSED]
    assert not end.exchange.open_orders()
    assert all(s.request.reduce_only for what in ("stop", "tp1", "tp2", "close") for s in end.sent(what))


def test_fault_d16_a_target_that_is_refused_for_ever_costs_neither_stop_nor_sibling() -> None:
    end = play(Scenario(wire=(On("tp2", Refused("invalidPrice"), times=None),), until_s=900))

    assert [kind for kind, _, _ in end.limits()] == ["tp1"]
    assert end.stops() == [(D("0.1250"), D(79_200))]
    began, *again = (refused.at for refused in end.of(ev.OrderRejected))
    after_s = [round((at - began).total_seconds()) for at in again]
    assert after_s == [30, 630], "tried again once the position is 30 s old, then every ten minutes"


def test_fault_d17_the_stop_of_a_short_is_rounded_to_the_side_of_less_loss() -> None:
    end = play(Scenario(wishes=(Wish(direction=Direction.SHORT, stop_price=80_800.6),), until_s=60))

    assert end.stops() == [(end.sent("entry")[0].request.size, D(80_800))]
