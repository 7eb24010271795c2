"""Daily, weekly and drawdown limits: a pure fold over equity readings and external flows.

The trap it avoids: limits that nothing feeds, that forget at a restart, that a clock jump resets, or that read a deposit
as profit and a withdrawal as a crash. A balance can change seconds before its cause is booked, so every reading has two
equities: as reported, and as explained by what was booked. Refusing entries uses the *worse* of the two at once; what
stays (a day's stop, drawdown) uses the *better* one, and an unexplained step that lasts degrades and asks a human.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from trading_system.domain.account import AccountFlow, FlowKind
from trading_system.domain.units import ONE, ZERO
from trading_system.risk.limits import LossLimits
from trading_system.risk.loss_periods import monday_of, roll, shift
from trading_system.risk.loss_state import EquityReading, HighWater, LossEvent, LossStanding, LossState, Moved, Period

FLOW_IDS_KEPT: Final = 512
EXTERNAL_FLOWS: Final = frozenset({FlowKind.DEPOSIT, FlowKind.WITHDRAWAL, FlowKind.CONVERSION})
"""Money that moved without trading. Fees, funding, interest and liquidation fees are losses like any other."""
_ABSORBED_KEPT: Final = 8
_WORTH_KEEPING: Final = Decimal("0.1")
"""Share of the limit from which an absorbed difference is remembered."""
_BOOKED_WITHIN: Final = timedelta(hours=2)
"""How late the cause of a difference may be booked: the account log may be unreadable for long."""
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)


class Observation(NamedTuple):
    """The new state, the verdict, and what changed with this reading (in order)."""

    state: LossState
    standing: LossStanding
    events: tuple[LossEvent, ...]


def is_usable(reading: EquityReading) -> bool:
    """Finite and above zero. Anything else is not a reading: the last good one stays, with an age limit."""
    numbers = (reading.portfolio_value, reading.balance_value, reading.booked_pnl)
    return all(number.is_finite() for number in numbers) and reading.portfolio_value > 0


def start_tracking(reading: EquityReading) -> LossState:
    """The state after the first usable reading; ValueError on a reading that is not usable."""
    if not is_usable(reading):
        raise ValueError(f"cannot start loss tracking from equity {reading.portfolio_value}")
    equity, today = reading.portfolio_value, reading.at.date()
    return LossState(
        days=(Period(today, equity, reading.at),),
        weeks=(Period(monday_of(today), equity, reading.at),),
        high_water=_high_water_of(reading),
        started_at=reading.at,
        read_at=reading.at,
        explained_at=reading.at,
        explained_equity=equity,
        explained_offset=reading.balance_value - reading.booked_pnl,
    )


def apply_flow(state: LossState, flow: AccountFlow) -> LossState:
    """Shift day start, week start and high-water mark by an external flow.

    Other kinds, repeated ids and flows from before tracking began change nothing. A value that was read after the flow
    already contains it and is left alone. A flow younger than the newest reading waits for a reading that contains it: the old one
    may be judged again, when the next could not be read, and would lack the money.
    """
    if flow.kind not in EXTERNAL_FLOWS or flow.flow_id in state.flow_ids or flow.at <= state.started_at:
        return state
    moved = Moved(flow.at, flow.amount)
    known = replace(state, flow_ids=(*state.flow_ids, flow.flow_id)[-FLOW_IDS_KEPT:])
    return replace(known, flows_ahead=(*state.flows_ahead, moved)) if flow.at > state.read_at else _shifted(known, moved)


def _shifted(state: LossState, flow: Moved) -> LossState:
    mark, amount = state.high_water, flow.amount
    return replace(
        state,
        days=shift(state.days, flow.at, amount, _DAY),
        weeks=shift(state.weeks, flow.at, amount, _WEEK),
        high_water=replace(mark, equity=mark.equity + amount) if flow.at > mark.as_of else mark,
        explained_equity=state.explained_equity + (amount if flow.at > state.explained_at else ZERO),
        flows_total=state.flows_total + amount,
    )


def _caught_up(state: LossState, at: datetime) -> LossState:
    """With the flows that a reading of that moment contains."""
    due = [flow for flow in state.flows_ahead if flow.at <= at]
    if not due:
        return state
    state = replace(state, flows_ahead=tuple(flow for flow in state.flows_ahead if flow.at > at))
    for flow in due:
        state = _shifted(state, flow)
    return state


def observe(state: LossState | None, reading: EquityReading, limits: LossLimits) -> Observation | None:
    """Fold one reading in. `state` None = nothing was ever recorded. Returns None while there is no usable reading at all."""
    if not is_usable(reading):
        if state is None:
            return None
        return Observation(state, standing_of(state, state.explained_equity + state.step, limits), (LossEvent.READING_UNUSABLE,))
    if state is None:
        fresh = start_tracking(reading)
        return Observation(fresh, standing_of(fresh, reading.portfolio_value, limits), (LossEvent.TRACKING_INITIALIZED,))
    events: list[LossEvent] = []
    state = _caught_up(state, reading.at)
    state = _judge_step(state, reading, limits, events)
    state = _roll_periods(state, reading, events)
    best = max(reading.portfolio_value, reading.portfolio_value - state.step)
    if state.step == 0:
        state = replace(state, explained_equity=reading.portfolio_value, explained_at=reading.at)
        if reading.portfolio_value > state.high_water.equity:
            state = replace(state, high_water=_high_water_of(reading))
    state = _judge_periods(state, best, limits, events)
    state = replace(_judge_drawdown(state, reading, best, limits, events), read_at=reading.at)
    return Observation(state, standing_of(state, reading.portfolio_value, limits), tuple(events))


def standing_of(state: LossState, portfolio_value: Decimal, limits: LossLimits) -> LossStanding:
    """The verdict for the equity of the newest usable reading."""
    worst = min(portfolio_value, portfolio_value - state.step)
    best = max(portfolio_value, portfolio_value - state.step)
    day, week = _current(state.days, state.read_at.date()), _current(state.weeks, monday_of(state.read_at.date()))
    return LossStanding(
        as_of=state.read_at,
        equity=portfolio_value,
        day_pnl=day.pnl(worst),
        day_limit_usd=limits.daily * day.start_equity,
        is_day_stopped=day.is_stopped or day.loss_ratio(worst) >= limits.daily,
        week_pnl=week.pnl(worst),
        week_limit_usd=limits.weekly * week.start_equity,
        is_week_stopped=week.is_stopped or week.loss_ratio(worst) >= limits.weekly,
        drawdown=drawdown_of(state.high_water.equity, best),
        is_drawdown_degraded=state.is_drawdown_degraded,
        is_drawdown_halted=state.is_drawdown_halted,
        is_high_water_implausible=state.is_high_water_implausible,
        has_unexplained_step=state.is_step_reported,
        is_step_pending=state.step != 0,
    )


def drawdown_of(high_water: Decimal, equity: Decimal) -> Decimal:
    """Fraction lost since the high-water mark, >= 0."""
    return max(ZERO, ONE - equity / high_water) if high_water > 0 else ZERO


def rebase_high_water(state: LossState, reading: EquityReading) -> LossState:
    """A human accepted the drawdown (or called the mark wrong): start it again from this reading. ValueError if unusable."""
    if not is_usable(reading):
        raise ValueError(f"cannot rebase the high-water mark on equity {reading.portfolio_value}")
    return replace(
        state,
        high_water=_high_water_of(reading),
        is_drawdown_degraded=False,
        is_drawdown_halted=False,
        is_high_water_implausible=False,
    )


def accept_step(state: LossState, *, as_external_flow: bool) -> LossState:
    """A human explained the unexplained step: as money moved in or out (starts shift), or as profit and loss (they do not)."""
    shifted = state
    if as_external_flow:
        mark, at, amount = state.high_water, state.read_at, state.step
        shifted = replace(
            state,
            days=tuple(replace(period, start_equity=period.start_equity + amount, as_of=at) for period in state.days),
            weeks=tuple(replace(period, start_equity=period.start_equity + amount, as_of=at) for period in state.weeks),
            high_water=replace(mark, equity=mark.equity + amount, as_of=at),
        )
    return replace(
        shifted,
        explained_offset=state.explained_offset + state.step,
        explained_equity=state.explained_equity + state.step,
        step=ZERO,
        step_since=None,
        is_step_reported=False,
    )


def _high_water_of(reading: EquityReading) -> HighWater:
    return HighWater(reading.portfolio_value, reading.booked_pnl, reading.unrealized, reading.at)


def _judge_step(state: LossState, reading: EquityReading, limits: LossLimits, events: list[LossEvent]) -> LossState:
    """Did the balance move by more than what was booked?

    Collateral in other currencies drifts a little with every reading: small differences are absorbed one by one. One that was
    absorbed and comes back was a cause that was booked late: only what is left of it counts, or the same money, measured by a
    smaller equity the second time, would ask a human.
    """
    offset = reading.balance_value - reading.booked_pnl - state.flows_total
    step = offset - state.explained_offset
    limit = limits.unexplained_step * max(state.explained_equity, reading.portfolio_value)
    left, absorbed = _without_return(state.absorbed, Moved(reading.at, step))
    if abs(left) < limit:
        if abs(left) >= limit * _WORTH_KEEPING:
            absorbed = (*absorbed, Moved(reading.at, left))[-_ABSORBED_KEPT:]
        return replace(state, explained_offset=offset, step=ZERO, step_since=None, is_step_reported=False, absorbed=absorbed)
    since = reading.at if state.step_since is None else min(state.step_since, reading.at)
    is_settled = reading.at - since >= timedelta(seconds=limits.unexplained_settle_s)
    if is_settled and not state.is_step_reported:
        events.append(LossEvent.UNEXPLAINED_STEP)
    return replace(state, step=step, step_since=since, is_step_reported=state.is_step_reported or is_settled)


def _without_return(absorbed: tuple[Moved, ...], step: Moved) -> tuple[Decimal, tuple[Moved, ...]]:
    """What is left of a step when it undoes one of the absorbed differences of late, and the others: each comes back only once."""
    young = tuple(moved for moved in absorbed if abs(step.at - moved.at) <= _BOOKED_WITHIN)
    undone = min(young, key=lambda moved: abs(step.amount + moved.amount), default=None)
    if undone is None or abs(step.amount + undone.amount) >= abs(step.amount):
        return step.amount, young
    return step.amount + undone.amount, tuple(moved for moved in young if moved is not undone)


def _roll_periods(state: LossState, reading: EquityReading, events: list[LossEvent]) -> LossState:
    before, today = state.read_at.date(), reading.at.date()
    if today == before:
        return state
    if state.step == 0 and reading.portfolio_value >= state.explained_equity:
        equity, as_of = reading.portfolio_value, reading.at
    else:
        # a loss made between the last reading and this one counts in the new period: nobody can tell on which side it fell
        equity, as_of = state.explained_equity, state.explained_at
    days = roll(state.days, before, today, equity, as_of)
    events.append(LossEvent.DAY_ROLLED)
    weeks = state.weeks
    if monday_of(today) != monday_of(before):
        weeks = roll(state.weeks, monday_of(before), monday_of(today), equity, as_of)
        events.append(LossEvent.WEEK_ROLLED)
    return replace(state, days=days, weeks=weeks, read_at=reading.at)


def _judge_periods(state: LossState, best: Decimal, limits: LossLimits, events: list[LossEvent]) -> LossState:
    today = state.read_at.date()
    day = _judge_period(_current(state.days, today), best, limits.daily, limits.warning_share)
    week = _judge_period(_current(state.weeks, monday_of(today)), best, limits.weekly, limits.warning_share)
    for old, new, warning, stop in (
        (_current(state.days, today), day, LossEvent.DAILY_WARNING, LossEvent.DAILY_STOP),
        (_current(state.weeks, monday_of(today)), week, LossEvent.WEEKLY_WARNING, LossEvent.WEEKLY_STOP),
    ):
        if new.is_warned and not old.is_warned:
            events.append(warning)
        if new.is_stopped and not old.is_stopped:
            events.append(stop)
    return replace(state, days=_with(state.days, day), weeks=_with(state.weeks, week))


def _judge_period(period: Period, equity: Decimal, limit: Decimal, warning_share: Decimal) -> Period:
    """Both flags stay until the period ends: a stop that a bounce lifts is no stop."""
    loss = period.loss_ratio(equity)
    return replace(period, is_warned=period.is_warned or loss >= limit * warning_share, is_stopped=period.is_stopped or loss >= limit)


def _judge_drawdown(state: LossState, reading: EquityReading, best: Decimal, limits: LossLimits, events: list[LossEvent]) -> LossState:
    mark = state.high_water
    booked = (reading.booked_pnl - mark.booked_pnl) + (reading.unrealized - mark.unrealized)
    fall = mark.equity - best
    # more than half of such a fall must be visible in trades, else the mark itself is wrong (stale, or of another account)
    is_implausible = mark.equity > limits.high_water_implausible_multiple * best and -booked * 2 < fall
    if is_implausible:
        if not state.is_high_water_implausible:
            events.append(LossEvent.HIGH_WATER_IMPLAUSIBLE)
        return replace(state, is_high_water_implausible=True)
    drawdown = drawdown_of(mark.equity, best)
    is_degraded = state.is_drawdown_degraded or drawdown >= limits.drawdown_degraded
    is_halted = state.is_drawdown_halted or drawdown >= limits.drawdown_halt
    if is_degraded and not state.is_drawdown_degraded:
        events.append(LossEvent.DRAWDOWN_DEGRADED)
    if is_halted and not state.is_drawdown_halted:
        events.append(LossEvent.DRAWDOWN_HALT)
    return replace(state, is_high_water_implausible=False, is_drawdown_degraded=is_degraded, is_drawdown_halted=is_halted)


def _current(periods: Sequence[Period], start: date) -> Period:
    return next(period for period in periods if period.start == start)


def _with(periods: Sequence[Period], changed: Period) -> tuple[Period, ...]:
    return tuple(changed if period.start == changed.start else period for period in periods)
