"""The crash matrix: one trade, killed after each of its writes and sends, started again ten seconds later, told as a table.

Runs in virtual time with the whole daemon, so it says the same on every machine. The checkers of torture watch every row.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trading_system.domain.events import JournalEvent, SessionStarted
from trading_system.domain.protocols import Clock
from trading_system.domain.units import from_ms
from trading_system.execution.codec import decode_event
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel
from trading_system.live.venue_control import InProcessControl
from trading_system.sim.exchange import ExchangeConfig
from trading_system.sim.fault_plan import FaultPlan
from trading_system.sim.faults import FaultyVenue
from trading_system.torture.case import START_MS, busy_settings
from trading_system.torture.check_books import check_fold
from trading_system.torture.checker import Journaled, Violation
from trading_system.torture.checkers import Checkers
from trading_system.torture.crash_boundaries import Boundaries, Boundary, BoundaryDisk, BoundaryOrders
from trading_system.torture.crash_story import VENUE_SYMBOL, OneSignal, Story, StoryPath
from trading_system.torture.crash_words import answer_words, ending_words, venue_words
from trading_system.torture.quiet import CountingAlerts, CountingLog, NoHistory
from trading_system.torture.sweep import ignore_deaths, sweep
from trading_system.torture.venue_log import VenueRecord, WatchedExchange
from trading_system.wiring.assembly import Ports, assemble, live_rules
from trading_system.wiring.clock import LoopClock
from trading_system.wiring.commands import Commands
from trading_system.wiring.control_protocol import FlattenOrder
from trading_system.wiring.daemon import Daemon, RunPlan
from trading_system.wiring.status_report import About
from trading_system.wiring.supervisor import Supervisor
from trading_system.wiring.virtual_loop import VirtualLoop, run_virtual

DOWN_S: Final = 10
"""Seconds between a death and the next start."""
ANSWER_S: Final = 30.0
"""What the next process writes within so long is its answer to the crash."""
_STEP_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """A kill after one boundary. at_s: into the story. naked_s: longest time without a whole stop, downtime included."""

    boundary: Boundary
    at_s: float
    venue: str
    naked_s: float
    naked_alive_s: float
    """The same, without the downtime."""
    answer: str
    ending: str
    violations: tuple[Violation, ...]


class Stage:
    """A story played once: the process killed after one boundary and started again, as often as told. deaths: boundaries, one a life."""

    def __init__(self, loop: VirtualLoop, scratch: Path, story: Story, deaths: Sequence[int]) -> None:
        self._loop = loop
        self._scratch = scratch
        self._story = story
        self._deaths = list(deaths)
        self._settings = busy_settings({"execution": {"entry_type": story.entry_type}})
        self._is_flattened = False
        self.clock: Clock = LoopClock(loop, from_ms(START_MS))
        self.first = Boundaries()
        """Of the first life."""
        self.exchange = WatchedExchange(StoryPath(story), ExchangeConfig(), self._on_venue)
        self.venue = FaultyVenue(self.exchange, FaultPlan(0, 0.0, {}), self.clock)
        steps = {symbol: self.exchange.spec(symbol).size_step for symbol in self.exchange.symbols()}
        self.checkers = Checkers(self.exchange.watch, self.venue, steps, lambda symbol: None)
        self._log = CountingLog(self._on_unexpected)
        self.disk = DiskModel()
        self._told_seq = 0
        self._naked_since_s: float | None = None
        self.naked: list[tuple[float, float]] = []
        self.died_s: list[float] = []
        self.death_words = ""
        self._answer_from = 0
        self._answer_from_s = 0.0

    # --- what is heard ----------------------------------------------------------------------------------------------

    def _on_venue(self, record: VenueRecord) -> None:
        self.checkers.on_venue(record)
        self._clock_naked()

    def _clock_naked(self) -> None:
        is_naked, now_s = self.exchange.watch.standing(VENUE_SYMBOL).naked > 0, (self.exchange.now_ms - START_MS) / 1000
        if is_naked and self._naked_since_s is None:
            self._naked_since_s = now_s
        elif not is_naked and self._naked_since_s is not None:
            self.naked.append((self._naked_since_s, now_s))
            self._naked_since_s = None

    def _on_durable(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        for seq, payload, _ in rows:
            if seq > self._told_seq:
                self._told_seq = seq
                self.checkers.on_journal(Journaled(seq, self.exchange.now_ms, decode_event(seq, payload)))

    def _on_unexpected(self, event: str, error: BaseException) -> None:
        self.checkers.note((Violation("P17", self.exchange.now_ms, "", f"{event}: {type(error).__name__}: {error}"),))

    # --- lives ------------------------------------------------------------------------------------------------------

    def _start(self, boundaries: Boundaries) -> Daemon:
        medium = BoundaryDisk(self.disk, boundaries, self._on_durable)
        journal = Journal(medium)
        self.checkers.note(check_fold(self.disk, journal.state, self.exchange.now_ms))
        supervisor = Supervisor(self.clock, self._log, lambda name, error: live.note_task_death(name, error))
        self.venue.reconnect()
        ports = Ports(
            clock=self.clock,
            log=self._log,
            market_data=self.venue,
            account=self.venue,
            orders=BoundaryOrders(self.venue, boundaries),
            feed=self.venue,
            control=InProcessControl(),
            spawn=supervisor.detach,
            recorder=NoHistory(),
            alerts=CountingAlerts(lambda text: None),
        )
        live = assemble(self._settings, ports, journal, OneSignal(), self._scratch)
        self.checkers.on_process(self.exchange.now_ms, is_up=True)
        return Daemon(live, supervisor, lambda text: None, live_rules(self._settings))

    async def _life(self, daemon: Daemon) -> None:
        live = daemon.live
        live.journal.begin_session(SessionStarted(self.clock.now(), "paper", "story", "story", "", "", 0))
        await daemon.run(RunPlan())

    async def play(self) -> None:
        """The story to its end."""
        self._loop.set_exception_handler(ignore_deaths)
        boundaries = self.first = Boundaries(self._deaths.pop(0) if self._deaths else 0)
        while True:
            await self._live_on(boundaries)
            if boundaries.is_alive:
                break
            await self._be_dead()
            boundaries = Boundaries(self._deaths.pop(0) if self._deaths else 0)
        self.checkers.at_end(self.exchange.now_ms)
        await sweep()

    async def _live_on(self, boundaries: Boundaries) -> None:
        """One life, to its death or the end of the story."""
        daemon = self._start(boundaries)
        process = self._loop.create_task(self._life(daemon), name="daemon")
        operator: asyncio.Task[bool] | None = None
        while self.clock.monotonic() < self._story.end_s and boundaries.is_alive:
            flatten_s = self._story.flatten_s
            if flatten_s is not None and operator is None and not self._is_flattened and self.clock.monotonic() >= flatten_s:
                operator = self._loop.create_task(_flatten(daemon), name="operator")
            died = self._loop.create_task(boundaries.died.wait())
            await asyncio.wait({died}, timeout=_STEP_S)
            died.cancel()
            if operator is not None and operator.done() and boundaries.is_alive:
                self._is_flattened, operator = operator.result(), None
            if process.done() and boundaries.is_alive:
                self.checkers.note((Violation("L2", self.exchange.now_ms, "", f"the daemon ended by itself: {process!r}"),))
                break
            await self._observe()

    async def _be_dead(self) -> None:
        if not self.died_s:
            self.death_words = venue_words(self.exchange.watch)
        self.died_s.append(self.clock.monotonic())
        self.checkers.on_process(self.exchange.now_ms, is_up=False)
        await sweep()
        for _ in range(int(DOWN_S / _STEP_S)):
            await self.clock.sleep(_STEP_S)
            await self._observe()
        if len(self.died_s) == 1:
            self._answer_from, self._answer_from_s = self._told_seq + 1, self.clock.monotonic()

    async def _observe(self) -> None:
        await self.venue.catch_up()
        self.checkers.on_second(self.exchange.now_ms)
        self._clock_naked()

    # --- what came of it --------------------------------------------------------------------------------------------

    def events(self, from_seq: int = 1) -> Iterator[JournalEvent]:
        for seq, payload, _ in self.disk.read(from_seq):
            yield decode_event(seq, payload)

    def row(self, boundary: Boundary) -> Row:
        """The play as a row of the table."""
        died_s = self.died_s[0]
        down = (died_s, died_s + DOWN_S)
        spans = [*self.naked, *([] if self._naked_since_s is None else [(self._naked_since_s, self._story.end_s)])]
        alive = [end - start - max(0.0, min(end, down[1]) - max(start, down[0])) for start, end in spans]
        limit = from_ms(START_MS + int((self._answer_from_s + ANSWER_S) * 1000))
        answer = [event for event in self.events(self._answer_from) if event.at <= limit]
        return Row(
            boundary,
            died_s,
            self.death_words,
            max((end - start for start, end in spans), default=0.0),
            max(alive, default=0.0),
            answer_words(answer),
            ending_words(tuple(self.events()), self.exchange.watch),
            tuple(self.checkers.violations),
        )


async def _flatten(daemon: Daemon) -> bool:
    """An operator asks for the words and types them; True once the daemon took the order, False when there was nothing to close."""
    commands = Commands(daemon, About("", "paper", "story", ""))
    asked = await commands.answer(FlattenOrder(), "operator")
    if not asked.is_ok:
        return False
    return (await commands.answer(FlattenOrder(str(asked.facts["confirmation"])), "operator")).is_ok


def play(story: Story, *deaths: int) -> Stage:
    """One run of a story: the first process dies after the first number's boundary, the second after the second's, and so on."""
    with tempfile.TemporaryDirectory(prefix="ts-crash-") as scratch:

        async def whole(loop: VirtualLoop) -> Stage:
            stage = Stage(loop, Path(scratch), story, deaths)
            await stage.play()
            return stage

        return run_virtual(whole)


def boundaries_of(story: Story) -> tuple[Boundary, ...]:
    """Every write and send of a life that nobody ends, from the one the story is told from."""
    seen = play(story).first.seen
    first = next(boundary for boundary in seen if boundary.text == story.told_from)
    return tuple(boundary for boundary in seen if boundary.number >= first.number)


def row_of(story: Story, boundary: Boundary) -> Row:
    """The same story, killed after that boundary."""
    return play(story, boundary.number).row(boundary)
