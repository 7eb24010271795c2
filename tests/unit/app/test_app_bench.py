"""The parts of the benchmark that judge: readings, bounds, table, JSON, what the daemon's lines mean."""

from __future__ import annotations

import json

import pytest

from trading_system.app.bench import refresh
from trading_system.app.bench.daemon import Start, note_line, readings
from trading_system.app.bench.engine_runs import COSTS, SYMBOL, feed_and_judge
from trading_system.app.bench.figures import FIGURES, KEYS
from trading_system.app.bench.generated_bars import all_timeframes, feed_of, generate_quarters
from trading_system.app.bench.readings import Reading, Unmeasured, reading_of
from trading_system.app.bench.report import as_json, render_table
from trading_system.app.bench.smc_library import read_facts
from trading_system.domain.market import Timeframe
from trading_system.strategy.bars import is_sound
from trading_system.strategy.smc_engine import SmcStrategy

MACHINE = {"cpu": "test", "cores": 2, "python": "3.11"}
NO_MEMORY = 0.0


def test_a_reading_is_the_median_with_its_range_and_count() -> None:
    assert reading_of([3.0, 1.0, 2.0]) == Reading(2.0, 1.0, 3.0, 3)


@pytest.mark.parametrize("samples", [[], [1.0, float("nan")], [float("inf")]])
def test_a_reading_is_never_made_of_nothing_or_of_nonsense(samples: list[float]) -> None:
    with pytest.raises(ValueError, match="finite samples"):
        reading_of(samples)


def test_a_figure_above_its_bound_is_marked_and_one_at_its_bound_is_not() -> None:
    above = render_table({"help_cpu_s": reading_of([0.31])}, MACHINE)
    within = render_table({"help_cpu_s": reading_of([0.3])}, MACHINE)

    assert "<= 0.3  ABOVE" in above
    assert "ABOVE" not in within


def test_a_figure_below_the_least_that_is_right_is_marked_and_one_at_it_is_not() -> None:
    below = render_table({"sim_points_per_s": reading_of([49_999.0])}, MACHINE)
    within = render_table({"sim_points_per_s": reading_of([50_000.0])}, MACHINE)

    assert ">= 50000  BELOW" in below
    assert "BELOW" not in within


def test_what_was_not_measured_is_null_with_its_reason_and_never_a_number() -> None:
    told = as_json({"ready_s": Unmeasured("no daemon here"), "help_cpu_s": reading_of([0.1])}, MACHINE)

    assert json.loads(json.dumps(told)) == told
    assert (told["ready_s"], told["help_cpu_s"]) == (None, 0.1)
    assert told["notes"] == dict.fromkeys(_plain_keys() - {"ready_s", "help_cpu_s"}, "not asked for (--only)") | {
        "ready_s": "no daemon here"
    }


def _plain_keys() -> set[str]:
    return {figure.key for figure in FIGURES if not figure.is_extra}


def test_keys_are_unique() -> None:
    assert len(set(KEYS)) == len(KEYS)


def test_generated_bars_are_sound_the_same_every_time_and_join_to_longer_ones() -> None:
    series = all_timeframes(generate_quarters(7, 3))

    assert series == all_timeframes(generate_quarters(7, 3))
    assert {timeframe: len(bars) for timeframe, bars in series.items()} == {
        Timeframe.M15: 288,
        Timeframe.H1: 72,
        Timeframe.H4: 18,
        Timeframe.D1: 3,
    }
    assert all(is_sound(bar, timeframe) for timeframe, bars in series.items() for bar in bars)
    day = series[Timeframe.D1][1]
    children = series[Timeframe.M15][96:192]
    assert (day.open, day.close, day.high) == (children[0].open, children[-1].close, max(bar.high for bar in children))


def test_the_engine_takes_every_generated_bar_and_judges_beyond_the_data_gate() -> None:
    strategy = SmcStrategy()

    feed_and_judge(strategy, SYMBOL, feed_of(all_timeframes(generate_quarters(1, 60))))

    engine = strategy.engine(SYMBOL)
    decision = engine.decide(engine.last_open_ms(Timeframe.M15) + Timeframe.M15.ms, COSTS)  # type: ignore[operator]
    assert decision.ladder.passed_count >= 1
    assert engine.rejected_bars == 0
    assert [engine.bar_count(timeframe) for timeframe in Timeframe] == [5760, 1440, 360, 60]


def test_a_start_is_complete_only_with_protecting_ready_and_a_cycle() -> None:
    start = Start()
    for seconds, line in enumerate(["TradingSystem · paper", "PROTECTING positions=0", "READY in 3.0 s: 60 markets", "NOT_READY yet"]):
        note_line(start, line, float(seconds), lambda: NO_MEMORY)
    assert not start.is_complete

    note_line(start, "CYCLE_SUMMARY cycle=1", 4.0, lambda: 123.0)
    note_line(start, "PROTECTING again", 9.0, lambda: NO_MEMORY)

    assert start.is_complete
    assert (start.protecting_s, start.ready_s, start.rss_mb) == (1.0, 2.0, 123.0)


def test_a_daemon_that_never_got_ready_gives_no_figure_but_its_last_line() -> None:
    outcomes = readings(Start(1.0, None, None, "venue not reachable"), [])

    assert {key: type(outcome) for key, outcome in outcomes.items()} == dict.fromkeys(("ready_s", "protecting_s", "rss_mb"), Unmeasured)
    assert "first start" in str(outcomes["protecting_s"])
    assert "ready_s, rss_mb" in str(outcomes["ready_s"])
    assert "venue not reachable" in str(outcomes["ready_s"])


def test_one_restart_that_failed_spoils_the_figure() -> None:
    outcomes = readings(Start(1.0, 2.0, 3.0), [Start(1.0, 2.0, 3.0), Start(1.0, None, None, "died")])

    assert isinstance(outcomes["protecting_s"], Reading)
    assert isinstance(outcomes["ready_s"], Unmeasured)


async def test_the_distant_venue_answers_exactly_the_range_that_was_asked_for() -> None:
    venue = refresh.DistantVenue(refresh.SteppedClock())

    bars = await venue.candles(SYMBOL, Timeframe.H1, 0, 3 * Timeframe.H1.ms)

    assert [bar.open_ms // Timeframe.H1.ms for bar in bars] == [0, 1, 2, 3]


def test_the_library_is_not_measured_with_the_reason_where_it_is_not_installed() -> None:
    assert read_facts({"missing": "No module named 'pandas'"}, 10.0) == Unmeasured(
        "smartmoneyconcepts is not installed (No module named 'pandas'); pip install 'trading-system[bench]'"
    )
    assert isinstance(read_facts({}, 10.0), Unmeasured)


def test_the_library_is_told_beside_ours() -> None:
    found = read_facts({"ms": [900.0, 1_000.0, 1_100.0], "version": "0.0.27"}, 10.0)

    assert isinstance(found, Reading)
    assert found.median == 1_000.0
    assert "100 x ours" in found.note
