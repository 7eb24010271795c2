"""What the journal knows of a position and of the orders that belong to it. Records only; they change through events alone.

The trap it avoids: a quantity that is counted up and down as messages arrive. Everything here is a sum over a set of fills,
so the order in which acknowledgements and fills are seen does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Final

from trading_system.domain.intents import TakeProfitTarget
from trading_system.domain.market import Tier
from trading_system.domain.orders import ClientOrderId, Direction, EntryStyle, OrderPurpose, PositionId, Side, VenueOrderId
from trading_system.domain.signals import Regime
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO, Price, Qty, Usd

NO_USD: Final = Usd(ZERO)
NO_QTY: Final = Qty(ZERO)


class PositionState(Enum):
    """Where a position stands. Which moves exist is the table in `execution/position_state.py`."""

    PENDING = "PENDING"
    """An entry was intended; nothing is known to be filled. Blocks its symbol and counts in every cap."""
    OPEN = "OPEN"
    """Filled, and its stop is not (fully) confirmed: naked in part or whole."""
    PROTECTED = "PROTECTED"
    PARTIAL = "PARTIAL"
    """Protected, after a fill of the first take-profit."""
    CLOSING = "CLOSING"
    CANCEL_PENDING = "CANCEL_PENDING"
    """The entry is being cancelled and nothing is known to be filled."""
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    """The entry ended without a fill."""
    ORPHANED = "ORPHANED"
    """The venue no longer shows it and no fill explains why. Needs a human; keeps its symbol blocked."""
    QUARANTINED = "QUARANTINED"
    """The venue contradicts the journal. Needs a human; keeps its stop."""

    @property
    def is_active(self) -> bool:
        """True while the position occupies its symbol (everything but CLOSED and CANCELLED)."""
        return self is not PositionState.CLOSED and self is not PositionState.CANCELLED

    @property
    def is_managed(self) -> bool:
        """True while the daemon acts on it by itself."""
        return self in _MANAGED

    @property
    def awaits_entry(self) -> bool:
        """True while no fill of the entry is known."""
        return self is PositionState.PENDING or self is PositionState.CANCEL_PENDING

    @property
    def needs_human(self) -> bool:
        return self is PositionState.ORPHANED or self is PositionState.QUARANTINED


_MANAGED: Final = frozenset(
    {
        PositionState.PENDING,
        PositionState.OPEN,
        PositionState.PROTECTED,
        PositionState.PARTIAL,
        PositionState.CLOSING,
        PositionState.CANCEL_PENDING,
    }
)


class Lineage(Enum):
    """Who opened it. Only positions of INTENT lineage may ever be closed by the daemon on its own account."""

    INTENT = "intent"
    ADOPTED = "adopted"


class CloseReason(Enum):
    """Why a position ended, or is to end. `.value` is the word in logs, alerts and the trade list."""

    STOP = "stop"
    TAKE_PROFIT = "take_profit"
    LIQUIDATION = "liquidation"
    SETTLEMENT = "settlement"
    DELEVERAGED = "deleveraged"
    """The venue handed it over to, or took it for, another account in trouble (assignment, unwinding: auto-deleveraging)."""
    BY_HAND = "by_hand"
    AUCTION = "auction"
    OPERATOR = "operator"
    STOP_REFUSED = "stop_refused"
    """The stop could not be placed within X_hard."""
    THROUGH_STOP = "through_stop"
    """Mark stayed beyond the stop and the stop did not act."""
    FINAL_TARGET = "final_target"
    PREMISE = "premise"
    TIME_EXIT = "time_exit"
    EXCESS = "excess"
    """More was executed for an entry than was approved (a packet the venue took twice)."""
    WRITTEN_OFF = "written_off"
    """A human declared an orphan as gone."""


@dataclass(frozen=True, slots=True)
class EntryPlan:
    """The facts under which a position was approved (or adopted); fixed for its whole life.

    qty: what the entry may fill at most; stop_price: the initial stop, which defines 1 R together with the average entry;
    atr_4h: price units at the signal, None for adopted positions.
    """

    position_id: PositionId
    symbol: Symbol
    direction: Direction
    lineage: Lineage
    planned_at: datetime
    qty: Qty
    reference_price: Price
    stop_price: Price
    limit_price: Price | None = None
    take_profits: tuple[TakeProfitTarget, ...] = ()
    style: EntryStyle | None = None
    regime: Regime | None = None
    tier: Tier | None = None
    setup: str = ""
    score: float | None = None
    signal_at_ms: int | None = None
    atr_4h: Decimal | None = None
    notional: Usd = NO_USD
    planned_leverage: Decimal = ZERO
    planned_margin: Usd = NO_USD
    open_risk: Usd = NO_USD
    equity: Usd = NO_USD
    """Equity at approval, USD: what a loss is compared with. 0 for adopted positions."""
    premise_price: Price | None = None
    """A 4h close beyond it says that the reason for the entry is gone."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over the fills of one position. Quantities in base units, money in USD, all exact.

    adjusted: signed correction in the position's direction that no fill explains yet (`adjusted_price` each); a real fill
    that turns up later replaces it. tp1_filled, tp2_filled: parts of `exited` that the take-profits did.
    """

    entered: Decimal = ZERO
    entry_cost: Decimal = ZERO
    exited: Decimal = ZERO
    exit_value: Decimal = ZERO
    tp1_filled: Decimal = ZERO
    tp2_filled: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    adjusted: Decimal = ZERO
    adjusted_price: Decimal = ZERO
    adjusted_at: datetime | None = None
    first_fill_at: datetime | None = None
    last_fill_at: datetime | None = None

    @property
    def qty(self) -> Qty:
        """What should be open now; never negative."""
        left = self.entered - self.exited + self.adjusted
        return Qty(left if left > 0 else ZERO)

    @property
    def has_entered(self) -> bool:
        """True once anything was ever held."""
        return self.entered > 0 or self.adjusted > 0

    @property
    def average_entry(self) -> Price | None:
        """Average price paid, or None while nothing was."""
        added = self.adjusted if self.adjusted > 0 else ZERO
        total = self.entered + added
        return Price((self.entry_cost + added * self.adjusted_price) / total) if total > 0 else None

    @property
    def average_exit(self) -> Price | None:
        return Price(self.exit_value / self.exited) if self.exited > 0 else None


@dataclass(frozen=True, slots=True)
class Targets:
    """Snapshot taken when the entry completed: sizes are base units on the step, a price None means there is no such level."""

    entry_size_initial: Qty
    tp1_qty_target: Qty
    tp2_qty_target: Qty
    tp1_price: Price | None = None
    tp2_price: Price | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What management has done so far; survives restarts."""

    break_even_active: bool = False
    trailing_active: bool = False
    trail_multiple: Decimal | None = None
    """Smallest multiple of ATR reached; it never grows again."""
    final_target_done: bool = False
    skipped: tuple[OrderPurpose, ...] = ()
    """Take-profit levels left out for good, each with its reason in the journal."""


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """The position is to end. `evidence` names what was read."""

    reason: CloseReason
    at: datetime
    evidence: str


@dataclass(frozen=True, slots=True)
class Closure:
    """How it ended. gross: USD from average entry to average exit, before fees and funding."""

    reason: CloseReason
    at: datetime
    exit_price: Price | None
    gross: Usd
    evidence: str


@dataclass(frozen=True, slots=True)
class Position:
    """One position of ours, from the first intent to its last fill."""

    plan: EntryPlan
    state: PositionState
    stop_wanted: Price
    """The trigger the stop should have now; moves toward profit only."""
    tally: Tally = field(default_factory=Tally)
    targets: Targets | None = None
    progress: Progress = field(default_factory=Progress)
    close: CloseRequest | None = None
    closure: Closure | None = None

    @property
    def position_id(self) -> PositionId:
        return self.plan.position_id

    @property
    def symbol(self) -> Symbol:
        return self.plan.symbol

    @property
    def direction(self) -> Direction:
        return self.plan.direction

    @property
    def is_own(self) -> bool:
        """True when the daemon opened it itself."""
        return self.plan.lineage is Lineage.INTENT

    @property
    def qty(self) -> Qty:
        return self.tally.qty

    @property
    def average_entry(self) -> Price | None:
        return self.tally.average_entry

    @property
    def gross(self) -> Usd:
        """Realised USD from average entry to the exits so far, before fees and funding. Exact once everything is out."""
        tally = self.tally
        if tally.exited == tally.entered and tally.adjusted <= 0:
            return Usd((tally.exit_value - tally.entry_cost) * self.direction.sign)
        entry = tally.average_entry
        return Usd(ZERO) if entry is None else Usd((tally.exit_value - entry * tally.exited) * self.direction.sign)

    @property
    def net(self) -> Usd:
        """Realised USD after fees (paid = positive) and funding (received = positive)."""
        return Usd(self.gross - self.tally.fees + self.tally.funding)

    @property
    def risk_per_unit(self) -> Decimal | None:
        """1 R in price units: distance from average entry to the initial stop; None while nothing is filled."""
        entry = self.tally.average_entry
        return None if entry is None else abs(entry - self.plan.stop_price)

    def open_r(self, mark: Decimal) -> Decimal | None:
        """Unrealised profit per unit in R; None when there is no entry or no distance to measure with."""
        entry, unit = self.tally.average_entry, self.risk_per_unit
        if entry is None or not unit:
            return None
        return (mark - entry) * self.direction.sign / unit


class OrderState(Enum):
    """What is known of an order of ours. It only ever moves down this list."""

    INTENDED = "intended"
    """Durable in the journal; perhaps sent."""
    UNKNOWN = "unknown"
    """Sent, and nobody knows."""
    LIVE = "live"
    """The venue acknowledged it, or it was seen there."""
    ENDED = "ended"

    @property
    def rank(self) -> int:
        """0 for INTENDED up to 3 for ENDED."""
        return _ORDER_RANK[self]


_ORDER_RANK: Final = {OrderState.INTENDED: 0, OrderState.UNKNOWN: 1, OrderState.LIVE: 2, OrderState.ENDED: 3}


class EndReason(Enum):
    """How an order ended."""

    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    NOT_PLACED = "not_placed"
    """A complete search over the settling window found no trace of it."""
    TRIGGERED = "triggered"
    """A stop fired; its fills tell the rest."""
    GONE = "gone"
    """No longer listed, and nothing says why."""


@dataclass(frozen=True, slots=True)
class OrderEnd:
    """filled_qty: what the venue or a complete set of fills says was executed in all."""

    reason: EndReason
    at: datetime
    filled_qty: Qty
    evidence: str


@dataclass(frozen=True, slots=True)
class StopTarget:
    """A stop's size and trigger, as asked for in an amendment."""

    qty: Qty
    trigger_price: Price


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """An order of ours (or a foreign stop that was adopted as protection, `is_foreign`, which is never cancelled or moved)."""

    client_order_id: ClientOrderId
    position_id: PositionId
    symbol: Symbol
    purpose: OrderPurpose
    attempt: int
    side: Side
    qty: Qty
    intended_at: datetime
    limit_price: Price | None = None
    trigger_price: Price | None = None
    style: EntryStyle | None = None
    deadline: datetime | None = None
    """processBefore, market time: the venue does not act on it later."""
    state: OrderState = OrderState.INTENDED
    venue_order_id: VenueOrderId | None = None
    placed_at: datetime | None = None
    filled_qty: Qty = NO_QTY
    """Sum of the booked fills."""
    last_fill_at: datetime | None = None
    changed_at: datetime | None = None
    """Market time of the newest news about its size or trigger; an older reading does not undo it."""
    amending: StopTarget | None = None
    """An amendment that was intended and has no known outcome."""
    cancel_requested_at: datetime | None = None
    end: OrderEnd | None = None
    is_foreign: bool = False

    @property
    def is_open(self) -> bool:
        """True while it may still be, or come to, life on the venue."""
        return self.state is not OrderState.ENDED

    @property
    def is_uncertain(self) -> bool:
        """True while nobody knows whether the venue has it."""
        return self.state is OrderState.INTENDED or self.state is OrderState.UNKNOWN

    @property
    def remaining(self) -> Qty:
        """What may still execute, never negative."""
        left = self.qty - self.filled_qty
        return Qty(left if left > 0 else ZERO)

    @property
    def protects(self) -> Qty:
        """Quantity this order surely protects as a stop: 0 unless it is a live stop; the smaller size while an amendment hangs."""
        if self.state is not OrderState.LIVE or self.purpose is not OrderPurpose.STOP:
            return Qty(ZERO)
        qty = self.qty if self.amending is None else min(self.qty, self.amending.qty)
        return Qty(max(ZERO, qty - self.filled_qty))

    @property
    def is_settled(self) -> bool:
        """True when it ended and every execution the venue told of is booked."""
        return self.end is not None and self.filled_qty >= self.end.filled_qty

    @property
    def is_immediate(self) -> bool:
        """True for orders that never rest: exits, and entries of the IOC style."""
        if self.purpose in (OrderPurpose.CLOSE, OrderPurpose.REDUCE):
            return True
        return self.purpose is OrderPurpose.ENTRY and self.style is EntryStyle.IOC
