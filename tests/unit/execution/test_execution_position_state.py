"""The transition table: what is in it is drawn, what is not in it raises."""

from __future__ import annotations

import itertools

import pytest

from trading_system.domain.errors import InvariantViolation
from trading_system.domain.positions import PositionState
from trading_system.execution.position_state import TRANSITIONS, PositionEvent, next_state, render_transitions

OUTSIDE = [pair for pair in itertools.product(PositionState, PositionEvent) if pair not in TRANSITIONS]


@pytest.mark.parametrize(("state", "event"), OUTSIDE, ids=[f"{s.value}-{e.name}" for s, e in OUTSIDE])
def test_every_move_outside_the_table_raises(state: PositionState, event: PositionEvent) -> None:
    with pytest.raises(InvariantViolation, match=state.value):
        next_state(state, event)


def test_a_closed_position_never_moves_again() -> None:
    assert not [pair for pair in TRANSITIONS if pair[0] is PositionState.CLOSED]


def test_every_state_can_be_reached_and_every_unfinished_one_can_be_left() -> None:
    reached = set(TRANSITIONS.values()) | {PositionState.PENDING}
    left = {state for state, _ in TRANSITIONS}
    assert reached == set(PositionState)
    assert left == set(PositionState) - {PositionState.CLOSED}


def test_a_position_that_needs_a_human_keeps_its_symbol_and_is_not_managed() -> None:
    for state in (PositionState.ORPHANED, PositionState.QUARANTINED):
        assert state.is_active
        assert not state.is_managed


def test_the_drawing_has_one_edge_per_move() -> None:
    drawing = render_transitions()
    assert drawing.startswith("stateDiagram-v2\n")
    assert all(f"    {s.value} --> {to.value}: {e.value}" in drawing for (s, e), to in TRANSITIONS.items())
