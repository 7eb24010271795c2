"""The placebo: same direction and distances, at a bar that only the seed, the market and the signal bar decide."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from strategy_builders import COSTS, QUICK, START_MS, SYMBOL
from strategy_port_suite import ask, feed, market
from trading_system.domain.errors import ConfigError
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.signals import NoSignal, Signal
from trading_system.domain.symbols import Symbol
from trading_system.strategy.donchian import DonchianParameters, DonchianStrategy
from trading_system.strategy.placebo import FixedCosts, PlaceboParameters, PlaceboStrategy, draw_delay
from trading_system.strategy.smc_engine import SmcStrategy

RULE = DonchianParameters(channel_bars=12, bars_4h_min=15, bars_15m_min=15)
M15 = Timeframe.M15


def signals_of(answers: dict[int, Signal | NoSignal]) -> list[Signal]:
    return [answer for answer in answers.values() if isinstance(answer, Signal)]


def a_follower(seed: int = 1, delay: int = 96) -> PlaceboStrategy:
    return PlaceboStrategy(DonchianStrategy(RULE), PlaceboParameters(seed=seed, delay_bars_max=delay), FixedCosts())


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_each_signal_gets_one_later_entry_of_the_same_shape(seed: int) -> None:
    followed = signals_of(ask(DonchianStrategy(RULE), market(seed)))
    entries = signals_of(ask(a_follower(), market(seed)))
    last_ms = market(seed)[-1][0]

    by_signal = {entry.zone_ids[0]: entry for entry in entries}
    assert len(by_signal) == len(entries)
    for signal in followed:
        due_ms = signal.at_ms + draw_delay(PlaceboParameters(), SYMBOL, signal.at_ms) * M15.ms
        entry = by_signal.get(f"placebo@{signal.at_ms}")
        if entry is None:
            assert due_ms > last_ms - 8 * 3_600_000, "only an entry beyond the end of the data is missing"
            continue
        assert entry.at_ms >= due_ms > signal.at_ms, "moved back only to keep the cooldown"
        assert (entry.direction, entry.regime, entry.score) == (signal.direction, signal.regime, signal.score)
        assert entry.stop_price / entry.entry_price == pytest.approx(signal.stop_price / signal.entry_price)
        assert entry.target_price / entry.entry_price == pytest.approx(signal.target_price / signal.entry_price)


def test_entries_keep_the_cooldown_between_them() -> None:
    for seed in range(6):
        entries = signals_of(ask(a_follower(delay=8), market(seed)))
        assert all(later.at_ms - one.at_ms >= 4 * 3_600_000 for one, later in pairwise(entries))


def test_another_seed_draws_other_bars_and_the_same_seed_the_same() -> None:
    one, again, other = (signals_of(ask(a_follower(seed), market(0))) for seed in (1, 1, 2))

    assert one == again
    assert [entry.at_ms for entry in one] != [entry.at_ms for entry in other]


def test_the_delay_depends_on_seed_market_and_signal_bar_only_and_spreads_evenly() -> None:
    parameters = PlaceboParameters(seed=5, delay_bars_max=12)
    counts = Counter(draw_delay(parameters, SYMBOL, START_MS + number * M15.ms) for number in range(12_000))

    assert set(counts) == set(range(1, 13))
    assert max(counts.values()) < 1_150
    assert min(counts.values()) > 850
    # pinned: entries must not move with the version of Python or of the machine
    assert [draw_delay(parameters, Symbol(name), START_MS) for name in ("BTC/USD", "ETH/USD", "SOL/USD")] == [6, 7, 11]


def test_a_quarter_that_comes_after_later_bars_is_not_judged() -> None:
    """The followed strategy has seen its future by then."""
    in_order, late = a_follower(), a_follower()
    feed(in_order, market(0))
    for timeframe in (Timeframe.H4, Timeframe.H1, Timeframe.D1, Timeframe.M15):
        feed(late, [event for event in market(0) if event[1] is timeframe])

    assert in_order._markets[SYMBOL].taken_ms is not None
    assert late._markets[SYMBOL].taken_ms is None or late._markets[SYMBOL].taken_ms >= market(0)[-1][0] - Timeframe.H4.ms


def test_a_drawn_bar_that_is_hours_old_gives_no_entry() -> None:
    follower = a_follower()
    entry = signals_of(ask(a_follower(), market(0)))[0]
    feed(follower, [event for event in market(0) if event[0] <= entry.at_ms])

    answer = follower.decide(SYMBOL, entry.at_ms + 3_600_001, COSTS)

    assert isinstance(follower.decide(SYMBOL, entry.at_ms + 3_600_000, COSTS), Signal)
    assert isinstance(answer, NoSignal)
    assert answer.reason_code == "DATA_STALE"


def test_signals_within_the_cooldown_of_the_followed_strategy_are_left_to_it() -> None:
    """As live does it: they are neither acted on nor marked, and may come again."""
    rule = DonchianParameters(channel_bars=2, bars_4h_min=15, bars_15m_min=15)
    impatient = PlaceboStrategy(DonchianStrategy(rule), PlaceboParameters(cooldown_hours=24 * 365))
    ask(impatient, market(0))

    assert len(impatient._markets[SYMBOL].drawn) <= 1
    assert len(signals_of(ask(DonchianStrategy(rule), market(0)))) > 3


def test_the_placebo_of_smc_says_whose_it_is() -> None:
    entries = signals_of(ask(PlaceboStrategy(SmcStrategy(QUICK)), market(0)))

    assert entries
    assert all(entry.setup.startswith("placebo of ") for entry in entries)


@pytest.mark.parametrize("wrong", [{"delay_bars_max": 0}, {"cooldown_hours": -1.0}, {"cooldown_hours": float("nan")}])
def test_numbers_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PlaceboParameters(**wrong)  # type: ignore[arg-type]


def test_an_unsound_bar_reaches_neither_the_placebo_nor_whom_it_follows() -> None:
    followed = SmcStrategy(QUICK)
    PlaceboStrategy(followed).update(SYMBOL, M15, Bar(START_MS, float("nan"), 1.0, 1.0, 1.0, 1.0))

    assert followed.rejected_bars() == {}
