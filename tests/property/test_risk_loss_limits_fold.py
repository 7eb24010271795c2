"""Loss limits under any path of equity, flows, restarts and clock jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st

from trading_system.domain.account import AccountFlow, FlowKind
from trading_system.domain.units import Usd
from trading_system.risk.limits import LossLimits
from trading_system.risk.loss_limits import apply_flow, observe
from trading_system.risk.loss_state import EquityReading, LossState, decode_loss_state, encode_loss_state

LIMITS = LossLimits()
START = datetime(2025, 3, 3, tzinfo=UTC)

moves = st.tuples(
    st.integers(1, 40_000),  # seconds to the next reading
    st.decimals("-60", "60", places=2),  # booked P&L in between
    st.decimals("-30", "30", places=2),  # unrealised now
    st.sampled_from([D(0)] * 6 + [D(200), D(-200)]),  # external flow in between, booked before the reading
)


@settings(max_examples=150, deadline=None)
@given(st.lists(moves, min_size=1, max_size=25), st.booleans())
def test_a_limit_crossed_is_a_limit_hit_and_flows_are_no_profit(path: list[tuple[int, D, D, D]], restarts: bool) -> None:
    at, balance, booked = START, D(1000), D(0)
    seen = observe(None, EquityReading(at, balance, balance, booked), LIMITS)
    assert seen is not None
    day_start, week_start, peak, stopped_on, stopped_week = D(1000), D(1000), D(1000), None, None
    for index, (seconds, pnl, unrealized, flow) in enumerate(path):
        before, state = at, seen.state
        at += timedelta(seconds=seconds)
        last = seen.standing.equity
        if flow and balance + flow > 400:
            balance += flow
            state = apply_flow(state, AccountFlow(f"f{index}", before + (at - before) / 2, FlowKind.DEPOSIT, Usd(flow)))
            day_start, week_start, peak, last = day_start + flow, week_start + flow, peak + flow, last + flow
        pnl = max(pnl, 100 - balance)
        balance, booked = balance + pnl, booked + pnl
        equity = balance + unrealized
        if at.date() != before.date():
            day_start = max(last, equity)
        if at.isocalendar()[:2] != before.isocalendar()[:2]:
            week_start = max(last, equity)
        peak = max(peak, equity)
        if restarts:
            state = decode_loss_state(encode_loss_state(state))
        seen = observe(state, EquityReading(at, equity, balance, booked), LIMITS)
        assert seen is not None
        standing = seen.standing
        if day_start - equity >= D("0.05") * day_start:
            stopped_on = at.date()
        if week_start - equity >= D("0.07") * week_start:
            stopped_week = at.isocalendar()[:2]

        assert (standing.day_pnl, standing.week_pnl) == (equity - day_start, equity - week_start)
        assert standing.is_day_stopped == (stopped_on == at.date())
        assert standing.is_week_stopped == (stopped_week == at.isocalendar()[:2])
        assert abs(standing.drawdown - (1 - equity / peak)) < D("1e-20")
        assert not standing.has_unexplained_step


jumps = st.integers(-20 * 86_400, 20 * 86_400)


@settings(max_examples=150, deadline=None)
@given(jumps, jumps, st.integers(0, 86_399))
def test_no_tour_of_the_clock_lifts_a_stop_of_the_day_it_comes_back_to(first: int, second: int, back: int) -> None:
    start = START + timedelta(days=2)
    state: LossState | None = None
    for at, equity in ((start, D(1000)), (start + timedelta(seconds=1), D(925))):
        seen = observe(state, EquityReading(at, equity, equity, equity), LIMITS)
        assert seen is not None
        state = seen.state
    for jump in (first, second, back):
        seen = observe(state, EquityReading(start + timedelta(seconds=jump), D(925), D(925), D(925)), LIMITS)
        assert seen is not None
        state = seen.state

    assert (seen.standing.is_day_stopped, seen.standing.is_week_stopped, seen.standing.day_pnl) == (True, True, D(-75))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 20 * 86_400), min_size=1, max_size=6))
def test_a_clock_that_only_runs_backwards_never_lifts_a_stop(jumps_back: list[int]) -> None:
    at, state = START + timedelta(days=2, seconds=1), None
    for moment, equity in ((at - timedelta(seconds=1), D(1000)), (at, D(925))):
        seen = observe(state, EquityReading(moment, equity, equity, equity), LIMITS)
        assert seen is not None
        state = seen.state
    for jump in jumps_back:
        at -= timedelta(seconds=jump)
        seen = observe(state, EquityReading(at, D(925), D(925), D(925)), LIMITS)
        assert seen is not None
        state = seen.state

        assert (seen.standing.is_day_stopped, seen.standing.is_week_stopped, seen.standing.day_pnl) == (True, True, D(-75))
