"""Searches (seed, start) pairs of the generated market for one in which the unchanged engine trades early.

    .venv/bin/python scripts/find_demo_market.py --seeds 1-20 --hours 5

Prints, per seed: when the first signal, entry and close happened (market minutes after the start). Nothing of the engine,
the gates or the prices is changed: only the market is chosen. The run's default seed was found with it.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trading_system.backtest.quiet_log import NoAlerts, NoHistory, QuietLog
from trading_system.config.settings import Settings
from trading_system.domain.events import SessionStarted
from trading_system.domain.units import to_ms
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import EventMemory
from trading_system.live.protection_loop import ProtectionLoop
from trading_system.live.venue_control import InProcessControl
from trading_system.sim.exchange import ExchangeConfig, SimExchange
from trading_system.sim.market_generator import GeneratedMarket
from trading_system.sim.ports import SimVenue
from trading_system.strategy.smc_engine import SmcStrategy
from trading_system.wiring.assembly import Ports, assemble
from trading_system.wiring.clock import LoopClock
from trading_system.wiring.supervisor import Supervisor
from trading_system.wiring.virtual_loop import VirtualLoop, run_virtual

STEP = timedelta(seconds=10)


async def rehearse(loop: VirtualLoop, seed: int, start: datetime, hours: float, cache: Path, scratch: Path) -> str:
    """Run the daemon over one generated market and tell when things happened."""
    exchange = SimExchange(GeneratedMarket(seed, to_ms(start), cache_dir=cache), ExchangeConfig(id_seed=seed))
    clock, log = LoopClock(loop, start), QuietLog()
    supervisor = Supervisor(clock, log, on_fatal=lambda name, error: log.error("TASK_FAILED", task=name, error=repr(error)))
    venue = SimVenue(exchange)
    ports = Ports(clock, log, venue, venue, venue, venue, InProcessControl(), supervisor.detach, NoHistory(), NoAlerts())
    journal = Journal(EventMemory())
    journal.begin_session(SessionStarted(start, "paper", "sim", "rehearsal", "", "", 0))
    live = assemble(Settings(), ports, journal, SmcStrategy(), scratch)
    protection = ProtectionLoop(live.rules.protection_poll_s)
    exchange.advance_to(to_ms(start))
    supervisor.start("feed", lambda: protection.listen(live))
    supervisor.start("protection", lambda: protection.run(live))
    await live.tick()
    await live.warm_up()
    story: list[str] = []
    steps = int(timedelta(hours=hours) / STEP)
    signals = entries = closed = 0
    for number in range(1, steps + 1):
        await clock.sleep_until(start + number * STEP)
        exchange.advance_to(to_ms(clock.now()))
        minute = number * STEP.total_seconds() / 60
        if number % 6 == 0:
            report = await live.tick()
            signals += report.signals
            entries += report.entries
            if report.signals:
                story.append(f"signal {minute:.0f}")
            if report.entries:
                story.append(f"entry {minute:.0f}")
        trades = live.positions.closed_trades()
        if len(trades) > closed:
            closed = len(trades)
            story.append(f"close {minute:.0f} {trades[-1].position.position_id} {trades[-1].reason.value} {trades[-1].net:+.2f}")
    await supervisor.stop()
    return (
        f"seed {seed}: {signals} signals, {entries} entries, {closed} closes in {hours:g} h · "
        + ", ".join(story)
        + f" · errors {len(log.errors)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", default="1-10", help="e.g. 1-20")
    parser.add_argument("--start", default="2026-01-05")
    parser.add_argument("--hours", type=float, default=5.0, help="market hours to run (five real minutes at 60x)")
    args = parser.parse_args()
    first, _, last = args.seeds.partition("-")
    start = datetime.fromisoformat(args.start).replace(tzinfo=UTC)
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(int(first), int(last or first) + 1):
            home = Path(scratch) / str(seed)
            home.mkdir()
            print(run_virtual(lambda loop, s=seed, h=home: rehearse(loop, s, start, args.hours, Path(scratch), h)), flush=True)


if __name__ == "__main__":
    main()
