"""The check of prefixes: holds for the engine on generated and real candles, and finds each way of seeing the future."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chart_builders import columns
from strategy_builders import COSTS, QUICK, START_MS, SYMBOL, random_quarters
from trading_system.backtest.chart.feed import FedBar, feed_of
from trading_system.backtest.prefix_check import Feed, PrefixPlan, PrefixReport, check_prefixes, cut
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import normalise
from trading_system.sim.candle_files import CandleSeries, load_candles
from trading_system.strategy.parameters import SmcParameters

H4, M15, DAY_MS = Timeframe.H4, Timeframe.M15, Timeframe.D1.ms
DAYS = 30
HOUR_MS = 3_600_000
PLAN = PrefixPlan(QUICK, COSTS, 4 * HOUR_MS, every=50)


def a_market(seed: int, days: int = DAYS) -> CandleSeries:
    return CandleSeries(SYMBOL, columns(random_quarters(seed, days)), columns([]))


def bars_of(series: CandleSeries) -> list[Bar]:
    return list(series.quarters)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_said_is_changed_or_removed_by_later_bars(seed: int) -> None:
    report = check_prefixes(a_market(seed), PLAN)

    quarters = DAYS * 96
    assert (report.bars, report.cuts, report.scratch_cuts) == (quarters, quarters // 50, 2)
    assert report.statements > quarters + DAYS * 6, "every decision and every 4h bar, and two beginnings once more"
    assert report.differences == ()
    assert report.holds


def test_gaps_and_hours_from_before_the_first_quarter_hour_are_no_difference() -> None:
    quarters = random_quarters(4, DAYS)
    # the exchange stood still: across a day's end, within an hour, and at the very first bar of a day
    gaps = {*range(480 - 40, 480 + 30), *range(1001, 1003), 1344}
    kept = [bar for number, bar in enumerate(quarters) if number not in gaps]
    hours = [Bar(START_MS - (n + 1) * HOUR_MS, 100.0, 101.0, 99.0, 100.0, 1.0) for n in range(400)][::-1]
    series = CandleSeries(SYMBOL, columns(kept), columns(hours))

    assert check_prefixes(series, PLAN) == PrefixReport(
        SYMBOL, len(kept), len(kept) // 50, 2, check_prefixes(series, PLAN).statements, (), 0
    )


def test_a_cut_market_holds_what_was_stored_then_and_begins_with_a_whole_day() -> None:
    series = a_market(0)
    until_ms = START_MS + 10 * DAY_MS + 7 * M15.ms

    held = bars_of(cut(series, until_ms, since_ms=until_ms - 50 * M15.ms))

    assert held[-1].open_ms + M15.ms == until_ms
    assert held[0].open_ms == START_MS + 9 * DAY_MS
    assert bars_of(cut(series, until_ms)) == bars_of(series)[: 10 * 96 + 7]


def early_4h_bars(series: CandleSeries, until_ms: int) -> Iterator[FedBar]:
    """A 4h bar is handed over an hour before its close, as it will be."""
    fed = feed_of(series, until_ms)
    return iter(sorted(one._replace(close_ms=one.close_ms - HOUR_MS) if one.timeframe is H4 else one for one in fed))


def forming_4h_bars(series: CandleSeries, until_ms: int) -> Iterator[FedBar]:
    """What is stored of the running 4h bar passes for a whole one."""
    yield from feed_of(series, until_ms)
    held = [bar for bar in series.quarters if H4.open_of(bar.open_ms) == H4.open_of(until_ms)]
    if held:
        torn = Bar(H4.open_of(until_ms), held[0].open, max(b.high for b in held), min(b.low for b in held), held[-1].close, 1.0)
        yield FedBar(until_ms, 1, H4, torn)


def prices_as_of_the_end(series: CandleSeries, until_ms: int) -> Iterator[FedBar]:
    """Prices are divided by the last one that is stored: harmless to look at, and it moves every level."""
    scale = 100.0 / series.quarters.close[-1]
    for one in feed_of(series, until_ms):
        bar = one.bar
        yield one._replace(bar=Bar(bar.open_ms, bar.open * scale, bar.high * scale, bar.low * scale, bar.close * scale, bar.volume))


def only_the_newest_half(series: CandleSeries, until_ms: int) -> Iterator[FedBar]:
    """A reader that keeps a share of what there is forgets other bars when there are more."""
    held = list(feed_of(series, until_ms))
    return iter(held[len(held) // 2 :])


@pytest.mark.parametrize("feed", [early_4h_bars, forming_4h_bars, prices_as_of_the_end, only_the_newest_half])
def test_a_feed_that_shows_the_future_is_found(feed: Feed) -> None:
    report = check_prefixes(a_market(1), PLAN, feed)

    assert not report.holds
    assert report.differences


def test_an_engine_whose_state_is_not_all_in_its_snapshot_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from trading_system.strategy.structure import Structure

    def forgetful(self: Structure) -> object:
        self.prevailing = 0
        breaks = self.long.breaks or self.short.breaks
        return breaks[0] if breaks else None

    holds_before = check_prefixes(a_market(1), PLAN).holds
    calls = [0]

    def counted(self: Structure) -> object:
        """The answer depends on how often it was asked: on everything that ran before."""
        calls[0] += 1
        return forgetful(self) if calls[0] % 97 == 0 else original(self)

    original = Structure.ruling
    monkeypatch.setattr(Structure, "ruling", counted)

    assert holds_before
    assert not check_prefixes(a_market(1), PLAN).holds


@pytest.mark.market_data
@pytest.mark.parametrize("name", ["BTC", "ETH", "SOL", "DOGE", "XRP", "HYPE"])
def test_three_months_of_real_candles_sampled_every_50_bars(name: str, market_data: Path) -> None:
    """August to October 2025: the crash of 10 October lies in it. Longer bars begin a year before where 1h files are stored."""
    (series,) = load_candles(market_data / "candles", symbols=[normalise(name)])
    end_ms = series.quarters.open_ms[-1]
    first_ms = end_ms - 92 * DAY_MS
    hours = columns(series.hours.between(end_ms - 457 * DAY_MS, end_ms))
    three_months = replace(series, quarters=columns(series.quarters.between(first_ms, end_ms)), hours=hours)

    report = check_prefixes(three_months, PrefixPlan(SmcParameters(), COSTS, 4 * HOUR_MS, every=50, scratch=1))

    assert (report.bars, report.cuts) == (92 * 96 + 1, 92 * 96 // 50)
    assert report.differences == ()
