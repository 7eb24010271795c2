"""Entries of one cycle go one after the other: what changes while the venue is slow to answer counts for those that follow."""

from __future__ import annotations

from daemon_driver import play
from scenario_parts import BTC, DOGE, ETH, At, Scenario, Wish, touch
from scripted_wire import Hangs, On, Read

from trading_system.domain.modes import Mode

THREE = {BTC: {0: 80_000.0}, ETH: {0: 3_000.0}, DOGE: {0: 0.1}}


def test_a_halt_that_comes_while_the_first_entry_is_on_its_way_stops_the_second() -> None:
    end = play(
        Scenario(
            prices=THREE,
            wishes=(Wish(BTC, score=95.0), Wish(ETH, score=85.0)),
            wire=(On("entry", Hangs(8)),),
            acts=(At(4, touch("KILL_SWITCH")),),
            until_s=120,
            in_peace=False,
        )
    )

    assert end.modes[-1] is Mode.KILL_SWITCH
    assert not end.sent("entry")
    assert [line.fields["reason"] for line in end.logged("ENTRY_REFUSED")] == ["MODE_NOT_NORMAL"]


def test_a_venue_that_needs_long_for_each_entry_gets_no_more_of_them_on_quotes_that_have_become_old() -> None:
    """Five entries with the book read before each held a cycle up for more than three minutes."""
    end = play(
        Scenario(
            prices=THREE,
            wishes=(Wish(BTC, score=95.0), Wish(ETH, score=85.0), Wish(DOGE, score=80.0)),
            wire=(On("entry", Hangs(10), times=2),),
            reads=(Read("book", 0, 60, slow_s=8),),
            until_s=59,
            in_peace=False,
        )
    )

    assert not end.sent("entry", DOGE)
    assert [line.fields["reason"] for line in end.logged("ENTRY_REFUSED")] == ["QUOTE_UNUSABLE"]
