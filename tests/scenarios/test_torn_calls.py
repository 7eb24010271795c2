"""Fault case G08 through the running daemon: a cancellation that nobody here asked for comes out of a call, like a library's own."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from daemon_driver import play
from scenario_parts import BTC, ETH, At, Scenario, Wish, drop_stops
from scripted_wire import On, Raises, Read

from trading_system.domain import events as ev
from trading_system.domain.positions import PositionState

D = Decimal
QUIET_LIFE = ["entry placed", "entry filled", "stop placed", "tp1 placed", "tp2 placed"]
TORN = asyncio.CancelledError()
READS = ("positions", "orders", "fills", "snapshot", "tickers", "candles", "flows", "book", "instruments", "status")
MUTE = ((0, 10_000),)
TWO = {BTC: {0: 80_000.0}, ETH: {0: 3_000.0}}


@pytest.mark.parametrize("what", ["entry", "stop", "tp1", "tp2"])
def test_fault_g08_a_send_that_is_cancelled_from_within_is_an_open_question_and_the_daemon_lives_on(what: str) -> None:
    end = play(
        Scenario(
            prices=TWO,
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            wire=(On(what, Raises(TORN)),),
            feed_mute=MUTE,
            until_s=1_100,
        )
    )

    assert end.lives == 1
    assert end.words(BTC) == QUIET_LIFE
    assert [unknown.client_order_id.rsplit("-", 2)[1] for unknown in end.of(ev.OrderUnknown)] != []
    assert [p.state for p in end.positions] == [PositionState.PROTECTED] * 2, "and it trades on"


@pytest.mark.parametrize("what", READS)
def test_fault_g08_a_read_that_is_cancelled_from_within_ends_no_loop(what: str) -> None:
    end = play(
        Scenario(
            prices=TWO,
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            reads=(Read(what, 300, 400, raises=TORN),),
            settings={"data": {"universe": {"discovery_hours": "0.09"}}},
            acts=(At(600, drop_stops()),),
            until_s=1_100,
        )
    )

    assert end.lives == 1
    assert end.naked_s(BTC) <= 12, "protection goes on"
    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]
    assert len(end.sent("entry", ETH)) == 1, "ticks go on"
