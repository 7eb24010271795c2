"""What is kept for the next start and for people must never keep an entry, or the next tick, waiting for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from fakes.daemon_rig import DaemonRig, LongOnce, run_rig
from trading_system.domain import log_events as ev
from trading_system.domain.symbols import Symbol

BTC = Symbol("BTC/USD")
STEADY = {"PF_XBTUSD": {0: 100_000.0}, "PF_ETHUSD": {0: 3_000.0}}


class DeadDisk:
    """An EngineStore whose disk never answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def load(self, symbol: Symbol) -> bytes | None:
        return None

    async def save(self, states: Mapping[Symbol, bytes]) -> None:
        self.asked += 1
        await asyncio.Event().wait()


class KeepsItsState(LongOnce):
    def snapshot(self, symbol: Symbol) -> bytes:
        return b""

    def restore(self, symbol: Symbol, snapshot: bytes) -> bool:
        return False


def test_a_disk_that_takes_no_engine_states_holds_up_neither_an_entry_nor_the_ticks(tmp_path: Path) -> None:
    disk = DeadDisk()

    async def scenario(rig: DaemonRig) -> None:
        rig.live.strategy, rig.live.engines.store = KeepsItsState([BTC]), disk
        await rig.until(lambda: rig.live.is_warm, 300)
        waited_s = await rig.until(lambda: rig.qty() > 0, 300)
        assert waited_s <= 61, "the first tick that could trade did"
        cycle = rig.live.cycle
        await rig.clock.sleep(1_200)
        assert rig.live.cycle >= cycle + 19, "the ticks go on"
        assert 1 <= disk.asked <= 3, "a disk that does not answer is not asked again every minute"
        told = [fields["why"] for name, fields in rig.log.lines if name == ev.ENGINES_NOT_KEPT]
        assert len(told) == disk.asked
        assert all("within 5 s" in why for why in told)

    run_rig(lambda loop: DaemonRig(loop, tmp_path, STEADY, ()), scenario)
