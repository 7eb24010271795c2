"""Each detector on bars made by hand: the definition, and the moment from which it is known."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest

from strategy_builders import bars_of
from trading_system.domain.market import Bar, Timeframe
from trading_system.strategy.bars import BarHistory, is_sound, negated
from trading_system.strategy.indicators import Adx, Atr, Ema
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.series import HourlySide, Hours
from trading_system.strategy.sweeps import SweepOfLows
from trading_system.strategy.swings import PivotHighs, UnbrokenHighs, UntakenHighs


def test_ema_is_the_simple_mean_of_its_first_values_and_then_weighted() -> None:
    ema = Ema(3)
    for value in (1.0, 2.0, 6.0):
        assert not ema.is_ready
        ema.update(value)

    assert ema.value == 3.0
    ema.update(5.0)
    assert ema.value == 3.0 + 2 / 4 * 2.0


def test_atr_counts_gaps_and_smooths_as_wilder_does() -> None:
    atr = Atr(2)
    atr.update(10.0, 8.0, 9.0)  # no predecessor: 2
    assert not atr.is_ready
    atr.update(14.0, 13.0, 13.5)  # gap up from 9: 5
    assert atr.value == 3.5
    atr.update(9.0, 8.0, 8.5)  # gap down from 13.5: 5.5
    assert atr.value == 3.5 + (5.5 - 3.5) / 2


def test_adx_is_full_in_a_market_that_only_rises_and_zero_in_one_that_stands_still() -> None:
    rising, flat = Adx(3), Adx(3)
    for i in range(6):
        rising.update(10.0 + i, 9.0 + i, 9.5 + i)
        flat.update(10.0, 10.0, 10.0)

    assert rising.is_ready
    assert rising.value == 100.0
    assert flat.value == 0.0


def test_adx_equals_wilders_sums_computed_from_the_whole_history() -> None:
    bars = [(10 + math.sin(i) + i % 4, 8 + math.cos(i * 1.7), 9 + math.sin(i * 0.3)) for i in range(40)]
    n, adx = 5, Adx(5)
    for bar in bars:
        adx.update(*bar)

    plus, minus = [], []
    for (high, low, _), (next_high, next_low, _) in itertools.pairwise(bars):
        up, down = next_high - high, low - next_low
        plus.append(up if up > down and up > 0 else 0.0)
        minus.append(down if down > up and down > 0 else 0.0)
    sums = [(sum(plus[:n]), sum(minus[:n]))]
    for p, m in zip(plus[n:], minus[n:], strict=True):
        sums.append((sums[-1][0] * (1 - 1 / n) + p, sums[-1][1] * (1 - 1 / n) + m))
    dx = [100 * abs(p - m) / (p + m) for p, m in sums]
    expected = sum(dx[:n]) / n
    for value in dx[n:]:
        expected = (expected * (n - 1) + value) / n
    assert adx.value == pytest.approx(expected)


def test_swing_is_known_only_when_its_last_later_bar_has_closed() -> None:
    pivots = PivotHighs(2)
    seen = [pivots.update(high) for high in (1.0, 2.0, 5.0, 3.0, 4.0)]

    assert seen == [None, None, None, None, 5.0]
    assert pivots.confirmed_index == 2


@pytest.mark.parametrize(
    ("highs", "expected"),
    [
        ((1.0, 2.0, 5.0, 5.0, 4.0), 5.0),  # an equal high to the right does not spoil it
        ((1.0, 2.0, 5.0, 4.0, 5.0), 5.0),
        ((1.0, 5.0, 5.0, 3.0, 4.0), None),  # an equal high to the left does
        ((1.0, 2.0, 5.0, 3.0, 5.1), None),
        ((5.1, 2.0, 5.0, 3.0, 4.0), None),
    ],
)
def test_swing_is_strict_on_the_left_and_not_below_on_the_right(highs: tuple[float, ...], expected: float | None) -> None:
    pivots = PivotHighs(2)
    assert [pivots.update(high) for high in highs][-1] == expected


def test_newest_hourly_swing_low_inside_bounds_is_found_for_both_orientations() -> None:
    parameters = replace(SmcParameters(), swing_bars_1h=1)
    lows = (12.0, 10.0, 12.0, 11.0, 13.0, 12.5, 13.0)  # swing lows 10, 11, 12.5
    for sign in (1, -1):
        hours = Hours(HourlySide.empty(parameters), HourlySide.empty(parameters))
        for bar in bars_of([(low + 1.0, low + 5.0, low, low + 1.0) for low in lows], Timeframe.H1):
            hours.update(bar if sign > 0 else negated(bar))
        assert hours.newest_low_in(sign, 9.0, 12.0) == 11.0
        assert hours.newest_low_in(sign, 9.0, 11.0) == 10.0
        assert hours.newest_low_in(sign, 10.5, 11.0) is None


def test_untaken_high_is_lost_to_a_higher_high_but_not_to_an_equal_one() -> None:
    untaken = UntakenHighs(lookback=100)
    untaken.push(0, 12.0)
    untaken.push(5, 10.0)
    untaken.take(10.0, 9)

    assert untaken.nearest(9.0) == 10.0
    untaken.take(10.5, 10)
    assert untaken.nearest(9.0) == 12.0
    assert untaken.nearest(12.5) is None


def test_untaken_high_is_forgotten_after_the_lookback() -> None:
    untaken = UntakenHighs(lookback=10)
    untaken.push(0, 12.0)
    untaken.take(1.0, 9)
    assert untaken.nearest(1.0) == 12.0
    untaken.take(1.0, 10)
    assert untaken.nearest(1.0) is None


def test_close_breaks_every_swing_below_it_and_names_the_latest_confirmed() -> None:
    unbroken = UnbrokenHighs(lookback=100)
    for index, price in ((3, 11.0), (7, 10.0), (9, 13.0)):
        unbroken.push(index, price)

    assert unbroken.break_below(10.0, 12) is None  # touching is not breaking
    assert unbroken.break_below(12.0, 13) == 7
    assert unbroken.prices == [13.0]
    assert unbroken.break_below(12.0, 14) is None


def test_sweep_is_a_wick_below_the_newest_swing_low_that_closes_back_above() -> None:
    sweep = SweepOfLows(age_bars_max=20)
    sweep.confirm_swing(0, 10.0)
    sweep.update(5, 10.0, 11.0)
    assert not sweep.swept_within(10, 6)  # only touched
    sweep.update(6, 9.5, 9.9)
    assert not sweep.swept_within(10, 7)  # closed below
    sweep.update(7, 9.5, 10.5)
    assert sweep.swept_within(10, 17)
    assert not sweep.swept_within(10, 18)


def test_sweep_of_a_swing_that_is_too_old_does_not_count() -> None:
    sweep = SweepOfLows(age_bars_max=20)
    sweep.confirm_swing(0, 10.0)
    sweep.update(21, 9.5, 10.5)
    assert sweep.last_sweep_index is None


@pytest.mark.parametrize(
    "bar",
    [
        Bar(0, math.nan, 2.0, 1.0, 1.5, 1.0),
        Bar(0, 1.5, math.nan, 1.0, 1.5, 1.0),
        Bar(0, 1.5, math.inf, 1.0, 1.5, 1.0),
        Bar(0, 1.5, 2.0, 0.0, 1.5, 1.0),
        Bar(0, 1.5, 2.0, -1.0, 1.5, 1.0),
        Bar(0, 1.5, 1.0, 2.0, 1.5, 1.0),
        Bar(0, 1.5, 2.0, 1.0, 2.1, 1.0),
        Bar(0, 1.5, 2.0, 1.0, math.nan, 1.0),
        Bar(0, 0.9, 2.0, 1.0, 1.5, 1.0),
        Bar(1, 1.5, 2.0, 1.0, 1.5, 1.0),
    ],
)
def test_bar_that_cannot_be_is_not_sound(bar: Bar) -> None:
    assert not is_sound(bar, Timeframe.M15)
    assert is_sound(Bar(900_000, 1.5, 2.0, 1.0, 1.5, 1.0), Timeframe.M15)


def test_history_keeps_absolute_indices_when_old_bars_are_dropped() -> None:
    history = BarHistory(capacity=4)
    bars = bars_of([(float(i), i + 1.0, i - 1.0, i + 0.5) for i in range(2, 25)])
    for bar in bars:
        history.append(bar)

    assert history.count == 23
    assert len(history.close) <= 8
    window = history.window(-1, 20, 23)
    assert window.first == 20
    mirrored = [negated(bar) for bar in bars[20:]]
    assert window.high == [bar.high for bar in mirrored]
    assert window.low == [bar.low for bar in mirrored]
    assert window.open == [bar.open for bar in mirrored]
    assert history.window(1, 0, 23).first == history.first
