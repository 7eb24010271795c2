"""The thin shell round the mode automaton: holds the state, keeps the two latch files, sees the kill-switch file.

Memory is stricter than disk: when a file cannot be written the mode in memory still holds, and the write is tried again with
the next assessment. At start, an unreadable file means HALTED.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from trading_system.domain.modes import Mode
from trading_system.safety.auto_recovery import RecoveryRefusal, RecoveryRules, decide_recovery
from trading_system.safety.invariants import Invariant, InvariantLimits, InvariantValues, Verdict, judge
from trading_system.safety.kill_switch import KillRecord
from trading_system.safety.mode_record import decode_kill_record, decode_mode_state, encode_kill_record, encode_mode_state
from trading_system.safety.modes import Halt, ModeRules, ModeState, ResumeRefusal, advance, halt, resume
from trading_system.safety.state_file import Loaded, Missing, StateFile, Unreadable

HALT_STATE_FILE: Final = "halt_state.json"
KILL_STATE_FILE: Final = "kill_switch_state.json"
KILL_FILE: Final = "KILL_SWITCH"


@dataclass(frozen=True, slots=True)
class SafetyRules:
    """All that the monitor obeys."""

    limits: InvariantLimits
    modes: ModeRules
    recovery: RecoveryRules


@dataclass(frozen=True, slots=True)
class Assessment:
    """One judgement. recovery: the refusal of an auto-recovery while halted, None when none was due or it happened."""

    verdicts: tuple[Verdict, ...]
    before: Mode
    after: Mode
    has_recovered: bool
    recovery: RecoveryRefusal | None
    is_persisted: bool


class InvariantMonitor:
    """Owner of the mode. `mode` may be read at any time; nothing here awaits."""

    def __init__(self, directory: Path, rules: SafetyRules) -> None:
        self._rules = rules
        self._halt_file = StateFile(directory, HALT_STATE_FILE)
        self._kill_file = StateFile(directory, KILL_STATE_FILE)
        self._switch = directory / KILL_FILE
        self._state = ModeState()
        self._kill: KillRecord | None = None
        self._is_saved = True
        self._verdicts: tuple[Verdict, ...] = ()

    @property
    def mode(self) -> Mode:
        return self._state.mode

    @property
    def state(self) -> ModeState:
        return self._state

    @property
    def kill_record(self) -> KillRecord | None:
        """The kill switch's own record: is it active, and has its order clean-up been verified."""
        return self._kill

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The newest judgement, empty before the first."""
        return self._verdicts

    def load(self, now: datetime) -> Mode:
        """Read both latch files at start. Either of them halts; neither can be overruled by the other."""
        self._state, problem = self._read_mode_state()
        self._kill, kill_problem = self._read_kill_record()
        # the strictest first: a milder latch before it would take the kill record for one that is over, and write that
        if self._kill is not None and self._kill.is_active and self.mode is not Mode.KILL_SWITCH:
            self._latch(Halt(Mode.KILL_SWITCH, Invariant.OPERATOR, self._kill.reason, self._kill.by, self._kill.at))
        for why in (problem, kill_problem):
            if why is not None:
                self._latch(Halt(Mode.HALTED, Invariant.STATE_UNREADABLE, f"halt state unreadable: {why}", "start", now))
        return self.mode

    def assess(self, values: InvariantValues, now: datetime) -> Assessment:
        """Judge, move the automaton, try the one allowed recovery, persist what changed."""
        before, previous = self.mode, self._state
        self._verdicts = judge(values, self._rules.limits)
        self._set(advance(self._state, self._verdicts, now, self._rules.modes), now)
        refusal: RecoveryRefusal | None = None
        has_recovered = False
        if self.mode.is_halted:
            recovered = decide_recovery(
                self._state,
                self._verdicts,
                venue_utilization=values.venue_utilization,
                kill_file_exists=self.kill_file_exists(),
                now=now,
                rules=self._rules.recovery,
            )
            if isinstance(recovered, ModeState):
                has_recovered = True
                self._set(recovered, now)
            else:
                refusal = recovered
        if self._state != previous or not self._is_saved:
            self._save()
        return Assessment(self._verdicts, before, self.mode, has_recovered, refusal, self._is_saved)

    def judge(self, values: InvariantValues) -> tuple[Verdict, ...]:
        """The verdicts on `values`, without moving anything: what a human's `resume` is judged by."""
        return judge(values, self._rules.limits)

    def kill_file_exists(self) -> bool:
        """Is `data/KILL_SWITCH` there? A directory that cannot be looked into counts as yes."""
        try:
            self._switch.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def check_kill_file(self, now: datetime) -> bool:
        """Fire the kill switch if the file is there; True when it has just been fired. Cheap: one stat."""
        if self.mode is Mode.KILL_SWITCH or not self.kill_file_exists():
            return False
        self.halt(Halt(Mode.KILL_SWITCH, Invariant.KILL_FILE, f"file {self._switch.name} found", "file", now))
        return True

    def halt(self, record: Halt) -> Mode:
        """Latch at once, in memory and on disk; returns the mode now in force."""
        self._latch(record)
        return self.mode

    def resume(
        self, reason: str, now: datetime, *, verdicts: tuple[Verdict, ...], rebased_high_water: bool = False
    ) -> ResumeRefusal | None:
        """A human resumes; None when it happened. `verdicts`: judged for this very moment (`judge`), after any rebase.

        The latch is lifted only once that is on disk; OSError when it cannot be written, and then it still holds.
        """
        result = resume(
            self._state, verdicts, reason=reason, kill_file_exists=self.kill_file_exists(), rebased_high_water=rebased_high_water
        )
        if isinstance(result, ResumeRefusal):
            return result
        record = self._kill
        # a kill record that could not be read is replaced too, or it would halt every start from now on
        is_damaged = record is None and not isinstance(self._kill_file.load(), Missing)
        if is_damaged or (record is not None and record.is_active):
            record = KillRecord(is_active=False, reason=reason, by="operator", at=now)
            # the kill record last: a crash between the two leaves the stricter answer
            self._halt_file.save(encode_mode_state(result))
            self._kill_file.save(encode_kill_record(record))
        else:
            self._halt_file.save(encode_mode_state(result))
        self._state, self._kill, self._is_saved = result, record, True
        return None

    def note_cleanup_done(self) -> None:
        """A complete read showed nothing left to cancel: remembered across restarts."""
        if self._kill is not None and self._kill.is_active and not self._kill.cleanup_done:
            self._kill = replace(self._kill, cleanup_done=True)
            self._save()

    def _latch(self, record: Halt) -> None:
        self._set(halt(self._state, record), record.since)
        self._save()

    def _set(self, state: ModeState, now: datetime) -> None:
        """Follow the state with the kill record: active exactly while the mode is KILL_SWITCH."""
        is_active = self._kill is not None and self._kill.is_active
        if state.mode is Mode.KILL_SWITCH and not is_active and state.halt is not None:
            self._kill = KillRecord(is_active=True, reason=state.halt.reason, by=state.halt.by, at=now)
        elif state.mode is not Mode.KILL_SWITCH and is_active:
            self._kill = KillRecord(is_active=False, reason="auto-recovery", by="auto-recovery", at=now)
        self._state = state

    def _save(self) -> None:
        try:
            self._halt_file.save(encode_mode_state(self._state))
            if self._kill is not None:
                self._kill_file.save(encode_kill_record(self._kill))
        except OSError:
            self._is_saved = False
        else:
            self._is_saved = True

    def _read_mode_state(self) -> tuple[ModeState, str | None]:
        read = self._halt_file.load()
        try:
            return (decode_mode_state(read.value), None) if isinstance(read, Loaded) else (ModeState(), _why(read))
        except ValueError as error:
            return ModeState(), str(error)

    def _read_kill_record(self) -> tuple[KillRecord | None, str | None]:
        read = self._kill_file.load()
        try:
            return (decode_kill_record(read.value), None) if isinstance(read, Loaded) else (None, _why(read))
        except ValueError as error:
            return None, str(error)


def _why(read: object) -> str | None:
    return read.why if isinstance(read, Unreadable) else None
