"""The mode automaton: causes come and go, the mode tightens by itself and loosens only by rule. Pure.

DEGRADED clears when every cause has been clear for `clear_after_s`; causes that need a human stay. HALTED and KILL_SWITCH
end only by `resume` or by the one allowed auto-recovery, never because values look fine again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeAlias

from trading_system.domain.modes import Mode
from trading_system.safety.invariants import Invariant, Level, Verdict


@dataclass(frozen=True, slots=True)
class Cause:
    """Why entries are off. clear_since: when it was first seen fine again, None while it still violates.

    is_unknown: its value could not be computed and has never been seen to violate: over once it is computed and fine.
    """

    invariant: Invariant
    since: datetime
    note: str = ""
    clear_since: datetime | None = None
    is_unknown: bool = False

    @property
    def clears_by_itself(self) -> bool:
        """False: it stays until a human resumes, even when the value is fine again."""
        return self.is_unknown or self.invariant.clears_by_itself


@dataclass(frozen=True, slots=True)
class Halt:
    """The latch. mode is HALTED or KILL_SWITCH; by: `invariant`, `operator`, `file`, `start` …"""

    mode: Mode
    invariant: Invariant
    reason: str
    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ModeState:
    """Everything the mode depends on. recoveries: times of auto-recoveries, newest 24 h at least."""

    causes: tuple[Cause, ...] = ()
    halt: Halt | None = None
    recoveries: tuple[datetime, ...] = ()

    @property
    def mode(self) -> Mode:
        if self.halt is not None:
            return self.halt.mode
        return Mode.DEGRADED if self.causes else Mode.NORMAL


@dataclass(frozen=True, slots=True)
class ModeRules:
    """clear_after_s: how long every cause must have been clear before DEGRADED ends."""

    clear_after_s: int = 60


class ResumeRefusal(Enum):
    """Why a resume was refused; `.value` is the answer to the operator."""

    NO_REASON = "a reason is required: resume --reason TEXT"
    KILL_FILE = "the file data/KILL_SWITCH still exists: remove it first"
    STILL_VIOLATED = "a halting limit is still violated"
    NEEDS_REBASE = "drawdown: resume --rebase-high-water --reason TEXT"
    NOTHING_TO_RESUME = "the system is running: nothing to resume"


ResumeResult: TypeAlias = ModeState | ResumeRefusal


def advance(state: ModeState, verdicts: Sequence[Verdict], now: datetime, rules: ModeRules) -> ModeState:
    """Take in one complete judgement. Only ever tightens, but for DEGRADED whose every cause has been clear long enough."""
    bad = {verdict.invariant: verdict for verdict in verdicts if verdict.level in (Level.DEGRADED, Level.HALT)}
    causes = [_aged(cause, bad.get(cause.invariant), now) for cause in state.causes]
    known = {cause.invariant for cause in causes}
    causes += [
        Cause(invariant, now, _note(verdict), is_unknown=verdict.is_unknown) for invariant, verdict in bad.items() if invariant not in known
    ]
    if _all_clear(causes, now, rules):
        causes = []
    halting = next((verdict for verdict in verdicts if verdict.level is Level.HALT), None)
    advanced = replace(state, causes=tuple(causes))
    if halting is None:
        return advanced
    return halt(advanced, Halt(halting.level.mode, halting.invariant, _note(halting), "invariant", now))


def _aged(cause: Cause, bad: Verdict | None, now: datetime) -> Cause:
    if bad is not None and cause.is_unknown and not bad.is_unknown:
        return replace(cause, note=_note(bad), clear_since=None, is_unknown=False)
    if bad is not None or not cause.clears_by_itself:
        return replace(cause, clear_since=None)
    # after a clock stepped back the minute is counted from the new now, not from a time still to come
    since = now if cause.clear_since is None else min(cause.clear_since, now)
    return replace(cause, clear_since=since)


def _all_clear(causes: Iterable[Cause], now: datetime, rules: ModeRules) -> bool:
    wait = timedelta(seconds=rules.clear_after_s)
    return all(cause.clear_since is not None and now - cause.clear_since >= wait for cause in causes)


def _note(verdict: Verdict) -> str:
    numbers = (
        f"{verdict.invariant.value}: actual {verdict.actual}, limit {verdict.limit}"
        if verdict.limit is not None
        else verdict.invariant.value
    )
    return f"{numbers}; {verdict.note}" if verdict.note else numbers


def halt(state: ModeState, record: Halt) -> ModeState:
    """Latch. An existing latch keeps its first cause and time; it can only become the stricter KILL_SWITCH."""
    held = state.halt
    if held is None:
        return replace(state, halt=record)
    if record.mode.severity <= held.mode.severity:
        # a halt that is not about margin joins a margin halt: from now on it is no longer the recoverable kind
        if held.invariant.is_margin_critical and not record.invariant.is_margin_critical:
            return replace(state, halt=replace(record, mode=held.mode, since=held.since))
        return state
    return replace(state, halt=replace(record, since=held.since))


def resume(
    state: ModeState, verdicts: Sequence[Verdict], *, reason: str, kill_file_exists: bool, rebased_high_water: bool = False
) -> ResumeResult:
    """A human says go on. Causes that need a human end here too; whatever still violates degrades again at once.

    verdicts: judged now, after a rebase where one was asked for.
    """
    if not reason.strip():
        return ResumeRefusal.NO_REASON
    if kill_file_exists:
        return ResumeRefusal.KILL_FILE
    if state.mode is Mode.NORMAL:
        return ResumeRefusal.NOTHING_TO_RESUME
    is_about_drawdown = any(cause.invariant is Invariant.DRAWDOWN and not cause.is_unknown for cause in state.causes)
    is_about_drawdown = is_about_drawdown or (state.halt is not None and state.halt.invariant is Invariant.DRAWDOWN)
    if is_about_drawdown and not rebased_high_water:
        return ResumeRefusal.NEEDS_REBASE
    if any(verdict.level is Level.HALT for verdict in verdicts):
        return ResumeRefusal.STILL_VIOLATED
    bad = {verdict.invariant for verdict in verdicts if verdict.level is Level.DEGRADED}
    return ModeState(causes=tuple(cause for cause in state.causes if cause.invariant in bad), halt=None, recoveries=state.recoveries)
