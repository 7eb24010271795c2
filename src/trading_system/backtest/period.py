"""Which period a backtest covers: what was asked for, or all that the candle files hold. One clear line when that is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from trading_system.domain.errors import ConfigError
from trading_system.domain.market import Timeframe
from trading_system.domain.units import from_ms
from trading_system.sim.candle_files import CandleSeries

HOUR_MS = Timeframe.H1.ms


def check_period(start: datetime | None, end: datetime | None) -> None:
    """ValueError with one line for dates that no data could satisfy."""
    if start is not None and start.replace(minute=0, second=0, microsecond=0) != start:
        raise ValueError(f"--from {start:%Y-%m-%d %H:%M:%S} is not on a full hour")
    if start is not None and end is not None and start >= end:
        raise ValueError(f"--from {start:%Y-%m-%d %H:%M} must lie before --to {end:%Y-%m-%d %H:%M}")


def resolve_period(loaded: Sequence[CandleSeries], start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Start and end (exclusive); what was not given is where the files begin and end. ConfigError: nothing there."""
    series = [one for one in loaded if len(one.quarters)]
    if not series:
        raise ConfigError("the 15m files hold no bars")
    first_ms = min(one.quarters.open_ms[0] for one in series)
    last_ms = max(one.quarters.open_ms[-1] for one in series) + Timeframe.M15.ms
    data_start, data_end = from_ms(-(-first_ms // HOUR_MS) * HOUR_MS), from_ms(last_ms)
    begin, until = data_start if start is None else start, data_end if end is None else min(end, data_end)
    if begin >= until or until <= data_start:
        asked = f"{begin:%Y-%m-%d %H:%M} to {data_end if end is None else end:%Y-%m-%d %H:%M}"
        raise ConfigError(f"no bars from {asked}; the files hold {data_start:%Y-%m-%d %H:%M} to {data_end:%Y-%m-%d %H:%M}")
    # a period that begins before the files do is cut to them: before that there is nothing to replay
    return max(begin, data_start), until
