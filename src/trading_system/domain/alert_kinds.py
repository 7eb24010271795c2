"""What the daemon tells a human about, and how urgent each kind is."""

from __future__ import annotations

from enum import Enum, IntEnum


class Severity(IntEnum):
    INFO = 20
    WARNING = 30
    CRITICAL = 50


class AlertKind(Enum):
    """`Alerter.alert(kind.value, …)`."""

    KILL_SWITCH = "KILL_SWITCH"
    SYSTEM_HALTED = "SYSTEM_HALTED"
    NEW_POSITION = "NEW_POSITION"
    POSITION_CLOSED = "POSITION_CLOSED"
    AUTO_RECOVERY = "AUTO_RECOVERY"
    DAILY_SUMMARY = "DAILY_SUMMARY"
    UNIVERSE_SHRINK = "UNIVERSE_SHRINK"
    DAILY_LOSS_WARNING = "DAILY_LOSS_WARNING"
    DAILY_STOP = "DAILY_STOP"
    WEEKLY_STOP = "WEEKLY_STOP"
    MAX_DRAWDOWN = "MAX_DRAWDOWN"
    CIRCUIT_BREAKER = "CIRCUIT_BREAKER"
    NAKED_POSITION = "NAKED_POSITION"
    RECONCILE_ADOPTED = "RECONCILE_ADOPTED"
    TRADE_STARVATION = "TRADE_STARVATION"
    EXCEPTION = "EXCEPTION"
    DATA_UNAVAILABLE = "DATA_UNAVAILABLE"
    STARTED_LIVE = "STARTED_LIVE"
    CONFIG_REFUSED = "CONFIG_REFUSED"

    @property
    def severity(self) -> Severity:
        if self in _CRITICAL:
            return Severity.CRITICAL
        return Severity.INFO if self in _INFO else Severity.WARNING


_CRITICAL = frozenset(
    {
        AlertKind.KILL_SWITCH,
        AlertKind.SYSTEM_HALTED,
        AlertKind.NAKED_POSITION,
        AlertKind.DAILY_STOP,
        AlertKind.WEEKLY_STOP,
        AlertKind.MAX_DRAWDOWN,
        AlertKind.CONFIG_REFUSED,
    }
)
_INFO = frozenset({AlertKind.NEW_POSITION, AlertKind.POSITION_CLOSED, AlertKind.DAILY_SUMMARY, AlertKind.STARTED_LIVE})
