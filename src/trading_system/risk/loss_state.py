"""What is remembered about profit and loss between readings, its text form, and the standing derived from it.

All USD. Equity means the venue's portfolio value: realised and unrealised, fees and funding included.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final, NamedTuple

from trading_system.domain.units import ZERO

_VERSION: Final = 1


class LossEvent(Enum):
    """What the last reading changed; `.value` is the log event."""

    TRACKING_INITIALIZED = "DAILY_LOSS_TRACKING_INITIALIZED"
    DAY_ROLLED = "DAY_ROLLED"
    WEEK_ROLLED = "WEEK_ROLLED"
    DAILY_WARNING = "DAILY_LOSS_WARNING"
    DAILY_STOP = "DAILY_STOP"
    WEEKLY_WARNING = "WEEKLY_LOSS_WARNING"
    WEEKLY_STOP = "WEEKLY_STOP"
    DRAWDOWN_DEGRADED = "DRAWDOWN_DEGRADED"
    DRAWDOWN_HALT = "MAX_DRAWDOWN"
    HIGH_WATER_IMPLAUSIBLE = "HIGH_WATER_IMPLAUSIBLE"
    UNEXPLAINED_STEP = "UNEXPLAINED_BALANCE_STEP"
    READING_UNUSABLE = "EQUITY_READING_UNUSABLE"


@dataclass(frozen=True, slots=True)
class EquityReading:
    """One complete account reading. booked_pnl: running total of everything we booked that is not an external flow
    (realised P&L - fees + funding + interest), from any fixed origin; only its changes matter."""

    at: datetime
    portfolio_value: Decimal
    balance_value: Decimal
    booked_pnl: Decimal

    @property
    def unrealized(self) -> Decimal:
        return self.portfolio_value - self.balance_value


@dataclass(frozen=True, slots=True)
class Period:
    """One UTC day (`start` = the date) or week (`start` = its Monday).

    start_equity contains the external flows up to `as_of`, and those booked since.
    """

    start: date
    start_equity: Decimal
    as_of: datetime
    is_warned: bool = False
    is_stopped: bool = False

    def pnl(self, equity: Decimal) -> Decimal:
        return equity - self.start_equity

    def loss_ratio(self, equity: Decimal) -> Decimal:
        """Loss as a fraction of the start; 1 when there is nothing to divide by."""
        return -self.pnl(equity) / self.start_equity if self.start_equity > 0 else Decimal(1)


@dataclass(frozen=True, slots=True)
class HighWater:
    """The best equity, shifted by external flows, and the booked and unrealised totals at that moment (to judge its plausibility)."""

    equity: Decimal
    booked_pnl: Decimal
    unrealized: Decimal
    as_of: datetime


class Moved(NamedTuple):
    """So much money, signed, at that moment."""

    at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class LossState:
    """Everything that must survive a restart.

    days, weeks: the newest few periods, ascending; several are kept so that a clock that jumps and comes back finds its
    own day again. explained_equity/_at/_offset: equity, time and (balance - booked - flows) of the newest reading whose
    balance was explained. step: the part of the newest balance that nobody has explained yet, 0 when explained.
    """

    days: tuple[Period, ...]
    weeks: tuple[Period, ...]
    high_water: HighWater
    started_at: datetime
    read_at: datetime
    explained_at: datetime
    explained_equity: Decimal
    explained_offset: Decimal
    flows_total: Decimal = ZERO
    step: Decimal = ZERO
    step_since: datetime | None = None
    is_step_reported: bool = False
    is_drawdown_degraded: bool = False
    is_drawdown_halted: bool = False
    is_high_water_implausible: bool = False
    flow_ids: tuple[str, ...] = ()
    flows_ahead: tuple[Moved, ...] = ()
    """External flows that are known of and younger than the newest reading: what that reading says does not contain them."""
    absorbed: tuple[Moved, ...] = ()
    """Differences of the balance that were too small to ask about: (when read, how much), the newest few."""


@dataclass(frozen=True, slots=True)
class LossStanding:
    """The verdict of the newest reading, as gates and invariants use it. P&L signed, limits positive USD."""

    as_of: datetime
    equity: Decimal
    day_pnl: Decimal
    day_limit_usd: Decimal
    is_day_stopped: bool
    week_pnl: Decimal
    week_limit_usd: Decimal
    is_week_stopped: bool
    drawdown: Decimal
    is_drawdown_degraded: bool = False
    is_drawdown_halted: bool = False
    is_high_water_implausible: bool = False
    has_unexplained_step: bool = False
    is_step_pending: bool = False
    """The balance has just moved by more than what was booked; what it was is not known yet."""


def encode_loss_state(state: LossState) -> str:
    """Return the state as JSON text; every Decimal exact."""
    return json.dumps({"version": _VERSION, **_plain(state)}, sort_keys=True)


def _plain(state: LossState) -> dict[str, Any]:
    mark = state.high_water
    return {
        "days": [_period_out(period) for period in state.days],
        "weeks": [_period_out(period) for period in state.weeks],
        "high_water": [str(mark.equity), str(mark.booked_pnl), str(mark.unrealized), mark.as_of.isoformat()],
        "started_at": state.started_at.isoformat(),
        "read_at": state.read_at.isoformat(),
        "explained_at": state.explained_at.isoformat(),
        "explained_equity": str(state.explained_equity),
        "explained_offset": str(state.explained_offset),
        "flows_total": str(state.flows_total),
        "step": str(state.step),
        "step_since": None if state.step_since is None else state.step_since.isoformat(),
        "is_step_reported": state.is_step_reported,
        "is_drawdown_degraded": state.is_drawdown_degraded,
        "is_drawdown_halted": state.is_drawdown_halted,
        "is_high_water_implausible": state.is_high_water_implausible,
        "flow_ids": list(state.flow_ids),
        "flows_ahead": [_moved_out(moved) for moved in state.flows_ahead],
        "absorbed": [_moved_out(moved) for moved in state.absorbed],
    }


def _period_out(period: Period) -> list[object]:
    return [period.start.isoformat(), str(period.start_equity), period.as_of.isoformat(), period.is_warned, period.is_stopped]


def _moved_out(moved: Moved) -> list[str]:
    return [moved.at.isoformat(), str(moved.amount)]


def decode_loss_state(text: str) -> LossState:
    """Read `encode_loss_state`'s text; ValueError when it is not that (the caller degrades, it never starts from zero silently)."""
    try:
        raw = json.loads(text)
        if raw["version"] != _VERSION:
            raise ValueError(f"loss state has version {raw['version']!r}, expected {_VERSION}")
        state = _from_plain(raw)
    except (KeyError, TypeError, IndexError, InvalidOperation) as error:
        raise ValueError(f"loss state is unreadable: {error!r}") from error
    today = state.read_at.date()
    if not any(day.start == today for day in state.days) or not any(0 <= (today - week.start).days < 7 for week in state.weeks):
        raise ValueError(f"loss state has no day or week for its last reading at {state.read_at.isoformat()}")
    return state


def _from_plain(raw: dict[str, Any]) -> LossState:
    since = raw["step_since"]
    return LossState(
        days=tuple(_period_in(row) for row in raw["days"]),
        weeks=tuple(_period_in(row) for row in raw["weeks"]),
        high_water=_high_water_in(raw["high_water"]),
        started_at=_moment(raw["started_at"]),
        read_at=_moment(raw["read_at"]),
        explained_at=_moment(raw["explained_at"]),
        explained_equity=_money(raw["explained_equity"]),
        explained_offset=_money(raw["explained_offset"]),
        flows_total=_money(raw["flows_total"]),
        step=_money(raw["step"]),
        step_since=None if since is None else _moment(since),
        is_step_reported=bool(raw["is_step_reported"]),
        is_drawdown_degraded=bool(raw["is_drawdown_degraded"]),
        is_drawdown_halted=bool(raw["is_drawdown_halted"]),
        is_high_water_implausible=bool(raw["is_high_water_implausible"]),
        flow_ids=tuple(str(flow_id) for flow_id in raw["flow_ids"]),
        # states of before 2026-11 have neither
        flows_ahead=tuple(_moved_in(row) for row in raw.get("flows_ahead", ())),
        absorbed=tuple(_moved_in(row) for row in raw.get("absorbed", ())),
    )


def _high_water_in(row: list[Any]) -> HighWater:
    equity, booked, unrealized, as_of = row
    return HighWater(_money(equity), _money(booked), _money(unrealized), _moment(as_of))


def _moved_in(row: list[Any]) -> Moved:
    at, amount = row
    return Moved(_moment(at), _money(amount))


def _period_in(row: list[Any]) -> Period:
    start, equity, as_of, is_warned, is_stopped = row
    return Period(date.fromisoformat(start), _money(equity), _moment(as_of), bool(is_warned), bool(is_stopped))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"loss state holds a time without zone: {text!r}")
    return moment


def _money(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(f"loss state holds a number that is not finite: {text!r}")
    return value
