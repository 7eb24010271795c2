"""What a scenario is written with: signals, acts of hands and of the venue, a price path; and what it is recorded in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from raw_venue import Raw
from scripted_wire import On, Read

from trading_system.domain.account import FeedEvent
from trading_system.domain.market import Bar, Tier, Timeframe
from trading_system.domain.orders import Direction, Side
from trading_system.domain.protocols import Clock, Strategy, StrategyCosts
from trading_system.domain.signals import Decision, Emitted, GateResult, GateState, Ladder, NoSignal, Regime, Signal
from trading_system.domain.symbols import Symbol, to_venue
from trading_system.execution.journal_memory import DiskModel
from trading_system.sim.margin_schedule import MarginClass
from trading_system.sim.model import CancelRequest, MarketMode, SendRequest
from trading_system.sim.source import MarketSpec, PricePoint
from trading_system.sim.variants import ExchangeVariants
from trading_system.torture.venue_log import Actor, WatchedExchange, is_stop
from trading_system.wiring.control_protocol import FlattenOrder, HaltOrder, ResumeOrder

BTC, ETH, DOGE = Symbol("BTC/USD"), Symbol("ETH/USD"), Symbol("DOGE/USD")
START_MS = 1_788_739_200_000  # 2026-09-07 00:00 UTC, a Monday: a 15m, 1h, 4h, 1d and week boundary
D = Decimal


class Hands(Protocol):
    """What an act can reach of the world."""

    @property
    def exchange(self) -> WatchedExchange: ...
    @property
    def data_dir(self) -> Path: ...

    disk_error: Exception | None

    def as_other(self, act: Callable[[WatchedExchange], object], who: Actor = Actor.HUMAN) -> None: ...
    def kill(self, down_s: float) -> None: ...
    def ask_to_stop(self, down_s: float) -> None: ...
    def roll_back_journal(self, keep: int) -> None: ...
    def flood_reads(self, seconds: float) -> None: ...
    def change_step(self, venue_symbol: str, step: Decimal) -> None: ...
    def block_loop(self, seconds: float) -> None: ...
    def order(self, order: HaltOrder | ResumeOrder | FlattenOrder) -> None: ...


# --- signals and the scenario ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wish:
    """The strategy gives this signal on the bar that closes `at_s` seconds after the start (a multiple of 900; 0 = the first)."""

    symbol: Symbol = BTC
    at_s: int = 0
    direction: Direction = Direction.LONG
    stop: float = 0.01
    """Distance as a fraction of the close."""
    target_r: float = 3.0
    score: float = 90.0
    regime: Regime = Regime.TIGHT_SMC
    atr: float = 0.02
    """ATR of the 4h and the 15m series, as a fraction of the close."""
    stop_price: float | None = None
    premise: float | None = None
    """Price beyond which a 4h close takes the reason for the entry away."""


Act = Callable[[Hands], None]


@dataclass(frozen=True)
class At:
    """Something that happens `s` seconds after the start."""

    s: float
    act: Act


@dataclass(frozen=True)
class Scenario:
    """prices: per symbol {second: price from then on}; second 0 is needed. deposit: USD in the account.

    in_peace: at the end everything must agree (books, cover); False where the scenario stops in the middle of trouble.
    """

    prices: Mapping[Symbol, Mapping[int, float]] = field(default_factory=lambda: {BTC: {0: 80_000.0}})
    wishes: Sequence[Wish] = (Wish(),)
    wire: Sequence[On] = ()
    reads: Sequence[Read] = ()
    raw: Sequence[Raw] | None = None
    """None = the exchange's ports; otherwise the real adapter reads the exchange's raw answers, changed by these rules."""
    variants: ExchangeVariants = field(default_factory=ExchangeVariants)
    feed_mute: Sequence[tuple[float, float]] = ()
    feed_edit: Callable[[FeedEvent], Iterable[FeedEvent]] = lambda event: (event,)
    """What the private feed tells instead of each event."""
    acts: Sequence[At] = ()
    until_s: float = 120
    start_s: float = 0
    deposit: str = "10000"
    settings: Mapping[str, Any] = field(default_factory=dict)
    specs: Mapping[Symbol, MarketSpec] = field(default_factory=dict)
    strategy: Callable[[], Strategy] | None = None
    journal: DiskModel | None = None
    """What an earlier life left on the disk (`Ending.content`)."""
    in_peace: bool = True
    tolerates: Sequence[str] = ()
    """Rules (P1 …) that this scenario may break on purpose, each with its reason at the place."""


# --- acts -----------------------------------------------------------------------------------------------------------


def by_hand(side: Side, qty: str, symbol: Symbol = BTC) -> Act:
    """The owner trades in the app."""
    return lambda world: world.as_other(lambda x: x.send(SendRequest(to_venue(symbol), "mkt", side.value, D(qty))))


def _send(request: SendRequest, exchange: WatchedExchange) -> object:
    return exchange.send(request)


def _cancel(request: CancelRequest, exchange: WatchedExchange) -> object:
    return exchange.cancel(request)


def close_by_hand(symbol: Symbol = BTC) -> Act:
    def act(world: Hands) -> None:
        for row in world.exchange.positions():
            if row.symbol == to_venue(symbol):
                side = "sell" if row.is_long else "buy"
                request = SendRequest(row.symbol, "mkt", side, row.size, reduce_only=True)
                world.as_other(partial(_send, request))

    return act


def stop_by_hand(side: Side, qty: str, price: str, symbol: Symbol = BTC) -> Act:
    """The owner places a reduce-only stop in the app."""
    request = SendRequest(to_venue(symbol), "stp", side.value, D(qty), stop_price=D(price), trigger_signal="mark", reduce_only=True)
    return lambda world: world.as_other(lambda x: x.send(request))


def limit_by_hand(side: Side, qty: str, price: str, symbol: Symbol = BTC, *, reduce_only: bool = False) -> Act:
    request = SendRequest(to_venue(symbol), "lmt", side.value, D(qty), limit_price=D(price), reduce_only=reduce_only)
    return lambda world: world.as_other(lambda x: x.send(request))


def drop_stops(symbol: Symbol = BTC, who: Actor = Actor.VENUE) -> Act:
    """The venue (or a hand in the app) cancels every stop of the market."""

    def act(world: Hands) -> None:
        for order in world.exchange.open_orders():
            if order.symbol == to_venue(symbol) and is_stop(order):
                request = CancelRequest(order.order_id)
                world.as_other(partial(_cancel, request), who)

    return act


def market_is(mode: MarketMode, symbol: Symbol = BTC) -> Act:
    return lambda world: world.as_other(lambda x: x.set_mode(to_venue(symbol), mode), Actor.VENUE)


def step_becomes(step: str, symbol: Symbol = BTC) -> Act:
    """The venue changes the size step (and with it the smallest size) of a contract. Nobody is told."""

    return lambda world: world.change_step(to_venue(symbol), D(step))


def money_moves(usd: str) -> Act:
    """Somebody deposits (or, with a minus, withdraws)."""
    return lambda world: world.as_other(lambda x: x.deposit(D(usd)))


def crash(down_s: float = 5) -> Act:
    """kill -9, and the service manager starts it again after so many seconds."""
    return lambda world: world.kill(down_s)


def restart(down_s: float = 5) -> Act:
    """A clean stop (SIGTERM), and a start after so many seconds."""
    return lambda world: world.ask_to_stop(down_s)


def touch(name: str, content: str | None = None) -> Act:
    """A file of the data directory is created, or overwritten with `content`."""

    def act(world: Hands) -> None:
        path = world.data_dir / name
        path.touch() if content is None else path.write_text(content)

    return act


def book_holds(share: str, symbol: Symbol = BTC) -> Act:
    """Market makers leave: so much of each level of the book is left, "0" = nobody stands there; "1" = all are back."""
    return lambda world: world.as_other(lambda x: x.set_depth(to_venue(symbol), D(share)), Actor.VENUE)


def auto_deleverage(share: str, symbol: Symbol = BTC) -> Act:
    """The venue takes so much of a position to the counterparty of a ruined account, at its own price."""
    return lambda world: world.as_other(lambda x: x.unwind(to_venue(symbol), D(share)), Actor.VENUE)


def remove(name: str) -> Act:
    return lambda world: (world.data_dir / name).unlink()


def operator(order: HaltOrder | ResumeOrder | FlattenOrder) -> Act:
    """A person tells the running daemon, through the very object that the control socket speaks to."""
    return lambda world: world.order(order)


def journal_is_an_older_copy(keep: int) -> Act:
    """Somebody puts a copy of the journal back that ends after so many records (do it while the daemon is down)."""
    return lambda world: world.roll_back_journal(keep)


def reads_flood(seconds: float) -> Act:
    """Something in the process asks for the account's lists as fast as it can, on the same key and budget."""
    return lambda world: world.flood_reads(seconds)


def loop_is_busy(seconds: float) -> Act:
    """Something in the process computes, or waits for a disk, in the event loop itself."""
    return lambda world: world.block_loop(seconds)


def dead_mans_switch(seconds: int) -> Act:
    """A stray countdown is armed on the account: when it ends, the venue cancels every order."""
    return lambda world: world.as_other(lambda x: x.cancel_all_after(seconds))


def disk_fails(error: Exception | None) -> Act:
    """From now on the journal's medium raises this at every append; None = it works again."""

    def act(world: Hands) -> None:
        world.disk_error = error

    return act


# --- prices and opinions --------------------------------------------------------------------------------------------


def a_market(symbol: str, *, tick: str = "1", step: str = "0.0001", depth_usd: float = 5_000_000.0, tier: Tier = Tier.A) -> MarketSpec:
    """A liquid market with one tick of spread or a little more."""
    return MarketSpec(symbol, D(tick), D(step), D(step), D("1000000000"), MarginClass.A, tier, 0.2, depth_usd, 5e8, "Layer 1")


_SPECS = {
    BTC: a_market("PF_XBTUSD"),
    ETH: a_market("PF_ETHUSD", tick="0.1", step="0.001"),
    DOGE: a_market("PF_DOGEUSD", tick="0.00001", step="1"),
}


class Path15m:
    """The written prices, a point a second; before the start the market stood at its first price, a little restless."""

    def __init__(self, scenario: Scenario) -> None:
        self._script = {symbol: sorted(prices.items()) for symbol, prices in scenario.prices.items()}
        self._symbols = tuple(self._script)
        self._specs = tuple({**_SPECS, **scenario.specs}[symbol] for symbol in self._symbols)
        self._done_ms = START_MS

    @property
    def start_ms(self) -> int:
        return START_MS

    def markets(self) -> Sequence[MarketSpec]:
        return self._specs

    def history(self, market: int, timeframe: Timeframe) -> Sequence[Bar]:
        price = self._script[self._symbols[market]][0][1]
        opens = range(START_MS - 400 * timeframe.ms, START_MS, timeframe.ms)
        bars: list[Bar] = []
        for open_ms in opens:
            # every market moves alike, so that they are one cluster; the last bar ends at the price of the script
            shift = ((open_ms // timeframe.ms) * 7919 % 13 - 6) / 6 * 0.0005 if open_ms + timeframe.ms < START_MS else 0.0
            bars.append(Bar(open_ms, price, price * 1.001, price * 0.999, price * (1 + shift), 400.0))
        return bars

    def bind(self, direction_of: Callable[[int], int]) -> None:
        """The path does not care about positions."""

    def points(self, until_ms: int) -> Iterator[PricePoint]:
        while self._done_ms + 1_000 <= until_ms:
            self._done_ms += 1_000
            second = (self._done_ms - START_MS) // 1000
            for number, symbol in enumerate(self._symbols):
                price = [value for at, value in self._script[symbol] if at <= second][-1]
                yield PricePoint(self._done_ms, number, price, price, 0.5 if second % 2 else -0.5, False)

    def snapshot_state(self) -> dict[str, Any]:
        return {"done_ms": self._done_ms}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        self._done_ms = state["done_ms"]


class ScriptedStrategy:
    """Gives the wished signals on their bars and none on others."""

    def __init__(self, wishes: Iterable[Wish]) -> None:
        self._wishes = {(wish.symbol, START_MS + wish.at_s * 1000): wish for wish in wishes}
        self._last: dict[Symbol, Bar] = {}
        self.asked: list[tuple[Symbol, int]] = []

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        if timeframe is Timeframe.M15:
            self._last[symbol] = bar

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        del costs
        bar = self._last.get(symbol)
        close_ms = at_ms if bar is None else bar.open_ms + Timeframe.M15.ms
        self.asked.append((symbol, close_ms))
        wish = self._wishes.get((symbol, close_ms))
        if wish is None or bar is None:
            ladder = Ladder(symbol, close_ms, None, (GateResult("wish", GateState.FAILED, "a wish", None, None, "NO_WISH"),))
            return NoSignal(symbol, close_ms, "NO_WISH", ladder)
        sign, close = wish.direction.sign, bar.close
        stop = close * (1 - wish.stop * sign) if wish.stop_price is None else wish.stop_price
        return Signal(
            symbol=symbol,
            at_ms=close_ms,
            direction=wish.direction,
            regime=wish.regime,
            entry_price=close,
            stop_price=stop,
            target_price=close + abs(close - stop) * wish.target_r * sign,
            score=wish.score,
            reward_risk=wish.target_r,
            atr_15m=close * wish.atr,
            atr_4h=close * wish.atr,
            cost_bps=12.0,
            setup="wish",
            ladder=Ladder(symbol, close_ms, close, (GateResult("wish", GateState.PASSED, "a wish", None, None),)),
            premise_price=wish.premise,
        )

    def mark_emitted(self, signal: Emitted) -> None:
        """A wish is on one bar only."""

    def forget(self, symbol: Symbol) -> None:
        self._last.pop(symbol, None)


@dataclass(frozen=True)
class Line:
    """One log line of the daemon."""

    at_s: float
    level: str
    event: str
    fields: Mapping[str, Any]


class Notebook:
    """The log of all lives. An error with a traceback is one nobody expected."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lines: list[Line] = []

    def _note(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        self.lines.append(Line(round(self._clock.monotonic(), 1), level, event, fields))

    def debug(self, event: str, **fields: Any) -> None:
        self._note("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._note("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._note("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._note("error", event, fields)

    critical = error


@dataclass(frozen=True)
class Told:
    kind: str
    text: str
    symbol: str | None
    urgent: bool


class Alarms:
    def __init__(self) -> None:
        self.told: list[Told] = []

    def alert(self, kind: str, text: str, *, symbol: str | None = None, urgent: bool = False) -> None:
        self.told.append(Told(kind, text, symbol, urgent))
