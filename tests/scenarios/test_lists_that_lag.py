"""The list of positions is a minute old: what was held before the newest fill is believed of nothing that was opened since."""

from __future__ import annotations

from decimal import Decimal

from daemon_driver import play
from scenario_parts import BTC, Scenario, Wish
from scripted_wire import AnswerLost, On, Read

from trading_system.domain import events as ev
from trading_system.domain.orders import Direction
from trading_system.domain.positions import PositionState

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
