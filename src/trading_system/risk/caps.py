"""The clamps: each cap is a named room in USD of notional at the reference price; the size shrinks to the smallest room.

The trap it avoids: a cap that is only a warning afterwards, or one that binds without saying its name. Rooms are rounded
down to 1e-8 USD, far above the noise of 28-digit division, so that what is approved never exceeds a cap by a rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from trading_system.domain.exposure import ExposureItem, open_notional, total_open_risk, total_planned_margin
from trading_system.domain.intents import Clamp, RefusalReason, Refused
from trading_system.domain.market import MarginLevel, Tier
from trading_system.domain.units import ONE, ZERO, Usd
from trading_system.risk.limits import ExposureBasis, RiskLimits
from trading_system.risk.loss_state import LossStanding

_GRAIN: Final = Decimal("1e-8")
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Cap:
    """One limit on this entry. room: USD of notional it leaves (<= 0 = none); limit and actual: for the refusal, in its own unit."""

    name: str
    text: str
    room: Decimal
    reason: RefusalReason
    limit: Decimal
    actual: Decimal


@dataclass(frozen=True, slots=True)
class CapInputs:
    """What all caps are computed from. reference: worst of mark and limit (USD per unit); unit_risk: USD lost per unit at the stop."""

    items: tuple[ExposureItem, ...]
    equity: Decimal
    available_margin: Decimal
    losses: LossStanding
    tier: Tier | None
    levels: tuple[MarginLevel, ...]
    position_qty_max: Decimal | None
    reference: Decimal
    unit_risk: Decimal
    ceiling_qty: Decimal


def compute_caps(inputs: CapInputs, limits: RiskLimits) -> tuple[Cap, ...]:
    """All caps in their fixed order; one that cannot bind is still listed, so that a log shows every room."""
    return (*_risk_caps(inputs, limits), *_exposure_caps(inputs, limits), *_margin_caps(inputs, limits))


def _risk_caps(inputs: CapInputs, limits: RiskLimits) -> tuple[Cap, ...]:
    risk = total_open_risk(inputs.items, limits.exit_costs)
    per_usd = inputs.reference / inputs.unit_risk
    allowed = limits.max_open_risk * inputs.equity
    losses = inputs.losses
    day = losses.day_limit_usd + losses.day_pnl - risk
    week = losses.week_limit_usd + losses.week_pnl - risk
    return (
        Cap(
            "risk_ceiling",
            "Capping position notional by risk ceiling per trade",
            inputs.ceiling_qty * inputs.reference,
            RefusalReason.OPEN_RISK,
            limits.sizing.risk_per_trade * limits.sizing.risk_ceiling_multiple,
            ZERO,
        ),
        Cap(
            "open_risk",
            "Capping position notional by open risk limit",
            (allowed - risk) * per_usd,
            RefusalReason.OPEN_RISK,
            limits.max_open_risk,
            risk / inputs.equity,
        ),
        Cap(
            "daily_loss_room",
            "Capping position notional by room to the daily loss limit",
            day * per_usd,
            RefusalReason.DAILY_LOSS_ROOM,
            losses.day_limit_usd,
            risk - losses.day_pnl,
        ),
        Cap(
            "weekly_loss_room",
            "Capping position notional by room to the weekly loss limit",
            week * per_usd,
            RefusalReason.WEEKLY_LOSS_ROOM,
            losses.week_limit_usd,
            risk - losses.week_pnl,
        ),
    )


def _exposure_caps(inputs: CapInputs, limits: RiskLimits) -> tuple[Cap, ...]:
    caps, equity, reason = limits.caps, inputs.equity, RefusalReason.EXPOSURE_CAP
    notional = open_notional(inputs.items)
    tier_cap = limits.tier(inputs.tier).notional_max_usd
    found = [
        Cap("tier", "Capping position notional by tier limit", tier_cap, reason, tier_cap, ZERO),
        _basis_cap("single_position", "Capping position notional by single position limit", inputs, limits, caps.single_position, ZERO),
        _basis_cap(
            "aggregate",
            "Capping position notional by aggregate exposure limit",
            inputs,
            limits,
            caps.aggregate,
            _basis_used(inputs, limits),
        ),
        Cap(
            "open_notional",
            "Capping position notional by open notional limit",
            caps.open_notional_usd_max - notional,
            reason,
            caps.open_notional_usd_max,
            notional,
        ),
    ]
    if caps.position_notional is not None:
        cap = caps.position_notional.at(equity)
        found.append(Cap("position_notional", "Capping position notional by position notional limit", cap, reason, cap, ZERO))
    if caps.total_notional is not None:
        cap = caps.total_notional.at(equity)
        found.append(Cap("total_notional", "Capping position notional by total notional limit", cap - notional, reason, cap, notional))
    return tuple(found)


def _margin_caps(inputs: CapInputs, limits: RiskLimits) -> tuple[Cap, ...]:
    caps, leverage = limits.caps, limits.leverage_for(inputs.tier)
    used = total_planned_margin(inputs.items)
    budget = caps.planned_utilization_max * inputs.equity
    available = inputs.available_margin * caps.available_margin_share
    found = [
        Cap(
            "planned_utilization",
            "Capping position notional by margin utilization limit",
            notional_for_margin(budget - used, inputs.levels, leverage),
            RefusalReason.MARGIN_UTILIZATION,
            caps.planned_utilization_max,
            used / inputs.equity,
        ),
    ]
    if inputs.position_qty_max is not None:
        room = inputs.position_qty_max * inputs.reference
        text = "Capping position notional by venue maximum position"
        found.append(Cap("venue_max_position", text, room, RefusalReason.EXPOSURE_CAP, inputs.position_qty_max, ZERO))
    found.append(
        Cap(
            "available_margin",
            "Capping position notional by available margin",
            notional_for_margin(available, inputs.levels, leverage),
            RefusalReason.AVAILABLE_MARGIN,
            available,
            ZERO,
        )
    )
    return tuple(found)


def _basis_used(inputs: CapInputs, limits: RiskLimits) -> Decimal:
    return open_notional(inputs.items) if limits.caps.exposure_basis is ExposureBasis.NOTIONAL else total_planned_margin(inputs.items)


def _basis_cap(name: str, text: str, inputs: CapInputs, limits: RiskLimits, share: Decimal, used: Decimal) -> Cap:
    """A cap on `share` of equity, measured on planned margin or on notional as configured."""
    left = share * inputs.equity - used
    if limits.caps.exposure_basis is ExposureBasis.MARGIN:
        left = notional_for_margin(left, inputs.levels, limits.leverage_for(inputs.tier))
    return Cap(name, text, left, RefusalReason.EXPOSURE_CAP, share, used / inputs.equity)


def notional_for_margin(margin: Decimal, levels: Sequence[MarginLevel], leverage_max: Decimal) -> Decimal:
    """The largest notional (USD) whose planned margin is within `margin`; <= 0 when there is no room.

    Planned margin jumps up where a margin level begins, so the answer may be a cent below a level's start.
    """
    if margin <= 0:
        return margin
    best = ZERO
    for index, level in enumerate(levels):
        notional = margin * min(leverage_max, ONE / level.initial)
        if notional < level.notional_from:
            break
        upper = levels[index + 1].notional_from if index + 1 < len(levels) else None
        best = notional if upper is None or notional < upper else upper - _CENT
    return best


def clamp(wanted: Decimal, caps: Sequence[Cap]) -> tuple[Clamp, ...] | Refused:
    """Apply the caps in order to a wished notional (USD); the first cap without any room refuses with its numbers."""
    clamps: list[Clamp] = []
    size = wanted
    for cap in caps:
        room = cap.room.quantize(_GRAIN, ROUND_FLOOR)
        if room <= 0:
            return Refused(cap.reason, cap.limit, cap.actual, note=f"no room left: {cap.text}")
        after = min(size, room)
        clamps.append(Clamp(cap.name, cap.text, Usd(room), Usd(size), Usd(after)))
        size = after
    return tuple(clamps)
