"""UTC days and weeks of the loss limits: when one begins, and what it starts from, also under a clock that jumps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from trading_system.risk.loss_state import Period

PERIODS_KEPT: Final = 4


def monday_of(day: date) -> date:
    """The Monday of the week of `day`."""
    return day - timedelta(days=day.weekday())


def roll(periods: Sequence[Period], left: date, entered: date, equity: Decimal, as_of: datetime) -> tuple[Period, ...]:
    """The periods after the clock went from period `left` into `entered` (both period starts); keeps the newest few.

    Forward into a new period: it starts from `equity`. Forward into one that a wrong clock had opened before: from the
    higher of both starts. Backward into a known one: unchanged. Backward into an unknown one: it inherits the start and
    the flags of the one left, so that turning the clock back never clears a loss.
    """
    known = {period.start: period for period in periods}
    old, here = known.get(entered), known.get(left)
    if entered < left:
        if old is None and here is not None:
            known[entered] = replace(here, start=entered)
        elif old is None:
            known[entered] = Period(entered, equity, as_of)
    elif old is None:
        known[entered] = Period(entered, equity, as_of)
    elif equity > old.start_equity:
        known[entered] = replace(old, start_equity=equity, as_of=as_of)
    kept = sorted(known)
    # the period we are in is never the one dropped, whatever the order of dates
    while len(kept) > PERIODS_KEPT:
        kept.remove(kept[0] if kept[0] != entered else kept[-1])
    return tuple(known[start] for start in kept)


def shift(periods: Sequence[Period], at: datetime, amount: Decimal, length: timedelta) -> tuple[Period, ...]:
    """Move the starts of those periods that were read before the flow at `at` and end after it."""
    return tuple(
        replace(period, start_equity=period.start_equity + amount) if period.as_of < at < _end(period, length) else period
        for period in periods
    )


def _end(period: Period, length: timedelta) -> datetime:
    return datetime.combine(period.start, time(), UTC) + length
