"""The four words of the system's state, in order of severity."""

from __future__ import annotations

from enum import Enum


class Mode(Enum):
    """NORMAL trades; DEGRADED opens nothing and manages fully; HALTED and KILL_SWITCH also hold no entries or TPs and wait for a human."""

    NORMAL = "NORMAL"
    DEGRADED = "DEGRADED"
    HALTED = "HALTED"
    KILL_SWITCH = "KILL_SWITCH"

    @property
    def severity(self) -> int:
        """0 for NORMAL up to 3 for KILL_SWITCH."""
        return _SEVERITY[self]

    @property
    def allows_entries(self) -> bool:
        return self is Mode.NORMAL

    @property
    def is_halted(self) -> bool:
        """HALTED or KILL_SWITCH."""
        return self.severity >= Mode.HALTED.severity


_SEVERITY = {Mode.NORMAL: 0, Mode.DEGRADED: 1, Mode.HALTED: 2, Mode.KILL_SWITCH: 3}
