"""The mode's text form for `halt_state.json` and `kill_switch_state.json`. Strict: what does not fit is a ValueError, never a guess."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from trading_system.domain.modes import Mode
from trading_system.safety.invariants import Invariant
from trading_system.safety.kill_switch import KillRecord
from trading_system.safety.modes import Cause, Halt, ModeState

_VERSION: Final = 1


def encode_mode_state(state: ModeState) -> dict[str, Any]:
    """JSON-able form of the whole state. `mode` is for people; reading ignores it."""
    halt = state.halt
    return {
        "version": _VERSION,
        "mode": state.mode.value,
        "causes": [[cause.invariant.value, cause.since.isoformat(), cause.note, _text(cause.clear_since)] for cause in state.causes],
        "unknown": [cause.invariant.value for cause in state.causes if cause.is_unknown],
        "halt": None if halt is None else [halt.mode.value, halt.invariant.value, halt.reason, halt.by, halt.since.isoformat()],
        "recoveries": [at.isoformat() for at in state.recoveries],
    }


def decode_mode_state(raw: dict[str, Any]) -> ModeState:
    """Inverse of `encode_mode_state`; ValueError on anything else."""
    try:
        _check_version(raw)
        halt = raw["halt"]
        return ModeState(
            # a file of an earlier version does not tell: what it names needs a human where it always did
            causes=tuple(_cause(row, raw.get("unknown", [])) for row in raw["causes"]),
            halt=None if halt is None else _halt(halt),
            recoveries=tuple(_moment(at) for at in raw["recoveries"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"halt state does not fit: {error!r}") from error


def encode_kill_record(record: KillRecord) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "is_active": record.is_active,
        "reason": record.reason,
        "by": record.by,
        "at": record.at.isoformat(),
        "cleanup_done": record.cleanup_done,
    }


def decode_kill_record(raw: dict[str, Any]) -> KillRecord:
    """Inverse of `encode_kill_record`; ValueError on anything else."""
    try:
        _check_version(raw)
        return KillRecord(
            is_active=_bool(raw["is_active"]),
            reason=str(raw["reason"]),
            by=str(raw["by"]),
            at=_moment(raw["at"]),
            cleanup_done=_bool(raw["cleanup_done"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"kill switch state does not fit: {error!r}") from error


def _check_version(raw: dict[str, Any]) -> None:
    if raw["version"] != _VERSION:
        raise ValueError(f"version {raw['version']!r}, expected {_VERSION}")


def _cause(row: list[Any], unknown: list[Any]) -> Cause:
    invariant, since, note, clear_since = row
    clear = None if clear_since is None else _moment(clear_since)
    return Cause(Invariant(invariant), _moment(since), str(note), clear, invariant in unknown)


def _halt(row: list[Any]) -> Halt:
    mode, invariant, reason, by, since = row
    if not Mode(mode).is_halted:
        raise ValueError(f"a halt cannot have mode {mode!r}")
    return Halt(Mode(mode), Invariant(invariant), str(reason), str(by), _moment(since))


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, got {value!r}")
    return value


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time without zone: {text!r}")
    return moment
