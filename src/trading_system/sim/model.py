"""What goes in and out of the exchange model, in the venue's own words (Kraken Futures API docs, v3).

Markets are named by venue symbol (`PF_XBTUSD`). Times are market time in epoch milliseconds. Money is exact Decimal.
Rows are frozen: a listing handed out never changes under the reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import NamedTuple, TypeAlias

from trading_system.domain.orders import Side
from trading_system.sim.account_rows import AccountRow as AccountRow
from trading_system.sim.account_rows import IsolatedRow as IsolatedRow
from trading_system.sim.account_rows import LogEntry as LogEntry
from trading_system.sim.account_rows import PositionRow as PositionRow
from trading_system.sim.words import DeviationUnit as DeviationUnit
from trading_system.sim.words import MarketMode as MarketMode
from trading_system.sim.words import OrderType as OrderType
from trading_system.sim.words import SelfTrade as SelfTrade
from trading_system.sim.words import TriggerSignal as TriggerSignal


@dataclass(frozen=True, slots=True)
class Trailing:
    """How a trailing stop follows: its stop price stays this far behind the best price of its signal."""

    max_deviation: Decimal
    unit: DeviationUnit


@dataclass(frozen=True, slots=True)
class LimitOffset:
    """The limit of a trigger, counted from its trigger price when it fires: beyond it in the taker's direction when positive."""

    value: Decimal
    unit: DeviationUnit


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One `sendorder`, words unchecked: a wrong word is answered, not raised."""

    symbol: str
    order_type: str
    side: str
    size: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trigger_signal: str | None = None
    """None = last, the venue's default for triggers."""
    reduce_only: bool = False
    cli_ord_id: str | None = None
    process_before_ms: int | None = None
    trailing_deviation: Decimal | None = None
    trailing_unit: str | None = None
    """PERCENT or QUOTE_CURRENCY."""
    offset_value: Decimal | None = None
    """Of the limit, from the trigger price."""
    offset_unit: str | None = None
    """PERCENT or QUOTE_CURRENCY."""


@dataclass(frozen=True, slots=True)
class EditRequest:
    """One `editorder`. Named by order_id or cli_ord_id. None = leave as it is.

    size: the new open size, or the new total (filled part included) when `is_absolute`.
    """

    order_id: str | None = None
    cli_ord_id: str | None = None
    size: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    is_absolute: bool = False
    process_before_ms: int | None = None
    trailing_deviation: Decimal | None = None
    trailing_unit: str | None = None


@dataclass(frozen=True, slots=True)
class CancelRequest:
    order_id: str | None = None
    cli_ord_id: str | None = None
    process_before_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order at one moment. `quantity` is the total; `filled` the cumulative part of it."""

    order_id: str
    cli_ord_id: str | None
    symbol: str
    order_type: OrderType
    side: Side
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    trigger_signal: TriggerSignal | None
    reduce_only: bool
    received_ms: int
    updated_ms: int
    seq: int
    """Price-time priority: order of acceptance."""
    trailing: Trailing | None = None
    limit_offset: LimitOffset | None = None

    @property
    def unfilled(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def is_trigger(self) -> bool:
        return self.order_type.is_trigger

    @property
    def status_word(self) -> str:
        """As `openorders` says it."""
        return "partiallyFilled" if self.filled else "untouched"

    @property
    def fires_below(self) -> bool:
        """Triggers only: True when it fires at or below the stop price (trigger_below), else at or above."""
        return (self.order_type is not OrderType.TAKE_PROFIT) == (self.side is Side.SELL)


# --- the events inside an answer, oldest first ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlaceEvent:
    order: OrderRow
    reduced_quantity: Decimal | None = None
    """Set when a reduce-only order was cut to the position: the size that is left of it."""


@dataclass(frozen=True, slots=True)
class ExecutionEvent:
    execution_id: str
    """= fill id."""
    price: Decimal
    amount: Decimal
    order_prior_execution: OrderRow
    order_prior_edit: OrderRow | None = None
    taker_reduced_quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class EditEvent:
    old: OrderRow
    new: OrderRow
    reduced_quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CancelEvent:
    uid: str
    order: OrderRow


@dataclass(frozen=True, slots=True)
class RejectEvent:
    uid: str
    order: OrderRow
    reason: str
    """Upper-case word, e.g. POST_WOULD_EXECUTE."""


OrderEvent: TypeAlias = PlaceEvent | ExecutionEvent | EditEvent | CancelEvent | RejectEvent


@dataclass(frozen=True, slots=True)
class SendResult:
    """`status` "placed", or the venue's refusal word. A fill shows in `events`, as on the venue, not in the word."""

    status: str
    received_ms: int
    order_id: str | None = None
    cli_ord_id: str | None = None
    events: tuple[OrderEvent, ...] = ()
    reduced_quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class EditResult:
    """`status` "edited", or the venue's refusal word."""

    status: str
    received_ms: int
    order_id: str | None = None
    cli_ord_id: str | None = None
    events: tuple[OrderEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelResult:
    """`status` cancelled, filled or notFound."""

    status: str
    received_ms: int
    order_id: str | None = None
    cli_ord_id: str | None = None
    events: tuple[OrderEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelAllResult:
    """`status` cancelled or noOrdersToCancel; triggers are included."""

    status: str
    received_ms: int
    cancel_only: str
    """"all" or the symbol."""
    cancelled: tuple[OrderRow, ...] = ()
    events: tuple[OrderEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelAfterResult:
    current_ms: int
    trigger_ms: int | None
    """None = switched off."""


# --- listings ---------------------------------------------------------------------------------------------------------


class OrderState(Enum):
    """`.value` is the word of orders/status."""

    ENTERED_BOOK = "ENTERED_BOOK"
    FULLY_EXECUTED = "FULLY_EXECUTED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    TRIGGER_PLACED = "TRIGGER_PLACED"
    TRIGGER_ACTIVATION_FAILURE = "TRIGGER_ACTIVATION_FAILURE"


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One row of orders/status: an open order, or one that ended within the last 5 s of market time."""

    order: OrderRow
    state: OrderState
    update_reason: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SimFill:
    fill_id: str
    seq: int
    order_id: str
    cli_ord_id: str | None
    symbol: str
    side: Side
    size: Decimal
    price: Decimal
    at_ms: int
    fill_type: str
    """maker, taker, takerAfterEdit, liquidation, assignor, unwindBankrupt or settlement."""
    fee_paid: Decimal
    fee_currency: str
    remaining: Decimal
    """Of the order, after this fill."""
    order_type: OrderType


class HistoryKind(Enum):
    """`.value` is the event kind of the history API."""

    ORDER_PLACED = "OrderPlaced"
    ORDER_UPDATED = "OrderUpdated"
    ORDER_CANCELLED = "OrderCancelled"
    ORDER_REJECTED = "OrderRejected"
    TRIGGER_PLACED = "OrderTriggerPlaced"
    TRIGGER_UPDATED = "OrderTriggerUpdated"
    TRIGGER_ACTIVATED = "OrderTriggerActivated"
    TRIGGER_CANCELLED = "OrderTriggerCancelled"


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One element of the order or trigger history."""

    uid: str
    at_ms: int
    kind: HistoryKind
    order: OrderRow
    reason: str
    old_order: OrderRow | None = None


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A public trade. Size in base units."""

    trade_id: int
    uid: str
    at_ms: int
    price: Decimal
    size: Decimal
    side: Side
    """The taker's."""
    trade_type: str = "fill"


class TopRow(NamedTuple):
    """The few facts of a ticker that trading needs: no sizes, no extremes of the day, no predictions."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal
    mark: Decimal
    index_price: Decimal
    volume_quote_24h: Decimal
    open_interest: Decimal
    relative_funding_rate: Decimal
    mode: MarketMode


@dataclass(frozen=True, slots=True)
class QuoteRow:
    """A ticker. Sizes in base units, `volume_quote` in USD; funding rates absolute: USD per base unit per hour."""

    symbol: str
    at_ms: int
    bid: Decimal | None
    bid_size: Decimal | None
    ask: Decimal | None
    ask_size: Decimal | None
    last: Decimal
    last_ms: int
    last_size: Decimal
    mark: Decimal
    index: Decimal
    volume_24h: Decimal
    volume_quote_24h: Decimal
    open_24h: Decimal
    high_24h: Decimal
    low_24h: Decimal
    open_interest: Decimal
    funding_rate: Decimal
    funding_rate_prediction: Decimal
    relative_funding_rate: Decimal
    relative_funding_rate_prediction: Decimal
    next_funding_ms: int
    mode: MarketMode


@dataclass(frozen=True, slots=True)
class BookRows:
    """The whole book, best first: (price, size). `seq` grows whenever it may have changed."""

    symbol: str
    at_ms: int
    seq: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True)
class FundingRow:
    """The rate of one past hour, fixed at `at_ms`."""

    at_ms: int
    absolute: Decimal
    relative: Decimal


# --- events to subscribers --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderFeed:
    """An open order appeared, changed or left (`is_gone`). `reason` is the WebSocket feed's word."""

    at_ms: int
    order: OrderRow
    reason: str
    is_gone: bool


@dataclass(frozen=True, slots=True)
class FillFeed:
    fill: SimFill


@dataclass(frozen=True, slots=True)
class PositionsFeed:
    """Positions changed; read `positions()`."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class BalancesFeed:
    """Balances changed; read `account()`."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class LogFeed:
    entry: LogEntry


@dataclass(frozen=True, slots=True)
class Notice:
    """An announcement of the venue. `kind`: market, general, new_feature, bug_fix, maintenance, settlement."""

    notification_id: int
    kind: str
    priority: str
    """low, medium or high."""
    note: str
    effective_ms: int
    downtime_minutes: int = 0


@dataclass(frozen=True, slots=True)
class NoticeFeed:
    """The list of announcements grew."""

    notice: Notice


SimEvent: TypeAlias = OrderFeed | FillFeed | PositionsFeed | BalancesFeed | LogFeed | NoticeFeed
