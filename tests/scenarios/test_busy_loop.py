"""Fault case G10 through the running daemon: something in the event loop keeps everything else waiting."""

from __future__ import annotations

from decimal import Decimal

from daemon_driver import play
from scenario_parts import BTC, ETH, START_MS, At, Scenario, Wish, drop_stops, loop_is_busy

from trading_system.domain.modes import Mode

D = Decimal
TWO = {BTC: {0: 80_000.0}, ETH: {0: 3_000.0}}


def test_fault_g10_a_loop_that_hung_for_seconds_opens_nothing_for_a_minute_and_clears_by_itself() -> None:
    end = play(Scenario(prices=TWO, wishes=(Wish(BTC), Wish(ETH, at_s=900)), acts=(At(890, loop_is_busy(3)),), until_s=1_200))

    assert end.modes == [Mode.NORMAL, Mode.DEGRADED, Mode.NORMAL]
    assert "loop_lag" in str(end.logged("DEGRADED")[0].fields["causes"])
    assert [(sent.at_ms - START_MS) / 1000 > 890 + 60 for sent in end.sent("entry", ETH)] == [True], end.tale()
    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]
    assert not end.unexpected


def test_fault_g10_a_loop_that_is_busy_for_half_a_second_again_and_again_is_told_and_goes_on() -> None:
    busy = tuple(At(600 + 5 * n, loop_is_busy(0.6)) for n in range(60))
    end = play(Scenario(prices=TWO, wishes=(Wish(BTC), Wish(ETH, at_s=900)), acts=busy, until_s=1_000))

    told = end.logged("LOOP_LAG")
    assert 4 <= len(told) <= 8, "once a minute, not at every look"
    assert max(line.fields["times_last_minute"] for line in told) > 5
    assert end.modes == [Mode.NORMAL]
    assert len(end.sent("entry", ETH)) == 1


def test_fault_g10_a_stop_that_vanishes_while_the_loop_hangs_is_placed_again_as_soon_as_it_runs() -> None:
    end = play(Scenario(acts=(At(60, drop_stops()), At(60, loop_is_busy(8))), until_s=200))

    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert end.naked_s() <= 12
    assert Mode.DEGRADED in end.modes
    assert not end.sent("close")
