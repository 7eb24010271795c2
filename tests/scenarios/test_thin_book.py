"""A stop fires and finds nobody, or too few, to trade with: what it did not fill has no stop any more (F-D11).

At second 880 the price falls through the stop at 79,200 (or rises through the short's at 80,800) while the book is empty or thin.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from daemon_driver import play
from scenario_ending import Ending
from scenario_parts import BTC, START_MS, At, Scenario, Wish, book_holds, crash

from trading_system.domain import events as ev
from trading_system.domain.modes import Mode
from trading_system.domain.orders import Direction
from trading_system.domain.positions import CloseReason, PositionState

D = Decimal
LONG = Scenario(
    prices={BTC: {0: 80_000.0, 880: 79_100.0}},
    acts=(At(870, book_holds("0")), At(890, book_holds("1"))),
    until_s=1_000,
    tolerates=("P1",),  # no order can cover what nobody buys
)
SHORT = replace(LONG, prices={BTC: {0: 80_000.0, 880: 80_900.0}}, wishes=(Wish(direction=Direction.SHORT),))


def sent_s(end: Ending, *words: str) -> list[float]:
    """When orders of that kind were sent after the price had moved, in seconds."""
    found = [record.at_ms for word in words for record in end.sent(word)]
    return sorted((at_ms - START_MS) / 1000 for at_ms in found if at_ms - START_MS >= 880_000)


def is_out(end: Ending) -> bool:
    """Once, and for good."""
    assert [p.state for p in end.positions] == [PositionState.CLOSED]
    assert not end.exchange.open_orders()
    return end.position() == 0


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_fault_d11_a_stop_that_fired_into_an_empty_book_is_followed_by_another_at_a_sane_pace(side: Scenario) -> None:
    """Each was placed, fired at once and was gone; the next one followed as fast as the venue answered."""
    end = play(side)

    assert is_out(end)
    assert end.naked_s() <= 15
    paces = [after - before for before, after in pairwise(sent_s(end, "stop", "close"))]
    assert paces
    assert min(paces) >= 2
    assert max(paces) <= 5


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_fault_d11_what_a_fired_stop_left_over_is_covered_for_exactly_that(side: Scenario) -> None:
    end = play(replace(side, acts=(At(870, book_holds("0.0002")), At(890, book_holds("1")))))

    assert is_out(end)
    first = [fill for fill in end.of(ev.FillBooked) if fill.fill.client_order_id is not None and "-sl-1" in fill.fill.client_order_id]
    left = D("0.1250") - sum(fill.fill.qty for fill in first)
    assert D(0) < left < D("0.1250"), "the book must hold a part of it"
    assert end.sent("stop")[1].request.size == left
    assert min(after - before for before, after in pairwise(sent_s(end, "stop", "close"))) >= 2


@pytest.mark.parametrize("at_s", [880.5, 884])
def test_fault_d11_a_process_that_dies_between_the_firing_and_the_next_stop_finds_the_rest(at_s: float) -> None:
    end = play(replace(LONG, acts=(At(870, book_holds("0")), At(at_s, crash(20)), At(930, book_holds("1")))))

    assert end.lives == 2
    assert is_out(end)
    assert min(after - before for before, after in pairwise(sent_s(end, "stop", "close"))) >= 2


def test_fault_d11_a_book_that_stays_empty_is_told_and_ends_in_wider_and_wider_closes_not_in_a_storm() -> None:
    end = play(replace(LONG, acts=(At(870, book_holds("0")), At(1_180, book_holds("1"))), until_s=1_300))

    assert is_out(end)
    assert end.told("NAKED_POSITION")
    assert Mode.KILL_SWITCH in end.modes, "entries are off until somebody looked"
    (asked,) = end.of(ev.CloseRequested)
    assert (asked.reason, asked.evidence) == (CloseReason.STOP_REFUSED, "no stop held for 60 s")
    closes = [record.request.limit_price for record in end.sent("close")]
    assert closes[0] is None, "at the market first"
    assert closes[1:4] == sorted(closes[1:4], reverse=True), "then further and further through it"  # type: ignore[type-var]
    assert len(sent_s(end, "stop", "close")) <= 300 / 2
