"""Exits by rule, off unless configured: the premise of the entry is gone, or the position has had its time. Pure.

Neither acts while halted (a halt flattens nothing), on an adopted position, or where the market executes nothing: there the stop stays.
"""

from __future__ import annotations

from datetime import datetime

from trading_system.domain.actions import BeginClose
from trading_system.domain.orders import Direction
from trading_system.domain.positions import CloseReason, Position
from trading_system.domain.units import decimal_of, from_ms
from trading_system.execution.position_view import MarketView, PositionParameters


def plan_rule_exit(position: Position, view: MarketView, params: PositionParameters, now: datetime) -> BeginClose | None:
    """The close that a rule asks for, with what was read, or None. now: market time."""
    if not position.is_own or not view.is_open or not view.allow_take_profits:
        return None
    evidence = _lost_premise(position, view) if params.premise_exit else None
    if evidence is not None:
        return BeginClose(position.position_id, CloseReason.PREMISE, evidence)
    began = position.tally.first_fill_at
    if params.time_exit is None or began is None or now - began < params.time_exit:
        return None
    hours = (now - began).total_seconds() / 3600
    return BeginClose(position.position_id, CloseReason.TIME_EXIT, f"held {hours:.1f} h since {began}, allowed {params.time_exit}")


def _lost_premise(position: Position, view: MarketView) -> str | None:
    """The first 4h close since the signal that lies beyond the premise; one is enough, also when price came back."""
    premise = position.plan.premise_price
    if premise is None:
        return None
    for closed_ms, close in view.closes_4h:
        price = decimal_of(close)
        if price < premise if position.direction is Direction.LONG else price > premise:
            return f"the 4h bar of {from_ms(closed_ms)} closed at {price}, beyond the premise {premise}"
    return None
