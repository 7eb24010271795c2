"""The record behind a chart: what the engine showed, when it showed it, and nothing of what came later."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chart_builders import DAY_MS, END_MS, FIRST_MS, a_record, a_series, columns
from strategy_builders import QUICK, START_MS, SYMBOL, an_engine, decisions_of, events_of, random_quarters
from trading_system.backtest.chart.feed import feed_of
from trading_system.backtest.chart.recording import KnownBreak, KnownZone, Record
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.signals import Signal
from trading_system.sim.candle_files import CandleSeries

H4, H1, M15 = Timeframe.H4, Timeframe.H1, Timeframe.M15


def until(moment: int | None, now_ms: int) -> int | None:
    return moment if moment is not None and moment <= now_ms else None


def as_known_at(found: Record, now_ms: int) -> dict[str, object]:
    """What a page may show at `now_ms`: the rule the page itself follows."""
    breaks = {}
    for key, one in found.breaks.items():
        if one.known_ms <= now_ms:
            zones = {
                name: (zone.seen.low, zone.seen.high, until(zone.mitigated_ms, now_ms), until(zone.used_ms, now_ms))
                for name, zone in one.zones.items()
                if max(zone.seen.known_ms, one.known_ms) <= now_ms
            }
            breaks[key] = (one.broken, one.known_ms, until(one.ended_ms, now_ms), zones)
    return {
        "swings": [one for one in found.swings if one.known_ms <= now_ms],
        "sweeps": [one for one in found.sweeps if one.known_ms <= now_ms],
        "ranges": [one for one in found.ranges if one.known_ms <= now_ms],
        "breaks": breaks,
        "signals": [one for one in found.signals if one.signal.at_ms <= now_ms],
        "quarters": [bar for bar in found.quarters if bar.open_ms + M15.ms <= now_ms],
        "four hours": [bar for bar in found.four_hours if bar.open_ms + H4.ms <= now_ms],
        "decisions": [one for one in found.decisions if one.at_ms <= now_ms],
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 5), slot=st.integers(0, 12 * 96 - 1))
def test_a_record_hidden_from_a_moment_on_equals_one_that_ended_there(seed: int, slot: int) -> None:
    now_ms = FIRST_MS + (slot + 1) * M15.ms

    assert as_known_at(a_record(seed), now_ms) == as_known_at(a_record(seed, now_ms), now_ms)


def test_the_decisions_are_those_of_the_engine_asked_bar_by_bar() -> None:
    found = a_record(0, cooldown_ms=0)
    events = events_of(random_quarters(0, 24))
    expected = [answer for answer in decisions_of(an_engine(), events) if answer.at_ms > FIRST_MS]

    assert found.decisions == expected
    assert [one.signal for one in found.signals] == [answer for answer in expected if isinstance(answer, Signal)]


@pytest.mark.parametrize("seed", range(4))
def test_everything_is_known_only_after_its_bar_and_ends_only_after_it_is_known(seed: int) -> None:
    found = a_record(seed)

    assert found.swings
    assert found.breaks
    assert all(swing.known_ms == swing.seen.open_ms + (QUICK.swing_bars_4h + 1) * H4.ms for swing in found.swings)
    for one in found.breaks.values():
        assert one.ended_ms is None or one.ended_ms > one.known_ms
        if one.broken is not None:
            assert one.broken.open_ms < one.seen.open_ms < one.known_ms
        for zone in one.zones.values():
            assert zone.seen.open_ms < zone.seen.known_ms
            for end in (zone.mitigated_ms, zone.used_ms):
                assert end is None or end > zone.seen.known_ms or end >= one.known_ms


@pytest.mark.parametrize("seed", range(4))
def test_levels_are_those_of_the_bars_they_name(seed: int) -> None:
    found = a_record(seed)
    bars = {bar.open_ms: bar for bar in found.four_hours}

    for swing in found.swings:
        if swing.seen.open_ms in bars:
            bar = bars[swing.seen.open_ms]
            assert swing.seen.price == (bar.high if swing.seen.is_high else bar.low)
    for sweep in found.sweeps:
        bar = bars[sweep.open_ms]
        low, close = (bar.low, bar.close) if sweep.seen.sign > 0 else (-bar.high, -bar.close)
        assert low < sweep.seen.sign * sweep.seen.price < close
    for (sign, open_ms), one in found.breaks.items():
        if one.broken is not None:
            assert sign * bars[open_ms].close > sign * one.broken.price


def test_a_break_ends_by_a_close_beyond_its_protected_level_by_an_opposite_break_or_by_age() -> None:
    found = a_record(1)
    bars = {bar.open_ms + H4.ms: bar for bar in found.four_hours}
    ended = [one for one in found.breaks.values() if one.ended_ms is not None]
    assert ended

    def has_reason(one: KnownBreak) -> bool:
        assert one.ended_ms is not None
        sign = one.seen.sign
        is_crossed = sign * bars[one.ended_ms].close < sign * one.seen.protected
        is_turned = any(other.seen.sign != sign and other.known_ms == one.ended_ms for other in found.breaks.values())
        is_old = one.ended_ms - one.known_ms > QUICK.break_age_bars_max * H4.ms
        return is_crossed or is_turned or is_old

    assert all(has_reason(one) for one in ended)


def test_a_signal_within_the_cooldown_is_shown_but_uses_nothing_up() -> None:
    patient = a_record(0, cooldown_ms=365 * DAY_MS)
    acted = [one.signal for one in patient.signals if one.is_acted_on]
    used = [name for one in patient.breaks.values() for name, zone in one.zones.items() if isinstance(zone, KnownZone) and zone.used_ms]

    assert len(acted) <= 1
    assert set(used) <= {name for signal in acted for name in signal.zone_ids}


def test_hours_before_the_quarters_come_from_the_stored_hours_and_no_first_bar_is_torn() -> None:
    quarters = [bar for bar in a_series(0).quarters if bar.open_ms >= START_MS + 5 * DAY_MS + 30 * 60_000]
    hours = [Bar(START_MS + i * H1.ms, 50.0, 51.0, 49.0, 50.0, 1.0) for i in range(2, 10 * 24)]
    fed = list(feed_of(CandleSeries(SYMBOL, columns(quarters), columns(hours)), END_MS))

    own = {frame: [one.bar for one in fed if one.timeframe is frame] for frame in Timeframe}
    first_own_hour_ms = START_MS + 5 * DAY_MS + H1.ms
    assert [bar.open_ms for bar in own[H1]] == list(range(START_MS + 2 * H1.ms, END_MS, H1.ms))
    assert all((bar.close == 50.0) == (bar.open_ms < first_own_hour_ms) for bar in own[H1])
    assert own[H4][0].open_ms == START_MS + H4.ms
    assert own[Timeframe.D1][0].open_ms == START_MS + DAY_MS
    assert [one.close_ms for one in fed] == sorted(one.close_ms for one in fed)


def test_nothing_that_closes_after_the_end_is_fed() -> None:
    end_ms = START_MS + 3 * DAY_MS + 5 * H1.ms + 2 * M15.ms
    newest = {one.timeframe: one.close_ms for one in feed_of(a_series(0), end_ms)}

    assert newest == {M15: end_ms, H1: end_ms - 2 * M15.ms, H4: end_ms - H1.ms - 2 * M15.ms, Timeframe.D1: START_MS + 3 * DAY_MS}
