"""Whatever way the same bars arrive, the same bars are kept."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from trading_system.data.candle_schedule import CandleParameters, FetchRange
from trading_system.data.symbol_candles import SymbolCandles
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol

ADA = Symbol("ADA/USD")
M15, H1, H4, D1 = Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1
ANY = FetchRange(0, 1 << 60)
COUNT = 2 * 96


def a_bar(n: int) -> Bar:
    close = 100.0 + (n * 37) % 41
    return Bar(n * M15.ms, close - 1.0, close + 2.0, close - 3.0, close, 1.0 + n % 5)


def joined(bars: list[Bar], timeframe: Timeframe) -> list[Bar]:
    """Complete longer bars, by brute force."""
    groups: dict[int, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(timeframe.open_of(bar.open_ms), []).append(bar)
    whole = timeframe.ms // M15.ms
    return [
        Bar(o, kids[0].open, max(k.high for k in kids), min(k.low for k in kids), kids[-1].close, sum(k.volume for k in kids))
        for o, kids in sorted(groups.items())
        if len(kids) == whole
    ]


def kept(candles: SymbolCandles, timeframe: Timeframe) -> list[Bar]:
    return list(candles.series[timeframe].tail())


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(range(40)), repeats=st.lists(st.integers(0, 39), max_size=20))
def test_any_order_with_any_repeats_keeps_the_same_15m_bars(order: list[int], repeats: list[int]) -> None:
    candles = SymbolCandles(ADA, CandleParameters())

    for n in [*order, *repeats]:
        candles.merge(M15, [a_bar(n)], ANY)

    assert kept(candles, M15) == [a_bar(n) for n in range(40)]


@settings(max_examples=60, deadline=None)
@given(cuts=st.sets(st.integers(1, COUNT - 1), max_size=12), overlap=st.integers(0, 5))
def test_however_the_answers_are_cut_the_longer_bars_are_those_of_the_whole_and_each_is_news_once(cuts: set[int], overlap: int) -> None:
    candles = SymbolCandles(ADA, CandleParameters())
    bounds = [0, *sorted(cuts), COUNT]
    news = []

    for start, end in pairwise(bounds):
        merged = candles.merge(M15, [a_bar(n) for n in range(max(0, start - overlap), end)], ANY)
        assert not merged.must_rebuild
        news += merged.new_bars

    everything = [a_bar(n) for n in range(COUNT)]
    for timeframe in (H1, H4, D1):
        assert kept(candles, timeframe) == joined(everything, timeframe)
        assert [e.bar for e in news if e.timeframe is timeframe] == joined(everything, timeframe)


@settings(max_examples=100, deadline=None)
@given(missing=st.sets(st.integers(0, COUNT - 1), max_size=6))
def test_a_bar_with_a_missing_child_is_never_made(missing: set[int]) -> None:
    candles = SymbolCandles(ADA, CandleParameters())
    there = [a_bar(n) for n in range(COUNT) if n not in missing]

    candles.merge(M15, there, ANY)

    for timeframe in (H1, H4, D1):
        made = {b.open_ms: b for b in kept(candles, timeframe)}
        assert made.items() <= {b.open_ms: b for b in joined(there, timeframe)}.items()


@settings(max_examples=100, deadline=None)
@given(until=st.integers(0, 60), count=st.integers(0, 64))
def test_nothing_after_the_last_closed_bar_ever_passes(until: int, count: int) -> None:
    candles = SymbolCandles(ADA, CandleParameters())

    merged = candles.merge(M15, [a_bar(n) for n in range(count)], FetchRange(0, a_bar(until).open_ms))

    assert kept(candles, M15) == [a_bar(n) for n in range(min(count, until + 1))]
    # the running bar, and the one after it while the answer travels; anything later is no bar of this world
    assert merged.running == min(2, max(0, count - until - 1))
    assert sum(row.bars for row in merged.rejected) == max(0, count - until - 3)
