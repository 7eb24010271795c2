"""The ladder of a strategy that checks its gates in plain code."""

from __future__ import annotations

import pytest

from strategy_builders import SYMBOL
from trading_system.domain.signals import GateResult, GateState, Ladder, NoSignal
from trading_system.strategy.ladders import LadderDraft, Rung

RUNGS = (Rung("data", "bars"), Rung("trend", "up"), Rung("cost", "cheap"))


def a_draft() -> LadderDraft:
    return LadderDraft(SYMBOL, 900_000, 5.0, RUNGS)


def test_the_first_failure_ends_the_ladder_and_the_rest_is_not_reached() -> None:
    draft = a_draft()

    assert draft.check(True, "NO_DATA", 10.0)
    assert not draft.check(False, "NO_TREND", -1.0, 1.0)

    gates = (
        GateResult("data", GateState.PASSED, "bars", 10.0, 0.0),
        GateResult("trend", GateState.FAILED, "up", -1.0, 1.0, "NO_TREND"),
        GateResult("cost", GateState.NOT_REACHED, "cheap", None, None),
    )
    assert draft.refusal() == NoSignal(SYMBOL, 900_000, "NO_TREND", Ladder(SYMBOL, 900_000, 5.0, gates))


def test_nothing_can_be_checked_after_a_failure() -> None:
    draft = a_draft()
    draft.check(False, "NO_DATA")

    with pytest.raises(ValueError, match="gate data failed"):
        draft.check(True, "NO_TREND")


def test_a_ladder_without_a_failure_is_no_refusal() -> None:
    draft = a_draft()
    for code in ("A", "B", "C"):
        draft.check(True, code)

    assert draft.ladder().passed_count == 3
    with pytest.raises(ValueError, match="no gate failed"):
        draft.refusal()
