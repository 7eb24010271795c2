"""What is asked for, and when."""

from __future__ import annotations

from data_builders import H1, M15, ms

from trading_system.data.candle_schedule import CAPACITY, CandleParameters, FetchRange, SeriesAsk, plan_fetch, plan_start
from trading_system.domain.market import Timeframe

DEFAULTS = CandleParameters()


def test_nothing_is_asked_before_a_boundary_has_passed() -> None:
    newest = ms(9, minutes=45)

    assert plan_fetch(M15, newest, SeriesAsk(), ms(10, minutes=14.99), DEFAULTS) is None
    assert plan_fetch(M15, newest, SeriesAsk(), ms(10, minutes=15), DEFAULTS) == FetchRange(newest, ms(10))


def test_after_an_outage_all_that_is_missing_is_asked_for_and_no_more_than_is_kept() -> None:
    assert plan_fetch(M15, ms(1), SeriesAsk(), ms(10), DEFAULTS) == FetchRange(ms(1), ms(9, minutes=45))
    month = plan_fetch(M15, ms(-24 * 30), SeriesAsk(), ms(10), DEFAULTS)
    assert month == FetchRange(ms(9, minutes=45) - (CAPACITY[M15] - 1) * M15.ms, ms(9, minutes=45))


def test_a_series_rests_thirty_seconds_between_two_reads() -> None:
    ask = SeriesAsk()
    ask.note_failed(ms(10))

    assert plan_fetch(M15, ms(9), ask, ms(10) + 29_999, DEFAULTS) is None
    assert plan_fetch(M15, ms(9), ask, ms(10) + 30_000, DEFAULTS) is not None


def test_a_clock_that_was_stepped_back_does_not_hold_a_series_up() -> None:
    ask = SeriesAsk()
    ask.note_failed(ms(20))

    assert plan_fetch(M15, ms(9), ask, ms(10), DEFAULTS) is not None


def test_a_bar_that_does_not_come_is_asked_for_four_times_and_then_at_the_next_boundary() -> None:
    ask, asked = SeriesAsk(), []
    for minute in range(30):
        now = ms(10, minutes=minute)
        wanted = plan_fetch(M15, ms(9, minutes=30), ask, now, DEFAULTS)
        if wanted is not None:
            asked.append(minute)
            ask.note(now, wanted.until_ms)

    assert asked == [0, 1, 2, 3, 15, 16, 17, 18]


def test_the_grace_delays_the_moment_a_bar_counts_as_closed() -> None:
    parameters = CandleParameters(close_grace_ms=2_000)

    assert plan_fetch(M15, ms(9, minutes=45), SeriesAsk(), ms(10, minutes=15) + 1_999, parameters) is None
    assert plan_fetch(M15, ms(9, minutes=45), SeriesAsk(), ms(10, minutes=15) + 2_000, parameters) is not None


def test_a_start_asks_for_the_tail_only_when_the_stored_bars_reach_back_without_a_hole() -> None:
    now, start = ms(10), ms(9) - (CAPACITY[H1] - 1) * H1.ms

    assert plan_start(H1, start, ms(5), True, now, DEFAULTS) == FetchRange(ms(5), ms(9))
    whole = FetchRange(start, ms(9))
    assert plan_start(H1, None, None, True, now, DEFAULTS) == whole
    assert plan_start(H1, start, ms(5), False, now, DEFAULTS) == whole
    assert plan_start(H1, ms(0), ms(5), True, now, DEFAULTS) == whole


def test_what_is_kept_is_enough_for_the_strategy_and_fits_into_one_answer() -> None:
    needed = {Timeframe.M15: 500, Timeframe.H1: 600, Timeframe.H4: 1_600, Timeframe.D1: 400}

    assert all(needed[t] <= CAPACITY[t] <= 2_000 for t in Timeframe)
