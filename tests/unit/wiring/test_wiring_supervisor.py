from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from trading_system.wiring.clock import LoopClock
from trading_system.wiring.supervisor import OnDeath, Supervisor
from trading_system.wiring.virtual_loop import VirtualLoop, run_virtual

START = datetime(2026, 1, 1, tzinfo=UTC)


class RecordingLog:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    warning = error = info


def test_a_task_that_dies_is_logged_with_its_traceback_counted_and_restarted() -> None:
    log = RecordingLog()

    async def scenario(loop: VirtualLoop) -> tuple[int, int]:
        supervisor = Supervisor(LoopClock(loop, START), log, on_fatal=lambda name, error: None)
        runs = 0

        async def work() -> None:
            nonlocal runs
            runs += 1
            if runs < 3:
                raise RuntimeError("boom")
            await asyncio.sleep(1000)

        supervisor.start("worker", work)
        await asyncio.sleep(10)
        await supervisor.stop()
        return runs, supervisor.deaths["worker"]

    assert run_virtual(scenario) == (3, 2)
    assert [event for event, _ in log.events] == ["TASK_FAILED", "TASK_FAILED"]
    assert all(isinstance(fields["exc_info"], RuntimeError) for _, fields in log.events)


def test_a_task_whose_death_must_halt_tells_its_owner_once() -> None:
    fatal: list[str] = []

    async def scenario(loop: VirtualLoop) -> None:
        supervisor = Supervisor(LoopClock(loop, START), RecordingLog(), on_fatal=lambda name, error: fatal.append(name))

        async def work() -> None:
            raise RuntimeError("boom")

        supervisor.start("journal", work, OnDeath.HALT)
        await asyncio.sleep(100)
        await supervisor.stop()

    run_virtual(scenario)
    assert fatal == ["journal"]


def test_detached_work_is_finished_before_the_supervisor_stops() -> None:
    done: list[str] = []

    async def scenario(loop: VirtualLoop) -> None:
        supervisor = Supervisor(LoopClock(loop, START), RecordingLog(), on_fatal=lambda name, error: None)

        async def work() -> None:
            await asyncio.sleep(3)
            done.append("finished")

        supervisor.detach("send", work())
        await supervisor.stop()

    run_virtual(scenario)
    assert done == ["finished"]
