"""The engine as a whole: its ladder, what it refuses, and how zones are used once."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest

from strategy_builders import COSTS, QUICK, SYMBOL, Event, an_engine, decisions_of, events_of, random_quarters
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.orders import Direction
from trading_system.domain.protocols import Strategy
from trading_system.domain.signals import Decision, GateState, NoSignal, Regime, Signal
from trading_system.domain.symbols import Symbol
from trading_system.strategy.gates import GATE_NAMES
from trading_system.strategy.smc_engine import SmcStrategy, SymbolEngine

CODES = {
    "DATA_INSUFFICIENT",
    "DATA_STALE",
    "4H_STRUCTURE_REQUIRED",
    "COUNTER_BIAS",
    "RANGE_TOO_SMALL",
    "REGIME_NOT_TRADEABLE",
    "entry not in OTE/Key Fib",
    "PRICE_NOT_AT_ZONE",
    "STOP_INVALID",
    "RR_TOO_LOW",
    "SCORE_BELOW_THRESHOLD",
}
NAMES = ["data", "structure", "bias", "range", "regime", "ote", "zone_touch", "stop", "reward", "score"]


@pytest.fixture(scope="module")
def decisions() -> list[Decision]:
    return [one for seed in range(4) for one in decisions_of(an_engine(), events_of(random_quarters(seed, 40)))]


def signal_moment(seed: int = 0) -> tuple[SymbolEngine, Signal, list[Event]]:
    """An engine that was just fed the bar that gives its first signal, and the events after it."""
    engine, events = an_engine(), events_of(random_quarters(seed, 40))
    for position, (closed_ms, timeframe, bar) in enumerate(events):
        engine.update(timeframe, bar)
        if timeframe is Timeframe.M15:
            decision = engine.decide(closed_ms, COSTS)
            if isinstance(decision, Signal):
                return engine, decision, events[position + 1 :]
    raise AssertionError("this market gives no signal; choose another seed")


def test_every_gate_blocks_somewhere_and_signals_of_both_directions_and_regimes_appear(decisions: list[Decision]) -> None:
    codes = Counter(one.reason_code for one in decisions if isinstance(one, NoSignal))
    signals = [one for one in decisions if isinstance(one, Signal)]

    assert set(codes) == CODES - {"DATA_STALE"}
    assert {one.direction for one in signals} == {Direction.LONG, Direction.SHORT}
    assert {one.regime for one in signals} == {Regime.TIGHT_SMC, Regime.WIDE_STRUCTURE}


def test_ladder_names_every_gate_in_order_and_ends_at_the_first_failure(decisions: list[Decision]) -> None:
    assert list(GATE_NAMES) == NAMES
    for one in decisions:
        gates = one.ladder.gates
        assert [gate.name for gate in gates] == NAMES
        assert all(gate.required for gate in gates)
        if isinstance(one, Signal):
            assert one.ladder.passed_count == len(NAMES)
            continue
        blocking = one.ladder.blocking
        assert blocking is not None
        assert blocking.reason_code == one.reason_code
        cut = gates.index(blocking)
        assert all(gate.state is GateState.PASSED for gate in gates[:cut])
        assert all(gate.state is GateState.NOT_REACHED for gate in gates[cut + 1 :])


def test_distance_is_never_negative_and_zero_where_a_gate_passed(decisions: list[Decision]) -> None:
    for one in decisions:
        for gate in one.ladder.gates:
            if gate.state is GateState.PASSED:
                assert gate.distance == 0.0
            assert gate.distance is None or gate.distance >= 0.0


def test_signal_has_its_stop_on_the_loss_side_and_its_target_beyond_the_required_reward(decisions: list[Decision]) -> None:
    for one in decisions:
        if isinstance(one, Signal):
            sign, numbers = one.direction.sign, QUICK.of(one.regime)
            risk = sign * (one.entry_price - one.stop_price)
            assert risk >= max(one.atr_15m, numbers.stop_cost_multiple_min * one.cost_bps * 1e-4 * one.entry_price) > 0.0
            assert risk <= 0.10 * one.entry_price
            assert one.reward_risk == sign * (one.target_price - one.entry_price) / risk
            assert one.reward_risk >= numbers.reward_risk_min
            assert one.zone_ids


def test_levels_nearer_than_one_risk_are_no_targets(decisions: list[Decision]) -> None:
    rewards = [one.ladder.gates[NAMES.index("reward")] for one in decisions]
    found = [gate.actual for gate in rewards if isinstance(gate.actual, float)]

    assert found
    assert min(found) >= 1.0


def test_asking_twice_gives_the_same_answer_and_changes_nothing() -> None:
    engine, signal, _ = signal_moment()
    before = engine.snapshot()

    assert engine.decide(signal.at_ms, COSTS) == signal
    assert engine.snapshot() == before
    engine.mark_emitted(signal)
    engine.mark_emitted(signal)
    assert engine.decide(signal.at_ms, COSTS) == signal
    assert engine.decide(signal.at_ms + 60_000, COSTS).at_ms == signal.at_ms


def test_used_zone_gives_no_second_signal() -> None:
    engine, signal, rest = signal_moment()
    engine.mark_emitted(signal)
    for closed_ms, timeframe, bar in rest:
        engine.update(timeframe, bar)
        later = engine.decide(closed_ms, COSTS)
        if timeframe is Timeframe.M15 and isinstance(later, Signal):
            assert not set(later.zone_ids) & set(signal.zone_ids)


def test_marks_replayed_before_the_bars_give_the_same_decisions() -> None:
    events = events_of(random_quarters(0, 40))
    once = list(decisions_of(an_engine(), events))
    again = an_engine()
    for one in once:
        if isinstance(one, Signal):
            again.mark_emitted(one)

    assert list(decisions_of(again, events, is_marking=False)) == once


def test_zones_are_read_as_of_the_opening_of_the_touching_bar() -> None:
    """Where a 4h bar closes together with the 15m bar, its break has no zones yet and what it mitigated still counts."""
    young = mitigated_now = 0
    for seed in range(6):
        engine = an_engine()
        for closed_ms, timeframe, bar in events_of(random_quarters(seed, 40)):
            engine.update(timeframe, bar)
            broken = engine.state.four_hours.structure.ruling()
            if timeframe is not Timeframe.M15 or broken is None:
                continue
            regime = engine.decide(closed_ms, COSTS).ladder.gates[NAMES.index("regime")]
            if regime.state is GateState.NOT_REACHED:
                continue
            dying = [zone.mitigated_ms == closed_ms for zone in broken.zones if zone.mitigated_ms is None or zone.mitigated_ms >= closed_ms]
            if broken.closed_ms == closed_ms:
                young += 1
                assert (regime.actual, regime.reason_code) == ("consolidation", "REGIME_NOT_TRADEABLE")
            elif dying and all(dying):
                mitigated_now += 1
                assert regime.actual == "tight_smc"

    assert young > 5
    assert mitigated_now > 5


@pytest.mark.parametrize("ahead", [0, 3])
def test_what_the_long_frames_said_is_asked_again_when_it_can_have_changed(ahead: int) -> None:
    """An engine that was asked at every quarter answers like one that never was; also when 4h bars are fed long before their quarters."""
    engine, events = an_engine(), events_of(random_quarters(3, 40))
    if ahead:
        length = Timeframe.H4.ms * ahead
        events.sort(key=lambda event: event[0] - (length if event[1] is Timeframe.H4 else 0))
    seen: set[str] = set()
    for number, (closed_ms, timeframe, bar) in enumerate(events):
        engine.update(timeframe, bar)
        if timeframe is not Timeframe.M15:
            continue
        decision = engine.decide(closed_ms, COSTS)
        if number % 7 == 0 or isinstance(decision, Signal):
            never_asked = SymbolEngine.restore(engine.snapshot(), SYMBOL, QUICK)
            assert never_asked is not None
            assert never_asked.decide(closed_ms, COSTS) == decision
            seen.add("SIGNAL" if isinstance(decision, Signal) else decision.reason_code)
    assert len(seen) > 5


def test_unsound_bar_is_counted_and_changes_nothing_else() -> None:
    engine, signal, _ = signal_moment()
    for bad in (math.nan, math.inf, -1.0, 0.0):
        assert not engine.update(Timeframe.M15, Bar(signal.at_ms, 1.0, 1.0, 1.0, bad, 1.0))

    assert engine.rejected_bars == 4
    assert engine.decide(signal.at_ms, COSTS) == signal


def test_duplicate_and_older_bars_are_ignored() -> None:
    quarters = random_quarters(1, 2)
    engine, other = an_engine(), an_engine()
    for bar in quarters:
        assert engine.update(Timeframe.M15, bar)
        assert not engine.update(Timeframe.M15, bar)
        engine.update(Timeframe.M15, quarters[0])
        other.update(Timeframe.M15, bar)

    assert engine.snapshot() == other.snapshot()


def test_old_4h_bar_makes_the_data_stale() -> None:
    engine, signal, _ = signal_moment()
    newest = engine.last_open_ms(Timeframe.H4)
    assert newest is not None
    limit = newest + Timeframe.H4.ms + QUICK.age_of_4h_close_max_ms

    assert isinstance(engine.decide(limit, COSTS), Signal)
    late = engine.decide(limit + 1, COSTS)
    assert isinstance(late, NoSignal)
    assert late.reason_code == "DATA_STALE"
    assert late.at_ms == signal.at_ms


def test_symbol_without_bars_is_insufficient_at_the_moment_asked() -> None:
    decision = SmcStrategy().decide(Symbol("NEW/USD"), 1_700_000_000_000, COSTS)
    assert isinstance(decision, NoSignal)
    assert (decision.reason_code, decision.at_ms, decision.ladder.price) == ("DATA_INSUFFICIENT", 1_700_000_000_000, None)


def test_dear_trade_is_refused_at_the_stop_gate() -> None:
    engine, signal, _ = signal_moment()
    dear = engine.decide(signal.at_ms, replace(COSTS, spread_bps=500.0))
    assert isinstance(dear, NoSignal)
    assert dear.reason_code == "STOP_INVALID"


def test_few_days_make_the_bias_neutral() -> None:
    engine = an_engine(replace(QUICK, bars_1d_for_bias_min=1_000))
    found = list(decisions_of(engine, events_of(random_quarters(0, 40))))
    assert not any(isinstance(one, NoSignal) and one.reason_code == "COUNTER_BIAS" for one in found)


def test_snapshot_of_other_parameters_symbol_or_damage_is_not_continued() -> None:
    engine, signal, _ = signal_moment()
    data = engine.snapshot()

    assert SymbolEngine.restore(data, SYMBOL, replace(QUICK, ote_low=0.6)) is None
    assert SymbolEngine.restore(data, Symbol("ETH/USD"), QUICK) is None
    assert SymbolEngine.restore(data[:-5], SYMBOL, QUICK) is None
    assert SymbolEngine.restore(b"", SYMBOL, QUICK) is None
    restored = SymbolEngine.restore(data, SYMBOL, QUICK)
    assert restored is not None
    assert restored.decide(signal.at_ms, COSTS) == signal


def test_strategy_keeps_symbols_apart_and_rebuilds_one_from_bars() -> None:
    strategy: Strategy = (smc := SmcStrategy(QUICK))
    events = events_of(random_quarters(0, 12))
    for _, timeframe, bar in events:
        strategy.update(SYMBOL, timeframe, bar)
    before = smc.snapshot(SYMBOL)
    by_timeframe = {timeframe: [bar for _, own, bar in events if own is timeframe] for timeframe in Timeframe}

    smc.rebuild(SYMBOL, by_timeframe)
    assert smc.snapshot(SYMBOL) == before
    assert smc.engine(Symbol("ETH/USD")).bar_count(Timeframe.M15) == 0
    smc.forget(SYMBOL)
    assert smc.engine(SYMBOL).last_open_ms(Timeframe.H4) is None
    assert smc.restore(SYMBOL, before)
    assert smc.engine(SYMBOL).bar_count(Timeframe.M15) == 12 * 96
    assert not smc.restore(SYMBOL, b"junk")
