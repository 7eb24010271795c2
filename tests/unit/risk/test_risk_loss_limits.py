"""Daily, weekly and drawdown limits over readings and flows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest

from trading_system.domain.account import AccountFlow, FlowKind
from trading_system.domain.units import Usd
from trading_system.risk.limits import LossLimits
from trading_system.risk.loss_limits import Observation, accept_step, apply_flow, observe, rebase_high_water, start_tracking
from trading_system.risk.loss_state import EquityReading, LossEvent, LossState, Moved, decode_loss_state, encode_loss_state

LIMITS = LossLimits()
WEDNESDAY = datetime(2025, 3, 5, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_reading(at: datetime, equity: str, *, balance: str | None = None, booked: str | None = None) -> EquityReading:
    """By default every change of balance is booked P&L, and nothing is unrealised."""
    value = D(equity)
    held = value if balance is None else D(balance)
    return EquityReading(at, value, held, held if booked is None else D(booked))


def fold(*readings: EquityReading, state: LossState | None = None) -> Observation:
    seen: Observation | None = None
    for reading in readings:
        seen = observe(state, reading, LIMITS)
        assert seen is not None
        state = seen.state
    assert seen is not None
    return seen


def a_flow(at: datetime, amount: str, flow_id: str = "f1", kind: FlowKind = FlowKind.WITHDRAWAL) -> AccountFlow:
    return AccountFlow(flow_id, at, kind, Usd(D(amount)))


def test_the_first_reading_starts_the_tracking() -> None:
    seen = fold(a_reading(WEDNESDAY, "1000"))

    assert seen.events == (LossEvent.TRACKING_INITIALIZED,)
    assert (seen.standing.day_pnl, seen.standing.day_limit_usd, seen.standing.week_limit_usd) == (D(0), D("50"), D("70"))


@pytest.mark.parametrize(
    ("equity", "events", "is_stopped"),
    [
        ("965.01", (), False),
        ("965", (LossEvent.DAILY_WARNING,), False),
        ("950.01", (LossEvent.DAILY_WARNING, LossEvent.WEEKLY_WARNING), False),
        ("950", (LossEvent.DAILY_WARNING, LossEvent.DAILY_STOP, LossEvent.WEEKLY_WARNING), True),
    ],
)
def test_the_daily_limit_warns_at_seventy_percent_and_stops_at_the_limit(
    equity: str, events: tuple[LossEvent, ...], is_stopped: bool
) -> None:
    seen = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, equity))

    assert set(seen.events) == set(events)
    assert seen.standing.is_day_stopped is is_stopped


def test_a_daily_stop_lasts_through_a_bounce_until_midnight_utc_and_no_longer() -> None:
    midnight = datetime(2025, 3, 6, tzinfo=UTC)

    bounced = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "949"), a_reading(midnight - MINUTE, "1010"))
    rolled = fold(a_reading(midnight, "1009"), state=bounced.state)

    assert bounced.standing.is_day_stopped
    assert rolled.events == (LossEvent.DAY_ROLLED,)
    assert not rolled.standing.is_day_stopped


def test_the_weekly_stop_lasts_until_monday() -> None:
    stopped = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "930"))
    sunday = fold(a_reading(datetime(2025, 3, 9, 23, 59, tzinfo=UTC), "930"), state=stopped.state)
    monday = fold(a_reading(datetime(2025, 3, 10, 0, 0, tzinfo=UTC), "930"), state=sunday.state)

    assert LossEvent.WEEKLY_STOP in stopped.events
    assert (sunday.standing.is_day_stopped, sunday.standing.is_week_stopped) == (False, True)
    assert monday.events == (LossEvent.DAY_ROLLED, LossEvent.WEEK_ROLLED)
    assert not monday.standing.is_week_stopped


def test_a_loss_made_while_nobody_looked_counts_in_the_new_day() -> None:
    seen = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + timedelta(hours=20), "940"))

    assert seen.standing.day_pnl == -60
    assert seen.standing.is_day_stopped


@pytest.mark.parametrize(
    ("equity", "degraded", "halted"), [("900.01", False, False), ("900", True, False), ("850.01", True, False), ("850", True, True)]
)
def test_drawdown_degrades_at_ten_and_halts_at_fifteen_percent_and_stays(equity: str, degraded: bool, halted: bool) -> None:
    seen = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, equity), a_reading(WEDNESDAY + 2 * MINUTE, "999"))

    assert (seen.standing.is_drawdown_degraded, seen.standing.is_drawdown_halted) == (degraded, halted)


def test_only_a_rebase_lifts_a_drawdown() -> None:
    seen = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "890"))
    rebased = rebase_high_water(seen.state, a_reading(WEDNESDAY + 2 * MINUTE, "890"))

    standing = fold(a_reading(WEDNESDAY + 3 * MINUTE, "890"), state=rebased).standing

    assert (standing.drawdown, standing.is_drawdown_degraded) == (D(0), False)


def test_unrealised_losses_count() -> None:
    seen = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "949", balance="1000"))

    assert seen.standing.is_day_stopped


@pytest.mark.parametrize("flow_first", [True, False])
def test_a_withdrawal_is_no_loss_whichever_is_seen_first(flow_first: bool) -> None:
    state = fold(a_reading(WEDNESDAY, "1000")).state
    reading, flow = a_reading(WEDNESDAY + 2 * MINUTE, "800", booked="1000"), a_flow(WEDNESDAY + MINUTE, "-200")
    if flow_first:
        seen = fold(reading, state=apply_flow(state, flow))
    else:
        pending = fold(reading, state=state)
        seen = fold(replace(reading, at=reading.at + timedelta(seconds=30)), state=apply_flow(pending.state, flow))

    standing = seen.standing
    assert (standing.day_pnl, standing.week_pnl, standing.drawdown) == (D(0), D(0), D(0))
    assert (standing.is_day_stopped, standing.is_drawdown_degraded, standing.has_unexplained_step) == (False, False, False)


@pytest.mark.parametrize("amount", ["-9.95", "-3", "9.95"])
def test_a_small_withdrawal_that_was_absorbed_before_the_account_log_told_of_it_is_no_step_the_other_way(amount: str) -> None:
    """Just below one per cent of the equity before, just above one per cent of the equity after: nothing opened any more."""
    state = fold(a_reading(WEDNESDAY, "1000")).state
    left = str(1000 + D(amount))
    absorbed = fold(a_reading(WEDNESDAY + 2 * MINUTE, left, booked="1000"), state=state).state
    told = apply_flow(absorbed, a_flow(WEDNESDAY + MINUTE, amount))

    seen = fold(*(a_reading(WEDNESDAY + n * MINUTE, left, booked="1000") for n in (3, 5, 7)), state=told)

    assert (seen.state.step, seen.standing.has_unexplained_step, seen.standing.is_step_pending) == (D(0), False, False)
    assert seen.standing.day_pnl == 0


@pytest.mark.parametrize("amount", ["-9.95", "-9.9", "9.95", "-200"])
def test_a_reading_from_before_a_flow_that_is_judged_again_after_it_was_told_lacks_nothing(amount: str) -> None:
    """The wallet could not be read, the old reading seemed to have gained what was withdrawn, and the next one to lose it for ever."""
    old = a_reading(WEDNESDAY, "1000")
    state = fold(old).state
    told = apply_flow(state, a_flow(WEDNESDAY + MINUTE, amount))

    again = fold(old, state=told)
    new = fold(a_reading(WEDNESDAY + 2 * MINUTE, str(1000 + D(amount)), booked="1000"), state=again.state)

    assert again.state == told
    assert (new.state.step, new.state.flows_ahead, new.standing.day_pnl, new.standing.drawdown) == (D(0), (), D(0), D(0))
    assert new.state.high_water.equity == 1000 + D(amount)


@pytest.mark.parametrize(("back", "step"), [("9.95", "0"), ("10.5", "0"), ("19.7", "0"), ("19.9", "19.9")])
def test_a_difference_that_was_absorbed_and_comes_back_is_no_step_but_what_exceeds_it_is(back: str, step: str) -> None:
    """A loss of 0.995 % shows in the wallet before it is booked; booked, the same money is more than one per cent of what is left."""
    state = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "990.05", booked="1000")).state

    seen = fold(a_reading(WEDNESDAY + 2 * MINUTE, "990.05", booked=str(1000 - D(back))), state=state)

    assert seen.state.step == D(step)


def test_an_absorbed_difference_comes_back_once_and_only_within_two_hours() -> None:
    absorbed = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "990.05", booked="1000")).state
    once = fold(a_reading(WEDNESDAY + 2 * MINUTE, "1000", booked="1000"), state=absorbed).state

    twice = fold(a_reading(WEDNESDAY + 3 * MINUTE, "1012", booked="1000"), state=once).state
    late = fold(a_reading(WEDNESDAY + timedelta(hours=3), "1002", booked="1000"), state=absorbed).state

    assert (once.step, twice.step, late.step) == (D(0), D(12), D("11.95"))


def test_a_deposit_is_no_profit_and_lifts_no_stop() -> None:
    state = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "960")).state
    flow = a_flow(WEDNESDAY + 2 * MINUTE, "500", kind=FlowKind.DEPOSIT)

    seen = fold(a_reading(WEDNESDAY + 3 * MINUTE, "1460", booked="960"), state=apply_flow(state, flow))

    assert (seen.standing.day_pnl, seen.state.high_water.equity) == (D(-40), D(1500))


def test_repeated_foreign_and_ancient_flows_change_nothing() -> None:
    state = fold(a_reading(WEDNESDAY, "1000")).state
    once = apply_flow(state, a_flow(WEDNESDAY + MINUTE, "-10"))

    assert apply_flow(once, a_flow(WEDNESDAY + MINUTE, "-10")) == once
    assert apply_flow(state, a_flow(WEDNESDAY + MINUTE, "-10", kind=FlowKind.FUNDING)) == state
    assert apply_flow(state, a_flow(WEDNESDAY - MINUTE, "-10")) == state


def test_an_unexplained_step_refuses_at_once_reports_after_a_minute_and_never_halts() -> None:
    state = fold(a_reading(WEDNESDAY, "1000")).state
    gone = a_reading(WEDNESDAY + MINUTE, "300", booked="1000")

    first = fold(gone, state=state)
    later = fold(replace(gone, at=gone.at + MINUTE), state=first.state)

    assert (first.standing.is_day_stopped, first.standing.has_unexplained_step, first.standing.drawdown) == (True, False, D(0))
    assert later.events == (LossEvent.UNEXPLAINED_STEP,)
    assert (later.standing.has_unexplained_step, later.standing.is_drawdown_halted) == (True, False)


def test_a_human_may_call_the_step_a_withdrawal_or_a_loss() -> None:
    state = fold(
        a_reading(WEDNESDAY, "1000"),
        a_reading(WEDNESDAY + MINUTE, "800", booked="1000"),
        a_reading(WEDNESDAY + 3 * MINUTE, "800", booked="1000"),
    ).state
    again = a_reading(WEDNESDAY + 4 * MINUTE, "800", booked="1000")

    as_flow = fold(again, state=accept_step(state, as_external_flow=True)).standing
    as_loss = fold(again, state=accept_step(state, as_external_flow=False)).standing

    assert (as_flow.day_pnl, as_flow.drawdown, as_flow.has_unexplained_step) == (D(0), D(0), False)
    assert (as_loss.day_pnl, as_loss.drawdown, as_loss.has_unexplained_step) == (D(-200), D("0.2"), False)


def test_a_gain_seen_in_the_balance_before_its_fill_is_booked_is_not_taken_for_a_loss() -> None:
    state = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "1060", balance="1000")).state

    early = fold(a_reading(WEDNESDAY + 2 * MINUTE, "1060", balance="1060", booked="1000"), state=state)
    booked = fold(a_reading(WEDNESDAY + 2.5 * MINUTE, "1060"), state=early.state)

    assert early.events == ()
    assert (booked.standing.day_pnl, booked.standing.is_day_stopped, booked.standing.drawdown) == (D(60), False, D(0))


def test_a_stale_high_water_mark_degrades_and_asks_but_never_halts() -> None:
    fresh = start_tracking(a_reading(WEDNESDAY, "345"))
    stale = replace(fresh, high_water=replace(fresh.high_water, equity=D("11500")))

    seen = fold(a_reading(WEDNESDAY + MINUTE, "345"), state=stale)

    assert seen.events == (LossEvent.HIGH_WATER_IMPLAUSIBLE,)
    assert (seen.standing.is_high_water_implausible, seen.standing.is_drawdown_halted) == (True, False)


def test_a_crash_that_trades_explain_halts_however_deep() -> None:
    seen = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "300", balance="1000"))

    assert seen.standing.is_drawdown_halted
    assert not seen.standing.is_high_water_implausible


@pytest.mark.parametrize("equity", ["0", "-5", "NaN", "Infinity"])
def test_an_unusable_reading_keeps_the_last_good_standing_with_its_age(equity: str) -> None:
    good = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "949"))

    bad = observe(good.state, a_reading(WEDNESDAY + 2 * MINUTE, equity), LIMITS)

    assert bad is not None
    assert bad == Observation(good.state, good.standing, (LossEvent.READING_UNUSABLE,))
    assert observe(None, a_reading(WEDNESDAY, equity), LIMITS) is None


@pytest.mark.parametrize("jump", [timedelta(hours=13), timedelta(days=8), -timedelta(hours=13), -timedelta(days=9)], ids=str)
def test_a_clock_that_jumps_and_comes_back_finds_the_same_losses(jump: timedelta) -> None:
    before = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "945"))

    back = fold(a_reading(WEDNESDAY + jump, "945"), a_reading(WEDNESDAY + 2 * MINUTE, "945"), state=before.state)

    assert replace(back.standing, as_of=before.standing.as_of) == before.standing


@pytest.mark.parametrize("days", [1, 7, 30])
def test_turning_the_clock_back_clears_nothing(days: int) -> None:
    before = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "925"))

    seen = fold(a_reading(WEDNESDAY - timedelta(days=days), "925"), state=before.state)

    assert (seen.standing.is_day_stopped, seen.standing.is_week_stopped, seen.standing.day_pnl) == (True, True, D(-75))


def test_the_state_survives_its_text_form() -> None:
    state = fold(a_reading(WEDNESDAY, "1000"), a_reading(WEDNESDAY + MINUTE, "900.123456789012345678", booked="1000")).state
    state = apply_flow(apply_flow(state, a_flow(WEDNESDAY + MINUTE, "-3")), a_flow(WEDNESDAY + 2 * MINUTE, "7", "f2"))
    state = replace(state, absorbed=(Moved(WEDNESDAY, D("0.12")),))

    assert len(state.flows_ahead) == 1
    assert decode_loss_state(encode_loss_state(state)) == state


def test_a_state_written_before_flows_could_be_ahead_is_read() -> None:
    state = fold(a_reading(WEDNESDAY, "1000")).state
    text = json.loads(encode_loss_state(state))
    del text["flows_ahead"], text["absorbed"]

    assert decode_loss_state(json.dumps(text)) == state


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 2}', '{"version": 1, "days": 3}', "null"])
def test_a_damaged_state_is_an_error_never_a_fresh_start(text: str) -> None:
    with pytest.raises(ValueError):
        decode_loss_state(text)


def test_a_state_with_a_broken_number_is_an_error() -> None:
    text = encode_loss_state(start_tracking(a_reading(WEDNESDAY, "1000")))

    for broken in ("NaN", "x"):
        with pytest.raises(ValueError, match="loss state"):
            decode_loss_state(text.replace('"1000"', f'"{broken}"'))
