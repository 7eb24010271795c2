"""The watch round a strategy, and the story of its signals: nothing is counted twice, nothing vanishes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from strategy_builders import COSTS, START_MS, SYMBOL, events_of, random_quarters
from strategy_port_suite import ask
from trading_system.backtest.signal_story import NOT_SENT, UNDECIDED, Funnel, SignalStory
from trading_system.backtest.watched_strategy import WatchedStrategy
from trading_system.domain import log_events as ev
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.positions import PositionState
from trading_system.domain.signals import GateState, Signal
from trading_system.strategy.donchian import DonchianParameters, DonchianStrategy

QUICK = DonchianParameters(channel_bars=10)


def test_the_watched_strategy_says_what_the_bare_one_says() -> None:
    events = events_of(random_quarters(3, 20))

    assert ask(WatchedStrategy(DonchianStrategy(QUICK)), events) == ask(DonchianStrategy(QUICK), events)


def test_gates_are_counted_once_per_bar_however_often_it_is_judged() -> None:
    events = events_of(random_quarters(3, 20))
    watched = WatchedStrategy(DonchianStrategy(QUICK))
    answers = ask(watched, events)
    for _ in range(3):
        watched.decide(SYMBOL, events[-1][0], COSTS)

    shares = watched.gate_shares()

    assert watched.judged == len(answers) == shares[0].reached
    for share in shares:
        gates = [next(gate for gate in answer.ladder.gates if gate.name == share.gate) for answer in answers.values()]
        assert share.reached == sum(gate.state is not GateState.NOT_REACHED for gate in gates)
        assert share.stopped == sum(gate.state is GateState.FAILED for gate in gates)
    assert watched.signals == sum(isinstance(answer, Signal) for answer in answers.values()) > 0
    assert watched.faults == []


def test_a_bar_known_before_its_close_is_a_fault() -> None:
    watched = WatchedStrategy(DonchianStrategy(QUICK))
    watched.update(SYMBOL, Timeframe.H4, Bar(START_MS, 1.0, 2.0, 0.5, 1.5, 1.0))

    watched.decide(SYMBOL, START_MS + Timeframe.H4.ms, COSTS)
    assert watched.faults == []
    watched.decide(SYMBOL, START_MS + Timeframe.H4.ms - 1, COSTS)

    assert len(watched.faults) == 1
    assert "was known at" in watched.faults[0]


def test_a_bar_that_does_not_open_on_its_grid_is_a_fault() -> None:
    watched = WatchedStrategy(DonchianStrategy(QUICK))

    watched.update(SYMBOL, Timeframe.H4, Bar(START_MS + Timeframe.H1.ms, 1.0, 2.0, 0.5, 1.5, 1.0))

    assert "no 4h bar opens at" in watched.faults[0]


def position_in(state: PositionState) -> Any:
    return SimpleNamespace(state=state)


def test_every_signal_ends_somewhere() -> None:
    story = SignalStory()
    for name in "ABCDEFG":
        story.note(ev.SIGNAL, {"position_id": name})
    story.note(ev.SIGNAL_REJECTED, {"position_id": "H", "reason": "SIGNAL_COOLDOWN"})
    story.note(ev.SIGNAL_REJECTED_SPREAD, {"position_id": "I", "reason": "SIGNAL_REJECTED_SPREAD"})
    story.note(ev.ENTRY_REFUSED, {"position_id": "A", "reason": "COST_TOO_HIGH"})
    story.note(ev.LIVE_EXPOSURE_BLOCKING, {"position_id": "B", "reason": "LIVE_EXPOSURE"})
    story.note(ev.EXECUTION_FAILED, {"position_id": "C", "status": "rejected"})
    story.note(ev.NO_SIGNAL, {"symbol": "X"})
    held = {"D": PositionState.CLOSED, "E": PositionState.CANCELLED, "F": PositionState.PROTECTED}

    funnel = story.funnel(lambda name: position_in(held[name]) if name in held else None)

    assert funnel == Funnel(
        signals=9,
        refused={
            "COST_TOO_HIGH": 1,
            NOT_SENT: 1,
            "LIVE_EXPOSURE": 1,
            UNDECIDED: 1,
            "SIGNAL_COOLDOWN": 1,
            "SIGNAL_REJECTED_SPREAD": 1,
        },
        never_filled=1,
        still_open=1,
        trades=1,
    )
    assert funnel.signals == sum(funnel.refused.values()) + funnel.never_filled + funnel.still_open + funnel.trades


def test_a_signal_that_waited_for_its_quote_is_counted_once() -> None:
    story = SignalStory()
    story.note(ev.SIGNAL_REJECTED, {"position_id": "A", "reason": "QUOTE_UNUSABLE"})
    story.note(ev.SIGNAL, {"position_id": "A"})

    assert story.funnel(lambda name: position_in(PositionState.CLOSED)).trades == 1


@pytest.mark.parametrize("event", [ev.DEGRADED, ev.HALTED, ev.KILL_SWITCH_ACTIVATED])
def test_why_entries_were_off_is_kept(event: str) -> None:
    story = SignalStory()
    story.note(ev.CYCLE_SUMMARY, {"system_state": "NORMAL"})
    story.note(event, {"causes": ["drawdown actual=0.11 limit=0.10"]})
    story.note(ev.CYCLE_SUMMARY, {"system_state": "DEGRADED"})

    assert story.cycles == {"NORMAL": 1, "DEGRADED": 1}
    assert story.causes == [f"{event}: drawdown actual=0.11 limit=0.10"]
