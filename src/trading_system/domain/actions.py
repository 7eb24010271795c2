"""What may be done to a position: a closed union in which every kind of action carries all it needs.

There is no "flatten orphan" and no "cancel all". Entries are not here: they need an `Approved` (domain/intents).
The first group reaches the venue; the second only writes down a decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from trading_system.domain.orders import ClientOrderId, OrderPurpose, PositionId
from trading_system.domain.positions import CloseReason, Targets
from trading_system.domain.units import Price, Qty


@dataclass(frozen=True, slots=True)
class PlaceStop:
    """A new reduce-only stop (trigger: mark) for `qty`."""

    position_id: PositionId
    qty: Qty
    trigger_price: Price
    why: str


@dataclass(frozen=True, slots=True)
class MoveStop:
    """Size and trigger of a resting stop, together, in place; a new stop beside it when that fails."""

    position_id: PositionId
    client_order_id: ClientOrderId
    qty: Qty
    trigger_price: Price
    why: str


@dataclass(frozen=True, slots=True)
class PlaceTakeProfit:
    position_id: PositionId
    purpose: OrderPurpose
    qty: Qty
    limit_price: Price


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """One order of ours, by id. `evidence` says what was read; required for protective orders."""

    position_id: PositionId
    client_order_id: ClientOrderId
    why: str
    evidence: str


@dataclass(frozen=True, slots=True)
class RetryEntry:
    """The next attempt of the same intent (post-only re-pricing), sent only when the earlier one is confirmed gone."""

    position_id: PositionId
    qty: Qty
    limit_price: Price


@dataclass(frozen=True, slots=True)
class ClosePartial:
    position_id: PositionId
    qty: Qty
    limit_price: Price | None
    reason: CloseReason
    evidence: str


@dataclass(frozen=True, slots=True)
class CloseStep:
    """One step of closing in full: `limit_price` None = market, else IOC at that price. `step` counts from 0."""

    position_id: PositionId
    qty: Qty
    limit_price: Price | None
    step: int
    evidence: str


@dataclass(frozen=True, slots=True)
class BeginClose:
    """From now on the position is closed step by step until it is flat."""

    position_id: PositionId
    reason: CloseReason
    evidence: str


@dataclass(frozen=True, slots=True)
class CompleteEntry:
    position_id: PositionId
    targets: Targets
    why: str


@dataclass(frozen=True, slots=True)
class AbandonEntry:
    position_id: PositionId
    why: str


@dataclass(frozen=True, slots=True)
class SkipTakeProfit:
    position_id: PositionId
    purpose: OrderPurpose
    why: str


@dataclass(frozen=True, slots=True)
class ActivateBreakEven:
    position_id: PositionId
    price: Price
    why: str


@dataclass(frozen=True, slots=True)
class ActivateTrailing:
    position_id: PositionId
    multiple: Decimal
    why: str


@dataclass(frozen=True, slots=True)
class ReachFinalTarget:
    position_id: PositionId
    why: str


@dataclass(frozen=True, slots=True)
class FinishClose:
    """Everything that came in went out again, by booked fills."""

    position_id: PositionId
    reason: CloseReason
    evidence: str


VenueAction: TypeAlias = PlaceStop | MoveStop | PlaceTakeProfit | CancelOrder | RetryEntry | ClosePartial | CloseStep
BookAction: TypeAlias = (
    BeginClose | CompleteEntry | AbandonEntry | SkipTakeProfit | ActivateBreakEven | ActivateTrailing | ReachFinalTarget | FinishClose
)
Action: TypeAlias = VenueAction | BookAction
