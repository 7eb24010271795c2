"""The running daemon: start in the right order, keep the loops going, stop without leaving anything naked.

Order of a start: lock → journal → latches → venue → one complete look → stops verified (PROTECTING) → histories → READY.
Protection never waits for histories or the main database. `run` never exits because of an exchange's answer.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from trading_system.domain import log_events as ev
from trading_system.domain.errors import ReadFailed
from trading_system.domain.protocols import Clock
from trading_system.live.components import LiveRules
from trading_system.live.cycle_report import CycleReport
from trading_system.live.live_trading import LiveTrading
from trading_system.live.protection_loop import ProtectionLoop
from trading_system.wiring.memory import give_back
from trading_system.wiring.supervisor import Supervisor

Say = Callable[[str], None]
LOOK_RETRY_S: Final = (1.0, 2.0, 3.0)
"""Between tries of the first look: as often as the protection loop looks, for a stop may be missing."""
MARKETS_RETRY_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Between tries to read the venue's list of markets: what is held is protected meanwhile."""
QUOTES_S: Final = 2.0
"""The first look waits so long for quotes; stops are placed without them."""
TELL_S: Final = 60.0
"""A venue that is still away is told of so often, after the first tries."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """cycles None = until stopped."""

    cycles: int | None = None


class LifeWatcher(Protocol):
    """Hears how a daemon's life goes (metrics, the service manager). Quick; never raises."""

    def starting(self) -> None:
        """Journal and latches are read; the venue may still be away."""
        ...

    def protecting(self) -> None:
        """The venue was read completely once, stops are placed or verified."""
        ...

    def ready(self, text: str) -> None:
        """Everything is loaded; ticks begin."""
        ...

    def ticked(self, report: CycleReport) -> None: ...

    def stopping(self) -> None: ...


class Daemon:
    """One process's life round a LiveTrading. `watchers` may be added until `run`."""

    def __init__(self, live: LiveTrading, supervisor: Supervisor, say: Say, rules: LiveRules) -> None:
        self.live = live
        self.supervisor = supervisor
        supervisor.on_death = lambda name, error: live.note_exception(f"task {name}", error)
        self.protection = ProtectionLoop(rules.protection_poll_s)
        self._say = say
        self.rules = rules
        self._stopping = asyncio.Event()
        self.watchers: list[LifeWatcher] = []
        self.last_tick_s: float | None = None
        self._last_try_s: float | None = None
        """When the venue was last tried, while it is not reached yet (process seconds)."""

    def request_stop(self) -> None:
        """Stop after what is under way; a second request changes nothing."""
        self._stopping.set()

    async def run(self, plan: RunPlan) -> None:
        """From the first read to the last record."""
        began = self.live.clock.monotonic()
        for watcher in self.watchers:
            watcher.starting()
        await self._until_protecting(began)
        await self._until_discovered()
        if not self._stopping.is_set():
            await self._warm_up(began)
            await self._tick_until_stopped(plan)
        await self._shut_down()

    # --- start ------------------------------------------------------------------------------------------------------

    async def _until_protecting(self, began: float) -> None:
        """Reach the venue, take in one complete look, verify stops. Retries for ever, with back-off."""
        live = self.live
        hanging = live.books.begin()
        if hanging:
            live.log.warning(ev.TAKEOVER, unknown_orders=hanging)
        saved = live.discovery.restore()
        attempt, told_s = 0, 0.0
        while not self._stopping.is_set():
            self._last_try_s = live.clock.monotonic()
            problem = await self._first_look(attempt)
            if problem is None:
                break
            wait = _nth(LOOK_RETRY_S, attempt)
            attempt += 1
            if attempt <= len(LOOK_RETRY_S) or live.clock.monotonic() - told_s >= TELL_S:
                told_s = live.clock.monotonic()
                live.log.warning(ev.VENUE_UNREACHABLE, why=problem, retry_s=wait, has_cached_specs=saved is not None)
                self._say(f"  venue       not reachable ({problem}); again in {wait:g} s")
            await self._sleep(wait)
        self.supervisor.start("private feed", lambda: self.protection.listen(live))
        self.supervisor.start("protection", lambda: self.protection.run(live))
        self.supervisor.start("kill-switch file", self._watch_kill_file)
        self.supervisor.start("loop watch", lambda: live.loop_watch.run(self.rules.loop_watch_s))
        held = live.positions.held()
        seconds = live.clock.monotonic() - began
        protected = sum(position.state.name in ("PROTECTED", "PARTIAL") for position in held)
        self._say(
            f"  reconcile   {len(held)} positions, {len(live.positions.all_open_orders())} open orders of ours, {hanging} of unknown fate"
        )
        self._say(f"  protection  {protected} of {len(held)} positions with their stop resting; watching ({seconds:.1f} s)")
        live.log.info(ev.PROTECTING, positions=len(held), protected=protected, seconds=round(seconds, 2))
        if live.account_view.last_complete_at is not None:
            for watcher in self.watchers:
                watcher.protecting()

    async def _first_look(self, attempt: int) -> str | None:
        """What is known of the markets, one complete look, and the acts it asks for; None when it worked, else what did not."""
        live = self.live
        problem = await self._ask_for_markets(attempt)
        if problem is not None:
            return problem
        try:
            await live.look(is_essential=True)
        except ReadFailed as error:
            return str(error)
        if live.account_view.last_complete_at is None:
            reads = live.account_view.reads
            return "; ".join(reads.failures) if reads is not None and reads.failures else "the account could not be read completely"
        await live.enforce()
        await live.protect()
        return None

    async def _ask_for_markets(self, attempt: int) -> str | None:
        """Ticks, sizes and quotes as far as the venue tells them; ticks and sizes kept from before will do to place stops.

        Returns what failed when nothing is known. After the first try the list is left for later where it is not needed.
        """
        live = self.live
        if not live.discovery.is_done and (attempt == 0 or not live.markets.instruments()):
            report = await live.discover()
            if report.failure is not None:
                return None if live.markets.instruments() else report.failure
        try:
            async with asyncio.timeout(QUOTES_S):
                live.quotes.update(await live.market_data.tickers())
        except (ReadFailed, TimeoutError) as error:
            live.log.warning(ev.DATA_UNAVAILABLE, what="quotes", why=str(error) or "no answer in time")
        return None

    async def _until_discovered(self) -> None:
        """The venue's list of markets, for which histories are read. Retries for ever; what is held is protected meanwhile."""
        live, attempt = self.live, 0
        while not self._stopping.is_set() and not live.discovery.is_done:
            report = await live.discover()
            if report.failure is None:
                return
            wait = _nth(MARKETS_RETRY_S, attempt)
            attempt += 1
            self._say(f"  markets     not told ({report.failure}); again in {wait:g} s")
            await self._sleep(wait)

    async def _warm_up(self, began: float) -> None:
        live = self.live
        step = _Every(0.1)

        def progress(done: int, total: int) -> None:
            if step.is_due(done / max(1, total)):
                self._say(f"  histories   {done} of {total} series")

        await live.warm_up(progress)
        await asyncio.to_thread(give_back)
        seconds = live.clock.monotonic() - began
        ready = f"READY in {seconds:.1f} s: {len(live.markets.eligible())} markets, mode {live.monitor.mode.value}"
        self._say(ready)
        for watcher in self.watchers:
            watcher.ready(ready)
        live.log.info(ev.STARTED, seconds=round(seconds, 2), universe=len(live.markets.eligible()), state=live.monitor.mode.value)

    # --- running ----------------------------------------------------------------------------------------------------

    async def _tick_until_stopped(self, plan: RunPlan) -> None:
        live, done = self.live, 0
        while not self._stopping.is_set() and (plan.cycles is None or done < plan.cycles):
            if done:
                await self._until_next_tick()
                if self._stopping.is_set():
                    return
            report = await live.tick()
            self.last_tick_s = live.clock.monotonic()
            done += 1
            for watcher in self.watchers:
                watcher.ticked(report)

    async def _until_next_tick(self) -> None:
        """Ticks are aligned to market time, shortly after their boundary, so that a bar's close is seen at once."""
        clock, cycle = self.live.clock, self.rules.cycle
        now = clock.now()
        epoch_s = now.timestamp() - self.rules.cycle_offset.total_seconds()
        boundary = now - timedelta(seconds=epoch_s % cycle.total_seconds()) + cycle
        while not self._stopping.is_set() and (now := clock.now()) < boundary:
            pace = (clock.market_in(1.0) - now).total_seconds()
            await self._sleep(min(1.0, (boundary - now).total_seconds() / pace))

    async def _watch_kill_file(self) -> None:
        """Sees `data/KILL_SWITCH` within a second and closes the gate before the next tick enforces the rest."""
        live = self.live
        while True:
            is_fired = live.check_kill_file()
            if is_fired or live.monitor.mode.is_halted:
                # again every second: an order that was in flight when the halt came shows up only afterwards
                await live.enforce()
            if is_fired:
                self.protection.ask_for_look()
            live.journal.flush()
            await live.clock.sleep(self.rules.kill_file_poll_s)

    # --- stop -------------------------------------------------------------------------------------------------------

    async def _shut_down(self) -> None:
        """No new entries; outcomes under way are written down; stops stay on the venue."""
        live = self.live
        live.control.close_entries("shutdown")
        for watcher in self.watchers:
            watcher.stopping()
        live.log.info(ev.STOPPING, in_flight=live.gateway.in_flight)
        try:
            async with asyncio.timeout(self.rules.shutdown_s / 2):
                await live.gateway.drain()
                if live.account_view.last_complete_at is not None:
                    await live.look(is_essential=True)
                    await live.protect()
        except TimeoutError:
            live.log.warning(ev.STOPPING, why="orders under way are left unknown for the next start")
        except ReadFailed as error:
            live.log.warning(ev.STOPPING, why=str(error))
        await self.supervisor.stop()
        await self._keep_engines()
        live.journal.close()
        held = live.positions.held()
        live.log.info(ev.STOPPED, positions=len(held))
        self._say(f"stopped: {len(held)} positions open, their stops stay on the venue")

    async def _keep_engines(self) -> None:
        """After the last protection: a slow disk may cost the states, never a stop."""
        if not self.live.is_warm:
            return
        try:
            async with asyncio.timeout(10):
                await self.live.keep_engines()
        except TimeoutError:
            self.live.log.warning(ev.ENGINES_NOT_KEPT, why="the disk did not take them within 10 s")

    async def _sleep(self, seconds: float) -> None:
        """Sleep process seconds, or until a stop is asked for."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def is_alive(self, clock: Clock, tick_age_s_max: float = 120.0, protection_age_s_max: float = 30.0) -> bool:
        """For the watchdog: ticks and the protection loop finished work recently; before the venue is reached, it is being tried."""
        now, rounds = clock.monotonic(), self.protection.progress_s
        if rounds is None:
            # an outage of the venue at the start is no reason to be killed: the next start would meet the same
            return self._last_try_s is not None and now - self._last_try_s <= tick_age_s_max
        if now - rounds > protection_age_s_max:
            return False
        return self.last_tick_s is None or now - self.last_tick_s <= tick_age_s_max + self._cycle_s(clock)

    def _cycle_s(self, clock: Clock) -> float:
        """One cycle in process seconds."""
        pace = (clock.market_in(1.0) - clock.now()).total_seconds()
        return self.rules.cycle.total_seconds() / max(pace, 1e-3)


def _nth(waits: tuple[float, ...], attempt: int) -> float:
    return waits[min(attempt, len(waits) - 1)]


class _Every:
    """True each time a growing share has passed another `step`."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._next = step

    def is_due(self, share: float) -> bool:
        if share < self._next:
            return False
        self._next = share + self._step
        return True


def stop_on_signals(daemon: Daemon) -> None:
    """SIGTERM and SIGINT ask for a clean stop; a second one does not skip protection."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.request_stop)
