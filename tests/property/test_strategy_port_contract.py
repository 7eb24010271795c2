"""One suite for every implementation of the Strategy port: the built-in ones, the placebo of two, and the example of the docs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import strategy_port_suite as suite
from strategy_builders import QUICK, SYMBOL
from strategy_port_suite import BARS, PortCase
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import Strategy, StrategyCosts
from trading_system.domain.signals import Decision, Emitted
from trading_system.domain.symbols import Symbol
from trading_system.strategy import donchian, gates, long_frames, placebo
from trading_system.strategy.donchian import DonchianParameters, DonchianStrategy
from trading_system.strategy.placebo import PlaceboParameters, PlaceboStrategy
from trading_system.strategy.smc_engine import SmcStrategy

DOCS = Path(__file__).parents[2] / "docs" / "strategies.md"
SMC = replace(QUICK, swing_lookback_bars_4h=60, swing_lookback_bars_1h=60)
SMC_CODES = frozenset(
    (
        gates.DATA_INSUFFICIENT,
        gates.DATA_STALE,
        long_frames.STRUCTURE_REQUIRED,
        long_frames.COUNTER_BIAS,
        long_frames.RANGE_TOO_SMALL,
        long_frames.REGIME_NOT_TRADEABLE,
        gates.NOT_IN_OTE,
        gates.PRICE_NOT_AT_ZONE,
        gates.STOP_INVALID,
        gates.RR_TOO_LOW,
        gates.SCORE_BELOW_THRESHOLD,
    )
)
QUICK_DONCHIAN = DonchianParameters(channel_bars=12, bars_4h_min=15, bars_15m_min=15)
QUICK_PLACEBO = PlaceboParameters(seed=3, delay_bars_max=40)


class EitherSign:
    """A strategy whose bars are taken as sound: negated prices pass."""

    def __init__(self, inner: Strategy, ingest: Callable[[Symbol, Timeframe, Bar], object]) -> None:
        self._inner, self.update = inner, ingest

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        return self._inner.decide(symbol, at_ms, costs)

    def mark_emitted(self, signal: Emitted) -> None:
        self._inner.mark_emitted(signal)

    def forget(self, symbol: Symbol) -> None:
        self._inner.forget(symbol)


def mirrored_smc() -> Any:
    smc = SmcStrategy(SMC)
    return EitherSign(smc, lambda symbol, timeframe, bar: smc.engine(symbol).ingest(timeframe, bar))


def mirrored_donchian() -> Any:
    rule = DonchianStrategy(QUICK_DONCHIAN)
    return EitherSign(rule, rule.ingest)


def mirrored_placebo(followed: Callable[[], Any]) -> Callable[[], Any]:
    def make() -> Any:
        follower = PlaceboStrategy(followed(), QUICK_PLACEBO)
        return EitherSign(follower, follower.ingest)

    return make


def documented_example() -> Any:
    """The class of the first Python block of docs/strategies.md."""
    found = re.search(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {"__name__": "documented_example"}
    exec(compile(found[1], str(DOCS), "exec"), names)
    return names["ThreeRises"]


CASES = [
    PortCase("smc", lambda: SmcStrategy(SMC), SMC_CODES, mirrored_smc),
    PortCase("donchian", lambda: DonchianStrategy(QUICK_DONCHIAN), donchian.REASON_CODES, mirrored_donchian),
    PortCase(
        "placebo of smc",
        lambda: PlaceboStrategy(SmcStrategy(SMC), QUICK_PLACEBO),
        placebo.REASON_CODES,
        mirrored_placebo(mirrored_smc),
    ),
    PortCase(
        "placebo of donchian",
        lambda: PlaceboStrategy(DonchianStrategy(QUICK_DONCHIAN), QUICK_PLACEBO),
        placebo.REASON_CODES,
        mirrored_placebo(mirrored_donchian),
    ),
    PortCase("example of the docs", documented_example(), frozenset(("DATA_INSUFFICIENT", "NO_RISE"))),
]
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
SYMMETRIC = pytest.mark.parametrize("case", [case for case in CASES if case.mirrored], ids=lambda case: case.name)

# few markets, so that their bars are made once; Hypothesis chooses among them and where to cut
SEEDS = st.integers(min_value=0, max_value=15)
CUTS = st.integers(min_value=20, max_value=BARS - 2)
FEW = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@EVERY
@FEW
@given(seed=SEEDS, cut=CUTS, other=SEEDS)
def test_what_was_said_never_depends_on_later_bars(case: PortCase, seed: int, cut: int, other: int) -> None:
    suite.check_the_future_changes_nothing(case, seed, cut, other)


@EVERY
@FEW
@given(seed=SEEDS, cut=CUTS)
def test_after_a_restart_every_answer_is_the_one_of_a_life_without(case: PortCase, seed: int, cut: int) -> None:
    suite.check_a_warm_up_decides_as_live_did(case, seed, cut)


@EVERY
@pytest.mark.parametrize("seed", [0, 3])
def test_bars_that_close_together_come_in_any_order(case: PortCase, seed: int) -> None:
    suite.check_bars_that_close_together_come_in_any_order(case, seed)


@EVERY
@pytest.mark.parametrize("seed", [0, 3])
def test_two_instances_and_two_questions_agree(case: PortCase, seed: int) -> None:
    suite.check_two_instances_and_two_questions_agree(case, seed)


@EVERY
@pytest.mark.parametrize("seed", [0, 1, 3])
def test_a_setup_that_was_acted_on_gives_no_second_signal(case: PortCase, seed: int) -> None:
    suite.check_a_setup_that_was_acted_on_gives_no_second_signal(case, seed)


@SYMMETRIC
@FEW
@given(seed=SEEDS, funding=st.floats(min_value=-0.5, max_value=0.5))
def test_mirrored_prices_and_funding_give_exactly_mirrored_answers(case: PortCase, seed: int, funding: float) -> None:
    suite.check_mirrored_prices_give_mirrored_answers(case, seed, funding)


@EVERY
def test_markets_do_not_know_of_each_other(case: PortCase) -> None:
    suite.check_markets_do_not_know_of_each_other(case, 0, 3)


@EVERY
def test_a_forgotten_market_begins_anew(case: PortCase) -> None:
    suite.check_forget_begins_anew(case, 0)


@EVERY
@FEW
@given(seed=SEEDS)
def test_garbage_between_the_bars_raises_nothing_and_changes_nothing(case: PortCase, seed: int) -> None:
    suite.check_garbage_leaves_no_trace(case, seed)


@EVERY
def test_every_ladder_is_well_formed_and_there_are_signals(case: PortCase) -> None:
    signals = [signal for seed in (0, 1, 3, 4, 7) for signal in suite.check_ladders_are_well_formed(case, seed)]

    assert signals, "without a signal the suite would prove little"
    if case.mirrored is not None and "smc" not in case.name:
        assert {signal.direction.sign for signal in signals} == {1, -1}


@EVERY
def test_memory_stays_bounded_over_100_days(case: PortCase) -> None:
    suite.check_memory_is_bounded(case, 7)


def test_an_unknown_market_is_answered_with_a_whole_ladder() -> None:
    for case in CASES:
        answer = case.make().decide(Symbol("NEW/USD"), 1_700_000_000_000, suite.COSTS)
        assert answer.ladder.price is None
        assert answer.at_ms == 1_700_000_000_000
        assert answer.symbol != SYMBOL
