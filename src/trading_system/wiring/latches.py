"""The latch files as they lie in the data directory, read without touching them: what a start would find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trading_system.domain.modes import Mode
from trading_system.safety.invariant_monitor import HALT_STATE_FILE, KILL_FILE, KILL_STATE_FILE
from trading_system.safety.kill_switch import KillRecord
from trading_system.safety.mode_record import decode_kill_record, decode_mode_state
from trading_system.safety.modes import ModeState
from trading_system.safety.state_file import Loaded, Missing, StateFile


@dataclass(frozen=True, slots=True)
class HaltRow:
    mode: str
    invariant: str
    reason: str
    by: str
    since: datetime
    is_cleanup_done: bool
    """A complete look showed no entry and no take-profit of ours left."""


@dataclass(frozen=True, slots=True)
class CauseRow:
    """Why entries are off. clear_since: fine again since then, None while it still violates."""

    invariant: str
    since: datetime
    note: str
    clear_since: datetime | None


@dataclass(frozen=True, slots=True)
class Latches:
    """problems: files that cannot be read, each of which halts the next start."""

    state: ModeState
    kill: KillRecord | None
    has_kill_file: bool
    problems: tuple[str, ...]

    @property
    def mode(self) -> Mode:
        """The mode a start would begin in."""
        if self.has_kill_file or (self.kill is not None and self.kill.is_active):
            return Mode.KILL_SWITCH
        if self.problems and not self.state.mode.is_halted:
            return Mode.HALTED
        return self.state.mode


def halt_row(state: ModeState, kill: KillRecord | None) -> HaltRow | None:
    """The latch, or None."""
    halt = state.halt
    if halt is None:
        return None
    is_done = kill is not None and kill.is_active and kill.cleanup_done
    return HaltRow(halt.mode.value, halt.invariant.value, halt.reason, halt.by, halt.since, is_done)


def cause_rows(state: ModeState) -> tuple[CauseRow, ...]:
    return tuple(CauseRow(cause.invariant.value, cause.since, cause.note, cause.clear_since) for cause in state.causes)


def read_latches(data_dir: Path) -> Latches:
    """Never raises: what cannot be read is a problem, and problems halt."""
    problems: list[str] = []
    state, kill = ModeState(), None
    read = StateFile(data_dir, HALT_STATE_FILE).load()
    try:
        if isinstance(read, Loaded):
            state = decode_mode_state(read.value)
        elif not isinstance(read, Missing):
            problems.append(read.why)
    except ValueError as error:
        problems.append(f"{HALT_STATE_FILE}: {error}")
    read = StateFile(data_dir, KILL_STATE_FILE).load()
    try:
        if isinstance(read, Loaded):
            kill = decode_kill_record(read.value)
        elif not isinstance(read, Missing):
            problems.append(read.why)
    except ValueError as error:
        problems.append(f"{KILL_STATE_FILE}: {error}")
    try:
        (data_dir / KILL_FILE).lstat()
        has_file = True
    except FileNotFoundError:
        has_file = False
    except OSError as error:
        has_file = True
        problems.append(f"{KILL_FILE}: {error}")
    return Latches(state, kill, has_file, tuple(problems))
