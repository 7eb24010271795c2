"""The one halt that may end by itself: margin, old enough, calm again, and not too often. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

from trading_system.domain.errors import ConfigError
from trading_system.safety.invariants import Level, Verdict
from trading_system.safety.modes import ModeState


@dataclass(frozen=True, slots=True)
class RecoveryRules:
    """age in seconds; utilisation as a fraction, strictly below; count per rolling 24 h."""

    halt_age_s_min: int = 300
    utilization_below: Decimal = Decimal("0.85")
    per_day_max: int = 2
    is_enabled: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.utilization_below < 1:
            raise ConfigError(f"safety.auto_recovery.utilization_below = {self.utilization_below}: must be in (0, 1)")


class RecoveryRefusal(Enum):
    """Why the halt stays."""

    NOT_HALTED = "not halted"
    DISABLED = "disabled"
    NOT_MARGIN = "the halt is not about margin"
    TOO_YOUNG = "the halt is too young"
    UTILIZATION = "margin utilisation is unknown or not low enough"
    DAILY_LIMIT = "Auto-recovery: daily limit reached"
    OTHER_HALT = "another halting limit is violated"
    KILL_FILE = "the kill-switch file exists"


def decide_recovery(
    state: ModeState,
    verdicts: Sequence[Verdict],
    *,
    venue_utilization: Decimal | None,
    kill_file_exists: bool,
    now: datetime,
    rules: RecoveryRules,
) -> ModeState | RecoveryRefusal:
    """The state after a recovery, or why there is none. Conditions are checked from the most to the least telling."""
    if state.halt is None:
        return RecoveryRefusal.NOT_HALTED
    if not rules.is_enabled:
        return RecoveryRefusal.DISABLED
    if not state.halt.invariant.is_margin_critical or state.halt.by != "invariant":
        return RecoveryRefusal.NOT_MARGIN
    if kill_file_exists:
        return RecoveryRefusal.KILL_FILE
    if any(verdict.level is Level.HALT for verdict in verdicts):
        return RecoveryRefusal.OTHER_HALT
    if now - state.halt.since < timedelta(seconds=rules.halt_age_s_min):
        return RecoveryRefusal.TOO_YOUNG
    if venue_utilization is None or not venue_utilization.is_finite() or not venue_utilization < rules.utilization_below:
        return RecoveryRefusal.UTILIZATION
    recent = tuple(at for at in state.recoveries if now - at < timedelta(days=1))
    if len(recent) >= rules.per_day_max:
        return RecoveryRefusal.DAILY_LIMIT
    return replace(state, halt=None, recoveries=(*recent, now))
