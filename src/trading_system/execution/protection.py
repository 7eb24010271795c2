"""How much of a position no stop protects, for how long, and what to place. Pure.

Measured on the venue's own lists, foreign stops included: what we remember of a stop is not protection, what rests is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from trading_system.domain.account import VenuePosition
from trading_system.domain.actions import PlaceStop
from trading_system.domain.orders import OpenOrder
from trading_system.domain.positions import Position
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO, Qty, floor_to_step
from trading_system.execution.ledger import LedgerState
from trading_system.execution.ledger_positions import covered_qty
from trading_system.execution.position_view import stop_on_tick
from trading_system.execution.reconcile import MarketFacts, protects_position


def naked_qty(position: VenuePosition, orders: Iterable[OpenOrder], market: MarketFacts) -> Qty:
    """Quantity without a live reduce-only stop on the closing side, on the losing side of mark, before liquidation."""
    exit_side = position.direction.exit_side.value
    covered = sum((o.qty for o in orders if o.symbol == position.symbol and protects_position(o, exit_side, position, market)), ZERO)
    return Qty(max(ZERO, position.qty - covered))


def measure_naked(
    positions: Iterable[VenuePosition], orders: tuple[OpenOrder, ...], facts: Mapping[Symbol, MarketFacts]
) -> dict[Symbol, Qty]:
    """Naked quantity by symbol, where it is at least one step. A market without facts counts as it is, without a mark."""
    naked: dict[Symbol, Qty] = {}
    for position in positions:
        market = facts.get(position.symbol) or MarketFacts(None, Decimal(0), Decimal(0))
        qty = naked_qty(position, orders, market)
        if qty > 0 and qty >= market.size_step:
            naked[position.symbol] = qty
    return naked


def plan_missing_stops(state: LedgerState, positions: Iterable[Position], facts: Mapping[Symbol, MarketFacts]) -> tuple[PlaceStop, ...]:
    """Stops for what the books show uncovered, at the wanted trigger; for the operator's `place-missing-stops`."""
    planned: list[PlaceStop] = []
    for position in positions:
        market = facts.get(position.symbol)
        if market is None or position.qty <= 0:
            continue
        missing = floor_to_step(max(ZERO, position.qty - covered_qty(state, position.position_id)), market.size_step)
        if missing > 0:
            trigger = stop_on_tick(position.direction, position.stop_wanted, market.tick)
            planned.append(PlaceStop(position.position_id, Qty(missing), trigger, f"{missing} of {position.qty} without a stop"))
    return tuple(planned)


class NakedStage(Enum):
    """How serious it is. FIRST warns and heals; PERSISTENT (second consecutive detection) fires the kill switch, healing goes on."""

    FIRST = "first occurrence"
    PERSISTENT = "persistent"


@dataclass(frozen=True, slots=True)
class NakedAlarm:
    symbol: Symbol
    stage: NakedStage
    qty: Qty
    naked_s: float


@dataclass(frozen=True, slots=True)
class NakedLimits:
    """Process seconds: X, and the grace after the start of the process."""

    naked_s_max: float = 15.0
    start_grace_s: float = 90.0


@dataclass(frozen=True, slots=True)
class NakedState:
    """Since when each symbol is naked (process seconds), at which stage it was announced, and the longest time seen."""

    since: Mapping[Symbol, float] = field(default_factory=dict)
    announced: Mapping[Symbol, NakedStage] = field(default_factory=dict)
    worst_s: float = 0.0


def observe_naked(
    state: NakedState, naked: Mapping[Symbol, Qty], now_s: float, started_s: float, limits: NakedLimits
) -> tuple[NakedState, tuple[NakedAlarm, ...]]:
    """One detection, from a successful reading. A symbol not in `naked` is covered and starts from nothing."""
    since: dict[Symbol, float] = {}
    announced: dict[Symbol, NakedStage] = {}
    alarms: list[NakedAlarm] = []
    worst = state.worst_s
    in_grace = now_s - started_s < limits.start_grace_s
    for symbol, qty in naked.items():
        since[symbol] = state.since.get(symbol, now_s)
        naked_s = now_s - since[symbol]
        worst = max(worst, naked_s)
        known = state.announced.get(symbol)
        if known is not None:
            announced[symbol] = known
        if in_grace or naked_s < limits.naked_s_max or known is NakedStage.PERSISTENT:
            continue
        stage = NakedStage.FIRST if known is None else NakedStage.PERSISTENT
        announced[symbol] = stage
        alarms.append(NakedAlarm(symbol, stage, qty, naked_s))
    return NakedState(since, announced, worst), tuple(alarms)


class NakedMeter:
    """Keeps the state between detections, and the worst figure for the next summary."""

    def __init__(self, started_s: float, limits: NakedLimits) -> None:
        self._started_s = started_s
        self._limits = limits
        self._state = NakedState()

    def observe(self, naked: Mapping[Symbol, Qty], now_s: float) -> tuple[NakedAlarm, ...]:
        """Note a detection; the alarms that are new."""
        self._state, alarms = observe_naked(self._state, naked, now_s, self._started_s, self._limits)
        return alarms

    def naked_s(self, symbol: Symbol, now_s: float) -> float | None:
        """How long `symbol` has been naked; None when the newest reading shows it covered."""
        since = self._state.since.get(symbol)
        return None if since is None else max(0.0, now_s - since)

    def take_worst(self) -> float:
        """Longest naked time since the last call (process seconds); what is naked right now goes on counting."""
        worst, self._state = self._state.worst_s, NakedState(self._state.since, self._state.announced)
        return worst
