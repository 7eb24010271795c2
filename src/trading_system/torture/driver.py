"""One seed from start to end: the real daemon on a faulty venue in virtual time, killed and started again, watched throughout."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from trading_system.domain.errors import TradingError
from trading_system.domain.events import SessionStarted
from trading_system.domain.protocols import Clock
from trading_system.domain.units import from_ms, to_ms
from trading_system.execution.codec import decode_event
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel
from trading_system.live.live_trading import LiveTrading
from trading_system.live.venue_control import InProcessControl
from trading_system.safety.invariant_monitor import HALT_STATE_FILE, KILL_FILE
from trading_system.safety.invariants import Verdict
from trading_system.sim.exchange import ExchangeConfig
from trading_system.sim.faults import FaultyVenue
from trading_system.sim.market_generator import GeneratedMarket
from trading_system.torture.case import DRAIN_S, START_MS, Case, busy_settings, cap_limits, coins
from trading_system.torture.check_books import check_fold
from trading_system.torture.check_caps import CapChecker
from trading_system.torture.check_fates import FateChecker
from trading_system.torture.check_losses import LossChecker
from trading_system.torture.check_modes import ModeSeen
from trading_system.torture.check_stops import StopChecker
from trading_system.torture.checker import Journaled, Violation
from trading_system.torture.checkers import Checkers
from trading_system.torture.mortal import DeathKind, Mortal, MortalDisk, MortalOrders
from trading_system.torture.noisy_strategy import NoisyStrategy
from trading_system.torture.quiet import CountingAlerts, CountingLog, NoHistory
from trading_system.torture.result import SeedResult
from trading_system.torture.sweep import ignore_deaths, sweep
from trading_system.torture.venue_log import Actor, Sent, VenueRecord, WatchedExchange
from trading_system.wiring.assembly import Ports, assemble, live_rules
from trading_system.wiring.clock import LoopClock
from trading_system.wiring.daemon import Daemon, RunPlan
from trading_system.wiring.data_files import SPECS_FILE
from trading_system.wiring.supervisor import Supervisor
from trading_system.wiring.virtual_loop import VirtualLoop, run_virtual

_MARKETS: Final = 3
"""Different price histories; seeds take turns, so that histories are made once."""
_KILL_FILE_S: Final = 120.0
_RESUME_AFTER_S: Final = 300.0
_UNEXPECTED_MAX: Final = 20
_STOP_S_MAX: Final = 60.0
_TICK_S_MAX: Final = 180.0
"""What the service manager's watchdog waits for."""


def run_case(case: Case, cache_dir: Path | None = None) -> SeedResult:
    """Run it to its end. cache_dir: where generated histories are kept between runs."""
    with tempfile.TemporaryDirectory(prefix="ts-torture-") as scratch:
        return run_virtual(lambda loop: Run(loop, case, Path(scratch), cache_dir).to_the_end())


class Life:
    """One process of the daemon."""

    def __init__(self, mortal: Mortal, daemon: Daemon, journal: Journal, disk: MortalDisk, task: asyncio.Task[None]) -> None:
        self.mortal = mortal
        self.daemon = daemon
        self.live: LiveTrading = daemon.live
        self.journal = journal
        self.disk = disk
        self.task = task
        self.asked_s: float | None = None
        """Since when it has been asked to stop."""
        self.is_stalled = False


class Run:
    """The world of one seed. Everything that can change is here or in the exchange."""

    def __init__(self, loop: VirtualLoop, case: Case, scratch: Path, cache_dir: Path | None) -> None:
        self._loop = loop
        self._case = case
        self._scratch = scratch
        cap = case.positions_max
        auction = {"positions_max": cap, "cluster_positions_max": min(cap, 4), **case.habits.get("auction", {})}
        self._settings = busy_settings({**case.habits, "auction": auction})
        self.clock: Clock = LoopClock(loop, from_ms(START_MS))
        market = GeneratedMarket(case.seed % _MARKETS, START_MS, cache_dir=cache_dir, coins=coins())
        self.exchange = WatchedExchange(market, ExchangeConfig(id_seed=case.seed), self._on_venue)
        self.venue = FaultyVenue(self.exchange, case.faults, self.clock, act_as=self._act_as)
        steps = {symbol: self.exchange.spec(symbol).size_step for symbol in self.exchange.symbols()}
        self.fates = FateChecker(self.venue)
        self.losses = LossChecker(self._equity, self._settings.risk.daily_loss_limit)
        caps = CapChecker(self.exchange.watch, cap_limits(self._settings), lambda symbol: self.exchange.quote(symbol).mark, self._equity)
        stops = StopChecker(lambda symbol: self.exchange.spec(symbol).tick)
        more = (self.fates, self.losses, caps, stops)
        self.checkers = Checkers(self.exchange.watch, self.venue, steps, self._liquidation_of, more=more)
        self._content = DiskModel()
        self._told_seq = 0
        self._deaths = list(case.deaths)
        self._kills = list(case.kills_s)
        self._kill_file_until_s: float | None = None
        self._died = 0
        self._entries = 0
        self._halted_s: float | None = None
        self._unexpected = 0
        self.log = CountingLog(self._on_unexpected)
        self.alerts = CountingAlerts(self.fates.on_alert)
        self.life: Life | None = None

    # --- what the checkers hear -------------------------------------------------------------------------------------

    def _act_as(self, who: str) -> None:
        self.exchange.actor = Actor(who)

    def _on_venue(self, record: VenueRecord) -> None:
        if isinstance(record, Sent) and record.is_accepted and record.is_entry and record.actor is Actor.DAEMON:
            self._entries += 1
        self.checkers.on_venue(record)

    def _on_durable(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        for seq, payload, _ in rows:
            if seq > self._told_seq:
                self._told_seq = seq
                self.checkers.on_journal(Journaled(seq, self.exchange.now_ms, decode_event(seq, payload)))

    def _on_unexpected(self, event: str, error: BaseException) -> None:
        """P17 turned round: an exception that reaches a phase or task boundary is a bug, whatever it did."""
        self._unexpected += 1
        if self._unexpected <= _UNEXPECTED_MAX:
            self.checkers.note((Violation("P17", self.exchange.now_ms, "", f"{event}: {type(error).__name__}: {error}"),))

    def _equity(self) -> Decimal:
        return self.exchange.account().portfolio_value

    def _liquidation_of(self, symbol: str) -> Decimal | None:
        return next((row.liquidation_price for row in self.exchange.positions() if row.symbol == symbol), None)

    # --- lives ------------------------------------------------------------------------------------------------------

    def _start(self) -> Life:
        mortal = Mortal()
        disk = MortalDisk(self._content, mortal, self._on_durable)
        self._on_durable(tuple(disk.read(self._told_seq + 1)))
        journal = Journal(disk)
        self.checkers.note(check_fold(disk.disk, journal.state, self.exchange.now_ms))
        journal.begin_session(SessionStarted(self.clock.now(), "paper", "torture", "torture", "", "", 0))
        supervisor = Supervisor(self.clock, self.log, lambda name, error: live.note_task_death(name, error))
        self.venue.reconnect()
        ports = Ports(
            clock=self.clock,
            log=self.log,
            market_data=self.venue,
            account=self.venue,
            orders=MortalOrders(self.venue, mortal),
            feed=self.venue,
            control=InProcessControl(),
            spawn=supervisor.detach,
            recorder=NoHistory(),
            alerts=self.alerts,
            spec_cache=self._scratch / SPECS_FILE,
        )
        live = assemble(self._settings, ports, journal, NoisyStrategy(self._case.seed), self._scratch)
        # nothing can hold a virtual loop up, and looking four times a second would be most of the work of a quiet day
        rules = replace(live_rules(self._settings), loop_watch_s=3600.0)
        daemon = Daemon(live, supervisor, lambda text: None, rules)
        task = self._loop.create_task(daemon.run(RunPlan()), name="daemon")
        self.checkers.on_process(self.exchange.now_ms, is_up=True)
        return Life(mortal, daemon, journal, disk, task)

    async def _bury(self, life: Life) -> None:
        """Sweep the dead process away: none of its tasks runs on, nothing it had in memory counts."""
        life.mortal.die()
        self.checkers.on_process(self.exchange.now_ms, is_up=False)
        await sweep()
        self._content = life.disk.recovered()
        self.life = None
        self._died += 1

    async def _follow(self, life: Life) -> None:
        """The end of a life that ended as the case wanted it, the time until the next start, and that start."""
        death = self._deaths.pop(0)
        if death.kind is DeathKind.ASKED and life.mortal.is_alive:
            now_ms = self.exchange.now_ms
            self.checkers.note(self.fates.left(now_ms, self.checkers.naked.uncovered_s()))
            self.checkers.note(check_fold(life.disk.disk, life.journal.state, now_ms))
        await self._bury(life)
        if death.spoils:
            (self._scratch / HALT_STATE_FILE).write_text('{"mode": "nor')
            self.checkers.modes.must_halt()
        for _ in range(int(death.down_s)):
            await self.clock.sleep(1.0)
            await self._observe()
        self.life = self._start()

    # --- time -------------------------------------------------------------------------------------------------------

    async def to_the_end(self) -> SeedResult:
        """The phase with faults, the quiet phase, the final accounts."""
        self._loop.set_exception_handler(ignore_deaths)
        self.life = self._start()
        while self.venue.elapsed_s < self._case.total_s:
            await self._second()
            life = self.life
            if life.mortal.died.is_set() or (life.task.done() and life.asked_s is not None and life.task.exception() is None):
                await self._follow(life)
            elif life.task.done():
                self._report_end(life.task)
                await self._bury(life)
                self.life = self._start()
        result = self._accounts(self.life)
        self.life.mortal.die()
        await sweep()
        return result

    def _report_end(self, task: asyncio.Task[None]) -> None:
        """`run` never ends by itself."""
        error = None if task.cancelled() else task.exception()
        self.checkers.note((Violation("L2", self.exchange.now_ms, "", f"the daemon ended by itself: {error!r}"),))

    async def _second(self) -> None:
        """One second of the world, or less when the process dies in it."""
        assert self.life is not None
        mortal = self.life.mortal
        if mortal.armed is None and self._deaths and self._deaths[0].at_s <= self.venue.elapsed_s and not self.venue.is_quiet:
            mortal.armed = self._deaths[0]
            if mortal.is_due(DeathKind.NOW):
                mortal.die()
                return
        if mortal.is_due(DeathKind.ASKED):
            self._ask_to_stop(self.life)
        try:
            async with asyncio.timeout(1.0):
                await mortal.died.wait()
        except TimeoutError:
            pass
        await self._observe()
        if self._case.total_s - self.venue.elapsed_s < DRAIN_S:
            self.life.live.entry_gates["end"] = "the run is ending"

    def _ask_to_stop(self, life: Life) -> None:
        """SIGTERM, and again every second: nothing that protects is skipped for it. After a minute the service manager kills."""
        life.daemon.request_stop()
        if life.asked_s is None:
            life.asked_s = self.venue.elapsed_s
        elif self.venue.elapsed_s - life.asked_s > _STOP_S_MAX:
            self.checkers.note((Violation("P9", self.exchange.now_ms, "", f"asked to stop, it still ran after {_STOP_S_MAX:g} s"),))
            life.mortal.die()

    def _watch_progress(self, life: Life) -> None:
        """L3: while it runs it ticks."""
        since_s = life.daemon.last_tick_s
        if since_s is not None and life.asked_s is None and not life.is_stalled and self.clock.monotonic() - since_s > _TICK_S_MAX:
            life.is_stalled = True
            self.checkers.note((Violation("L3", self.exchange.now_ms, "", f"no tick has ended for {_TICK_S_MAX:g} s"),))

    def _touch_kill_file(self) -> None:
        """A hand that touches the kill-switch file, and takes it away again."""
        now_s, file = self.venue.elapsed_s, self._scratch / KILL_FILE
        if self._kills and self._kills[0] <= now_s:
            self._kills.pop(0)
            file.touch()
            self._kill_file_until_s = now_s + _KILL_FILE_S
        elif self._kill_file_until_s is not None and now_s >= self._kill_file_until_s:
            self._kill_file_until_s = None
            file.unlink(missing_ok=True)

    async def _observe(self) -> None:
        await self.venue.catch_up()
        self._touch_kill_file()
        self.checkers.on_second(self.exchange.now_ms)
        if self.life is not None:
            self._watch_mode(self.life.live)
            self._watch_progress(self.life)

    def _watch_mode(self, live: LiveTrading) -> None:
        mode, halt = live.monitor.mode, live.monitor.state.halt
        is_margin = halt is not None and halt.invariant.is_margin_critical
        view = live.account_view.snapshot
        utilization = None if view is None else float(view.venue_utilization)
        self.checkers.see_mode(ModeSeen(self.exchange.now_ms, mode, is_margin, utilization))
        if not mode.is_halted:
            self._halted_s = None
        elif self._halted_s is None:
            self._halted_s = self.venue.elapsed_s
        elif self.venue.elapsed_s - self._halted_s >= _RESUME_AFTER_S:
            # a human looked at it, and goes on
            verdicts: tuple[Verdict, ...] = live.monitor.verdicts
            if live.monitor.resume("torture", self.clock.now(), verdicts=verdicts, rebased_high_water=True) is None:
                self.checkers.modes.acknowledge()
            self._halted_s = None

    def _accounts(self, life: Life) -> SeedResult:
        now_ms = to_ms(self.clock.now())
        life.journal.flush()
        self.checkers.at_end(now_ms)
        state = life.live.monitor.state
        lasting = [cause.invariant.value for cause in state.causes]
        if state.halt is None and lasting and all(cause.clears_by_itself for cause in state.causes):
            text = f"still {state.mode.value} after the quiet phase: {', '.join(lasting)}"
            self.checkers.note((Violation("L4", now_ms, "", text),))
        try:
            self.checkers.note(check_fold(life.disk.disk, life.journal.state, now_ms))
        except TradingError as error:
            self.checkers.note((Violation("P8", now_ms, "", str(error)),))
        checkers = self.checkers
        return SeedResult(
            seed=self._case.seed,
            hours=self._case.total_s / 3600,
            violations=tuple(checkers.violations),
            naked_s=tuple(checkers.naked.samples_s),
            naked_s_max=checkers.naked.worst_s,
            duplicates=checkers.entries.duplicates,
            unexplained_fills=checkers.fills.unexplained,
            entries=self._entries,
            fills=len(self.exchange.watch.fills),
            deaths=self._died,
            faults=self.venue.counts,
            trace=checkers.trace.digest,
            trace_records=checkers.trace.records,
            naked_start_s_max=checkers.naked.worst_start_s,
            loss_max=float(self.losses.worst),
        )
