"""Instrument specs on disk, with exact Decimals, so that a start during a venue outage still knows ticks and sizes.

Written atomically: a crash leaves the old file or the new one. An unreadable file is no file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from trading_system.data.atomic_file import write_whole
from trading_system.domain.market import Instrument

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class CachedSpecs:
    version: int
    saved_at: datetime
    instruments: tuple[Instrument, ...]

    def is_fresh(self, now: datetime, age_max: timedelta) -> bool:
        """True when saved at most `age_max` ago. A stamp from the future (a stepped clock) is not fresh."""
        return timedelta(0) <= now - self.saved_at <= age_max


def save_specs(path: Path, instruments: tuple[Instrument, ...], now: datetime) -> None:
    """Replace the file; OSError when the disk refuses."""
    write_whole(path, msgspec.json.encode(CachedSpecs(_VERSION, now, instruments)))


def load_specs(path: Path) -> CachedSpecs | None:
    """The cached specs of any age, or None when there are none that can be read."""
    try:
        cached = msgspec.json.decode(path.read_bytes(), type=CachedSpecs)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
    return cached if cached.version == _VERSION and cached.saved_at.tzinfo is not None else None
