"""Ten signals and no order in six hours is worth an alert; anything less is an ordinary day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from trading_system.live.starvation import StarvationRule, StarvationWatch

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told(watch: StarvationWatch, cycles: list[tuple[float, int, int]]) -> list[float]:
    """Hours at which it told, for cycles of (hour, signals, orders)."""
    return [hour for hour, signals, orders in cycles if watch.note(signals, orders, NOON + timedelta(hours=hour)) is not None]


def test_the_tenth_signal_without_an_order_is_told_once() -> None:
    cycles = [(0.5 * number, 1, 0) for number in range(12)]

    assert told(StarvationWatch(), cycles) == [4.5]


def test_an_order_of_the_same_cycle_or_before_starts_the_count_anew() -> None:
    assert told(StarvationWatch(), [(0, 9, 0), (1, 5, 1), (2, 9, 0)]) == []


def test_signals_older_than_the_window_do_not_count() -> None:
    assert told(StarvationWatch(), [(0, 9, 0), (6.1, 1, 0)]) == []
    assert told(StarvationWatch(), [(0, 9, 0), (5.9, 1, 0)]) == [5.9]


def test_count_and_window_are_the_rule() -> None:
    assert told(StarvationWatch(StarvationRule(2, timedelta(hours=1))), [(0, 1, 0), (0.9, 1, 0)]) == [0.9]
