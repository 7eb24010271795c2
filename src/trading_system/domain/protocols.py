"""The ports: what the daemon needs from the world, named for the need. One adapter, one simulator, one contract suite each.

Reads return a value (possibly explicitly empty) or raise ReadFailed; failed never looks like empty. Every implementation
bounds each call by a deadline. Order calls never raise for an exchange's answer: the outcome is a value.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from trading_system.domain.account import AccountFlow, AccountSnapshot, FeedEvent, VenuePosition
from trading_system.domain.market import Bar, Instrument, OrderBook, Ticker, Timeframe
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    Fill,
    FillId,
    OpenOrder,
    OrderRequest,
    OrderStatus,
    StopAmendment,
    SubmitOutcome,
    VenueOrderId,
)
from trading_system.domain.signals import Decision, Emitted
from trading_system.domain.symbols import Symbol


class Clock(Protocol):
    """Two times. Market time follows the venue and may run at N x; process time is real seconds at any speed."""

    def now(self) -> datetime:
        """Market time, aware UTC: bars, ticks, cooldowns, funding, loss days."""
        ...

    def monotonic(self) -> float:
        """Process seconds: deadlines, polls, grace periods, budgets, naked seconds. Durations only."""
        ...

    def market_in(self, process_seconds: float) -> datetime:
        """Market time as it will be `process_seconds` from now: deadlines that travel to the venue."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep process seconds."""
        ...

    async def sleep_until(self, moment: datetime) -> None:
        """Sleep until market time `moment`."""
        ...


class Random(Protocol):
    """Seeded randomness (back-off jitter); the same seed gives the same run."""

    def uniform(self, low: float, high: float) -> float: ...


class MarketData(Protocol):
    """Public market data."""

    async def instruments(self) -> tuple[Instrument, ...]:
        """All linear perpetuals with their fixed facts and status."""
        ...

    async def tickers(self) -> tuple[Ticker, ...]:
        """One quote per linear perpetual, in one request."""
        ...

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        """Trade-price bars whose open time is in [since_ms, until_ms], ascending, all pages; may include the running bar."""
        ...

    async def order_book(self, symbol: Symbol) -> OrderBook:
        """The whole book, best first on both sides."""
        ...


class Account(Protocol):
    """Private reads of the one account."""

    async def snapshot(self) -> AccountSnapshot: ...

    async def positions(self) -> tuple[VenuePosition, ...]:
        """Every open position, unfiltered."""
        ...

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """Every open order, foreign ones and triggers included."""
        ...

    async def fills(self, since: datetime) -> tuple[Fill, ...]:
        """Every fill at or after `since`, oldest first, paged back until `since` is covered."""
        ...

    async def order_status(self, ids: Sequence[ClientOrderId]) -> tuple[OrderStatus, ...]:
        """What the venue still knows of these ids. A missing id proves nothing."""
        ...

    async def flows(self, since: datetime) -> tuple[AccountFlow, ...]:
        """Funding, fees, deposits and the like at or after `since`, oldest first."""
        ...


class Orders(Protocol):
    """The state-changing calls. Each passes the one write gate; none is ever sent twice by an implementation."""

    async def submit(self, order: OrderRequest) -> SubmitOutcome: ...

    async def amend_stop(self, amendment: StopAmendment) -> SubmitOutcome:
        """Placed = amended and still resting under `venue_order_id`."""
        ...

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> CancelOutcome:
        """Cancel one order by id; the venue id is used when known."""
        ...


class PrivateFeed(Protocol):
    """The venue's private push feed. Silence or loss is never trusted: polling is authoritative."""

    def events(self) -> AsyncIterator[FeedEvent]:
        """Yield for ever; a lost connection is re-made inside and announced as FeedReset."""
        ...


class Strategy(Protocol):
    """Closed bars in, a decision out. Streaming and causal: what was said at a bar never changes when bars are appended."""

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        """Feed one closed bar, in order of time. A duplicate or older bar is ignored."""
        ...

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        """Judge as of `at_ms`, with bars closed by then. Asking twice gives the same answer."""
        ...

    def mark_emitted(self, signal: Emitted) -> None:
        """The signal was acted on (or its cooldown begun): its setup is used up for later bars."""
        ...

    def forget(self, symbol: Symbol) -> None:
        """Drop the state of a symbol; its bars will be fed again from the beginning, then its emissions marked again."""
        ...


@runtime_checkable
class SnapshotStrategy(Protocol):
    """A strategy whose state can be kept over a restart. Optional: one without it is fed all stored bars again.

    Going on from a snapshot must be bit-equal to never having stopped.
    """

    def snapshot(self, symbol: Symbol) -> bytes:
        """The whole state of a symbol."""
        ...

    def restore(self, symbol: Symbol, snapshot: bytes) -> bool:
        """Continue a symbol from a snapshot; False (and nothing changes) when it is damaged or of other numbers."""
        ...


class StrategyCosts(Protocol):
    """What a trade would cost now, for the engine's cost terms."""

    @property
    def spread_bps(self) -> float: ...
    @property
    def entry_fee_bps(self) -> float: ...
    @property
    def exit_fee_bps(self) -> float: ...
    @property
    def funding_bps_per_hour(self) -> float:
        """Signed as the venue quotes it: positive = longs pay."""
        ...


class CandleStore(Protocol):
    """Stored bars for hydration; a dead store delays history, never trading."""

    async def load(self, symbol: Symbol, since_ms: Mapping[Timeframe, int]) -> Mapping[Timeframe, tuple[Bar, ...]]:
        """Bars of one symbol that opened at or after the moment given for their timeframe, ascending."""
        ...

    def save(self, symbol: Symbol, timeframe: Timeframe, bars: Iterable[Bar]) -> None:
        """Queue bars for the writer; returns at once."""
        ...


class EngineStore(Protocol):
    """States of engines between two processes, opaque. What is lost or damaged costs a warm-up, never a decision."""

    async def load(self, symbol: Symbol) -> bytes | None:
        """The state of a symbol as last saved; None when there is none that is whole. ReadFailed when the disk does not answer."""
        ...

    async def save(self, states: Mapping[Symbol, bytes]) -> None:
        """Replace the states of these symbols together; ReadFailed when the disk refuses."""
        ...


class EventRecorder(Protocol):
    """History for people: decisions, trades, equity. Queued, written behind; never awaited by trading."""

    def record(self, kind: str, at: datetime, payload: Mapping[str, object]) -> None: ...


class JournalMedium(Protocol):
    """Where the journal's bytes live: SQLite in production, a memory model of a failing disk in simulation."""

    def append(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Append (seq, payload, chain hash) rows; durable when it returns; raises OSError or sqlite3.Error when not."""
        ...

    def read(self, from_seq: int) -> Iterable[tuple[int, bytes, bytes]]: ...

    def close(self) -> None: ...


class Alerter(Protocol):
    """Tells a human. Returns at once; delivery is durable and retried elsewhere."""

    def alert(self, kind: str, text: str, *, symbol: str | None = None, urgent: bool = False) -> None: ...


class KnownFills(Protocol):
    """What the journal has already booked."""

    def has_fill(self, fill_id: FillId) -> bool: ...
