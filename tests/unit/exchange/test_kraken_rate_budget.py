"""Protective calls always find room; reads and entries give way first."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_builders import ManualClock

from trading_system.exchange.kraken_futures.rate_budget import (
    ACCOUNT_LOG,
    FILLS_OLDER,
    OPEN_ORDERS,
    SEND_ORDER,
    BudgetExhausted,
    BudgetRules,
    CallClass,
    Pool,
    PoolRule,
    RateBudget,
    SpendingWindow,
)


async def drain(budget: RateBudget, call_class: CallClass) -> int:
    """Spend as `call_class` until refused; the points it got."""
    spent = 0
    while True:
        try:
            await budget.acquire(OPEN_ORDERS, call_class)
        except BudgetExhausted:
            return spent
        spent += OPEN_ORDERS.points


async def test_reads_stop_before_entries_and_entries_leave_the_protective_share() -> None:
    clock = ManualClock()
    budget = RateBudget(clock)

    assert await drain(budget, CallClass.READ) == 300
    assert await drain(budget, CallClass.ENTRY) == 50
    assert budget.remaining == 150
    for _ in range(15):
        await budget.acquire(SEND_ORDER, CallClass.PROTECTIVE)
    assert clock.slept == []


async def test_a_protective_call_waits_at_most_a_second_and_is_never_refused() -> None:
    clock = ManualClock()
    budget = RateBudget(clock)
    for _ in range(50):
        await budget.acquire(SEND_ORDER, CallClass.PROTECTIVE)

    before = clock.seconds
    await budget.acquire(SEND_ORDER, CallClass.PROTECTIVE)

    assert clock.seconds - before == pytest.approx(1.0)


async def test_a_refused_read_says_when_there_is_room_again() -> None:
    clock = ManualClock()
    budget = RateBudget(clock)
    await drain(budget, CallClass.READ)
    clock.seconds += 4.0

    with pytest.raises(BudgetExhausted) as refused:
        await budget.acquire(OPEN_ORDERS, CallClass.READ)

    assert refused.value.retry_after_s == pytest.approx(10.5 - 4.0)
    clock.seconds += refused.value.retry_after_s
    await budget.acquire(OPEN_ORDERS, CallClass.READ)


async def test_when_the_venue_says_exhausted_reads_and_entries_stop_and_protection_goes_on() -> None:
    clock = ManualClock()
    budget = RateBudget(clock)

    budget.venue_said_exhausted()

    for call_class in (CallClass.READ, CallClass.ENTRY):
        with pytest.raises(BudgetExhausted):
            await budget.acquire(SEND_ORDER, call_class)
    await budget.acquire(SEND_ORDER, CallClass.PROTECTIVE)
    assert clock.slept == []


async def test_a_look_still_finds_room_after_the_venue_said_exhausted_and_leaves_room_for_stops() -> None:
    clock = ManualClock()
    budget = RateBudget(clock)
    budget.venue_said_exhausted()

    assert await drain(budget, CallClass.LOOK) == 74
    assert budget.remaining == 76
    for _ in range(7):
        await budget.acquire(SEND_ORDER, CallClass.PROTECTIVE)
    assert clock.slept == []


async def test_a_look_that_the_venue_itself_refused_pauses_looks_for_part_of_a_window() -> None:
    clock = ManualClock()
    budget = RateBudget(clock)
    budget.venue_said_exhausted(Pool.TRADING, CallClass.LOOK)
    clock.seconds += 6.9

    with pytest.raises(BudgetExhausted) as refused:
        await budget.acquire(OPEN_ORDERS, CallClass.LOOK)

    clock.seconds += refused.value.retry_after_s
    await budget.acquire(OPEN_ORDERS, CallClass.LOOK)


async def test_the_points_and_their_window_are_the_rules() -> None:
    clock = ManualClock()
    budget = RateBudget(clock, BudgetRules(trading=PoolRule(100, 5.0), history=PoolRule(3, 60.0), protective_wait_s_max=0.0))

    assert await drain(budget, CallClass.READ) == 60
    clock.seconds += 5.3
    assert budget.remaining == 100
    await budget.acquire(ACCOUNT_LOG, CallClass.READ)
    with pytest.raises(BudgetExhausted):
        await budget.acquire(ACCOUNT_LOG, CallClass.READ)
    for _ in range(11):
        await budget.acquire(SEND_ORDER, CallClass.PROTECTIVE)
    assert clock.slept == []


async def test_the_history_pool_is_its_own() -> None:
    budget = RateBudget(ManualClock())
    budget.venue_said_exhausted(Pool.HISTORY)

    with pytest.raises(BudgetExhausted):
        await budget.acquire(ACCOUNT_LOG, CallClass.READ)
    await budget.acquire(FILLS_OLDER, CallClass.READ)


@pytest.mark.parametrize("share", ["0.29", "0", "0.95", "-1"])
def test_a_protective_share_below_thirty_percent_is_refused(share: str) -> None:
    with pytest.raises(ValueError, match="protective_share"):
        BudgetRules(protective_share=Decimal(share))


@given(st.lists(st.tuples(st.floats(0, 2), st.sampled_from([1, 2, 10, 25])), max_size=120))
def test_no_window_of_the_venue_ever_sees_more_than_its_points(calls: list[tuple[float, int]]) -> None:
    rule = PoolRule(500, 10.5)
    window, now, sent = SpendingWindow(rule), 0.0, []
    for pause, points in calls:
        now += pause
        if window.wait_s(now, points, rule.points) == 0:
            window.spend(now, points)
            sent.append((now, points))
    for start, _ in sent:
        assert sum(points for at, points in sent if start <= at < start + 10.0) <= rule.points
