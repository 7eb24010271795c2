"""The wire between the daemon and the exchange, with its mishaps written by the test: which request, which answer, when.

A request lives on the wire on its own: what was sent arrives, whether or not somebody still waits for the answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias, TypeVar, assert_never

from trading_system.domain.account import AccountFlow, AccountSnapshot, FeedEvent, VenuePosition
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Instrument, OrderBook, Ticker, Timeframe
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    EntryOrder,
    EntryStyle,
    Fill,
    FillKind,
    OpenOrder,
    OrderLife,
    OrderRequest,
    OrderStatus,
    OutcomeUnknown,
    Rejected,
    StopAmendment,
    SubmitOutcome,
    VenueOrderId,
)
from trading_system.domain.symbols import Symbol, to_venue
from trading_system.domain.units import Qty
from trading_system.sim.exchange import SimExchange
from trading_system.sim.fault_reads import PastValues
from trading_system.sim.model import SimEvent
from trading_system.sim.ports import SimVenue
from trading_system.torture.mortal import Mortal
from trading_system.torture.venue_log import Actor, WatchedExchange
from trading_system.wiring.clock import LoopClock

T = TypeVar("T")

FOREVER = float("inf")
WORDS = {"en": "entry", "sl": "stop", "tp1": "tp1", "tp2": "tp2", "cl": "close", "rd": "reduce"}


# --- what may happen to a request -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class RequestLost:
    """It never reaches the exchange; the caller learns nothing."""

    evidence: str = "timeout"


@dataclass(frozen=True)
class AnswerLost:
    """The exchange does it; the caller learns nothing."""

    evidence: str = "timeout"


@dataclass(frozen=True)
class ArrivesLate:
    """The caller learns nothing, and the exchange gets it only so many seconds later."""

    after_s: float


@dataclass(frozen=True)
class Refused:
    """The venue says no, with this word."""

    word: str


@dataclass(frozen=True)
class Raises:
    """The exchange does it, and reading the answer blows up."""

    error: BaseException


@dataclass(frozen=True)
class Doubled:
    """The packet arrives a second time after the first was answered."""


@dataclass(frozen=True)
class SlowAnswer:
    """The exchange does it at once, the answer takes so long."""

    seconds: float


@dataclass(frozen=True)
class Hangs:
    """It never reaches the exchange; the caller waits so long to learn nothing."""

    seconds: float


@dataclass(frozen=True)
class CutTo:
    """Only so much of the order meets liquidity: of an immediate order the rest is cancelled by the venue."""

    qty: str


@dataclass(frozen=True)
class ProcessDies:
    """The process ends just before the request leaves, or just after the exchange has acted on it."""

    moment: Literal["before", "after"]


Answer: TypeAlias = RequestLost | AnswerLost | ArrivesLate | Refused | Raises | Doubled | SlowAnswer | Hangs | CutTo | ProcessDies


@dataclass(frozen=True)
class On:
    """A request of this kind (entry, stop, tp1, tp2, close, reduce, amend, cancel, or `cancel stop` …) gets this answer.

    times None = every one. Seconds are from the start of the scenario.
    """

    what: str
    answer: Answer
    times: int | None = 1
    from_s: float = 0
    to_s: float = FOREVER
    symbol: Symbol | None = None


@dataclass(frozen=True)
class Read:
    """What reads of this kind (positions, orders, fills, status, snapshot, flows, tickers, candles, book, instruments) do meanwhile.

    `fails`: no answer. `lag_s`: as it was so long ago (positions, orders, fills). `hides`: an honest answer without the
    newest facts (status, fills).
    """

    what: str
    from_s: float = 0
    to_s: float = FOREVER
    fails: bool = False
    hides: bool = False
    raises: BaseException | None = None
    """Reading the answer blows up with this."""
    lag_s: float = 0
    slow_s: float = 0
    """It is answered so many seconds later, with the facts of then."""
    status_word: str | None = None
    """orders: every one is listed with this word."""
    status_says: OrderLife | None = None
    """status: of every id, with nothing filled."""
    fill_kind: FillKind | None = None
    """fills: of executions that no order of ours did."""


@dataclass
class _Counted:
    rule: On
    left: float


@dataclass
class Wire:
    """MarketData, Account, Orders and PrivateFeed of one life of the daemon. `mortal`: that life."""

    exchange: WatchedExchange
    clock: LoopClock
    mortal: Mortal
    answers: list[_Counted]
    reads: Sequence[Read]
    feed_mute: Sequence[tuple[float, float]]
    feed_edit: Callable[[FeedEvent], Iterable[FeedEvent]]
    past: Past
    later: list[tuple[float, Callable[[], object]]]
    venue: SimVenue
    """The ports behind this wire."""
    hits: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._venue = self.venue

    def hang_up(self) -> None:
        self._venue.unsubscribe()

    @property
    def now_s(self) -> float:
        return self.clock.monotonic()

    def disturbs(self) -> bool:
        """True while a read is disturbed or a rule for stops is left: naked time is not counted against the daemon."""
        reading = any(r.from_s <= self.now_s <= r.to_s for r in self.reads)
        return reading or any(c.left > 0 and c.rule.from_s <= self.now_s <= c.rule.to_s for c in self.answers)

    # --- Orders ---

    async def submit(self, order: OrderRequest) -> SubmitOutcome:
        word = WORDS[order.client_order_id.rsplit("-", 2)[1]]
        answer = self._answer(order.symbol, word)
        deliver = lambda: self._venue.submit(order)  # noqa: E731
        if isinstance(answer, CutTo):
            return await self._cut(order, Decimal(answer.qty))
        return await self._carry(answer, deliver, lambda reason: OutcomeUnknown(reason), lambda reason: Rejected(reason))

    async def amend_stop(self, amendment: StopAmendment) -> SubmitOutcome:
        answer = self._answer(amendment.symbol, "amend")
        deliver = lambda: self._venue.amend_stop(amendment)  # noqa: E731
        return await self._carry(answer, deliver, lambda reason: OutcomeUnknown(reason), lambda reason: Rejected(reason))

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> CancelOutcome:
        purpose = "" if client_order_id is None else WORDS.get(client_order_id.rsplit("-", 2)[1], "")
        answer = self._answer(symbol, "cancel", f"cancel {purpose}")
        deliver = lambda: self._venue.cancel(symbol, client_order_id, venue_order_id)  # noqa: E731
        return await self._carry(answer, deliver, lambda reason: CancelOutcome.UNKNOWN, lambda reason: CancelOutcome(reason))

    async def _carry(
        self, answer: Answer | None, deliver: Callable[[], Awaitable[T]], unknown: Callable[[str], T], refused: Callable[[str], T]
    ) -> T:
        await self._alive()
        match answer:
            case None:
                return await self._call(deliver)
            case RequestLost():
                return unknown(answer.evidence)
            case AnswerLost():
                await self._call(deliver)
                return unknown(answer.evidence)
            case ArrivesLate():
                self.later.append((self.now_s + answer.after_s, lambda: _finish(deliver())))
                return unknown("timeout")
            case Refused():
                return refused(answer.word)
            case Raises():
                await self._call(deliver)
                raise answer.error
            case Doubled():
                outcome = await self._call(deliver)
                self.exchange.actor = Actor.NETWORK
                await deliver()
                self.exchange.actor = Actor.DAEMON
                return outcome
            case SlowAnswer():
                outcome = await self._call(deliver)
                await self.clock.sleep(answer.seconds)
                await self._alive()
                return outcome
            case Hangs():
                await self.clock.sleep(answer.seconds)
                await self._alive()
                return unknown("no answer in time")
            case ProcessDies():
                if answer.moment == "after":
                    await self._call(deliver)
                self.mortal.die()
                await self.mortal.hang()
                raise AssertionError("a dead process went on")
            case CutTo():
                raise AssertionError("only orders that are sent can be cut")
            case _:
                assert_never(answer)

    async def _cut(self, order: OrderRequest, qty: Decimal) -> SubmitOutcome:
        """Empty the book beyond `qty` for the moment in which the order arrives."""
        await self._alive()
        self._catch_up()
        assert isinstance(order, EntryOrder)
        assert order.style is EntryStyle.IOC
        market = self.exchange._markets[to_venue(order.symbol)]
        side = order.side.opposite
        offered = tuple(market.levels(side))
        market.take(side, offered[0].number, offered[0].size - qty)
        for level in offered[1:]:
            market.take(side, level.number, level.size)
        return await self._venue.submit(order)

    async def _call(self, deliver: Callable[[], Awaitable[T]]) -> T:
        self._catch_up()
        return await deliver()

    async def _alive(self) -> None:
        if not self.mortal.is_alive:
            await self.mortal.hang()

    def _answer(self, symbol: Symbol, *words: str) -> Answer | None:
        for counted in self.answers:
            rule = counted.rule
            fits = rule.what in words and rule.symbol in (None, symbol) and rule.from_s <= self.now_s <= rule.to_s
            if fits and counted.left > 0:
                counted.left -= 1
                self.hits.append(f"{self.now_s:.0f} {words[-1]}: {rule.answer}")
                return rule.answer
        return None

    # --- Account ---

    async def snapshot(self) -> AccountSnapshot:
        await self._read("snapshot")
        return await self._venue.snapshot()

    async def positions(self) -> tuple[VenuePosition, ...]:
        rule = await self._read("positions")
        return await self._venue.positions() if rule is None else self.past.positions.at(self._ms_ago(rule.lag_s))

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        rule = await self._read("orders")
        if rule is None:
            return await self._venue.open_orders()
        then = self.past.orders.at(self._ms_ago(rule.lag_s))
        word = rule.status_word
        return then if word is None else tuple(replace(order, status_word=word) for order in then)

    async def fills(self, since: datetime) -> tuple[Fill, ...]:
        rule = await self._read("fills")
        found = await self._venue.fills(since)
        if rule is None:
            return found
        if rule.hides:
            return ()
        newest, kind = self.clock.now() - timedelta(seconds=rule.lag_s), rule.fill_kind
        told = (fill for fill in found if fill.at <= newest)
        return tuple(replace(fill, kind=kind) if kind is not None and fill.client_order_id is None else fill for fill in told)

    async def order_status(self, ids: Sequence[ClientOrderId]) -> tuple[OrderStatus, ...]:
        rule = await self._read("status")
        found = await self._venue.order_status(ids)
        if rule is None:
            return found
        life = rule.status_says
        if life is None:
            return ()
        known = {order.cli_ord_id: order.order_id for order in self.exchange.executions()}
        return tuple(OrderStatus(key, VenueOrderId(known[key]), life, Qty(Decimal(0))) for key in ids if key in known)

    async def flows(self, since: datetime) -> tuple[AccountFlow, ...]:
        await self._read("flows")
        return await self._venue.flows(since)

    def _ms_ago(self, seconds: float) -> int:
        return self.exchange.now_ms - round(seconds * 1000)

    # --- MarketData ---

    async def instruments(self) -> tuple[Instrument, ...]:
        await self._read("instruments")
        return await self._venue.instruments()

    async def tickers(self) -> tuple[Ticker, ...]:
        await self._read("tickers")
        return await self._venue.tickers()

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        await self._read("candles")
        return await self._venue.candles(symbol, timeframe, since_ms, until_ms)

    async def order_book(self, symbol: Symbol) -> OrderBook:
        await self._read("book")
        return await self._venue.order_book(symbol)

    async def _read(self, what: str) -> Read | None:
        """The rule in force for this kind of read, if any; ReadFailed when it says so."""
        await self._alive()
        self._catch_up()
        for rule in self.reads:
            if rule.what in (what, "all") and rule.from_s <= self.now_s <= rule.to_s:
                if rule.fails:
                    raise ReadFailed(f"{what}: no list in the answer")
                if rule.raises is not None:
                    raise rule.raises
                if rule.slow_s:
                    await self.clock.sleep(rule.slow_s)
                    self._catch_up()
                return rule
        return None

    def _catch_up(self) -> None:
        self.exchange.advance_to(self.past.at_ms(self.clock))

    # --- PrivateFeed ---

    async def events(self) -> AsyncIterator[FeedEvent]:
        async for event in self._venue.events():
            if any(since <= self.now_s <= until for since, until in self.feed_mute):
                continue
            for told in self.feed_edit(event):
                yield told


class Past:
    """The venue's lists as they were. One per world; told of every event of the exchange."""

    def __init__(self, exchange: SimExchange) -> None:
        self._venue = SimVenue(exchange)
        self._venue.unsubscribe()
        self._exchange = exchange
        self.positions: PastValues[tuple[VenuePosition, ...]] = PastValues()
        self.orders: PastValues[tuple[OpenOrder, ...]] = PastValues()
        self.note()

    def on_event(self, event: SimEvent) -> None:
        self.note()

    def note(self) -> None:
        self.positions.note(self._exchange.now_ms, _finish(self._venue.positions()))
        self.orders.note(self._exchange.now_ms, _finish(self._venue.open_orders()))

    @staticmethod
    def at_ms(clock: LoopClock) -> int:
        return round(clock.now().timestamp() * 1000)


def _finish(call: Awaitable[T]) -> T:
    """The result of a call that never really waits."""
    steps = call.__await__()
    try:
        next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("the exchange in this process never waits")


def counted(rules: Iterable[On]) -> list[_Counted]:
    """The rules with what is left of each; it outlives the daemon's lives."""
    return [_Counted(rule, FOREVER if rule.times is None else rule.times) for rule in rules]
