"""Reads that are answered late, and a log that was not read for long: neither may cost protection or money in the books."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from daemon_driver import play
from scenario_parts import BTC, ETH, At, Scenario, Wish, a_market, crash, drop_stops, money_moves
from scripted_wire import Read

from trading_system.domain import events as ev

D = Decimal
MUTE = ((0, 10_000),)


@pytest.mark.parametrize("what", ["positions", "orders", "fills"])
def test_a_stop_that_vanishes_during_a_slow_look_is_seen_by_the_next_one_in_time(what: str) -> None:
    """Looks one after the other took up to two slow answers and a poll between them: 16 s without a stop."""
    slow = Read(what, 72, 75.4, slow_s=8)
    end = play(Scenario(acts=(At(75.5, drop_stops()),), reads=(slow,), feed_mute=MUTE, until_s=200))

    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert end.naked_s() <= 4


def test_a_stop_that_vanishes_does_not_wait_until_the_fate_of_orders_was_looked_up() -> None:
    slow = Read("status", 57, 80, slow_s=9)
    end = play(Scenario(acts=(At(60.5, drop_stops()),), reads=(slow,), feed_mute=MUTE, until_s=200))

    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert end.naked_s() <= 4


def test_a_wallet_that_is_read_slowly_is_believed_although_quicker_looks_overtook_it() -> None:
    """It was dropped with the lists read beside it, which were older by then, and the entry was sized on the wallet of before."""
    two = Scenario(
        prices={BTC: {0: 80_000.0}, ETH: {0: 3_000.0}}, wishes=(Wish(ETH, at_s=900),), acts=(At(800, money_moves("-6000")),), until_s=1_000
    )
    quick = play(two)
    slow = play(replace(two, reads=(Read("snapshot", 790, 1_000, slow_s=4.5),)))

    assert [sent.request.size for sent in slow.sent("entry")] == [sent.request.size for sent in quick.sent("entry")]


def test_funding_that_was_paid_before_a_long_downtime_is_booked_on_its_position_afterwards() -> None:
    """The process died before it had read the account log of the full hour, and came back much later than the usual overlap."""
    end = play(
        Scenario(
            specs={BTC: replace(a_market("PF_XBTUSD"), funding_base_hourly=D("0.0001"))},
            acts=(At(7_240, crash(down_s=900)),),
            reads=(Read("flows", 7_190, 7_250, fails=True),),
            until_s=8_900,
        )
    )

    (booked,) = end.of(ev.FundingBooked)
    (position,) = end.positions
    assert booked.position_id == position.position_id
    assert booked.amount < 0
    assert position.tally.funding == booked.amount
