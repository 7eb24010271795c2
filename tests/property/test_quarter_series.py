"""A replay keeps quarters only. What it tells from 15m on must be what the full series tells of the same prices."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from trading_system.domain.market import Bar
from trading_system.sim.bars import DAY_MS, HOUR_MS, QUARTER_MS, BarSeries, aggregate
from trading_system.sim.quarter_series import QuarterSeries
from trading_system.sim.replay import OFFSETS_MS

START = 30 * DAY_MS
HISTORY = [Bar(START - k * QUARTER_MS, 100.0, 101.0, 99.0, 100.5, 3.0) for k in range(200, 0, -1)]
HOURS = aggregate(HISTORY, HOUR_MS)

PRICE = st.integers(5_000, 15_000).map(lambda cents: cents / 100)
SLOTS = st.lists(st.one_of(st.none(), st.tuples(PRICE, PRICE, PRICE, PRICE, st.integers(0, 50).map(float))), min_size=1, max_size=60)


def both(slots: list[tuple[float, float, float, float, float] | None]) -> tuple[BarSeries, QuarterSeries, int]:
    full, short = BarSeries(HISTORY, HOURS, start_ms=START), QuarterSeries(HISTORY, HOURS, start_ms=START)
    now = START
    for number, slot in enumerate(slots):
        if slot is None:
            continue  # a stretch without a price is a gap
        for offset, price in zip(OFFSETS_MS, slot[:4], strict=True):
            now = START + number * QUARTER_MS + offset
            full.update(now, price, slot[4])
            short.update(now, price, slot[4])
    return full, short, now


@given(SLOTS)
def test_bars_of_every_length_agree_with_the_full_series(slots: list[tuple[float, float, float, float, float] | None]) -> None:
    full, short, now = both(slots)
    for resolution in ("15m", "30m", "1h", "4h", "12h", "1d", "1w"):
        assert short.between(resolution, 0, now) == full.between(resolution, 0, now)
    assert short.between("15m", now - 3 * QUARTER_MS, now) == full.between("15m", now - 3 * QUARTER_MS, now)
    assert short.first_ms == full.first_ms


@given(SLOTS)
def test_the_volume_of_a_day_agrees(slots: list[tuple[float, float, float, float, float] | None]) -> None:
    full, short, now = both(slots)
    ours, theirs = short.day(now), full.day(now)
    assert (ours.open, ours.high, ours.low) == (theirs.open, theirs.high, theirs.low)
    assert abs(ours.volume - theirs.volume) < 1e-6
    closed = [bar for bar in short.between("15m", now - DAY_MS, now) if bar.open_ms >= now - DAY_MS]
    assert abs(ours.quote_volume - sum(bar.volume * bar.close for bar in closed)) < 1e-4


@given(SLOTS, SLOTS)
def test_a_snapshot_goes_on_as_if_nothing_had_been(
    before: list[tuple[float, float, float, float, float] | None], after: list[tuple[float, float, float, float, float] | None]
) -> None:
    _, kept, _ = both(before)
    taken = QuarterSeries(HISTORY, HOURS, start_ms=START)
    taken.restore(json.loads(json.dumps(kept.snapshot())))
    for number, slot in enumerate(after, len(before)):
        for offset, price in zip(OFFSETS_MS, (slot or (1.0,) * 5)[:4], strict=True):
            kept.update(START + number * QUARTER_MS + offset, price, 1.0)
            taken.update(START + number * QUARTER_MS + offset, price, 1.0)
    end = START + 200 * QUARTER_MS
    assert [taken.between(r, 0, end) for r in ("15m", "1h", "1d")] == [kept.between(r, 0, end) for r in ("15m", "1h", "1d")]
    assert taken.day(end) == kept.day(end)


def test_the_oldest_bars_are_let_go_and_the_totals_with_them() -> None:
    series = QuarterSeries(HISTORY, HOURS, start_ms=START)
    for number in range(16_000):
        series.update(START + number * QUARTER_MS, 50.0, 2.0)
    now = START + 15_999 * QUARTER_MS
    volume, quote = series.day_volume(now)
    assert (round(volume, 6), round(quote, 4)) == (194.0, 9_700.0)  # 96 closed quarters and the running one
