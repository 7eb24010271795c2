"""The journal's events: everything that ever changes our state, as a closed union of frozen records.

State is the fold of these and nothing else. `at` is market time. Field types are plain, so that a codec can write and read
them without loss (Decimals as strings, times in ISO form). Meanings never change; new facts get new, defaulted fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from trading_system.domain.account import AccountFlow
from trading_system.domain.orders import ClientOrderId, Fill, FillId, OrderPurpose, PositionId, VenueOrderId
from trading_system.domain.positions import CloseReason, EndReason, EntryPlan, OwnOrder, Targets
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty, Usd


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A process took over this journal. The first one fixes mode, venue and account for ever; epoch grows by one each time."""

    at: datetime
    mode: str
    venue: str
    account: str
    version: str
    config_hash: str
    epoch: int


@dataclass(frozen=True, slots=True)
class JournalCompacted:
    """The first record of a compacted journal: what is left out lies in the archive, and what still counts of it is here.

    archived_seq, archived_chain: the archive's last record and its chain hash (hex), to which this one is chained.
    booked: USD, the net results of all positions that are left out, those of earlier archives included.
    """

    at: datetime
    archive: str
    archived_seq: int
    archived_chain: str
    booked: Decimal
    positions_left_out: int


@dataclass(frozen=True, slots=True)
class EntryPlanned:
    at: datetime
    plan: EntryPlan


@dataclass(frozen=True, slots=True)
class OrderIntended:
    """Durable before the order leaves."""

    at: datetime
    order: OwnOrder


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """Acknowledged, or seen alive. `reduced_qty`: the size that rests when the venue shrank it."""

    at: datetime
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    reduced_qty: Qty | None = None
    evidence: str = "answer"


@dataclass(frozen=True, slots=True)
class OrderRejected:
    at: datetime
    client_order_id: ClientOrderId
    reason: str


@dataclass(frozen=True, slots=True)
class OrderUnknown:
    at: datetime
    client_order_id: ClientOrderId
    evidence: str


@dataclass(frozen=True, slots=True)
class AmendIntended:
    at: datetime
    client_order_id: ClientOrderId
    qty: Qty
    trigger_price: Price
    why: str


@dataclass(frozen=True, slots=True)
class AmendConfirmed:
    """The stop rests with this size and trigger: by the answer, or because it was seen so."""

    at: datetime
    client_order_id: ClientOrderId
    qty: Qty
    trigger_price: Price
    evidence: str = "answer"


@dataclass(frozen=True, slots=True)
class AmendRefused:
    """The venue kept the order as it was."""

    at: datetime
    client_order_id: ClientOrderId
    reason: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    at: datetime
    client_order_id: ClientOrderId
    why: str
    evidence: str


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """filled_qty: base units executed in all, as the venue or a complete set of fills says."""

    at: datetime
    client_order_id: ClientOrderId
    reason: EndReason
    filled_qty: Qty
    evidence: str


@dataclass(frozen=True, slots=True)
class FillBooked:
    """An execution, once. purpose: of the order of ours that did it, None = not one of ours (by hand, liquidation …).

    position_id None: it belongs to no position we know.
    """

    at: datetime
    fill: Fill
    position_id: PositionId | None
    purpose: OrderPurpose | None


@dataclass(frozen=True, slots=True)
class FeeBooked:
    """The fee of a fill that was booked without one. Positive = paid, USD."""

    at: datetime
    fill_id: FillId
    fee_usd: Decimal


@dataclass(frozen=True, slots=True)
class FundingBooked:
    """Positive = received, USD."""

    at: datetime
    flow_id: str
    symbol: Symbol
    position_id: PositionId | None
    amount: Usd


@dataclass(frozen=True, slots=True)
class FlowBooked:
    """Money that is neither trade nor funding of a position (deposit, withdrawal, conversion …)."""

    at: datetime
    flow: AccountFlow


@dataclass(frozen=True, slots=True)
class EntryCompleted:
    """Filled, or the rest confirmed gone. Repeated when a late fill of the entry turns up before any take-profit did."""

    at: datetime
    position_id: PositionId
    targets: Targets
    why: str


@dataclass(frozen=True, slots=True)
class EntryAbandoned:
    """The entry ended with nothing filled."""

    at: datetime
    position_id: PositionId
    why: str


@dataclass(frozen=True, slots=True)
class EntryDisplaced:
    """The venue holds the other side on the symbol of an entry of which nothing is filled: the place in the books goes to what is held.

    Its order, if one is still open or of unknown fate, stays watched: seen alive it is cancelled, a fill counts as the venue nets it.
    """

    at: datetime
    position_id: PositionId
    evidence: str


@dataclass(frozen=True, slots=True)
class StopWanted:
    at: datetime
    position_id: PositionId
    price: Price
    why: str


@dataclass(frozen=True, slots=True)
class BreakEvenActivated:
    at: datetime
    position_id: PositionId
    price: Price
    why: str


@dataclass(frozen=True, slots=True)
class TrailingActivated:
    """Trailing began, or its multiple of ATR became smaller."""

    at: datetime
    position_id: PositionId
    multiple: Decimal
    why: str


@dataclass(frozen=True, slots=True)
class FinalTargetReached:
    at: datetime
    position_id: PositionId
    why: str


@dataclass(frozen=True, slots=True)
class TakeProfitSkipped:
    """One level left out for good; its siblings go on."""

    at: datetime
    position_id: PositionId
    purpose: OrderPurpose
    why: str


@dataclass(frozen=True, slots=True)
class CloseRequested:
    at: datetime
    position_id: PositionId
    reason: CloseReason
    evidence: str


@dataclass(frozen=True, slots=True)
class PositionClosed:
    """gross, fees, funding: USD at this moment; late fees are still added to the position afterwards."""

    at: datetime
    position_id: PositionId
    reason: CloseReason
    exit_price: Price | None
    gross: Usd
    fees: Usd
    funding: Usd
    evidence: str


@dataclass(frozen=True, slots=True)
class PositionAdopted:
    """A position that only the venue knew is ours to protect from now on."""

    at: datetime
    plan: EntryPlan
    entry_price: Price
    evidence: str


@dataclass(frozen=True, slots=True)
class StopAdopted:
    """A reduce-only stop that we did not send protects this position."""

    at: datetime
    order: OwnOrder
    evidence: str


@dataclass(frozen=True, slots=True)
class QuantityAdjusted:
    """The venue holds `delta` more (less when negative) than the fills explain. Not a trade; a real fill replaces it later."""

    at: datetime
    position_id: PositionId
    adjustment_id: str
    delta: Decimal
    price: Price
    evidence: str


@dataclass(frozen=True, slots=True)
class PositionOrphaned:
    at: datetime
    position_id: PositionId
    evidence: str


@dataclass(frozen=True, slots=True)
class PositionReappeared:
    """An orphan is listed by the venue again."""

    at: datetime
    position_id: PositionId
    evidence: str


@dataclass(frozen=True, slots=True)
class PositionQuarantined:
    at: datetime
    position_id: PositionId
    evidence: str


@dataclass(frozen=True, slots=True)
class PositionReleased:
    """A human looked at a quarantined position and handed it back."""

    at: datetime
    position_id: PositionId
    by: str


@dataclass(frozen=True, slots=True)
class SignalEmitted:
    """Starts the symbol's cooldown; its zones are used up. `signal_at_ms`: close of the bar it was given on."""

    at: datetime
    symbol: Symbol
    signal_at_ms: int = 0
    zone_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateNoted:
    """Latest wins. Small states of other rooms (loss limits, streaks …) as JSON they write and read themselves."""

    at: datetime
    key: str
    json: str


@dataclass(frozen=True, slots=True)
class DecisionNoted:
    """Why something was or was not done; for people and reports."""

    at: datetime
    kind: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class DestructiveActionJustified:
    """Written before a close or a cancel of a protective order: the explicit evidence that was read."""

    at: datetime
    action: str
    subject: str
    evidence: str


JournalEvent: TypeAlias = (
    SessionStarted
    | JournalCompacted
    | EntryPlanned
    | OrderIntended
    | OrderPlaced
    | OrderRejected
    | OrderUnknown
    | AmendIntended
    | AmendConfirmed
    | AmendRefused
    | CancelRequested
    | OrderEnded
    | FillBooked
    | FeeBooked
    | FundingBooked
    | FlowBooked
    | EntryCompleted
    | EntryAbandoned
    | EntryDisplaced
    | StopWanted
    | BreakEvenActivated
    | TrailingActivated
    | FinalTargetReached
    | TakeProfitSkipped
    | CloseRequested
    | PositionClosed
    | PositionAdopted
    | StopAdopted
    | QuantityAdjusted
    | PositionOrphaned
    | PositionReappeared
    | PositionQuarantined
    | PositionReleased
    | SignalEmitted
    | StateNoted
    | DecisionNoted
    | DestructiveActionJustified
)
