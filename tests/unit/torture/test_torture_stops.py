"""The checker of the way a stop moves, and the ways in which the runs of the swarm are configured."""

from __future__ import annotations

from torture_builders import POSITION, SL, Bench, D, at, planned

from trading_system.domain.events import CloseRequested
from trading_system.domain.positions import CloseReason
from trading_system.sim.model import EditRequest
from trading_system.torture.case import busy_settings
from trading_system.torture.check_stops import StopChecker
from trading_system.torture.habits import draw_habits


def a_stop_bench(*moves: int, closing_before: int | None = None, is_own: bool = True) -> list[str]:
    """A long with stops at these triggers in turn, each in the place of the one before it."""
    bench = Bench()
    checker = StopChecker(lambda symbol: D(1))
    bench.checker = checker
    if is_own:
        bench.journal(planned()[0])
    bench.enter()
    for number, trigger in enumerate(moves, start=1):
        if number == closing_before:
            bench.journal(CloseRequested(at(), POSITION, CloseReason.FINAL_TARGET, "a test"))
        bench.send("stp", "sell", "0.01", f"ts-{POSITION}-sl-{number}", price=trigger)
        bench.cancel(f"ts-{POSITION}-sl-{number - 1}")
    return bench.rules


def test_a_stop_may_come_again_where_it_was_and_move_toward_profit_and_never_back() -> None:
    assert a_stop_bench(79_000, 79_000, 79_500, 79_499) == []
    assert a_stop_bench(79_000, 79_500, 79_000) == ["S1"]


def test_a_stop_for_what_a_close_left_may_hang_lower_and_an_adopted_one_is_not_ours_to_judge() -> None:
    assert a_stop_bench(79_000, 79_500, 78_000, closing_before=3) == []
    assert a_stop_bench(79_000, 78_000, is_own=False) == []


def test_a_stop_that_is_edited_away_from_profit_is_seen_too() -> None:
    bench = Bench()
    bench.checker = StopChecker(lambda symbol: D(1))
    bench.journal(planned()[0])
    bench.enter()
    bench.stop("0.01")
    bench.exchange.edit(EditRequest(cli_ord_id=SL, stop_price=D(78_000)))

    assert bench.rules == ["S1"]


def test_the_swarm_enters_and_leaves_in_every_way_there_is() -> None:
    drawn = [busy_settings(draw_habits(seed)) for seed in range(120)]

    assert {s.execution.entry_type for s in drawn} == {"market", "limit", "limit_post_only"}
    assert {s.multi_tp.final_target.action for s in drawn} == {"none", "tighten_trail", "close_partial", "close_full"}
    assert {s.multi_tp.premise_exit for s in drawn} == {True, False}
    assert {s.multi_tp.time_exit_hours for s in drawn} == {None, D("0.5"), D("1.5")}
    assert {s.multi_tp.split_default.tp1 for s in drawn} == {D("0.40"), D(0), D("0.5"), D("0.1")}
    assert {len(s.multi_tp.trailing_steps) for s in drawn} == {4, 2}
    assert draw_habits(3) == draw_habits(3)
