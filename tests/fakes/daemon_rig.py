"""The real daemon and its commands on an in-process exchange, in virtual time, with prices the test writes.

`DaemonRig.restart` is the next process on the same journal bytes and the same data directory.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from fakes.scripted_market import START_MS, ScriptedMarket, a_market
from trading_system.config.settings import Settings
from trading_system.domain.account import AccountFlow, VenuePosition
from trading_system.domain.errors import ReadFailed
from trading_system.domain.events import JournalEvent, SessionStarted
from trading_system.domain.market import Bar, Instrument, Ticker, Timeframe
from trading_system.domain.orders import Direction
from trading_system.domain.protocols import Strategy, StrategyCosts
from trading_system.domain.signals import Decision, Emitted, GateResult, GateState, Ladder, NoSignal, Regime, Signal
from trading_system.domain.symbols import Symbol, normalise
from trading_system.domain.units import from_ms, to_ms
from trading_system.execution.codec import decode_event
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel
from trading_system.live.venue_control import InProcessControl
from trading_system.sim.exchange import SimExchange
from trading_system.sim.model import OrderRow
from trading_system.sim.ports import SimVenue
from trading_system.storage.engine_store import SqliteEngineStore
from trading_system.wiring.assembly import Ports, assemble, live_rules
from trading_system.wiring.clock import LoopClock
from trading_system.wiring.commands import Commands
from trading_system.wiring.control_protocol import Answer, Request, decode_answer, decode_request, encode_answer, encode_request
from trading_system.wiring.daemon import Daemon, RunPlan
from trading_system.wiring.data_files import GATE_DAYS_FILE, SPECS_FILE
from trading_system.wiring.status_report import About
from trading_system.wiring.supervisor import Supervisor
from trading_system.wiring.virtual_loop import VirtualLoop, run_virtual

T = TypeVar("T")
WHO = "operator (user 0, process 1)"


class LongOnce:
    """Says LONG at the first judgement of each wanted symbol (and again when told), stop 2 % below, target at 3 R."""

    def __init__(self, symbols: Iterable[Symbol]) -> None:
        self.wanted = set(symbols)
        self._last: dict[Symbol, Bar] = {}

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        if timeframe is Timeframe.M15:
            self._last[symbol] = bar

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        del costs
        bar = self._last[symbol]
        close_ms, price = bar.open_ms + Timeframe.M15.ms, bar.close
        state = GateState.PASSED if symbol in self.wanted else GateState.FAILED
        ladder = Ladder(symbol, close_ms, price, (GateResult("wanted", state, "asked for by the test", None, None),))
        if symbol not in self.wanted:
            return NoSignal(symbol, close_ms, "NOT_WANTED", ladder)
        return Signal(
            symbol=symbol,
            at_ms=close_ms,
            direction=Direction.LONG,
            regime=Regime.TIGHT_SMC,
            entry_price=price,
            stop_price=price * 0.98,
            target_price=price * 1.06,
            score=90.0,
            reward_risk=3.0,
            atr_15m=price * 0.01,
            atr_4h=price * 0.02,
            cost_bps=12.0,
            setup="test",
            ladder=ladder,
        )

    def mark_emitted(self, signal: Emitted) -> None:
        self.wanted.discard(signal.symbol)

    def forget(self, symbol: Symbol) -> None:
        self._last.pop(symbol, None)


class LineLog:
    """Keeps every line above debug."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def debug(self, event: str, **fields: Any) -> None:
        """Not kept."""

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    warning = error = critical = info

    @property
    def counts(self) -> Counter[str]:
        return Counter(event for event, _ in self.lines)

    @property
    def exceptions(self) -> list[dict[str, Any]]:
        return [fields for _, fields in self.lines if isinstance(fields.get("exc_info"), BaseException)]


class HistoryList:
    """Keeps every record on its way to the main database."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, object, Mapping[str, object]]] = []

    def record(self, kind: str, at: object, payload: Mapping[str, object]) -> None:
        self.rows.append((kind, at, payload))


class AlertList:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def alert(self, kind: str, text: str, *, symbol: str | None = None, urgent: bool = False) -> None:
        self.sent.append((kind, text))


class ShakyVenue(SimVenue):
    """The venue, unless the rig says that it is away or never answers."""

    def __init__(self, rig: DaemonRig) -> None:
        super().__init__(rig.exchange)
        self._rig = rig

    async def instruments(self) -> tuple[Instrument, ...]:
        if self._rig.venue_down:
            raise ReadFailed("the venue is down")
        found, listed = await super().instruments(), self._rig.listed
        return found if listed is None else tuple(one for one in found if one.symbol in listed)

    async def tickers(self) -> tuple[Ticker, ...]:
        return tuple(self._rig.requote(ticker) for ticker in await super().tickers())

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        bars = await super().candles(symbol, timeframe, since_ms, until_ms)
        return self._rig.distort(symbol, timeframe, bars)

    async def flows(self, since: datetime) -> tuple[AccountFlow, ...]:
        return () if self._rig.hide_flows else await super().flows(since)

    async def positions(self) -> tuple[VenuePosition, ...]:
        if self._rig.venue_down:
            raise ReadFailed("the venue is down")
        return await super().positions()


class DaemonRig:
    """prices: per venue symbol, {seconds after the start: price from then on}. The exchange's clock follows the loop.

    past: what the journal holds before the first start.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        data_dir: Path,
        prices: Mapping[str, Mapping[int, float]],
        longs: Iterable[str],
        past: Iterable[JournalEvent] = (),
    ) -> None:
        self.clock = LoopClock(loop, from_ms(START_MS))
        self.data_dir = data_dir
        self.exchange = SimExchange(ScriptedMarket(prices, [a_market(symbol) for symbol in prices]))
        self.exchange.advance_to(START_MS)
        self.venue_down = False
        self.listed: tuple[str, ...] | None = None
        """The only markets the venue lists; None = all."""
        self.hide_flows = False
        """The account log tells nothing of money that moved."""
        self.distort: Callable[[Symbol, Timeframe, tuple[Bar, ...]], tuple[Bar, ...]] = lambda symbol, timeframe, bars: bars
        """What the venue makes of the candles it is asked for; may raise ReadFailed."""
        self.requote: Callable[[Ticker], Ticker] = lambda ticker: ticker
        """What the venue quotes instead of what it knows."""
        self.strategy: Strategy = LongOnce(normalise(symbol) for symbol in longs)
        self.log, self.alerts = LineLog(), AlertList()
        self.disk = DiskModel()
        self.history = HistoryList()
        self._loop = loop
        self._pump = loop.create_task(self._follow_time())
        earlier = Journal(self.disk)
        for event in past:
            earlier.record(event)
        self._boot()

    def _boot(self) -> None:
        journal = Journal(self.disk)
        journal.begin_session(SessionStarted(self.clock.now(), "paper", "sim", "test", "0", "hash", 0))
        supervisor = Supervisor(self.clock, self.log, on_fatal=lambda name, error: self.live.note_task_death(name, error))
        self._venue = ShakyVenue(self)
        self.control = InProcessControl()
        settings = Settings()
        venue = self._venue
        ports = Ports(self.clock, self.log, venue, venue, venue, venue, self.control, supervisor.detach, self.history, self.alerts)
        self._engine_store = SqliteEngineStore(self.data_dir / "engines.db")
        ports = replace(ports, health_file=self.data_dir / "data_health.json", engine_store=self._engine_store)
        ports = replace(ports, gate_file=self.data_dir / GATE_DAYS_FILE, spec_cache=self.data_dir / SPECS_FILE)
        self.live = assemble(settings, ports, journal, self.strategy, self.data_dir)
        self.daemon = Daemon(self.live, supervisor, lambda text: None, live_rules(settings))
        self.commands = Commands(self.daemon, About("0", "paper", "sim", "hash"))
        self._task = self._loop.create_task(self.daemon.run(RunPlan()))

    async def _follow_time(self) -> None:
        while True:
            self.exchange.advance_to(to_ms(self.clock.now()))
            await self.clock.sleep(0.25)

    async def tell(self, request: Request) -> Answer:
        """Through the wire's words and back, as an operator's verb would."""
        answer = await self.commands.answer(decode_request(encode_request(request)), WHO)
        return decode_answer(encode_answer(answer))

    async def until(self, holds: Callable[[], bool], within_s: float) -> float:
        """Let time pass until it holds; the seconds it took. AssertionError when it takes longer."""
        began = self.clock.monotonic()
        while not holds():
            assert self.clock.monotonic() - began <= within_s, f"does not hold after {within_s} s; log ends {self.log.lines[-5:]}"
            assert not self._task.done(), self._task
            await self.clock.sleep(0.1)
        return self.clock.monotonic() - began

    def hang(self) -> asyncio.Event:
        """From now on whoever protects is stuck, until the event is set."""
        released = asyncio.Event()

        async def stuck() -> None:
            await released.wait()

        self.live.protect = stuck  # type: ignore[method-assign]
        return released

    async def restart(self) -> None:
        """A clean stop, then the next process."""
        await self.stop_daemon()
        self.disk = self.disk.crash()
        self._boot()

    async def stop_daemon(self) -> None:
        self.daemon.request_stop()
        await self._task
        self._engine_store.close()
        self._venue.unsubscribe()

    async def close(self) -> None:
        if not self._task.done():
            await self.stop_daemon()
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)

    # --- what the venue has -----------------------------------------------------------------------------------------

    def orders(self, kind: str) -> tuple[OrderRow, ...]:
        """`stop`, `take_profit` or `entry` orders that rest at the venue."""
        return tuple(order for order in self.exchange.open_orders() if _kind_of(order) == kind)

    def qty(self) -> float:
        """Sum of the sizes of all positions at the venue."""
        return float(sum(abs(row.size) for row in self.exchange.positions()))

    def events(self, kind: type[JournalEvent]) -> list[Any]:
        """Records of the journal, durable ones only."""
        decoded = (decode_event(seq, payload) for seq, payload, _ in self.disk.read(1))
        return [event for event in decoded if isinstance(event, kind)]


def _kind_of(order: OrderRow) -> str:
    if order.stop_price is not None:
        return "stop"
    return "take_profit" if order.reduce_only else "entry"


def run_rig(make: Callable[[VirtualLoop], DaemonRig], scenario: Callable[[DaemonRig], Coroutine[Any, Any, T]]) -> T:
    """Run a scenario to its end; an exception that reached a phase or task boundary fails it."""

    async def whole(loop: VirtualLoop) -> T:
        rig = make(loop)
        result = await scenario(rig)
        await rig.close()
        assert rig.log.exceptions == []
        return result

    return run_virtual(whole)
