"""What must hold for every market: causality, determinism, mirror symmetry, bounded memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategy_builders import QUICK, SYMBOL, FixedCosts, an_engine, decisions_of, events_of, random_quarters
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.signals import Decision, NoSignal, Signal
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.smc_engine import SymbolEngine

SEEDS = st.integers(min_value=0, max_value=10_000)
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DAYS = 24


@FEW
@given(seed=SEEDS, cut=st.integers(min_value=1, max_value=DAYS * 96 - 1), other=SEEDS)
def test_what_was_said_before_a_bar_never_depends_on_it_or_on_later_ones(seed: int, cut: int, other: int) -> None:
    """The future is replaced from an arbitrary 15m bar on, the higher timeframes with it."""
    quarters = random_quarters(seed, DAYS)
    scale = quarters[cut - 1].close / 100.0
    changed = [
        Bar(old.open_ms, new.open * scale, new.high * scale, new.low * scale, new.close * scale, 1.0)
        for old, new in zip(quarters[cut:], random_quarters(other, DAYS), strict=False)
    ]
    whole = list(decisions_of(an_engine(), events_of(quarters)))
    forked = list(decisions_of(an_engine(), events_of([*quarters[:cut], *changed])))
    prefix = list(decisions_of(an_engine(), events_of(quarters[:cut]) if cut > 4 else []))

    assert forked[:cut] == whole[:cut]
    assert prefix == whole[: len(prefix)]


def mirrored_facts(decision: Decision, sign: int) -> tuple[object, ...]:
    """A decision as seen from prices times `sign`: levels turn, everything else stays."""
    gates = [(g.state, g.reason_code, g.distance) for g in decision.ladder.gates]
    facts = (decision.at_ms, decision.ladder.price and sign * decision.ladder.price, gates)
    if isinstance(decision, NoSignal):
        return (*facts, decision.reason_code)
    levels = [sign * level for level in (decision.entry_price, decision.stop_price, decision.target_price)]
    kept = (decision.regime, decision.score, decision.reward_risk, decision.atr_4h, decision.atr_15m, decision.cost_bps, decision.setup)
    return (*facts, sign * decision.direction.sign, levels, kept)


@FEW
@given(seed=SEEDS, funding=st.floats(min_value=-0.5, max_value=0.5))
def test_mirrored_prices_and_funding_give_exactly_mirrored_decisions(seed: int, funding: float) -> None:
    events = events_of(random_quarters(seed, DAYS))
    costs = FixedCosts(funding_bps_per_hour=funding)
    plain = decisions_of(an_engine(), events, costs=costs)
    mirrored = decisions_of(an_engine(), events, costs=replace(costs, funding_bps_per_hour=-funding), is_mirrored=True)

    for one, other in zip(plain, mirrored, strict=True):
        assert mirrored_facts(one, 1) == mirrored_facts(other, -1)


@FEW
@given(seed=SEEDS, cut=st.integers(min_value=0, max_value=DAYS * 96))
def test_continuing_from_a_snapshot_is_equal_to_never_having_stopped(seed: int, cut: int) -> None:
    events = events_of(random_quarters(seed, DAYS))
    engine = an_engine()
    list(decisions_of(engine, events[:cut]))
    restored = SymbolEngine.restore(engine.snapshot(), SYMBOL, QUICK)
    assert restored is not None

    assert list(decisions_of(restored, events[cut:])) == list(decisions_of(engine, events[cut:]))
    assert restored.snapshot() == engine.snapshot()


@FEW
@given(seed=SEEDS)
def test_warming_up_one_timeframe_after_the_other_equals_feeding_as_time_passed(seed: int) -> None:
    events = events_of(random_quarters(seed, DAYS))
    live, warmed = an_engine(), an_engine()
    for _, timeframe, bar in events:
        live.update(timeframe, bar)
    for timeframe in Timeframe:
        for _, own, bar in events:
            if own is timeframe:
                warmed.update(timeframe, bar)

    assert warmed.snapshot() == live.snapshot()


@FEW
@given(seed=SEEDS)
def test_each_zone_gives_one_signal_at_most(seed: int) -> None:
    signals = [one for one in decisions_of(an_engine(), events_of(random_quarters(seed, DAYS))) if isinstance(one, Signal)]
    for position, one in enumerate(signals):
        assert all(not set(one.zone_ids) & set(later.zone_ids) for later in signals[position + 1 :])


def test_memory_is_bounded() -> None:
    engine = an_engine(replace(QUICK, swing_lookback_bars_4h=60, swing_lookback_bars_1h=60))
    events = events_of(random_quarters(7, 120))
    sizes = []
    for position, _ in enumerate(decisions_of(engine, events)):
        if position % 480 == 479:
            sizes.append(len(engine.snapshot()))

    half = len(sizes) // 2
    assert max(sizes[half:]) <= 1.25 * max(sizes[:half])
    assert max(sizes) < 30_000


@pytest.mark.market_data
def test_real_candles_give_a_plausible_number_of_signals_and_a_snapshot_that_continues(market_data: Path) -> None:
    import pyarrow.parquet as pq  # slow to import, and only wanted here

    def load(name: str) -> list[Bar]:
        table = pq.read_table(market_data / "candles" / name)
        columns = [table[column].to_pylist() for column in ("timestamp", "open", "high", "low", "close", "volume")]
        return [Bar(*row) for row in zip(*columns, strict=True)]

    quarters, hours = load("ADA-USD_15m.parquet"), load("ADA-USD_1h.parquet")
    events = events_of(quarters, hours)
    engine, parameters = an_engine(SmcParameters()), SmcParameters()
    cut = len(events) * 9 // 10
    first = list(decisions_of(engine, events[:cut]))
    restored = SymbolEngine.restore(engine.snapshot(), SYMBOL, parameters)
    assert restored is not None
    rest = list(decisions_of(engine, events[cut:]))

    assert list(decisions_of(restored, events[cut:])) == rest
    months = len(quarters) * Timeframe.M15.ms / (30.44 * Timeframe.D1.ms)
    signals = sum(isinstance(one, Signal) for one in (*first, *rest))
    assert 0.5 * months < signals < 8 * months
    assert engine.rejected_bars == 0
