"""Runs the whole daemon through a scenario that is data: prices, signals, what the wire does, what hands do, in virtual time.

The daemon is the real one (`assemble` and `Daemon`), the exchange is the real model; only the strategy's opinions, the prices and
the mishaps are written by the test. A crash drops the process and starts a new one on the same journal and exchange. Besides
what a test asserts itself, the checkers of the torture judge every scenario: one entry per intent, stops never taken away,
exits reduce only, no destructive act without evidence, fills complete, the halt's rules, the fold.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from raw_venue import AdapterVenue, Front, a_control
from scenario_ending import Ending
from scenario_parts import START_MS, Alarms, D, Notebook, Path15m, Scenario, ScriptedStrategy
from scripted_wire import Past, Wire, counted

from trading_system.config.settings import Settings
from trading_system.domain.events import SessionStarted
from trading_system.domain.modes import Mode
from trading_system.domain.units import from_ms
from trading_system.execution.codec import decode_event
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel
from trading_system.live.venue_control import InProcessControl, VenueControl
from trading_system.sim.exchange import ExchangeConfig
from trading_system.sim.ports import SimVenue
from trading_system.torture.check_books import check_fold
from trading_system.torture.check_modes import ModeSeen
from trading_system.torture.checker import Journaled
from trading_system.torture.checkers import Checkers
from trading_system.torture.mortal import Mortal, ProcessDied
from trading_system.torture.quiet import NoHistory
from trading_system.torture.venue_log import Actor, VenueRecord, WatchedExchange
from trading_system.wiring.assembly import Ports, assemble, live_rules
from trading_system.wiring.clock import LoopClock
from trading_system.wiring.commands import Commands
from trading_system.wiring.control_protocol import FlattenOrder, HaltOrder, ResumeOrder
from trading_system.wiring.daemon import Daemon, RunPlan
from trading_system.wiring.data_files import SPECS_FILE
from trading_system.wiring.status_report import About
from trading_system.wiring.supervisor import Supervisor
from trading_system.wiring.venue_kraken import KrakenControl
from trading_system.wiring.virtual_loop import VirtualLoop, run_virtual


class ScenarioDisk:
    """The journal's medium: dies with its process, fails when the scenario says so."""

    def __init__(self, world: World, mortal: Mortal) -> None:
        self._world = world
        self._mortal = mortal

    def append(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        if not self._mortal.is_alive:
            raise ProcessDied
        if self._world.disk_error is not None:
            raise self._world.disk_error
        self._world.content.append(rows)
        self._world.note_durable(rows)

    def read(self, from_seq: int) -> Iterable[tuple[int, bytes, bytes]]:
        return self._world.content.read(from_seq)

    def close(self) -> None:
        """Nothing to release."""


@dataclass
class Life:
    """One process of the daemon."""

    mortal: Mortal
    wire: Wire
    daemon: Daemon
    commands: Commands
    task: asyncio.Task[None]


class World:
    """Everything there is in one scenario. `acts` reach it; tests see only its `Ending`."""

    def __init__(self, loop: VirtualLoop, scenario: Scenario, data_dir: Path) -> None:
        self._loop = loop
        self._scenario = scenario
        self._settings = Settings.model_validate(scenario.settings)
        self.data_dir = data_dir
        self.clock = LoopClock(loop, from_ms(START_MS))
        self.records: list[VenueRecord] = []
        config = ExchangeConfig(deposit_usd=D(scenario.deposit), variants=scenario.variants)
        self.exchange = WatchedExchange(Path15m(scenario), config, self._on_venue)
        self.past = Past(self.exchange)
        self.front = None if scenario.raw is None else Front(self.exchange, self.clock, scenario.raw)
        self.exchange.subscribe(self.past.on_event)
        self._steps = {symbol: self.exchange.spec(symbol).size_step for symbol in self.exchange.symbols()}
        self.checkers = Checkers(self.exchange.watch, self, self._steps, lambda symbol: None)
        self.content = DiskModel() if scenario.journal is None else scenario.journal.crash()
        self.disk_error: Exception | None = None
        self.log = Notebook(self.clock)
        self.alarms = Alarms()
        self.modes: list[tuple[float, Mode]] = []
        self.naked_s: dict[str, float] = {}
        self._naked_run: dict[str, float] = {}
        self._rules = counted(scenario.wire)
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._acts = sorted(scenario.acts, key=lambda at: at.s)
        self._told_seq = sum(1 for _ in self.content.read(1))
        self._start_at_s: float | None = scenario.start_s
        self._down_s = 5.0
        self.lives = 0
        self.answers: list[str] = []
        self.life: Life | None = None

    # --- what the checkers ask and hear ---

    def accepts_stops(self, symbol: str) -> bool:
        return self.exchange.accepts_stops(symbol) and not self._is_disturbed()

    def is_reachable(self) -> bool:
        return not self._is_disturbed()

    def executes(self, symbol: str) -> bool:
        return self.exchange.executes(symbol) and not self._is_disturbed()

    def would_show(self, symbol: str, since_ms: int) -> bool:
        return not self._is_disturbed()

    def disturbed_ms(self, symbol: str) -> int | None:
        return None

    def exit_disturbed_ms(self, symbol: str) -> int | None:
        return None

    def _is_disturbed(self) -> bool:
        return self.life is None or self.life.wire.disturbs() or (self.front is not None and self.front.disturbs())

    def _on_venue(self, record: VenueRecord) -> None:
        self.records.append(record)
        self.checkers.on_venue(record)

    def note_durable(self, rows: Iterable[tuple[int, bytes, bytes]]) -> None:
        for seq, payload, _ in rows:
            if seq > self._told_seq:
                self._told_seq = seq
                self.checkers.on_journal(Journaled(seq, self.exchange.now_ms, decode_event(seq, payload)))

    # --- what acts do ---

    def as_other(self, act: Callable[[WatchedExchange], object], who: Actor = Actor.HUMAN) -> None:
        self.exchange.actor = who
        act(self.exchange)
        self.exchange.actor = Actor.DAEMON

    def kill(self, down_s: float) -> None:
        self._down_s = down_s
        if self.life is not None:
            self.life.mortal.die()

    def ask_to_stop(self, down_s: float) -> None:
        self._down_s = down_s
        assert self.life is not None
        self.life.daemon.request_stop()

    def roll_back_journal(self, keep: int) -> None:
        assert self.life is None, "the daemon is down when files are exchanged"
        older = DiskModel()
        older.append(tuple(self.content.read(1))[:keep])
        self.content = older

    def flood_reads(self, seconds: float) -> None:
        assert self.life is not None
        venue, until_s = self.life.wire.venue, self.clock.monotonic() + seconds

        async def flood() -> None:
            while self.clock.monotonic() < until_s:
                await asyncio.gather(
                    *(venue.positions() for _ in range(10)), *(venue.open_orders() for _ in range(10)), return_exceptions=True
                )
                await self.clock.sleep(0.02)

        self._flood = self._loop.create_task(flood(), name="flood")

    def change_step(self, venue_symbol: str, step: Decimal) -> None:
        market = self.exchange._markets[venue_symbol]
        market.spec = replace(market.spec, size_step=step, size_min=step)
        self._steps[venue_symbol] = step  # a checker does not ask for a stop that no order can be

    def block_loop(self, seconds: float) -> None:
        self._loop.block(seconds)

    def order(self, order: HaltOrder | ResumeOrder | FlattenOrder) -> None:
        """The operator speaks; the answer is kept."""
        assert self.life is not None
        commands = self.life.commands

        async def tell() -> None:
            answer = await commands.answer(order, "operator")
            self.answers.append(answer.error)
            if isinstance(order, ResumeOrder) and not answer.error:
                self.checkers.modes.acknowledge()

        self._told = self._loop.create_task(tell(), name="operator")

    # --- lives ---

    def _start(self) -> Life:
        mortal = Mortal()
        journal = Journal(ScenarioDisk(self, mortal))
        self.checkers.note(check_fold(self.content, journal.state, self.exchange.now_ms))
        journal.begin_session(SessionStarted(self.clock.now(), "paper", "sim", "scenario", "", "", 0))
        supervisor = Supervisor(self.clock, self.log, lambda name, error: live.note_task_death(name, error))
        scenario = self._scenario
        control, venue = self._edge()
        wire = self._wire(mortal, venue)
        looks = None
        if isinstance(control, KrakenControl):
            looks = self._wire(mortal, AdapterVenue(self.exchange, control, control.venue.look_account))
        ports = Ports(
            clock=self.clock,
            log=self.log,
            market_data=wire,
            account=wire,
            orders=wire,
            feed=wire,
            control=control,
            spawn=supervisor.detach,
            recorder=NoHistory(),
            alerts=self.alarms,
            look_account=looks,
            spec_cache=self.data_dir / SPECS_FILE,
        )
        strategy = ScriptedStrategy(scenario.wishes) if scenario.strategy is None else scenario.strategy()
        live = assemble(self._settings, ports, journal, strategy, self.data_dir)
        daemon = Daemon(live, supervisor, lambda text: None, live_rules(self._settings))
        task = self._loop.create_task(daemon.run(RunPlan()), name="daemon")
        self.lives += 1
        self.checkers.on_process(self.exchange.now_ms, is_up=True)
        return Life(mortal, wire, daemon, Commands(daemon, About("0", "paper", "sim", "")), task)

    def _wire(self, mortal: Mortal, venue: SimVenue) -> Wire:
        scenario = self._scenario
        return Wire(
            self.exchange,
            self.clock,
            mortal,
            self._rules,
            scenario.reads,
            scenario.feed_mute,
            scenario.feed_edit,
            self.past,
            self._later,
            venue,
        )

    def _edge(self) -> tuple[VenueControl, SimVenue]:
        """The venue as this scenario's daemon meets it."""
        if self.front is None:
            return InProcessControl(), SimVenue(self.exchange)
        control = a_control(self.front, self.clock, self.log)
        return control, AdapterVenue(self.exchange, control)

    async def _bury(self) -> None:
        """Sweep the process away: none of its tasks runs on."""
        life, self.life = self.life, None
        assert life is not None
        died = not life.mortal.is_alive
        if not died and self.disk_error is None:
            # a clean stop has written everything down: the running state is what the journal tells
            self.checkers.note(check_fold(self.content, life.daemon.live.journal.state, self.exchange.now_ms))
        life.mortal.die()
        life.wire.hang_up()
        self.checkers.on_process(self.exchange.now_ms, is_up=False)
        await _sweep(died=died)
        self._start_at_s = self.clock.monotonic() + self._down_s

    # --- time ---

    async def play(self) -> Ending:
        self._loop.set_exception_handler(_ignore_deaths)
        scenario = self._scenario
        while (now_s := self.clock.monotonic()) <= scenario.until_s:
            self._move(now_s)
            if self._start_at_s is not None and now_s >= self._start_at_s:
                self._start_at_s = None
                self.life = self._start()
            await self._pass_a_second()
            if self.life is not None and not self.life.mortal.is_alive:
                await self._bury()
            elif self.life is not None and self.life.task.done():
                self.life.task.result()
                await self._bury()
        if self.life is not None:
            life = self.life
            life.daemon.request_stop()
            await life.task
            await self._bury()
        return self._ending()

    def _move(self, now_s: float) -> None:
        """Bring the exchange, late packets and hands to the present."""
        self.exchange.advance_to(self.past.at_ms(self.clock))
        for due in [entry for entry in self._later if entry[0] <= now_s]:
            self._later.remove(due)
            self.exchange.actor = Actor.NETWORK
            due[1]()
            self.exchange.actor = Actor.DAEMON
        while self._acts and self._acts[0].s <= now_s:
            self._acts.pop(0).act(self)

    async def _pass_a_second(self) -> None:
        life = self.life
        if life is None:
            await self.clock.sleep(1.0)
        else:
            try:
                async with asyncio.timeout(1.0):
                    await life.mortal.died.wait()
            except TimeoutError:
                pass
        # before the next prices: what the daemon made of the last ones
        self._watch()
        self.exchange.advance_to(self.past.at_ms(self.clock))

    def _watch(self) -> None:
        self.checkers.on_second(self.exchange.now_ms)
        for symbol in self.exchange.symbols():
            naked = self.exchange.watch.standing(symbol).naked >= self._steps[symbol]
            self._naked_run[symbol] = self._naked_run.get(symbol, 0.0) + 1 if naked else 0.0
            self.naked_s[symbol] = max(self.naked_s.get(symbol, 0.0), self._naked_run[symbol])
        if self.life is None:
            return
        live = self.life.daemon.live
        halt = live.monitor.state.halt
        view = live.account_view.snapshot
        seen = ModeSeen(
            self.exchange.now_ms,
            live.monitor.mode,
            halt is not None and halt.invariant.is_margin_critical,
            None if view is None else float(view.venue_utilization),
        )
        self.checkers.see_mode(seen)
        if not self.modes or self.modes[-1][1] is not live.monitor.mode:
            self.modes.append((self.clock.monotonic(), live.monitor.mode))

    def _ending(self) -> Ending:
        journal = Journal(self.content)
        if self._scenario.in_peace:
            self.checkers.at_end(self.exchange.now_ms)
        broken = [v for v in self.checkers.violations if v.rule not in self._scenario.tolerates]
        events = tuple(decode_event(seq, payload) for seq, payload, _ in self.content.read(1))
        ending = Ending(
            self.exchange,
            tuple(self.records),
            journal,
            events,
            tuple(self.log.lines),
            tuple(self.alarms.told),
            tuple(self.modes),
            self.naked_s,
            self.lives,
            tuple(self.answers),
            self.content,
            () if self.front is None else tuple(self.front.asked),
        )
        if broken:
            told = [f"{v.rule} {v.symbol} {(v.at_ms - START_MS) / 1000:.0f} s: {v.text}" for v in broken]
            raise AssertionError("\n".join([*told, *ending.tale()]))
        return ending


def _ignore_deaths(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A task that was unwound by its process's death has nobody left to tell."""
    if not isinstance(context.get("exception"), ProcessDied):
        loop.default_exception_handler(context)


async def _sweep(*, died: bool) -> None:
    """End every task but this one, at once. died: calls were torn off in the middle, and what is left of them is collected now."""
    mine = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not mine]
    with warnings.catch_warnings():
        # calls that were prepared and never begun are part of dying
        warnings.simplefilter("ignore", RuntimeWarning)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        del tasks
        if died:
            gc.collect()


def play(scenario: Scenario) -> Ending:
    """Run the scenario to its end; AssertionError when it broke a safety property, with the venue's log."""
    with tempfile.TemporaryDirectory(prefix="ts-scenario-") as scratch:
        return run_virtual(lambda loop: World(loop, scenario, Path(scratch)).play())
