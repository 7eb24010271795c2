"""A backtest: the very same LiveTrading and protection loop over the in-process exchange, in virtual time.

Each stored 15m bar becomes four price points. Between two points every task of the daemon runs until it waits, so a fill
has its stop before the next price. Ticks come at bar boundaries and after fills.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from trading_system.backtest.quiet_log import NoAlerts, NoHistory, QuietLog
from trading_system.backtest.venue_watch import VenueWatch
from trading_system.config.settings import Settings
from trading_system.domain.errors import ConfigError
from trading_system.domain.events import SessionStarted
from trading_system.domain.market import Timeframe
from trading_system.domain.protocols import Strategy
from trading_system.domain.units import from_ms, to_ms
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import EventMemory
from trading_system.live.components import LiveRules
from trading_system.live.live_trading import LiveTrading
from trading_system.live.protection_loop import ProtectionLoop
from trading_system.live.venue_control import InProcessControl
from trading_system.sim.candle_files import CandleSeries
from trading_system.sim.exchange import ExchangeConfig, SimExchange
from trading_system.sim.late_replay import LateReplay
from trading_system.sim.ports import SimVenue
from trading_system.sim.replay import OFFSETS_MS, Replay
from trading_system.wiring.assembly import Ports, assemble
from trading_system.wiring.clock import LoopClock
from trading_system.wiring.memory import keep_what_was_made
from trading_system.wiring.supervisor import OnDeath, Supervisor
from trading_system.wiring.virtual_loop import VirtualLoop, run_virtual

SLOT: Final = timedelta(milliseconds=Timeframe.M15.ms)
TICK_AFTER: Final = timedelta(seconds=2)
"""A tick begins this long after its bar boundary, as in live operation."""

_YOUNG_MAX: Final = 20_000
"""Objects between two looks of the collector at the young (usually 700): most are tuples that die by count before it comes. Four per
cent of the time of 250 markets."""
Progress = Callable[[int, int], None]
"""Called with (bars done, bars in all) now and then."""


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """What to run: loaded markets, read only, and a period. `start` on a full hour, `end` exclusive, both UTC."""

    series: Sequence[CandleSeries]
    start: datetime
    end: datetime
    settings: Settings


@dataclass(frozen=True, slots=True)
class BacktestRun:
    """A finished run: the exchange and the daemon as they ended."""

    plan: BacktestPlan
    exchange: SimExchange
    live: LiveTrading
    watch: VenueWatch
    log: QuietLog
    cycles: int
    bars: int
    signals: int
    entries: int
    deaths: int


def run_backtest(plan: BacktestPlan, make_strategy: Callable[[], Strategy], progress: Progress = lambda done, total: None) -> BacktestRun:
    """Run to the end, return everything. ConfigError (one clear line) for dates that the candles do not have."""
    if not plan.start < plan.end:
        raise ConfigError(f"--from {plan.start:%Y-%m-%d} must lie before --to {plan.end:%Y-%m-%d}")
    replay = LateReplay(plan.series, to_ms(plan.start), to_ms(plan.end))
    exchange = SimExchange(replay, ExchangeConfig(deposit_usd=plan.settings.backtest.start_equity_usd))
    with tempfile.TemporaryDirectory(prefix="ts-backtest-") as scratch:
        thresholds = gc.get_threshold()
        gc.set_threshold(_YOUNG_MAX, *thresholds[1:])
        try:
            return run_virtual(lambda loop: _run(loop, plan, replay, exchange, make_strategy(), Path(scratch), progress))
        finally:
            gc.set_threshold(*thresholds)
            gc.unfreeze()


async def _run(
    loop: VirtualLoop, plan: BacktestPlan, replay: Replay, exchange: SimExchange, strategy: Strategy, scratch: Path, progress: Progress
) -> BacktestRun:
    clock, log = LoopClock(loop, plan.start), QuietLog()
    deaths: list[str] = []
    supervisor = Supervisor(clock, log, on_fatal=lambda name, error: deaths.append(name))
    venue, watch = SimVenue(exchange), VenueWatch(exchange)
    ports = Ports(
        clock=clock,
        log=log,
        market_data=venue,
        account=venue,
        orders=venue,
        feed=venue,
        control=InProcessControl(),
        spawn=supervisor.detach,
        recorder=NoHistory(),
        alerts=NoAlerts(),
    )
    journal = Journal(EventMemory())
    journal.begin_session(SessionStarted(clock.now(), "paper", "backtest", "backtest", "", "", 0))
    # nothing waits for an answer here, so nothing is asked side by side
    settings = plan.settings.model_copy(update={"data": plan.settings.data.model_copy(update={"concurrency": 1})})
    # the feed loses nothing here and every tick looks as well: the poll behind it is a formality
    rules = LiveRules(cycle=SLOT, protection_poll_s=4 * SLOT.total_seconds(), tells_decisions=False)
    live = assemble(settings, ports, journal, strategy, scratch, rules=rules)
    loop_of_protection = ProtectionLoop(live.rules.protection_poll_s)
    exchange.advance_to(to_ms(plan.start))
    supervisor.start("private feed", lambda: loop_of_protection.listen(live), OnDeath.HALT)
    supervisor.start("protection", lambda: loop_of_protection.run(live), OnDeath.HALT)
    await live.tick()
    await live.warm_up()
    # what was loaded stays: the collector would go over a year of it again and again
    keep_what_was_made()
    signals = entries = 0
    total = (replay.end_ms - replay.start_ms) // Timeframe.M15.ms
    for number in range(total):
        slot_ms = replay.start_ms + number * Timeframe.M15.ms
        for phase, offset_ms in enumerate(OFFSETS_MS):
            await clock.sleep_until(from_ms(slot_ms + offset_ms))
            fills_before = watch.fills
            exchange.advance_to(slot_ms + offset_ms)
            if phase == 0:
                await clock.sleep_until(from_ms(slot_ms) + TICK_AFTER)
                report = await live.tick()
                signals, entries = signals + report.signals, entries + report.entries
            elif watch.fills != fills_before:
                # let the protection loop see the fill first, as it would
                await clock.sleep(0.01)
                await live.tick()
        if number % 96 == 0:
            progress(number, total)
    await clock.sleep_until(from_ms(replay.end_ms))
    progress(total, total)
    await supervisor.stop()
    bars = total * len(exchange.symbols())
    return BacktestRun(plan, exchange, live, watch, log, live.cycle, bars, signals, entries, len(deaths))


def start_equity(run: BacktestRun) -> Decimal:
    """USD deposited at the start."""
    return run.plan.settings.backtest.start_equity_usd
