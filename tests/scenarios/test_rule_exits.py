"""Exits by rule through the running daemon: off by default, with their reason in the journal, never while halted."""

from __future__ import annotations

from typing import Any

import pytest
from daemon_driver import play
from scenario_ending import Ending
from scenario_parts import BTC, At, Scenario, Wish, crash, operator

from trading_system.domain import events as ev
from trading_system.domain.orders import Direction
from trading_system.domain.positions import CloseReason
from trading_system.wiring.control_protocol import HaltOrder

FOUR_HOURS = 14_400
BY_TIME: dict[str, Any] = {"multi_tp": {"time_exit_hours": "0.25"}}
BY_PREMISE: dict[str, Any] = {"multi_tp": {"premise_exit": True}}
DIP = {BTC: {0: 80_000.0, 13_000: 79_650.0, FOUR_HOURS + 60: 80_000.0}}
"""Below 79,700 when the 4h bar closes, never near the stop at 79,200."""


def closures(end: Ending) -> list[tuple[CloseReason, bool]]:
    """Reason of each close, and whether the venue holds nothing any more."""
    return [(event.reason, end.position() == 0) for event in end.of(ev.CloseRequested)]


def test_a_position_that_had_its_time_is_closed_with_the_reason() -> None:
    end = play(Scenario(settings=BY_TIME, until_s=1000))

    assert closures(end) == [(CloseReason.TIME_EXIT, True)]
    (request,) = end.of(ev.CloseRequested)
    assert "held 0.2 h" in request.evidence
    (closed,) = end.of(ev.PositionClosed)
    assert closed.reason is CloseReason.TIME_EXIT
    assert any(note.action == "close" for note in end.of(ev.DestructiveActionJustified))


def test_the_time_is_counted_over_a_restart() -> None:
    end = play(Scenario(settings=BY_TIME, acts=(At(600, crash(60)),), until_s=1000))

    assert closures(end) == [(CloseReason.TIME_EXIT, True)]


def test_by_default_time_closes_nothing() -> None:
    end = play(Scenario(until_s=1000))

    assert closures(end) == []
    assert end.position() != 0


def test_a_halt_flattens_nothing_not_even_by_rule() -> None:
    end = play(Scenario(settings=BY_TIME, acts=(At(300, operator(HaltOrder("drill"))),), until_s=1300))

    assert closures(end) == []
    assert end.position() != 0
    assert len(end.stops()) == 1


@pytest.mark.parametrize(
    ("settings", "premise", "expected"),
    [
        (BY_PREMISE, 79_700.0, [(CloseReason.PREMISE, True)]),
        (BY_PREMISE, 79_600.0, []),
        (BY_PREMISE, None, []),
        ({}, 79_700.0, []),
    ],
    ids=["closed beyond the premise", "closed above it", "a strategy that names none", "off by default"],
)
def test_a_4h_close_beyond_the_premise_ends_the_position(
    settings: dict[str, Any], premise: float | None, expected: list[tuple[CloseReason, bool]]
) -> None:
    end = play(Scenario(prices=DIP, wishes=(Wish(premise=premise),), settings=settings, until_s=FOUR_HOURS + 200))

    assert closures(end) == expected
    if expected:
        (request,) = end.of(ev.CloseRequested)
        assert "closed at 79650" in request.evidence
        assert "beyond the premise 79700" in request.evidence


def test_a_short_is_mirrored_and_a_close_missed_while_down_counts() -> None:
    rise = {BTC: {0: 80_000.0, 13_000: 80_350.0, FOUR_HOURS + 30: 80_000.0}}
    wish = Wish(direction=Direction.SHORT, premise=80_300.0)

    acts = (At(FOUR_HOURS - 60, crash(300)),)
    end = play(Scenario(prices=rise, wishes=(wish,), settings=BY_PREMISE, acts=acts, until_s=FOUR_HOURS + 500))

    assert closures(end) == [(CloseReason.PREMISE, True)]
