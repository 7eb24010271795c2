"""A list is a minute old: positions from before the newest fill are believed of nothing opened since, and of orders a list brings
back what is gone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from daemon_driver import play
from scenario_ending import Ending
from scenario_parts import BTC, At, Hands, Scenario, Wish, crash
from scripted_wire import AnswerLost, On, Read

from trading_system.domain import events as ev
from trading_system.domain.orders import Direction
from trading_system.domain.positions import PositionState
from trading_system.sim.model import OrderType
from trading_system.torture.venue_log import Actor

D = Decimal
AT_ONCE = {"strategy": {"signal_cooldown_hours": "0.01"}}
STOPPED_OUT = {BTC: {0: 80_000.0, 880: 79_100.0}}
"""A long of 0.125 with its stop at 79,200 is out at second 880."""
OLD_LIST = (Read("positions", 890, 960, lag_s=60),)


def test_the_position_that_was_stopped_out_takes_no_cover_from_the_larger_one_opened_seconds_later() -> None:
    end = play(Scenario(prices=STOPPED_OUT, wishes=(Wish(), Wish(at_s=900, stop=0.005)), settings=AT_ONCE, reads=OLD_LIST, until_s=1_100))

    first, second = end.positions
    assert (first.state, second.state) == (PositionState.CLOSED, PositionState.PROTECTED)
    assert second.qty > first.tally.entered, "otherwise the old list could not take anything away"
    assert not end.of(ev.QuantityAdjusted)
    assert end.stops() == [(second.qty, D(second.stop_wanted))]


def test_a_reversal_seconds_after_the_stop_is_not_handed_to_a_human_because_the_list_still_shows_the_old_side() -> None:
    short = Wish(at_s=900, direction=Direction.SHORT)
    end = play(Scenario(prices=STOPPED_OUT, wishes=(Wish(), short), settings=AT_ONCE, reads=OLD_LIST, until_s=1_100))

    assert [p.state for p in end.positions] == [PositionState.CLOSED, PositionState.PROTECTED]
    assert not end.of(ev.PositionQuarantined)


def test_an_entry_whose_answer_was_lost_is_not_filled_with_the_position_before_it() -> None:
    """Its fills come late; until then the list tells of the position that is closed."""
    end = play(
        Scenario(
            prices=STOPPED_OUT,
            wishes=(Wish(), Wish(at_s=900, stop=0.005)),
            settings=AT_ONCE,
            wire=(On("entry", AnswerLost(), from_s=890),),
            reads=(*OLD_LIST, Read("fills", 895, 930, hides=True)),
            feed_mute=((0, 10_000),),
            until_s=1_100,
            tolerates=("P1",),  # nothing that could be read told of the new position before its fills did
        )
    )

    assert not [adjusted for adjusted in end.of(ev.QuantityAdjusted) if adjusted.delta == end.positions[0].tally.entered]
    assert [p.state for p in end.positions] == [PositionState.CLOSED, PositionState.PROTECTED]
    assert end.stops() == [(end.positions[1].qty, end.positions[1].stop_wanted)]


def newest_stop_vanishes(world: Hands) -> None:
    """Without a word: no feed, no history tells of it."""
    stops = [order for order in world.exchange.open_orders() if order.order_type is OrderType.STP]
    world.as_other(lambda x: x.vanish(stops[0].order_id), Actor.VENUE)  # they are listed newest first


SECOND_STOP_VANISHED = Scenario(
    # a list from before the first stop: a second one is placed beside it and vanishes, and a list of the moments between brings it back
    wishes=(Wish(at_s=900),),
    reads=(Read("orders", 915, 1_000, lag_s=20),),
    acts=(At(920, newest_stop_vanishes),),
    until_s=1_200,
)


def cancelled_stops(end: Ending) -> list[int]:
    """Which of our stops were asked to go, by attempt."""
    asked = [event.client_order_id for event in end.of(ev.CancelRequested) if "-sl-" in event.client_order_id]
    return [int(key.rpartition("-")[2]) for key in asked]


def test_a_stop_that_an_old_list_brings_back_does_not_cost_the_position_the_one_that_rests() -> None:
    end = play(SECOND_STOP_VANISHED)

    assert [placed.evidence for placed in end.of(ev.OrderPlaced) if placed.evidence.startswith("listed again")]
    assert cancelled_stops(end) == []
    assert end.stops() == [(end.positions[0].qty, end.positions[0].stop_wanted)]


def test_a_process_that_begins_on_an_old_list_cancels_none_of_the_stops_it_shows() -> None:
    """The process before knew that the second one was gone."""
    end = play(replace(SECOND_STOP_VANISHED, acts=(*SECOND_STOP_VANISHED.acts, At(940, crash(15)))))

    assert end.lives == 2
    assert cancelled_stops(end) == []
    assert end.stops() == [(end.positions[0].qty, end.positions[0].stop_wanted)]


def test_a_stop_that_vanished_behind_lists_that_all_lag_does_not_cost_the_position_the_other_one() -> None:
    """No list had lacked either for a minute, and the newer was gone all the same: it is asked for by name before the other goes."""
    lagging = replace(
        SECOND_STOP_VANISHED, reads=(Read("orders", 915, 1_100, lag_s=55),), acts=(At(1_000, newest_stop_vanishes),), until_s=1_300
    )

    end = play(lagging)

    assert len(end.sent("stop")) == 2
    assert cancelled_stops(end) == []
    assert end.stops() == [(end.positions[0].qty, end.positions[0].stop_wanted)]


def test_two_stops_become_one_again_a_minute_after_the_lists_agree() -> None:
    end = play(replace(SECOND_STOP_VANISHED, acts=()))

    assert cancelled_stops(end) == [1]
    assert end.stops() == [(end.positions[0].qty, end.positions[0].stop_wanted)]
