"""A venue of a few lines for tests of execution: positions, orders, fills, scripted faults, and a log of what it accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_system.domain.account import AccountFlow, AccountSnapshot, VenuePosition
from trading_system.domain.errors import ReadFailed
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    Direction,
    EntryOrder,
    EntryStyle,
    ExitOrder,
    Fill,
    FillId,
    FillKind,
    OpenOrder,
    OrderKind,
    OrderLife,
    OrderRequest,
    OrderStatus,
    OutcomeUnknown,
    Placed,
    Rejected,
    Side,
    StopAmendment,
    StopOrder,
    SubmitOutcome,
    TakeProfitOrder,
    VenueOrderId,
)
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty

START = datetime(2025, 11, 21, 8, 15, tzinfo=UTC)


class ManualClock:
    """Time stands still until a test moves it; both times move together."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self.elapsed_s = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed_s)

    def monotonic(self) -> float:
        return self.elapsed_s

    def market_in(self, process_seconds: float) -> datetime:
        return self.now() + timedelta(seconds=process_seconds)

    async def sleep(self, seconds: float) -> None:
        self.elapsed_s += seconds

    async def sleep_until(self, moment: datetime) -> None:
        self.elapsed_s = max(self.elapsed_s, (moment - self._start).total_seconds())

    def advance(self, seconds: float) -> None:
        self.elapsed_s += seconds


def spawn(name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
    """What the supervisor's `detach` does, without the logging."""
    return asyncio.get_running_loop().create_task(work, name=name)


@dataclass(frozen=True, slots=True)
class Looks:
    """One look at the account (None = that read failed)."""

    started_s: float
    at: datetime
    positions: tuple[VenuePosition, ...] | None
    open_orders: tuple[OpenOrder, ...] | None
    fills: tuple[Fill, ...] | None

    @property
    def finished_s(self) -> float:
        return self.started_s

    @property
    def is_complete(self) -> bool:
        return self.positions is not None and self.open_orders is not None and self.fills is not None


@dataclass(slots=True)
class Resting:
    """An order in the venue's book."""

    order: OpenOrder
    is_trigger: bool = False


@dataclass(slots=True)
class FakeVenue:
    """Orders and Account ports over a dict of positions. `verdict(request)` scripts the next answers.

    verdicts: "ok", "reject:WORD", "lost" (never arrives, answer unknown), "late" (arrives, answer unknown), "raise" (arrives, the
    call raises), "share:0.4" (an entry fills that part only; an ioc's rest is cancelled).
    """

    clock: ManualClock
    mark: Decimal = Decimal(100)
    verdict: Callable[[OrderRequest | StopAmendment], str] = lambda request: "ok"
    cancel_verdict: Callable[[Resting], str] = lambda resting: "ok"
    net: dict[Symbol, Decimal] = field(default_factory=dict)
    entry: dict[Symbol, Decimal] = field(default_factory=dict)
    resting: dict[VenueOrderId, Resting] = field(default_factory=dict)
    fills_log: list[Fill] = field(default_factory=list)
    ended: dict[ClientOrderId, OrderStatus] = field(default_factory=dict)
    requests: list[OrderRequest] = field(default_factory=list)
    accepted: list[OrderRequest] = field(default_factory=list)
    coverage: list[tuple[str, Decimal, Decimal]] = field(default_factory=list)
    """(what happened, stop coverage after it, position after it)."""
    fills_hidden: bool = False
    reads_fail: bool = False
    serial: int = 0

    # --- Orders port ------------------------------------------------------------------------------------------------

    async def submit(self, order: OrderRequest) -> SubmitOutcome:
        self.requests.append(order)
        word = self.verdict(order)
        await asyncio.sleep(0)
        if word.startswith("reject:"):
            return Rejected(word.removeprefix("reject:"))
        if word == "lost":
            return OutcomeUnknown("timeout")
        placed = self.accept(order, Decimal(word.removeprefix("share:")) if word.startswith("share:") else Decimal(1))
        if word == "raise":
            raise TypeError("'NoneType' object is not subscriptable")
        return OutcomeUnknown("502 Bad Gateway") if word == "late" else placed

    def accept(self, order: OrderRequest, share: Decimal = Decimal(1)) -> SubmitOutcome:
        """The venue's matching, in three lines per kind."""
        key = self._next_id()
        held = self.net.get(order.symbol, Decimal(0))
        if not isinstance(order, EntryOrder) and held * order.side.sign >= 0:
            return Rejected("wouldNotReducePosition")
        self.accepted.append(order)
        match order:
            case EntryOrder():
                if order.style is EntryStyle.IOC:
                    filled = self._execute(key, order.client_order_id, order.symbol, order.side, _part(order.qty, share), order.limit_price)
                    life = OrderLife.FILLED if filled == order.qty else OrderLife.CANCELLED
                    self.ended[order.client_order_id] = OrderStatus(order.client_order_id, key, life, filled)
                else:
                    self._rest(key, order.client_order_id, order.symbol, order.side, order.qty, OrderKind.LIMIT, order.limit_price, None)
            case StopOrder():
                self._rest(key, order.client_order_id, order.symbol, order.side, order.qty, OrderKind.STOP, None, order.trigger_price)
            case TakeProfitOrder():
                self._rest(key, order.client_order_id, order.symbol, order.side, order.qty, OrderKind.LIMIT, order.limit_price, None)
            case ExitOrder():
                qty = _part(Qty(min(order.qty, abs(held))), share)
                self._execute(key, order.client_order_id, order.symbol, order.side, qty, Price(self.mark))
                self.ended[order.client_order_id] = OrderStatus(order.client_order_id, key, OrderLife.FILLED, qty)
        self._note(f"accepted {order.client_order_id}", order.symbol)
        return Placed(key)

    async def amend_stop(self, amendment: StopAmendment) -> SubmitOutcome:
        word = self.verdict(amendment)
        await asyncio.sleep(0)
        known = self.resting.get(amendment.venue_order_id)
        if known is None:
            return Rejected("orderForEditNotFound")
        if word.startswith("reject:"):
            return Rejected(word.removeprefix("reject:"))
        if word != "lost":
            known.order = replace(known.order, qty=amendment.qty, trigger_price=amendment.trigger_price)
            self._note(f"amended {amendment.client_order_id}", amendment.symbol)
        return Placed(amendment.venue_order_id) if word == "ok" else OutcomeUnknown("timeout")

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> CancelOutcome:
        await asyncio.sleep(0)
        key = next(
            (k for k, r in self.resting.items() if k == venue_order_id or (client_order_id and r.order.client_order_id == client_order_id)),
            None,
        )
        if key is None:
            return CancelOutcome.ALREADY_GONE
        word = self.cancel_verdict(self.resting[key])
        if word == "lost":
            return CancelOutcome.UNKNOWN
        self.drop(key)
        self._note(f"cancelled {client_order_id}", symbol)
        return CancelOutcome.CANCELLED if word == "ok" else CancelOutcome.ALREADY_GONE

    # --- Account port -----------------------------------------------------------------------------------------------

    async def snapshot(self) -> AccountSnapshot:
        raise ReadFailed("not part of this fake")

    async def positions(self) -> tuple[VenuePosition, ...]:
        return tuple(
            VenuePosition(symbol, Direction.LONG if net > 0 else Direction.SHORT, Qty(abs(net)), Price(self.entry[symbol]))
            for symbol, net in self.net.items()
            if net
        )

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        return tuple(resting.order for resting in self.resting.values())

    async def fills(self, since: datetime) -> tuple[Fill, ...]:
        return () if self.fills_hidden else tuple(fill for fill in self.fills_log if fill.at >= since)

    async def order_status(self, ids: Sequence[ClientOrderId]) -> tuple[OrderStatus, ...]:
        return () if self.fills_hidden else tuple(self.ended[key] for key in ids if key in self.ended)

    async def flows(self, since: datetime) -> tuple[AccountFlow, ...]:
        return ()

    async def look(self) -> Looks:
        """Everything at once; every read fails while `reads_fail`."""
        at, started = self.clock.now(), self.clock.monotonic()
        if self.reads_fail:
            return Looks(started, at, None, None, None)
        return Looks(started, at, await self.positions(), await self.open_orders(), await self.fills(START - timedelta(hours=1)))

    # --- what a market or a human does --------------------------------------------------------------------------------

    def fill_resting(self, client_order_id: str, share: str = "1") -> None:
        """A resting limit, or a stop that fires, executes (the given share of what is left); reduce-only no more than is held."""
        key = next(k for k, r in self.resting.items() if r.order.client_order_id == client_order_id)
        order = self.resting[key].order
        price = order.limit_price or order.trigger_price or Price(self.mark)
        wanted = _part(order.qty, Decimal(share))
        held = max(Decimal(0), -self.net.get(order.symbol, Decimal(0)) * order.side.sign)
        qty = Qty(min(wanted, held)) if order.reduce_only else wanted
        if qty < wanted:
            # what would turn the position is cancelled
            if qty:
                self._execute(key, order.client_order_id, order.symbol, order.side, qty, price)
            self.resting[key].order = replace(order, filled_qty=Qty(order.filled_qty + qty))
            self.drop(key)
            return
        self._execute(key, order.client_order_id, order.symbol, order.side, qty, price)
        if qty == order.qty:
            self.drop(key, OrderLife.FILLED)
        else:
            self.resting[key].order = replace(order, qty=Qty(order.qty - qty), filled_qty=Qty(order.filled_qty + qty))

    def by_hand(self, symbol: Symbol, side: Side, qty: str, kind: FillKind = FillKind.TAKER) -> None:
        """Somebody trades in the app (or the venue liquidates)."""
        self._execute(self._next_id(), None, symbol, side, Qty(Decimal(qty)), Price(self.mark), kind)

    def drop(self, key: VenueOrderId, life: OrderLife = OrderLife.CANCELLED) -> None:
        """The order leaves the book."""
        order = self.resting.pop(key).order
        if order.client_order_id is not None:
            self.ended[order.client_order_id] = OrderStatus(order.client_order_id, key, life, order.filled_qty)
        self._note(f"gone {order.client_order_id}", order.symbol)

    def covered(self, symbol: Symbol) -> Decimal:
        """Sum of the resting reduce-only stops."""
        return sum((r.order.qty for r in self.resting.values() if r.order.symbol == symbol and r.is_trigger), Decimal(0))

    # --- inside -------------------------------------------------------------------------------------------------------

    def _next_id(self) -> VenueOrderId:
        self.serial += 1
        return VenueOrderId(f"v{self.serial}")

    def _note(self, what: str, symbol: Symbol) -> None:
        self.coverage.append((what, self.covered(symbol), abs(self.net.get(symbol, Decimal(0)))))

    def _rest(
        self,
        key: VenueOrderId,
        client_order_id: ClientOrderId,
        symbol: Symbol,
        side: Side,
        qty: Qty,
        kind: OrderKind,
        limit: Price | None,
        trigger: Price | None,
    ) -> None:
        reduce_only = trigger is not None or "-en-" not in client_order_id
        order = OpenOrder(
            key,
            client_order_id,
            symbol,
            side,
            kind,
            qty,
            Qty(Decimal(0)),
            limit,
            trigger,
            "mark",
            reduce_only,
            self.clock.now(),
            "untouched",
        )
        self.resting[key] = Resting(order, is_trigger=kind is OrderKind.STOP)

    def _execute(
        self,
        key: VenueOrderId,
        client_order_id: ClientOrderId | None,
        symbol: Symbol,
        side: Side,
        qty: Qty,
        price: Price,
        kind: FillKind = FillKind.TAKER,
    ) -> Qty:
        if qty > 0:
            self.serial += 1
            fee = qty * price * Decimal("0.0005")
            fill = Fill(FillId(f"f{self.serial}"), key, client_order_id, symbol, side, qty, price, self.clock.now(), kind, fee)
            self.fills_log.append(fill)
            before = self.net.get(symbol, Decimal(0))
            self.net[symbol] = before + qty * side.sign
            if before * side.sign >= 0:
                self.entry[symbol] = price
            self._note(f"filled {client_order_id}", symbol)
        return qty


def _part(qty: Qty, share: Decimal) -> Qty:
    """A share of an order in whole units, at least one."""
    return Qty(max(Decimal(1), qty * share // 1))
