"""The mode automaton: what tightens, what clears, what only a human or the one recovery ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest

from risk_builders import NOW
from trading_system.domain.modes import Mode
from trading_system.safety.auto_recovery import RecoveryRefusal, RecoveryRules, decide_recovery
from trading_system.safety.invariants import Invariant, Level, Verdict
from trading_system.safety.modes import Cause, Halt, ModeRules, ModeState, ResumeRefusal, advance, halt, resume

RULES = ModeRules()
RECOVERY = RecoveryRules()
FINE = (Verdict(Invariant.MARGIN_UTILIZATION, Level.FINE),)
HIGH = (Verdict(Invariant.MARGIN_UTILIZATION, Level.DEGRADED, D("0.85"), D("0.86")),)
FULL = (Verdict(Invariant.MARGIN_UTILIZATION, Level.HALT, D("0.92"), D("0.95")),)
LATE = (Verdict(Invariant.LATENCY, Level.DEGRADED, D("5"), D("9")),)
DRAWN = (Verdict(Invariant.DRAWDOWN, Level.DEGRADED, D("0.10"), D("0.11")),)
SECOND = timedelta(seconds=1)


def step(state: ModeState, *judgements: tuple[int, tuple[Verdict, ...]]) -> ModeState:
    for seconds, verdicts in judgements:
        state = advance(state, verdicts, NOW + seconds * SECOND, RULES)
    return state


def test_degraded_names_its_cause_and_clears_after_a_minute_of_quiet() -> None:
    degraded = step(ModeState(), (0, HIGH))

    assert degraded == ModeState((Cause(Invariant.MARGIN_UTILIZATION, NOW, "margin_utilization: actual 0.86, limit 0.85"),))
    assert step(degraded, (10, FINE), (69, FINE)).mode is Mode.DEGRADED
    assert step(degraded, (10, FINE), (70, FINE)).mode is Mode.NORMAL


def test_a_relapse_starts_the_minute_again() -> None:
    assert step(ModeState(), (0, HIGH), (10, FINE), (60, HIGH), (70, FINE), (129, FINE)).mode is Mode.DEGRADED


def test_every_cause_must_be_clear() -> None:
    assert step(ModeState(), (0, HIGH + LATE), (10, LATE), (90, LATE)).mode is Mode.DEGRADED


def test_causes_that_need_a_human_stay() -> None:
    assert step(ModeState(), (0, DRAWN), (10, FINE), (10_000, FINE)).mode is Mode.DEGRADED


UNREAD = (Verdict(Invariant.DRAWDOWN, Level.DEGRADED, D("0.10"), None, "could not be computed", is_unknown=True),)


def test_a_drawdown_that_could_not_be_computed_is_over_once_it_is_computed_and_fine() -> None:
    unread = step(ModeState(), (0, UNREAD))

    assert unread.mode is Mode.DEGRADED
    assert step(unread, (10, FINE), (70, FINE)).mode is Mode.NORMAL
    assert isinstance(resume(unread, FINE, reason="seen", kill_file_exists=False), ModeState), "there is nothing to rebase"


def test_a_drawdown_that_could_not_be_computed_first_and_was_real_then_stays() -> None:
    assert step(ModeState(), (0, UNREAD), (3, DRAWN), (10, FINE), (10_000, FINE)).mode is Mode.DEGRADED
    assert step(ModeState(), (0, DRAWN), (3, UNREAD), (10, FINE), (10_000, FINE)).mode is Mode.DEGRADED


def test_warnings_change_no_mode() -> None:
    assert step(ModeState(), (0, (Verdict(Invariant.SINGLE_POSITION, Level.WARNING),))).mode is Mode.NORMAL


def test_a_halting_invariant_latches_the_kill_switch_and_quiet_never_lifts_it() -> None:
    state = step(ModeState(), (0, FULL), (60, FINE), (100_000, FINE))

    assert state.mode is Mode.KILL_SWITCH
    assert state.halt == Halt(
        Mode.KILL_SWITCH, Invariant.MARGIN_UTILIZATION, "margin_utilization: actual 0.95, limit 0.92", "invariant", NOW
    )


def by_operator() -> Halt:
    return Halt(Mode.KILL_SWITCH, Invariant.OPERATOR, "stop please", "operator", NOW + SECOND)


def test_an_operators_halt_makes_a_margin_halt_unrecoverable() -> None:
    state = halt(step(ModeState(), (0, FULL)), by_operator())

    assert state.halt == replace(by_operator(), since=NOW)


def test_a_later_margin_halt_does_not_make_an_operators_halt_recoverable() -> None:
    assert step(halt(ModeState(), by_operator()), (5, FULL)).halt == by_operator()


def test_a_halted_state_may_only_become_stricter() -> None:
    weak = Halt(Mode.HALTED, Invariant.STATE_UNREADABLE, "unreadable", "start", NOW)

    assert halt(halt(ModeState(), weak), by_operator()).mode is Mode.KILL_SWITCH
    assert halt(halt(ModeState(), by_operator()), weak).mode is Mode.KILL_SWITCH


@pytest.mark.parametrize(
    ("state", "verdicts", "reason", "kill_file", "rebased", "refusal"),
    [
        (halt(ModeState(), by_operator()), FINE, " ", False, False, ResumeRefusal.NO_REASON),
        (halt(ModeState(), by_operator()), FINE, "ok", True, False, ResumeRefusal.KILL_FILE),
        (halt(ModeState(), by_operator()), FULL, "ok", False, False, ResumeRefusal.STILL_VIOLATED),
        (step(ModeState(), (0, DRAWN)), FINE, "ok", False, False, ResumeRefusal.NEEDS_REBASE),
        (ModeState(), FINE, "ok", False, False, ResumeRefusal.NOTHING_TO_RESUME),
    ],
)
def test_a_resume_is_refused_with_what_to_do(
    state: ModeState, verdicts: tuple[Verdict, ...], reason: str, kill_file: bool, rebased: bool, refusal: ResumeRefusal
) -> None:
    assert resume(state, verdicts, reason=reason, kill_file_exists=kill_file, rebased_high_water=rebased) is refusal


def test_a_resume_ends_the_halt_and_keeps_what_still_degrades() -> None:
    state = step(halt(step(ModeState(), (0, DRAWN)), by_operator()), (5, LATE))

    resumed = resume(state, LATE, reason="checked", kill_file_exists=False, rebased_high_water=True)

    assert isinstance(resumed, ModeState)
    assert (resumed.mode, [cause.invariant for cause in resumed.causes]) == (Mode.DEGRADED, [Invariant.LATENCY])


def recovery(
    state: ModeState, *, utilization: str | None = "0.84", seconds: int = 300, verdicts: tuple[Verdict, ...] = FINE, kill_file: bool = False
) -> object:
    value = None if utilization is None else D(utilization)
    return decide_recovery(state, verdicts, venue_utilization=value, kill_file_exists=kill_file, now=NOW + seconds * SECOND, rules=RECOVERY)


HALTED = step(ModeState(), (0, FULL))


def test_a_margin_halt_recovers_once_old_and_calm_into_degraded() -> None:
    recovered = recovery(HALTED)

    assert isinstance(recovered, ModeState)
    assert (recovered.mode, recovered.halt, recovered.recoveries) == (Mode.DEGRADED, None, (NOW + 300 * SECOND,))


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"seconds": 299}, RecoveryRefusal.TOO_YOUNG),
        ({"utilization": "0.85"}, RecoveryRefusal.UTILIZATION),
        ({"utilization": None}, RecoveryRefusal.UTILIZATION),
        ({"verdicts": FULL}, RecoveryRefusal.OTHER_HALT),
        ({"kill_file": True}, RecoveryRefusal.KILL_FILE),
    ],
)
def test_a_margin_halt_stays_when_a_condition_fails(arguments: dict[str, object], refusal: RecoveryRefusal) -> None:
    assert recovery(HALTED, **arguments) is refusal  # type: ignore[arg-type]


def test_only_two_recoveries_in_a_day() -> None:
    used = replace(HALTED, recoveries=(NOW - timedelta(hours=23), NOW - timedelta(hours=1)))
    aged = replace(HALTED, recoveries=(NOW - timedelta(hours=24), NOW - timedelta(hours=1)))

    assert recovery(used) is RecoveryRefusal.DAILY_LIMIT
    assert isinstance(recovery(aged), ModeState)


@pytest.mark.parametrize("invariant", [i for i in Invariant if i is not Invariant.MARGIN_UTILIZATION])
def test_no_other_halt_ever_recovers(invariant: Invariant) -> None:
    state = ModeState(halt=Halt(Mode.KILL_SWITCH, invariant, "", "invariant", NOW))

    assert recovery(state, seconds=1_000_000) is RecoveryRefusal.NOT_MARGIN
    assert recovery(ModeState()) is RecoveryRefusal.NOT_HALTED
