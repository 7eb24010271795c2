"""The venue's point budgets."""

from hypothesis import given
from hypothesis import strategies as st

from trading_system.sim.kraken_server.rate_budget import Pool, RateBudget, TokenPool, account_log_tokens


def test_fifty_orders_at_once_pass_and_the_next_one_is_over_budget() -> None:
    budget = RateBudget()

    answers = [budget.take(Pool.TRADING, 10, 100.0) for _ in range(51)]

    assert answers == [True] * 50 + [False]


def test_the_trading_budget_is_whole_again_after_ten_seconds() -> None:
    budget = RateBudget()
    budget.take(Pool.TRADING, 500, 100.0)

    assert not budget.take(Pool.TRADING, 500, 109.9)
    assert budget.take(Pool.TRADING, 500, 110.0)


def test_history_has_a_pool_of_its_own() -> None:
    budget = RateBudget()
    budget.take(Pool.TRADING, 500, 0.0)

    assert budget.take(Pool.HISTORY, 100, 0.0)
    assert not budget.take(Pool.HISTORY, 1, 5.0)
    assert budget.take(Pool.HISTORY, 1, 6.1)


def test_public_requests_are_free() -> None:
    assert all(RateBudget().take(Pool.PUBLIC, 0, 0.0) for _ in range(10_000))


def test_account_log_pages_cost_by_their_size() -> None:
    assert [account_log_tokens(count) for count in (1, 25, 26, 50, 51, 500, 1000, 1001, 5000, 5001, 100_000)] == [
        1, 1, 2, 2, 3, 3, 3, 6, 6, 10, 10,
    ]  # fmt: skip


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 200)), max_size=60))
def test_a_pool_never_gives_more_than_its_capacity_and_refill(requests: list[tuple[float, int]]) -> None:
    pool, now_s, given_points = TokenPool(500, 50), 0.0, 0
    for wait_s, points in requests:
        now_s += wait_s
        given_points += points if pool.take(points, now_s) else 0

    assert given_points <= 500 + now_s * 50 + 1e-6
