"""What every implementation of the Strategy port must do, as checks that take any strategy. A failure is an AssertionError.

A check runs on a seeded market and, where it cuts, at one bar of it. The checks know nothing of any strategy but its port.
"""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from types import BuiltinFunctionType, FunctionType, ModuleType

from strategy_builders import COSTS, START_MS, SYMBOL, Event, FixedCosts, events_of, random_quarters
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import Strategy
from trading_system.domain.signals import Decision, Emission, GateState, Ladder, NoSignal, Signal
from trading_system.domain.symbols import Symbol
from trading_system.strategy.bars import negated

DAYS = 24
BARS = DAYS * 96
OTHER = Symbol("ETH/USD")
Answers = dict[int, Decision]
"""Close of the 15m bar asked about -> answer."""


@dataclass(frozen=True, slots=True)
class PortCase:
    """One strategy under test. `mirrored` makes one that takes prices of either sign; None where the rule is not symmetric."""

    name: str
    make: Callable[[], Strategy]
    reason_codes: frozenset[str]
    mirrored: Callable[[], Strategy] | None = None


@lru_cache(maxsize=64)
def market(seed: int, days: int = DAYS) -> tuple[Event, ...]:
    return tuple(events_of(random_quarters(seed, days)))


@lru_cache(maxsize=64)
def quarters_of(seed: int) -> tuple[Bar, ...]:
    return tuple(random_quarters(seed, DAYS))


def feed(strategy: Strategy, events: Iterable[Event], symbol: Symbol = SYMBOL) -> None:
    """A warm-up: bars, and nobody asks."""
    for _, timeframe, bar in events:
        strategy.update(symbol, timeframe, bar)


def ask(strategy: Strategy, events: Sequence[Event], costs: FixedCosts = COSTS, *, is_marking: bool = True) -> Answers:
    """Feed and ask at every 15m close, when all bars that close then are there; act on signals at once."""
    answers: Answers = {}
    for position, (closed_ms, timeframe, bar) in enumerate(events):
        strategy.update(SYMBOL, timeframe, bar)
        if position + 1 == len(events) or events[position + 1][0] > closed_ms:
            answer = strategy.decide(SYMBOL, closed_ms, costs)
            answers[closed_ms] = answer
            if is_marking and isinstance(answer, Signal):
                strategy.mark_emitted(answer)
    return answers


def cut_ms(cut: int) -> int:
    """Close of the 15m bar number `cut` (from 0)."""
    return START_MS + (cut + 1) * Timeframe.M15.ms


def until(events: Sequence[Event], moment_ms: int) -> list[Event]:
    return [event for event in events if event[0] <= moment_ms]


def check_the_future_changes_nothing(case: PortCase, seed: int, cut: int, other: int) -> None:
    """Bars after number `cut` are exchanged for those of another market, then left out."""
    quarters, now_ms = quarters_of(seed), cut_ms(cut)
    scale = quarters[cut].close / 100.0
    changed = [
        Bar(old.open_ms, new.open * scale, new.high * scale, new.low * scale, new.close * scale, 1.0)
        for old, new in zip(quarters[cut + 1 :], quarters_of(other), strict=False)
    ]
    whole = {at: answer for at, answer in ask(case.make(), market(seed)).items() if at <= now_ms}
    forked = ask(case.make(), events_of([*quarters[: cut + 1], *changed]))
    prefix = ask(case.make(), until(market(seed), now_ms))

    assert {at: answer for at, answer in forked.items() if at <= now_ms} == whole
    assert prefix == whole


def check_a_warm_up_decides_as_live_did(case: PortCase, seed: int, cut: int) -> None:
    """After bars without questions and the marks of the journal, every answer is the one of a life without a restart."""
    events, now_ms = market(seed), cut_ms(cut)
    live = ask(case.make(), events)
    restarted = case.make()
    feed(restarted, until(events, now_ms))
    for answer in live.values():
        if isinstance(answer, Signal) and answer.at_ms <= now_ms:
            restarted.mark_emitted(Emission(answer.symbol, answer.at_ms, answer.zone_ids))

    assert restarted.decide(SYMBOL, now_ms, COSTS) == live[now_ms]
    later = ask(restarted, [event for event in events if event[0] > now_ms])
    assert later == {at: answer for at, answer in live.items() if at > now_ms}


def check_bars_that_close_together_come_in_any_order(case: PortCase, seed: int) -> None:
    turned = sorted(market(seed), key=lambda event: (event[0], event[1].ms))

    assert ask(case.make(), turned) == ask(case.make(), market(seed))


def check_two_instances_and_two_questions_agree(case: PortCase, seed: int) -> None:
    one, other = case.make(), case.make()
    first = ask(one, market(seed))
    for position, (closed_ms, timeframe, bar) in enumerate(market(seed)):
        other.update(SYMBOL, timeframe, bar)
        if position + 1 == len(market(seed)) or market(seed)[position + 1][0] > closed_ms:
            answer, again = other.decide(SYMBOL, closed_ms, COSTS), other.decide(SYMBOL, closed_ms, COSTS)
            assert answer == again == first[closed_ms]
            if isinstance(answer, Signal):
                other.mark_emitted(answer)
                assert other.decide(SYMBOL, closed_ms, COSTS) == answer, "a mark counts for later bars only"


def check_a_setup_that_was_acted_on_gives_no_second_signal(case: PortCase, seed: int) -> None:
    seen: set[str] = set()
    for answer in ask(case.make(), market(seed)).values():
        if isinstance(answer, Signal):
            assert not seen & set(answer.zone_ids)
            seen |= set(answer.zone_ids)


def check_mirrored_prices_give_mirrored_answers(case: PortCase, seed: int, funding: float) -> None:
    assert case.mirrored is not None
    costs = FixedCosts(funding_bps_per_hour=funding)
    plain = ask(case.mirrored(), market(seed), costs)
    turned = [(closed_ms, timeframe, negated(bar)) for closed_ms, timeframe, bar in market(seed)]
    mirrored = ask(case.mirrored(), turned, replace(costs, funding_bps_per_hour=-funding))

    for one, two in zip(plain.values(), mirrored.values(), strict=True):
        assert _facts(one, 1) == _facts(two, -1)


def _facts(answer: Decision, sign: int) -> tuple[object, ...]:
    """An answer as seen from prices times `sign`: levels turn, everything else stays."""
    price = answer.ladder.price
    facts = (answer.at_ms, None if price is None else sign * price, [(g.state, g.reason_code, g.distance) for g in answer.ladder.gates])
    if isinstance(answer, NoSignal):
        return (*facts, answer.reason_code)
    levels = [sign * level for level in (answer.entry_price, answer.stop_price, answer.target_price)]
    kept = (answer.regime, answer.score, answer.reward_risk, answer.atr_4h, answer.atr_15m, answer.cost_bps, answer.setup)
    return (*facts, sign * answer.direction.sign, levels, kept)


def check_markets_do_not_know_of_each_other(case: PortCase, seed: int, other: int) -> None:
    """A second market is fed in turn, forgotten half way, and fed again from its beginning."""
    alone, both = case.make(), case.make()
    expected = ask(alone, market(seed))
    neighbours = market(other)
    half = len(neighbours) // 2
    answers: Answers = {}
    for position, event in enumerate(market(seed)):
        if position < len(neighbours):
            feed(both, [neighbours[position]], OTHER)
        if position == half:
            both.forget(OTHER)
            feed(both, neighbours[:half], OTHER)
        both.update(SYMBOL, event[1], event[2])
        if position + 1 == len(market(seed)) or market(seed)[position + 1][0] > event[0]:
            answer = answers[event[0]] = both.decide(SYMBOL, event[0], COSTS)
            if isinstance(answer, Signal):
                both.mark_emitted(answer)

    assert answers == expected


def check_forget_begins_anew(case: PortCase, seed: int) -> None:
    strategy = case.make()
    expected = ask(strategy, market(seed), is_marking=False)
    strategy.forget(SYMBOL)
    strategy.forget(OTHER)

    assert isinstance(strategy.decide(SYMBOL, START_MS, COSTS), NoSignal)
    assert ask(strategy, market(seed), is_marking=False) == expected


def garbage(rng: Random, like: Bar, timeframe: Timeframe) -> Bar:
    """A bar no strategy may take: not finite, not positive, torn, off the grid, or not newer than the last one."""
    bad = rng.choice((math.nan, math.inf, -math.inf, 0.0, -like.close))
    spoiled = {rng.choice(("open", "high", "low", "close")): bad}
    kind = rng.randrange(6)
    if kind == 0:
        spoiled = {"high": like.low, "low": like.high * 1.01}
    elif kind == 1:
        spoiled = {"close": like.high * 1.01}
    elif kind == 2:
        return like._replace(open_ms=like.open_ms + timeframe.ms + rng.randrange(1, timeframe.ms))
    elif kind == 3:
        return like._replace(open_ms=like.open_ms - rng.randrange(5) * timeframe.ms, close=like.low, volume=math.nan)
    return like._replace(open_ms=like.open_ms + timeframe.ms, **spoiled)


def check_garbage_leaves_no_trace(case: PortCase, seed: int) -> None:
    """Between good bars come bad ones, of every timeframe, before the first good one too."""
    rng = Random(seed)
    strategy = case.make()
    answers: Answers = {}
    newest: dict[Timeframe, Bar] = {}
    events = market(seed)
    strategy.decide(SYMBOL, START_MS, COSTS)
    for position, (closed_ms, timeframe, bar) in enumerate(events):
        if timeframe not in newest:
            feed(strategy, [(closed_ms, timeframe, Bar(bar.open_ms, math.nan, 1.0, 2.0, -1.0, math.inf))])
        strategy.update(SYMBOL, timeframe, bar)
        newest[timeframe] = bar
        if rng.random() < 0.1:
            frame = rng.choice(list(newest))
            strategy.update(SYMBOL, frame, garbage(rng, newest[frame], frame))
        if position + 1 == len(events) or events[position + 1][0] > closed_ms:
            answer = answers[closed_ms] = strategy.decide(SYMBOL, closed_ms, COSTS)
            if isinstance(answer, Signal):
                strategy.mark_emitted(answer)

    assert answers == ask(case.make(), events)


def check_ladders_are_well_formed(case: PortCase, seed: int) -> list[Signal]:
    """Returns the signals, so that a caller can tell that there were any."""
    strategy = case.make()
    answers = {START_MS: strategy.decide(SYMBOL, START_MS, COSTS)}
    answers |= ask(strategy, market(seed))
    names = [gate.name for gate in answers[START_MS].ladder.gates]
    assert names
    assert len(set(names)) == len(names)
    for at_ms, answer in answers.items():
        assert [gate.name for gate in answer.ladder.gates] == names, "the same gates in the same order, every time"
        assert (answer.symbol, answer.at_ms) == (answer.ladder.symbol, answer.ladder.at_ms) == (SYMBOL, at_ms)
        _check_gates(answer, answer.ladder, case.reason_codes)
        if isinstance(answer, Signal):
            _check_signal(answer)
    return [answer for answer in answers.values() if isinstance(answer, Signal)]


def _check_gates(answer: Decision, ladder: Ladder, known: frozenset[str]) -> None:
    states = [gate.state for gate in ladder.gates]
    passed = ladder.passed_count
    if isinstance(answer, Signal):
        assert set(states) == {GateState.PASSED}
    else:
        expected = [GateState.PASSED] * passed + [GateState.FAILED] + [GateState.NOT_REACHED] * (len(states) - passed - 1)
        assert states == expected
        assert ladder.blocking is not None
        assert ladder.blocking.reason_code == answer.reason_code
        assert answer.reason_code in known
    for gate in ladder.gates:
        assert gate.required, "what a gate requires is said in words"
        assert gate.distance is None or (math.isfinite(gate.distance) and gate.distance >= 0.0)
        assert not isinstance(gate.actual, float) or math.isfinite(gate.actual)
        if gate.state is GateState.NOT_REACHED:
            assert gate.actual is None
            assert gate.distance is None
        if gate.state is not GateState.FAILED:
            assert gate.reason_code is None


def _check_signal(signal: Signal) -> None:
    sign = signal.direction.sign
    risk, reward = sign * (signal.entry_price - signal.stop_price), sign * (signal.target_price - signal.entry_price)
    assert signal.ladder.price == signal.entry_price, "the price of a signal is the close of the judged bar"
    assert 0.0 < risk < signal.entry_price
    assert reward > 0.0
    assert signal.target_price > 0.0
    assert math.isclose(signal.reward_risk, reward / risk, rel_tol=1e-9)
    for value in (signal.atr_15m, signal.atr_4h):
        assert math.isfinite(value)
        assert value > 0.0
    for value in (signal.score, signal.cost_bps):
        assert math.isfinite(value)
        assert value >= 0.0
    assert signal.score <= 100.0
    assert signal.setup


def retained_bytes(strategy: Strategy) -> int:
    """Everything reachable from the strategy, without code and classes."""
    code = (type, ModuleType, FunctionType, BuiltinFunctionType)
    seen: set[int] = set()
    todo: list[object] = [strategy]
    total = 0
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, code):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        todo += gc.get_referents(one)
    return total


def check_memory_is_bounded(case: PortCase, seed: int) -> None:
    strategy = case.make()
    events = market(seed, 100)
    parts = [events[at : at + len(events) // 20] for at in range(0, len(events), len(events) // 20)]
    sizes = []
    for part in parts:
        ask(strategy, part)
        sizes.append(retained_bytes(strategy))

    half = len(sizes) // 2
    # the constant leaves room for a few entries to come and marks, not for bars
    assert max(sizes[half:]) <= 1.2 * max(sizes[2:half]) + 4_096
