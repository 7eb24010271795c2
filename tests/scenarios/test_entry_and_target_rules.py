"""A resting entry that is not filled, and the final target, each variant through the running daemon."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from daemon_driver import play
from scenario_ending import Ending
from scenario_parts import BTC, START_MS, At, Scenario, Wish, crash
from scripted_wire import AnswerLost, On, RequestLost

from trading_system.domain import events as ev
from trading_system.domain.orders import Direction
from trading_system.domain.positions import CloseReason, PositionState

D = Decimal
MUTE = ((0, 10_000),)
POST_ONLY: dict[str, Any] = {"execution": {"entry_type": "limit_post_only"}}
TO_THREE_R = {BTC: {0: 80_000.0, 60: 80_900.0, 120: 82_100.0, 180: 82_600.0}}
"""TP1 at 80,800, TP2 at 82,000, three R at 82,400; ATR14(4h) is 160."""


def cancelled_at(end: Ending) -> list[tuple[float, str]]:
    """When cancels of entries were asked for, and why."""
    # asked again every ten seconds until its end is proven: that is no second decision
    asked = [event for event in end.of(ev.CancelRequested) if "-en-" in event.client_order_id and event.why != "cancel again"]
    return [(event.at.timestamp() - START_MS / 1000, event.why) for event in asked]


# --- the entry ------------------------------------------------------------------------------------------------------


def rested(price_s: dict[int, float], **more: Any) -> Ending:
    """A post-only buy at the bid of 80,000 that the market does not come back to."""
    return play(Scenario(prices={BTC: {0: 80_000.0, **price_s}}, settings=POST_ONLY, until_s=more.pop("until_s", 320), **more))


def test_an_entry_that_rests_for_two_minutes_is_cancelled_and_its_symbol_is_free_once_that_is_sure() -> None:
    end = rested({3: 80_100.0})

    assert [why for _, why in cancelled_at(end)] == ["entry timeout"]
    assert 120 <= cancelled_at(end)[0][0] <= 125
    assert end.words() == ["entry placed", "entry cancelled"]
    assert [p.state for p in end.positions] == [PositionState.CANCELLED]


@pytest.mark.parametrize("price", [82_500.0, 77_500.0], ids=["ran away", "fell through"])
def test_an_entry_the_market_left_behind_by_three_percent_is_cancelled_at_once_or_filled(price: float) -> None:
    end = rested({30: price}, until_s=200)

    if price > 80_000:
        assert [why for _, why in cancelled_at(end)] == ["price moved away"]
        assert 30 <= cancelled_at(end)[0][0] <= 95
        assert [p.state for p in end.positions] == [PositionState.CANCELLED]
    else:
        assert end.words()[:2] == ["entry placed", "entry filled"]
        assert end.position() == 0, "below its stop before the stop could rest: closed"


def test_a_price_just_inside_three_percent_cancels_nothing() -> None:
    assert cancelled_at(rested({30: 82_300.0}, until_s=110)) == []


@pytest.mark.parametrize("answer", [RequestLost(), AnswerLost()], ids=["request lost", "answer lost"])
def test_a_cancel_without_an_answer_is_asked_again_until_the_entry_is_gone(answer: RequestLost | AnswerLost) -> None:
    end = rested({3: 80_100.0}, wire=(On("cancel", answer),), feed_mute=MUTE, until_s=400)

    assert len(end.sent("entry")) == 1
    assert [p.state for p in end.positions] == [PositionState.CANCELLED]
    assert not end.exchange.open_orders()


def test_an_entry_that_fills_while_its_cancel_is_under_way_is_a_position_like_any_other() -> None:
    """The request to cancel is lost, and then the market comes back."""
    end = rested({3: 80_100.0, 123: 79_900.0}, wire=(On("cancel", RequestLost()),), feed_mute=MUTE)

    assert end.position() > 0
    assert end.stops() == [(end.position(), D(79_200))]
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]


def test_the_two_minutes_are_counted_over_a_crash() -> None:
    end = rested({3: 80_100.0}, acts=(At(60, crash(100)),), until_s=400)

    assert [why for _, why in cancelled_at(end)] == ["entry timeout"]
    assert cancelled_at(end)[0][0] <= 170
    assert [p.state for p in end.positions] == [PositionState.CANCELLED]


# --- the final target -----------------------------------------------------------------------------------------------


def at_three_r(action: str, prices: Any = None, **more: Any) -> Ending:
    settings = {"multi_tp": {"final_target": {"action": action}}}
    return play(Scenario(prices=prices or TO_THREE_R, settings=settings, until_s=400, **more))


def test_by_default_the_final_target_does_nothing_and_the_runner_runs() -> None:
    end = at_three_r("none")

    assert end.of(ev.FinalTargetReached) == ()
    assert end.position() == D("0.0125")
    assert end.stops() == [(D("0.0125"), D(82_313))], "1.8 ATR behind 82,600"


def test_the_final_target_may_tighten_the_trail() -> None:
    end = at_three_r("tighten_trail")

    assert len(end.of(ev.FinalTargetReached)) == 1
    assert end.position() == D("0.0125")
    assert end.stops() == [(D("0.0125"), D(82_409))], "1.2 ATR behind 82,600"


def test_the_final_target_may_close_half_of_what_is_left_once() -> None:
    end = at_three_r("close_partial", acts=(At(250, crash()),))

    assert len(end.of(ev.FinalTargetReached)) == 1
    assert [sent.request.size for sent in end.sent("reduce")] == [D("0.0062")]
    assert end.position() == D("0.0063")
    assert [size for size, _ in end.stops()] == [D("0.0063")]


def test_the_final_target_may_close_everything_with_its_reason() -> None:
    end = at_three_r("close_full")

    assert [event.reason for event in end.of(ev.PositionClosed)] == [CloseReason.FINAL_TARGET]
    assert end.position() == 0
    assert not end.exchange.open_orders()


def test_the_final_target_of_a_short_is_mirrored() -> None:
    fall = {BTC: {0: 80_000.0, 60: 79_100.0, 120: 77_900.0, 180: 77_400.0}}
    end = at_three_r("close_full", fall, wishes=(Wish(direction=Direction.SHORT),))

    assert [event.reason for event in end.of(ev.PositionClosed)] == [CloseReason.FINAL_TARGET]
    assert end.position() == 0
