"""The ring of closed bars and its merge rules."""

from __future__ import annotations

import math

import pytest
from data_builders import H1, M15, a_bar, join, ms

from trading_system.data.bar_series import BarSeries, Gap, Merge, is_sound
from trading_system.domain.market import Bar


def a_series(*bars: Bar, capacity: int = 100) -> BarSeries:
    series = BarSeries(M15, capacity)
    for bar in bars:
        series.merge(bar)
    return series


def quarter(n: int, close: float = 100.0, volume: float = 5.0) -> Bar:
    return a_bar(ms() + n * M15.ms, close, volume=volume)


@pytest.mark.parametrize(
    "bar",
    [
        Bar(0, 0.0, 2.0, 0.0, 1.0, 1.0),
        Bar(0, 1.0, math.nan, 0.5, 1.0, 1.0),
        Bar(0, 1.0, 2.0, -1.0, 1.0, 1.0),
        Bar(0, 1.0, 2.0, 1.5, 1.8, 1.0),
        Bar(0, 1.0, 2.0, 0.5, 2.1, 1.0),
        Bar(0, 1.0, math.inf, 0.5, 1.0, 1.0),
        Bar(0, 1.0, 2.0, 0.5, 1.0, math.nan),
        Bar(0, 1.0, 2.0, 0.5, 1.0, -1.0),
    ],
)
def test_values_that_parse_and_mean_nothing_are_not_sound(bar: Bar) -> None:
    assert not is_sound(bar)


def test_a_flat_bar_without_volume_is_sound() -> None:
    assert is_sound(Bar(0, 1.0, 1.0, 1.0, 1.0, 0.0))


def test_a_crash_bar_of_65_percent_is_sound() -> None:
    assert is_sound(Bar(0, 2.75, 2.76, 0.57, 1.56, 1e7))


def test_duplicates_change_nothing_and_late_bars_find_their_place() -> None:
    series = a_series(quarter(0), quarter(3))

    assert [series.merge(quarter(n)) for n in (3, 1, 2, 1)] == [Merge.DUPLICATE, Merge.INSERTED, Merge.INSERTED, Merge.DUPLICATE]
    assert list(series.tail()) == [quarter(n) for n in range(4)]


def test_a_hole_stays_a_hole_until_its_bars_come() -> None:
    series = a_series(quarter(0), quarter(3))

    assert series.gaps() == (Gap(quarter(1).open_ms, quarter(2).open_ms),)
    assert not series.is_contiguous()
    series.merge(quarter(1))
    series.merge(quarter(2))
    assert series.gaps() == ()
    assert series.is_contiguous()


def test_another_price_is_a_correction_and_another_volume_only_that() -> None:
    series = a_series(quarter(0), quarter(1))

    assert series.merge(quarter(0, volume=6.0)) is Merge.VOLUME_CORRECTED
    assert series.merge(quarter(0, close=101.0)) is Merge.CORRECTED
    assert series.find(quarter(0).open_ms) == quarter(0, close=101.0)


def test_the_ring_is_bounded_and_keeps_the_newest() -> None:
    series = a_series(*(quarter(n) for n in range(1_000)), capacity=50)

    assert len(series) <= 50 + 64
    assert list(series.tail()) == [quarter(n) for n in range(950, 1_000)]
    assert series.merge(quarter(1)) is Merge.TOO_OLD


def test_a_longer_bar_needs_every_child() -> None:
    hour = [quarter(n, close=100.0 + n, volume=1.0 + n) for n in range(4)]

    assert a_series(*hour).aggregate(ms(), H1.ms) == join(hour, ms())
    assert a_series(*hour, quarter(4), quarter(5)).aggregate(ms(), H1.ms) == join(hour, ms())
    for missing in range(4):
        assert a_series(quarter(-1), *(b for i, b in enumerate(hour) if i != missing), quarter(4)).aggregate(ms(), H1.ms) is None
    assert a_series().aggregate(ms(), H1.ms) is None
