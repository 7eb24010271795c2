"""Exit codes that systemd units and scripts rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    CLEAN = 0
    FAULT = 1
    USAGE = 2
    VENUE_UNREACHABLE = 69
    LOCKED = 75
    KEY_REFUSED = 77
    CONFIG = 78
