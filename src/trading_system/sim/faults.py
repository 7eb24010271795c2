"""FaultyVenue: the daemon's ports over a SimVenue, with everything that a network, a venue and an owner do to a program.

Market time follows process time; the exchange is brought to the present before every call and once a second by `run`. Requests
live on the wire on their own: a caller that gave up, or died, does not take its packet back. The venue knows what it hid from
the daemon (`would_show`, `accepts_stops` …), so that a checker counts only time in which the daemon could act.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from trading_system.domain.account import AccountFlow, AccountSnapshot, FeedEvent, VenuePosition
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Instrument, OrderBook, Ticker, Timeframe
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    EntryOrder,
    ExitOrder,
    Fill,
    OpenOrder,
    OrderRequest,
    OrderStatus,
    OutcomeUnknown,
    Rejected,
    StopAmendment,
    StopOrder,
    SubmitOutcome,
    TakeProfitOrder,
    VenueOrderId,
)
from trading_system.domain.protocols import Clock
from trading_system.domain.symbols import Symbol, to_venue
from trading_system.domain.units import to_ms
from trading_system.sim.exchange import SimExchange
from trading_system.sim.executor import IOC_FAILED
from trading_system.sim.fault_data import distort_bars, distort_quote
from trading_system.sim.fault_hands import VENUE_ACTS, mode_of, perform, share_of
from trading_system.sim.fault_plan import LAGGING, FaultKind, FaultPlan, Window, draw_moments, draw_windows
from trading_system.sim.fault_reads import PastValues
from trading_system.sim.fault_wire import Act, Wire
from trading_system.sim.model import MarketMode, OrderFeed, SimEvent
from trading_system.sim.ports import SimVenue
from trading_system.sim.rng import seeded

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_STEP_S: Final = 1.0
_LATE_S: Final = 45.0
_REJECT_WORDS: Final = ("insufficientAvailableFunds", "invalidPrice", "outsidePriceCollar", "tooManyOrders", "maxPositionViolation")
_ON_THE_WAY: Final = (
    FaultKind.REQUEST_LOST,
    FaultKind.ANSWER_LOST,
    FaultKind.ACCEPTED_LATE,
    FaultKind.DELAYED,
    FaultKind.DUPLICATED,
    FaultKind.BUDGET_REFUSED,
)
_REJECTS: Final = {
    EntryOrder: FaultKind.ENTRY_REJECTED,
    StopOrder: FaultKind.STOP_REJECTED,
    TakeProfitOrder: FaultKind.TAKE_PROFIT_REJECTED,
    ExitOrder: FaultKind.EXIT_REJECTED,
}


class FaultyVenue:
    """MarketData, Account, Orders and PrivateFeed at once. `counts` names every fault that struck, by its word."""

    def __init__(
        self,
        exchange: SimExchange,
        plan: FaultPlan,
        clock: Clock,
        *,
        act_as: Callable[[str], None] = lambda who: None,
        order_deadline_s: float = 10.0,
        read_deadline_s: float = 8.0,
    ) -> None:
        """act_as: told on whose behalf the exchange acts: daemon, network, human or venue. Deadlines in process seconds."""
        self._exchange = exchange
        self._venue = SimVenue(exchange)
        self._plan = plan
        self._clock = clock
        self._act_as = act_as
        self._order_deadline_s = order_deadline_s
        self._read_deadline_s = read_deadline_s
        self._rng = seeded(plan.seed, "calls")
        self._feed_rng = seeded(plan.seed, "feed")
        self._wire = Wire(clock, exchange)
        self._windows = draw_windows(plan, exchange.symbols())
        self._coming = list(self._windows)
        self._active: list[Window] = []
        self._moments = list(draw_moments(plan))
        self._started_s = clock.monotonic()
        self._is_changed = True
        self._orders_then: PastValues[tuple[OpenOrder, ...]] = PastValues()
        self._positions_then: PastValues[tuple[VenuePosition, ...]] = PastValues()
        self._quotes: dict[Symbol, Ticker] = {}
        self._disturbed: dict[str, int] = {}
        self._exit_disturbed: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        exchange.subscribe(self._note_change)

    # --- the world moves ---

    async def run(self) -> None:
        """Move the world on for ever, in steps of a second."""
        while True:
            await self.catch_up()
            await self._clock.sleep(_STEP_S)

    async def catch_up(self) -> None:
        """Bring the exchange, the packets, the windows and the acts of others to the present. Never suspends."""
        now_s = self.elapsed_s
        await self._wire.deliver_due()
        while self._moments and self._moments[0].at_s <= now_s:
            moment = self._moments.pop(0)
            who = "venue" if moment.kind in VENUE_ACTS else "human"
            with self._acting(who):
                if perform(self._exchange, moment):
                    self.counts[moment.kind.value] += 1
        if (self._coming and self._coming[0].from_s <= now_s) or any(window.to_s <= now_s for window in self._active):
            self._turn_windows(now_s)
        if self._is_changed:
            self._is_changed = False
            self._orders_then.note(self._exchange.now_ms, await self._venue.open_orders())
            self._positions_then.note(self._exchange.now_ms, await self._venue.positions())

    @property
    def elapsed_s(self) -> float:
        """Process seconds since this venue was made: the time of the plan."""
        return self._clock.monotonic() - self._started_s

    @property
    def is_quiet(self) -> bool:
        """True once nothing new goes wrong any more."""
        return self.elapsed_s >= self._plan.faults_until_s

    def _turn_windows(self, now_s: float) -> None:
        ended = [window for window in self._active if window.to_s <= now_s]
        self._active = [window for window in self._active if window.to_s > now_s]
        while self._coming and self._coming[0].from_s <= now_s:
            window = self._coming.pop(0)
            self.counts[window.kind.value] += 1
            if window.to_s > now_s:
                self._active.append(window)
        if any(window.kind is FaultKind.MARKET_MODE for window in (*ended, *self._active)):
            self._set_modes()
        if any(window.kind is FaultKind.THIN_BOOK for window in (*ended, *self._active)):
            self._set_depths()

    def _set_depths(self) -> None:
        for symbol in self._exchange.symbols():
            thin = [w for w in self._active if w.kind is FaultKind.THIN_BOOK and w.target in ("", symbol)]
            with self._acting("venue"):
                self._exchange.set_depth(symbol, min((share_of(window.size) for window in thin), default=Decimal(1)))

    def _set_modes(self) -> None:
        wanted = dict.fromkeys(self._exchange.symbols(), MarketMode.ONLINE)
        for window in self._active:
            if window.kind is FaultKind.MARKET_MODE:
                for symbol in [window.target] if window.target else list(wanted):
                    wanted[symbol] = mode_of(window.size)
        for symbol, mode in wanted.items():
            if self._exchange.mode(symbol) is not mode:
                with self._acting("venue"):
                    self._exchange.set_mode(symbol, mode)

    @contextmanager
    def _acting(self, who: str) -> Iterator[None]:
        self._act_as(who)
        try:
            yield
        finally:
            self._act_as("daemon")

    def _note_change(self, event: SimEvent) -> None:
        self._is_changed = True
        if isinstance(event, OrderFeed) and event.is_gone and event.reason == IOC_FAILED and event.order.trigger_signal is not None:
            self._disturbed[event.order.symbol] = self._exchange.now_ms  # a stop fired, and nobody was there

    def reconnect(self) -> None:
        """A new process: what the feed held for the old one is gone with its connection."""
        self._venue.unsubscribe()
        self._venue = SimVenue(self._exchange)

    # --- what the venue hid (for checkers) ---

    def _window(self, kind: FaultKind, target: str = "") -> Window | None:
        return next((w for w in self._active if w.kind is kind and target in ("", w.target)), None)

    def is_reachable(self) -> bool:
        return self._window(FaultKind.OUTAGE) is None

    def accepts_stops(self, symbol: str) -> bool:
        """Reachable, no refusal of all stops, and a mode that takes triggers."""
        takes = self._exchange.mode(symbol) in (MarketMode.ONLINE, MarketMode.POST_ONLY)
        return takes and self.is_reachable() and self._window(FaultKind.STOPS_REFUSED) is None

    def executes(self, symbol: str) -> bool:
        return self.is_reachable() and self._exchange.mode(symbol) is MarketMode.ONLINE

    def would_show(self, symbol: str, since_ms: int) -> bool:
        """True when orders, positions and fills, read now, would all be at least as new as `since_ms`."""
        if not self.is_reachable():
            return False
        for kind in LAGGING:
            if self._window(FaultKind.READS_FAIL, kind) is not None:
                return False
            if self._exchange.now_ms - self._lag_ms(kind) < since_ms:
                return False
        return True

    def disturbed_ms(self, symbol: str) -> int | None:
        """When a fault last struck, or ended on, a stop request on the market (venue symbol)."""
        return self._disturbed.get(symbol)

    def exit_disturbed_ms(self, symbol: str) -> int | None:
        """The same for a close on the market."""
        return self._exit_disturbed.get(symbol)

    def _lag_ms(self, kind: str) -> int:
        return max((int(w.size * 1000) for w in self._active if w.kind is FaultKind.READS_STALE and w.target == kind), default=0)

    def _strikes(self, kind: FaultKind) -> bool:
        rate = self._plan.rate(kind)
        return rate > 0 and not self.is_quiet and self._rng.random() < rate

    # --- Orders ---

    async def submit(self, order: OrderRequest) -> SubmitOutcome:
        symbol = to_venue(order.symbol)
        is_stop = isinstance(order, StopOrder)
        noted = self._disturbed if is_stop else self._exit_disturbed if isinstance(order, ExitOrder) else {}
        refused = await self._refusal(_REJECTS[type(order)], is_stop=is_stop)
        if refused is not None:
            noted[symbol] = self._exchange.now_ms
            return refused
        return await self._request((noted, symbol), lambda: self._venue.submit(order), OutcomeUnknown)

    async def amend_stop(self, amendment: StopAmendment) -> SubmitOutcome:
        symbol = to_venue(amendment.symbol)
        refused = await self._refusal(FaultKind.STOP_REJECTED, is_stop=True)
        if refused is not None:
            self._disturbed[symbol] = self._exchange.now_ms
            return refused
        return await self._request((self._disturbed, symbol), lambda: self._venue.amend_stop(amendment), OutcomeUnknown)

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> CancelOutcome:
        await self.catch_up()
        act = partial(self._venue.cancel, symbol, client_order_id, venue_order_id)
        return await self._request(({}, to_venue(symbol)), act, lambda evidence: CancelOutcome.UNKNOWN)

    async def _refusal(self, kind: FaultKind, *, is_stop: bool) -> Rejected | None:
        await self.catch_up()
        if is_stop and self.is_reachable() and self._window(FaultKind.STOPS_REFUSED) is not None:
            return Rejected(self._rng.choice(_REJECT_WORDS))
        if self.is_reachable() and self._strikes(kind):
            self.counts[kind.value] += 1
            return Rejected(self._rng.choice(_REJECT_WORDS))
        return None

    async def _request(self, about: tuple[dict[str, int], str], act: Callable[[], Awaitable[T]], unknown: Callable[[str], T]) -> T:
        """Carry one request there and back. about: where to note a fault on it (`disturbed_ms`), and its market (venue symbol)."""
        noted, symbol = about
        fault = FaultKind.OUTAGE if not self.is_reachable() else next((kind for kind in _ON_THE_WAY if self._strikes(kind)), None)
        if fault is None:
            await self._clock.sleep(self._rng.uniform(0.02, 0.15))
            await self.catch_up()
            return await act()
        if fault is not FaultKind.OUTAGE:
            self.counts[fault.value] += 1
        noted[symbol] = self._exchange.now_ms
        try:
            return await self._faulty(fault, act, unknown)
        finally:
            noted[symbol] = to_ms(self._clock.now())

    async def _faulty(self, fault: FaultKind, act: Callable[[], Awaitable[T]], unknown: Callable[[str], T]) -> T:
        match fault:
            case FaultKind.BUDGET_REFUSED:
                return unknown("the venue said apiLimitExceeded")
            case FaultKind.DUPLICATED:
                answer = await act()
                self._wire.post(self._rng.uniform(0.01, 3.0), self._again(act))
                return answer
            case FaultKind.DELAYED:
                there, back = self._rng.uniform(0.1, 8.0), self._rng.uniform(0.1, 8.0)
                arrived = self._wire.post(there, act)
                if there + back < self._order_deadline_s:
                    await self._clock.sleep(there + back)
                    await self.catch_up()
                    done: T = arrived.result()
                    return done
            case FaultKind.ANSWER_LOST:
                await act()
            case FaultKind.ACCEPTED_LATE:
                self._wire.post(self._rng.uniform(0.0, _LATE_S), act)
            case _:
                pass  # lost, or nothing gets through
        await self._clock.sleep(self._order_deadline_s)
        await self.catch_up()
        return unknown("no answer in time")

    def _again(self, act: Act) -> Act:
        async def repeated() -> Any:
            with self._acting("network"):
                return await act()

        return repeated

    # --- reads ---

    async def _read(self, kind: str, read: Callable[[], Awaitable[T]]) -> T:
        """One read: slow, failing, or as it should be. Cut off by the caller's own deadline at the latest."""
        await self.catch_up()
        if self._strikes(FaultKind.READ_SLOW):
            self.counts[FaultKind.READ_SLOW.value] += 1
            await self._clock.sleep(self._rng.uniform(0.5, self._read_deadline_s))
            await self.catch_up()
        if not self.is_reachable():
            await self._clock.sleep(self._read_deadline_s)
            raise ReadFailed(f"{kind}: no answer in time")
        if self._window(FaultKind.READS_FAIL, kind) is not None:
            await self._clock.sleep(self._rng.uniform(0.01, 1.0))
            raise ReadFailed(f"{kind}: HTTP 502")
        return await read()

    async def snapshot(self) -> AccountSnapshot:
        return await self._read("snapshot", self._venue.snapshot)

    async def positions(self) -> tuple[VenuePosition, ...]:
        async def then() -> tuple[VenuePosition, ...]:
            return self._positions_then.at(self._exchange.now_ms - self._lag_ms("positions"))

        return await self._read("positions", then)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        async def then() -> tuple[OpenOrder, ...]:
            lag = self._lag_ms("orders")
            return self._orders_then.at(self._exchange.now_ms - lag) if lag else await self._venue.open_orders()

        return await self._read("orders", then)

    async def fills(self, since: datetime) -> tuple[Fill, ...]:
        async def then() -> tuple[Fill, ...]:
            until = self._clock.now() - timedelta(milliseconds=self._lag_ms("fills"))
            return tuple(fill for fill in await self._venue.fills(since) if fill.at <= until)

        return await self._read("fills", then)

    async def order_status(self, ids: Sequence[ClientOrderId]) -> tuple[OrderStatus, ...]:
        return await self._read("status", lambda: self._venue.order_status(ids))

    async def flows(self, since: datetime) -> tuple[AccountFlow, ...]:
        return await self._read("flows", lambda: self._venue.flows(since))

    # --- MarketData ---

    async def instruments(self) -> tuple[Instrument, ...]:
        return await self._read("instruments", self._venue.instruments)

    async def tickers(self) -> tuple[Ticker, ...]:
        quotes = await self._read("tickers", self._venue.tickers)
        told = []
        for quote in quotes:
            if self._strikes(FaultKind.QUOTE_GARBAGE):
                self.counts[FaultKind.QUOTE_GARBAGE.value] += 1
                told.append(distort_quote(quote, self._quotes.get(quote.symbol), self._rng))
            else:
                told.append(quote)
                # now and then, so that an old quote is really old
                if self._rng.random() < 0.02:
                    self._quotes[quote.symbol] = quote
        return tuple(told)

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        bars = await self._read("candles", lambda: self._venue.candles(symbol, timeframe, since_ms, until_ms))
        rate = self._plan.rate(FaultKind.BAR_GARBAGE)
        if rate <= 0 or self.is_quiet:
            return bars
        told, hit = distort_bars(bars, rate, self._rng)
        self.counts[FaultKind.BAR_GARBAGE.value] += hit
        return told

    async def order_book(self, symbol: Symbol) -> OrderBook:
        return await self._read("book", lambda: self._venue.order_book(symbol))

    # --- PrivateFeed ---

    async def events(self) -> AsyncIterator[FeedEvent]:
        held: FeedEvent | None = None
        async for event in self._venue.events():
            if self.is_quiet:
                for told in (held, event):
                    if told is not None:
                        yield told
                held = None
                continue
            if self._window(FaultKind.FEED_SILENT) is not None or not self.is_reachable() or self._feed_strikes(FaultKind.FEED_GAP):
                continue
            if held is None and self._feed_strikes(FaultKind.FEED_REORDER):
                held = event
                continue
            yield event
            if self._feed_strikes(FaultKind.FEED_DUPLICATE):
                yield event
            if held is not None:
                yield held
                held = None

    def _feed_strikes(self, kind: FaultKind) -> bool:
        struck = self._feed_rng.random() < self._plan.rate(kind)
        if struck:
            self.counts[kind.value] += 1
        return struck
