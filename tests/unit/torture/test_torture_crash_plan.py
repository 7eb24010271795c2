"""The plan of kills and the figures of the crash harness."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from trading_system.torture.crash_figures import percentile, read_progress, summary, write_row
from trading_system.torture.crash_plan import Kill, Moment, draw_kill
from trading_system.torture.crash_run import KillReport


def test_a_kill_follows_from_seed_and_number_alone() -> None:
    assert [draw_kill(3, number, 7.0) for number in range(50)] == [draw_kill(3, number, 7.0) for number in range(50)]
    assert draw_kill(3, 1, 7.0) != draw_kill(4, 1, 7.0)


def test_two_hundred_kills_strike_at_every_kind_of_moment() -> None:
    kills = [draw_kill(1, number, 7.0) for number in range(200)]

    moments = Counter(kill.moment for kill in kills)
    assert min(moments[moment] for moment in Moment) >= 12
    assert len({kill.aim for kill in kills if kill.aim}) == 12
    assert 5 <= sum(kill.is_term for kill in kills) <= 40
    assert all(0 <= kill.delay_s <= 7.0 for kill in kills)


def test_an_aim_is_hit_by_its_line_only() -> None:
    kill = Kill(0, Moment.LINE, 0.01, 0.0, ("FILL", "purpose=en"))

    assert kill.fits("FILL position_id=BTC-202511210815 purpose=en side=buy")
    assert not kill.fits("FILL position_id=BTC-202511210815 purpose=sl side=sell")
    assert not kill.fits("ORDER_INTENDED purpose=en before a FILL")
    assert not Kill(0, Moment.READY, 1.0, 0.0).fits("FILL purpose=en")


def test_percentiles_are_of_the_nearest_rank() -> None:
    values = [float(value) for value in range(1, 21)]

    assert (percentile(values, 0.5), percentile(values, 0.95), percentile([7.0], 0.95), percentile([], 0.5)) == (10.0, 19.0, 7.0, None)


def test_progress_survives_an_interruption_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "crash" / "seed-1.jsonl"
    write_row(path, KillReport(0, 1, "kill -9").to_row())
    write_row(path, KillReport(1, 1, "kill -9").to_row())
    path.write_text(path.read_text()[:-5])

    assert [row["number"] for row in read_progress(path)] == [0]
    assert read_progress(tmp_path / "none.jsonl") == []


def test_figures_name_every_violation_with_its_kill_and_count_only_what_was_judged() -> None:
    rows = [
        KillReport(0, 1, "kill -9", protected_s=2.0, positions=3, naked_life_s=0.2, load=1.0).to_row(),
        KillReport(1, 1, "kill -9", load=3.0).to_row(),
        KillReport(2, 1, "kill -9", protected_s=4.0, load=2.0, violations=["P3  lost"]).to_row(),
    ]

    figures = summary(rows)

    assert figures["violations"] == ["kill 2: P3  lost"]
    assert (figures["kills"], figures["judged_restarts"], figures["killed_with_positions"]) == (3, 2, 1)
    assert (figures["restart_to_protected_s_p50"], figures["restart_to_protected_s_p95"]) == (2.0, 4.0)
    assert (figures["naked_s_max"], figures["load_mean"]) == (0.2, 2.0)
