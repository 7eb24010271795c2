"""Kills a real daemon again and again while its exchange lives on, and judges every restart.

A round is one exchange, one account, one journal, and a few dozen lives of the daemon on them. Progress is one JSON line per kill,
so a run that is interrupted goes on with the next kill (in a new round).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from trading_system.domain.errors import ReadFailed
from trading_system.domain.events import JournalEvent
from trading_system.execution.codec import JournalCorrupt, decode_event
from trading_system.torture.checker import Violation
from trading_system.torture.crash_plan import Kill, Moment, draw_kill
from trading_system.torture.crash_process import DaemonProcess, Home, VenuePages
from trading_system.torture.crash_truth import Life, Truth, judge_naked, naked_seconds
from trading_system.wiring.clock import WallClock
from trading_system.wiring.embedded_exchange import EmbeddedExchange
from trading_system.wiring.offline_journal import ReadOnlyMedium, read_journal

ROUND_KILLS: Final = 20
START_DATE: Final = "2026-01-05"
_ENTRY_TYPES: Final = ("market", "limit", "limit_post_only")
_SEEDS: Final = 3
"""Different price histories; rounds take turns, so that histories are made once."""
_START_S_MAX: Final = 180.0
"""A start that takes longer is a hang; on a machine with a queue of ten it was seen to take a minute."""
_AIM_PATIENCE: Final = 2.0
"""An aimed kill waits so many times as long as the others for its line; then it strikes anyway."""
_CATCH_UP_S: Final = 15.0
"""After PROTECTING the journal may take so long to have every fill, and every position to be covered."""
_TERM_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class CrashPlan:
    """patience_s: longest time a ready daemon is left alone before its kill."""

    seed: int
    folder: Path
    speed: float = 150.0
    patience_s: float = 7.0


@dataclass(slots=True)
class KillReport:
    """One life of the daemon. Times in real seconds; None = this life ended before that.

    protecting_s: from the spawn to PROTECTING; protecting_cpu_s: the processor time of it.
    protected_s: from the spawn to PROTECTING and every position covered, by the venue's own record.
    fills_s: from PROTECTING until the journal had every fill that the venue had made before it.
    """

    number: int
    seed: int
    kill: str
    lived_s: float = 0.0
    protecting_s: float | None = None
    protecting_cpu_s: float | None = None
    protected_s: float | None = None
    fills_s: float | None = None
    positions: int = 0
    """Held when it was killed."""
    orders: int = 0
    entries: int = 0
    fills: int = 0
    """entries, fills: in the round so far."""
    naked_life_s: float = 0.0
    naked_start_s: float = 0.0
    naked_wall_s: float = 0.0
    """Worst of the round so far."""
    naked_worst: str = ""
    """Where the worst of a living daemon was."""
    load: float = 0.0
    violations: list[str] = field(default_factory=list)

    def to_row(self) -> dict[str, Any]:
        row = asdict(self)
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()}


class Round:
    """One exchange and the lives on it. Use as: `open`, `life` per kill, `finish`."""

    def __init__(self, plan: CrashPlan, first: int) -> None:
        self._plan = plan
        self._first = first
        self._clock = WallClock()
        self._lives: list[Life] = []
        self._told = 0
        self.truth = Truth()

    async def open(self, session: aiohttp.ClientSession, say: Callable[[str], None]) -> None:
        """Start the exchange over an empty folder."""
        path = self._plan.folder / "round"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        which = (self._plan.seed + self._first // ROUND_KILLS) % _SEEDS
        arguments = ["--port", "0", "--seed", str(which + 1), "--start", START_DATE, "--speed", f"{self._plan.speed:g}"]
        arguments += ["--state", str(path / "exchange.state"), "--cache", str(self._plan.folder / "cache")]
        self._exchange = EmbeddedExchange(arguments, log_file=path / "exchange.log")
        address = await self._exchange.start(say)
        entry_type = _ENTRY_TYPES[(self._first // ROUND_KILLS) % len(_ENTRY_TYPES)]
        self._home = Home(path, address, seed=self._plan.seed + self._first, speed=self._plan.speed, entry_type=entry_type)
        self._pages = VenuePages(session, address.base_url)

    async def close(self) -> None:
        await self._exchange.stop()

    # --- one life ---------------------------------------------------------------------------------------------------

    async def life(self, kill: Kill) -> KillReport:
        """Start the daemon, judge what it found, kill it as planned."""
        report = KillReport(kill.number, self._plan.seed, kill.text, load=os.getloadavg()[0])
        daemon = DaemonProcess(self._clock, self._home)
        await daemon.start()
        life = Life(daemon.spawn_s)
        self._lives.append(life)
        protecting = daemon.awaited(lambda line: line.startswith("PROTECTING "))
        ready = daemon.awaited(lambda line: line.startswith("STARTED "))
        early = daemon.awaited(kill.fits) if kill.moment is Moment.EARLY_LINE else None
        listening = asyncio.get_running_loop().create_task(daemon.listen())
        try:
            if kill.moment is Moment.SPAWN:
                await self._clock.sleep(kill.delay_s)
            else:
                await self._live(kill, daemon, life, report, protecting, ready, early)
        except (ReadFailed, TimeoutError) as error:
            self._complain("L2", f"{error!r}; exit code {daemon.exit_code}; {' / '.join(daemon.lines[-3:])}")
        if kill.is_term:
            code, life.end_s = await daemon.end(signal.SIGTERM, _TERM_S)
            if code != 0:
                self._complain(
                    "P9", f"SIGTERM ended with exit code {code} (None = not within {_TERM_S:g} s): {' / '.join(daemon.lines[-2:])}"
                )
        else:
            _, life.end_s = await daemon.end(signal.SIGKILL, 10.0)
        report.lived_s = life.end_s - life.spawn_s
        await listening
        await self._gather()
        report.positions, report.orders = len(self.truth.log.held()), len(self.truth.log.resting)
        if kill.is_term:
            for episode in self.truth.naked_now():
                self._complain("P9", f"left by a clean stop without a whole stop: {episode.symbol}")
        for line in daemon.trouble:
            self._complain("P17", line[:300])
        await self._clock.sleep(kill.down_s)
        self._finish_report(report)
        return report

    async def _live(self, kill: Kill, daemon: DaemonProcess, life: Life, report: KillReport, protecting: asyncio.Future[float],
                    ready: asyncio.Future[float], early: asyncio.Future[float] | None) -> None:  # fmt: skip
        if early is not None:
            done, _ = await asyncio.wait({early, protecting}, timeout=_START_S_MAX, return_when=asyncio.FIRST_COMPLETED)
            if early in done and early.exception() is None:
                await self._clock.sleep(kill.delay_s)
                return
        async with asyncio.timeout(_START_S_MAX):
            protecting_at_s = await protecting
        life.protecting_s = protecting_at_s
        report.protecting_s, report.protecting_cpu_s = protecting_at_s - life.spawn_s, daemon.protecting_cpu_s
        await self._judge_start(life, protecting_at_s, report)
        if early is not None and early.done() and early.exception() is None:
            return
        async with asyncio.timeout(_START_S_MAX):
            await ready
        if kill.aim:
            line = early if early is not None else daemon.awaited(kill.fits)
            await asyncio.wait({line}, timeout=self._plan.patience_s * _AIM_PATIENCE)
            if line.done():
                await line
        await self._clock.sleep(kill.delay_s)

    async def _judge_start(self, life: Life, protecting_at_s: float, report: KillReport) -> None:
        """After a restart: every position covered, every fill booked, by venue and journal."""
        deadline_s = self._clock.monotonic() + _CATCH_UP_S
        while True:
            asked_s = await self._gather()
            naked = [episode for episode in self.truth.naked_now() if episode.start_s < life.spawn_s]
            unbooked = self.truth.unbooked(protecting_at_s)
            if report.protected_s is None and not naked:
                report.protected_s = max(protecting_at_s, self.truth.covered_again_s(life)) - life.spawn_s
            if report.fills_s is None and not unbooked:
                report.fills_s = max(0.0, asked_s - protecting_at_s)
            if not naked and not unbooked:
                return
            if self._clock.monotonic() > deadline_s:
                break
            await self._clock.sleep(0.1)
        for episode in naked:
            self._complain("P1", f"{episode.symbol} is still without a whole stop {_CATCH_UP_S:g} s after PROTECTING")
        if unbooked:
            self._complain("P3", f"{len(unbooked)} fills are not booked {_CATCH_UP_S:g} s after PROTECTING: {', '.join(unbooked[:3])}")

    # --- the record -------------------------------------------------------------------------------------------------

    async def _gather(self) -> float:
        """Read what is new of the venue and the journal; the moment up to which it is complete."""
        asked_s = self._clock.monotonic()
        requests = await self._pages.requests(self.truth.requests_seq)
        journal = _journal_after(self._home.journal, self.truth.journal_seq)
        events = await self._pages.events(self.truth.events_seq)
        self.truth.take(requests, journal, events, asked_s)
        return asked_s

    def _complain(self, rule: str, text: str) -> None:
        self.truth.violations.append(Violation(rule, 0, "", text))

    def _finish_report(self, report: KillReport) -> None:
        """New violations of the round, and its worst figures."""
        now_s = self._clock.monotonic()
        seconds = naked_seconds((*self.truth.episodes, *self.truth.naked_now()), self._lives, now_s)
        report.naked_life_s = max(seconds.in_life, default=0.0)
        report.naked_worst = seconds.worst_in_life
        report.naked_start_s = max(seconds.from_start, default=0.0)
        report.naked_wall_s = max(seconds.wall, default=0.0)
        report.entries, report.fills = self.truth.entries_accepted, self.truth.fills_count
        new, self._told = self.truth.violations[self._told :], len(self.truth.violations)
        report.violations = [f"{one.rule} {one.symbol} {one.text}" for one in (*new, *judge_naked(seconds, 0))]

    def finish(self) -> list[str]:
        """The journal of the whole round: its chain verifies and two foldings agree (P8)."""
        try:
            first, second = read_journal(self._home.journal)[0].state, read_journal(self._home.journal)[0].state
        except (JournalCorrupt, FileNotFoundError) as error:
            return [f"P8  the journal cannot be read back: {error}"]
        return [] if first == second else ["P8  reading the journal twice gave two states"]


def _journal_after(path: Path, seq: int) -> list[tuple[int, JournalEvent]]:
    """Records that are durable and newer than `seq`; none while there is no journal yet."""
    try:
        medium = ReadOnlyMedium(path)
    except FileNotFoundError:
        return []
    try:
        return [(number, decode_event(number, payload)) for number, payload, _ in medium.read(seq + 1)]
    finally:
        medium.close()


async def run_kills(plan: CrashPlan, first: int, count: int, tell: Callable[[KillReport], None], say: Callable[[str], None]) -> None:
    """Kills `first` … `first + count - 1`. A round with a violation is kept in a folder of its own, and a new one begins."""
    number = first
    async with aiohttp.ClientSession(trust_env=False) as session:
        while number < first + count:
            number = await _one_round(plan, number, min(ROUND_KILLS, first + count - number), session, tell, say)


async def _one_round(plan: CrashPlan, first: int, count: int, session: aiohttp.ClientSession, tell: Callable[[KillReport], None],
                     say: Callable[[str], None]) -> int:  # fmt: skip
    """Returns the number of the next kill."""
    this = Round(plan, first)
    await this.open(session, say)
    number, is_broken = first, False
    try:
        while number < first + count and not is_broken:
            report = await this.life(draw_kill(plan.seed, number, plan.patience_s))
            number += 1
            if number == first + count or report.violations:
                report.violations += this.finish()
            is_broken = bool(report.violations)
            tell(report)
    finally:
        await this.close()
    if is_broken:
        kept = plan.folder / f"kept-{plan.seed}-{number - 1}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(plan.folder / "round", kept, ignore=shutil.ignore_patterns("control.sock"))
        say(f"the journal, logs and exchange of that round are kept in {kept}")
    return number
