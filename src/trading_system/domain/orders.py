"""Orders, outcomes, fills. Each kind of order is its own type: a stop cannot be built without a trigger.

An outcome is placed, rejected or unknown. Unknown is a state to be resolved by look-up, never a reason to send again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import NewType, TypeAlias

from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty

ClientOrderId = NewType("ClientOrderId", str)
VenueOrderId = NewType("VenueOrderId", str)
PositionId = NewType("PositionId", str)
FillId = NewType("FillId", str)


class Side(Enum):
    """Of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class Direction(Enum):
    """Of a position."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        return 1 if self is Direction.LONG else -1

    @property
    def entry_side(self) -> Side:
        return Side.BUY if self is Direction.LONG else Side.SELL

    @property
    def exit_side(self) -> Side:
        return self.entry_side.opposite

    @property
    def opposite(self) -> Direction:
        return Direction.SHORT if self is Direction.LONG else Direction.LONG


class OrderPurpose(Enum):
    """Why an order of ours exists; part of its client order id."""

    ENTRY = "en"
    STOP = "sl"
    TP1 = "tp1"
    TP2 = "tp2"
    CLOSE = "cl"
    REDUCE = "rd"

    @property
    def is_entry(self) -> bool:
        return self is OrderPurpose.ENTRY

    @property
    def is_take_profit(self) -> bool:
        return self in (OrderPurpose.TP1, OrderPurpose.TP2)


class EntryStyle(Enum):
    IOC = "ioc"
    """The "market" entry: immediate or cancel, limited at the tier's slippage cap."""
    LIMIT = "limit"
    POST_ONLY = "limit_post_only"


@dataclass(frozen=True, slots=True)
class EntryOrder:
    """The only order that may increase a position. Always limited in price."""

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    qty: Qty
    style: EntryStyle
    limit_price: Price
    process_before: datetime


@dataclass(frozen=True, slots=True)
class StopOrder:
    """Reduce-only stop-market triggered by the mark price."""

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    qty: Qty
    trigger_price: Price


@dataclass(frozen=True, slots=True)
class TakeProfitOrder:
    """Reduce-only resting limit."""

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    qty: Qty
    limit_price: Price


@dataclass(frozen=True, slots=True)
class ExitOrder:
    """Reduce-only close, at once. `limit_price` None = the venue's market order (1 % guard), else IOC at that limit."""

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    qty: Qty
    limit_price: Price | None


OrderRequest: TypeAlias = EntryOrder | StopOrder | TakeProfitOrder | ExitOrder


@dataclass(frozen=True, slots=True)
class StopAmendment:
    """Move a resting stop in place, trigger and size together. `qty` is the new open size.

    process_before: market time after which the venue drops it: one that the network held up must not undo a later one.
    """

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    symbol: Symbol
    qty: Qty
    trigger_price: Price
    process_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """The venue accepted it. `filled_qty` counts executions named in the answer itself; fills remain the truth."""

    venue_order_id: VenueOrderId
    reduced_qty: Qty | None = None
    """Set when the venue shrank a reduce-only order to the position: the size that rests."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Definitively not placed: the venue said so with a word of the closed list."""

    reason: str
    """The venue's word, e.g. `insufficientAvailableFunds`; or `local:<why>` when our own write gate refused before any send."""


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """Sent, and nobody knows. `evidence` says what was seen (timeout, 502, unknown word, id already in use)."""

    evidence: str


SubmitOutcome: TypeAlias = Placed | Rejected | OutcomeUnknown


class CancelOutcome(Enum):
    CANCELLED = "cancelled"
    ALREADY_GONE = "already_gone"
    """The venue does not know it (any more): look for fills; proves nothing about why."""
    ALREADY_FILLED = "already_filled"
    UNKNOWN = "unknown"


class OrderKind(Enum):
    """How the venue lists an open order."""

    LIMIT = "limit"
    STOP = "stop"
    TAKE_PROFIT_TRIGGER = "take_profit"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order the venue lists as alive (any status word outside its known dead set means alive)."""

    venue_order_id: VenueOrderId
    client_order_id: ClientOrderId | None
    symbol: Symbol
    side: Side
    kind: OrderKind
    qty: Qty
    """Remaining size."""
    filled_qty: Qty
    limit_price: Price | None
    trigger_price: Price | None
    trigger_signal: str | None
    reduce_only: bool
    received_at: datetime
    status_word: str


class OrderLife(Enum):
    """What a look-up by id proved."""

    ALIVE = "alive"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    TRIGGERED = "triggered"


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """Answer of a look-up by id. Absence of an id from the answer proves nothing."""

    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId
    life: OrderLife
    filled_qty: Qty
    reason: str = ""


class FillKind(Enum):
    MAKER = "maker"
    TAKER = "taker"
    LIQUIDATION = "liquidation"
    ASSIGNMENT = "assignment"
    UNWIND = "unwind"
    SETTLEMENT = "settlement"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. Identity is `fill_id`; fills are a set, so seeing one twice changes nothing."""

    fill_id: FillId
    venue_order_id: VenueOrderId
    client_order_id: ClientOrderId | None
    symbol: Symbol
    side: Side
    qty: Qty
    price: Price
    at: datetime
    kind: FillKind
    fee_usd: Decimal | None
    """None while the venue has not told it (plain fill listings do not); booked later from the feed or the account log."""
