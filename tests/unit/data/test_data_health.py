"""Whom to ask after failures, and whether enough of the universe has data."""

from __future__ import annotations

import json

import pytest
from data_builders import ADA, ms

from trading_system.data.data_health import HealthBook, HealthState, judge_coverage


def failed(book: HealthBook, times: int, at_ms: int = 0) -> None:
    for _ in range(times):
        book.failed(ADA, at_ms)


def test_three_failures_in_a_row_degrade_and_a_success_between_them_does_not() -> None:
    book = HealthBook()
    failed(book, 2)
    book.succeeded(ADA, 0)
    failed(book, 2)
    assert book.state(ADA) is HealthState.HEALTHY
    failed(book, 1)
    assert book.state(ADA) is HealthState.DEGRADED


def test_a_degraded_symbol_is_asked_in_one_cycle_of_four() -> None:
    book = HealthBook()
    failed(book, 3)

    turns = []
    for _ in range(8):
        turns.append(book.take_turn(ADA, 0))
        if turns[-1]:
            book.failed(ADA, 0)

    assert turns == [False, False, False, True] * 2


def test_six_hours_of_failure_suspend_and_then_only_a_probe_every_half_hour_goes_out() -> None:
    book = HealthBook()
    failed(book, 3, ms())
    book.failed(ADA, ms(5.99))
    assert book.state(ADA) is HealthState.DEGRADED
    book.failed(ADA, ms(6))

    assert book.state(ADA) is HealthState.SUSPENDED
    assert [book.take_turn(ADA, ms(6, minutes=m)) for m in (1, 29, 30)] == [False, False, True]


def test_three_successes_in_a_row_heal_from_every_state() -> None:
    for hours in (0, 7):
        book = HealthBook()
        failed(book, 3, ms())
        book.failed(ADA, ms(hours))
        states = []
        for _ in range(3):
            book.succeeded(ADA, ms(8))
            states.append(book.state(ADA))
        assert states == [HealthState.DEGRADED, HealthState.DEGRADED, HealthState.HEALTHY]


def test_a_clock_that_was_stepped_back_does_not_silence_the_probe() -> None:
    book = HealthBook()
    failed(book, 3, ms(0))
    book.failed(ADA, ms(7))

    assert book.take_turn(ADA, ms(1))


def test_the_book_survives_a_restart() -> None:
    book = HealthBook()
    failed(book, 3, ms())
    book.failed(ADA, ms(6))

    again = HealthBook.restored(json.loads(json.dumps(book.snapshot())))

    assert again.of(ADA) == book.of(ADA)


def test_a_snapshot_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="dead"):
        HealthBook.restored({"ADA/USD": {"state": "dead"}})
    with pytest.raises(ValueError, match="whole number"):
        HealthBook.restored({"ADA/USD": {"state": "healthy", "failures": "3"}})


@pytest.mark.parametrize(
    ("universe", "needed"), [(0, 0), (1, 1), (5, 3), (10, 6), (49, 30), (50, 30), (60, 30), (120, 30), (121, 31), (200, 50)]
)
def test_coverage_needs_thirty_or_sixty_percent_and_never_less_than_a_quarter(universe: int, needed: int) -> None:
    assert judge_coverage(0, universe).ready_min == needed
    assert judge_coverage(needed, universe).is_enough
    assert not judge_coverage(needed - 1, universe).is_enough
