"""The truth about one account, written down where it happens: inside the exchange, before any fault can hide it.

The trap it avoids: a checker that asks the daemon whether the daemon was right. `WatchedExchange` notes every command with what
stood before and after it, and every execution; positions and resting orders are sums over these events and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

from trading_system.domain.orders import Side
from trading_system.domain.units import ZERO
from trading_system.sim.exchange import ExchangeConfig, SimExchange
from trading_system.sim.model import (
    CancelRequest,
    CancelResult,
    EditRequest,
    EditResult,
    FillFeed,
    LogFeed,
    MarketMode,
    OrderFeed,
    OrderRow,
    OrderType,
    SendRequest,
    SendResult,
    SimEvent,
    SimFill,
)
from trading_system.sim.source import PriceSource


class Actor(Enum):
    """On whose behalf the exchange acts."""

    DAEMON = "daemon"
    NETWORK = "network"
    """A packet of the daemon that the network repeated."""
    HUMAN = "human"
    VENUE = "venue"


@dataclass(frozen=True, slots=True)
class Standing:
    """One market at one moment. `position` is signed; `stops` are the live reduce-only stops on its closing side."""

    position: Decimal = ZERO
    stops: tuple[OrderRow, ...] = ()

    @property
    def covered(self) -> Decimal:
        return sum((stop.unfilled for stop in self.stops), ZERO)

    @property
    def naked(self) -> Decimal:
        """Base units that no stop covers, never negative."""
        return max(ZERO, abs(self.position) - self.covered)


@dataclass(frozen=True, slots=True)
class Sent:
    """`sendorder` reached the exchange. `status` is the venue's word."""

    at_ms: int
    actor: Actor
    request: SendRequest
    status: str
    order_id: str | None
    before: Standing
    after: Standing

    @property
    def is_accepted(self) -> bool:
        return self.status == "placed"

    @property
    def is_entry(self) -> bool:
        """An order that may raise a position."""
        return not self.request.reduce_only


@dataclass(frozen=True, slots=True)
class Edited:
    """`editorder` reached the exchange. `order`: its row before, None when it was not known."""

    at_ms: int
    actor: Actor
    request: EditRequest
    status: str
    order: OrderRow | None
    before: Standing
    after: Standing


@dataclass(frozen=True, slots=True)
class Cancelled:
    """`cancelorder` reached the exchange, whatever it answered."""

    at_ms: int
    actor: Actor
    status: str
    order: OrderRow | None
    before: Standing
    after: Standing


@dataclass(frozen=True, slots=True)
class Executed:
    """One fill, with the signed position round it."""

    at_ms: int
    fill: SimFill
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Flowed:
    """Funding that was realised on a market, USD, positive = received."""

    at_ms: int
    entry_id: int
    symbol: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Deposited:
    """Cash came (or, negative, went), USD."""

    at_ms: int
    amount: Decimal


VenueRecord: TypeAlias = Sent | Edited | Cancelled | Executed | Flowed | Deposited


def is_stop(order: OrderRow) -> bool:
    """A reduce-only stop."""
    return order.order_type is OrderType.STP and order.reduce_only


class VenueLog:
    """Positions and resting orders as the events make them, and a listener told of every record."""

    def __init__(self, listen: Callable[[VenueRecord], None]) -> None:
        self._listen = listen
        self.positions: dict[str, Decimal] = {}
        self.resting: dict[str, OrderRow] = {}
        self.fills: dict[str, SimFill] = {}

    def standing(self, symbol: str) -> Standing:
        """The market now."""
        position = self.positions.get(symbol, ZERO)
        if not position:
            return Standing()
        closing = Side.SELL if position > 0 else Side.BUY
        stops = tuple(row for row in self.resting.values() if row.symbol == symbol and row.side is closing and is_stop(row))
        return Standing(position, stops)

    def held(self) -> tuple[str, ...]:
        """Venue symbols with a position."""
        return tuple(symbol for symbol, position in self.positions.items() if position)

    def find(self, order_id: str | None, client_order_id: str | None) -> OrderRow | None:
        """A resting order by venue id, else by client id."""
        if order_id is not None:
            return self.resting.get(order_id)
        return next((row for row in self.resting.values() if row.cli_ord_id == client_order_id), None)

    def take(self, event: SimEvent) -> None:
        """One event of the exchange."""
        match event:
            case OrderFeed():
                if event.is_gone:
                    self.resting.pop(event.order.order_id, None)
                elif event.reason != "limit_order_from_stop":
                    self.resting[event.order.order_id] = event.order
            case FillFeed():
                fill = event.fill
                before = self.positions.get(fill.symbol, ZERO)
                after = before + fill.size * fill.side.sign
                self.positions[fill.symbol] = after
                self.fills[fill.fill_id] = fill
                self._listen(Executed(fill.at_ms, fill, before, after))
            case LogFeed():
                entry = event.entry
                if entry.realized_funding is not None and entry.contract is not None and entry.asset == "usd":
                    self._listen(Flowed(entry.at_ms, entry.entry_id, entry.contract, entry.realized_funding))
            case _:
                pass

    def note(self, record: VenueRecord) -> None:
        self._listen(record)


class WatchedExchange(SimExchange):
    """A SimExchange whose commands and events are written down. `actor` says who is acting now."""

    def __init__(self, source: PriceSource, config: ExchangeConfig | None, listen: Callable[[VenueRecord], None]) -> None:
        self.actor = Actor.DAEMON
        self.watch = VenueLog(listen)
        super().__init__(source, config)
        self.subscribe(self.watch.take)

    def send(self, request: SendRequest) -> SendResult:
        before = self.watch.standing(request.symbol)
        result = super().send(request)
        after = self.watch.standing(request.symbol)
        self.watch.note(Sent(self.now_ms, self.actor, request, result.status, result.order_id, before, after))
        return result

    def edit(self, request: EditRequest) -> EditResult:
        order = self.watch.find(request.order_id, request.cli_ord_id)
        before = Standing() if order is None else self.watch.standing(order.symbol)
        result = super().edit(request)
        after = Standing() if order is None else self.watch.standing(order.symbol)
        self.watch.note(Edited(self.now_ms, self.actor, request, result.status, order, before, after))
        return result

    def cancel(self, request: CancelRequest) -> CancelResult:
        order = self.watch.find(request.order_id, request.cli_ord_id)
        before = Standing() if order is None else self.watch.standing(order.symbol)
        result = super().cancel(request)
        after = Standing() if order is None else self.watch.standing(order.symbol)
        self.watch.note(Cancelled(self.now_ms, self.actor, result.status, order, before, after))
        return result

    def accepts_stops(self, symbol: str) -> bool:
        """True while the market takes a stop order."""
        return self.mode(symbol) in (MarketMode.ONLINE, MarketMode.POST_ONLY)

    def deposit(self, amount: Decimal) -> Decimal:
        moved = super().deposit(amount)
        if moved:
            self.watch.note(Deposited(self.now_ms, moved))
        return moved

    def executes(self, symbol: str) -> bool:
        """True while the market executes."""
        return self.mode(symbol) is MarketMode.ONLINE
