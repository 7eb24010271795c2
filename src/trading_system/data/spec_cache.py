"""Instrument specs and the last universe on disk, with exact Decimals: a start during a venue outage still knows ticks and sizes,
and the guard against a universe that collapses still knows what it was before.

Written atomically: a crash leaves the old file or the new one. An unreadable file is no file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from trading_system.data.atomic_file import write_whole
from trading_system.data.tiering import Eligible
from trading_system.domain.market import Instrument

_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class CachedSpecs:
    version: int
    saved_at: datetime
    instruments: tuple[Instrument, ...]
    eligible: tuple[Eligible, ...] = ()
    """The universe that was discovered last."""
    judged_by: str = ""
    """Names the rules it was judged by: under other rules it says nothing."""

    def is_fresh(self, now: datetime, age_max: timedelta) -> bool:
        """True when saved at most `age_max` ago. A stamp from the future (a stepped clock) is not fresh."""
        return timedelta(0) <= now - self.saved_at <= age_max


def save_specs(
    path: Path, instruments: tuple[Instrument, ...], now: datetime, eligible: tuple[Eligible, ...] = (), judged_by: str = ""
) -> None:
    """Replace the file; OSError when the disk refuses."""
    write_whole(path, msgspec.json.encode(CachedSpecs(_VERSION, now, instruments, eligible, judged_by)))


def load_specs(path: Path) -> CachedSpecs | None:
    """The cached specs of any age, or None when there are none that can be read."""
    try:
        cached = msgspec.json.decode(path.read_bytes(), type=CachedSpecs)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
    return cached if cached.version == _VERSION and cached.saved_at.tzinfo is not None else None
