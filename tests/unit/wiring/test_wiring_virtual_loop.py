from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from trading_system.wiring.clock import LoopClock, PacedClock
from trading_system.wiring.virtual_loop import Deadlock, VirtualLoop, run_virtual

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_day_of_sleeping_takes_no_time_and_keeps_order() -> None:
    async def scenario(loop: VirtualLoop) -> list[tuple[str, datetime]]:
        clock = LoopClock(loop, START)
        seen: list[tuple[str, datetime]] = []

        async def worker(name: str, hours: int) -> None:
            await clock.sleep_until(START + timedelta(hours=hours))
            seen.append((name, clock.now()))

        await asyncio.gather(worker("late", 24), worker("early", 1))
        return seen

    assert run_virtual(scenario) == [("early", START + timedelta(hours=1)), ("late", START + timedelta(hours=24))]


def test_a_loop_in_which_everybody_waits_for_ever_raises_instead_of_hanging() -> None:
    async def scenario(_: VirtualLoop) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run_virtual(scenario)


def test_sockets_are_refused_in_virtual_time() -> None:
    async def scenario(loop: VirtualLoop) -> None:
        await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)

    with pytest.raises(RuntimeError, match="no sockets in virtual time"):
        run_virtual(scenario)


def test_executor_calls_run_at_once_and_hand_over_their_error() -> None:
    async def scenario(loop: VirtualLoop) -> int:
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)
        return await asyncio.to_thread(lambda: 7)

    assert run_virtual(scenario) == 7


def test_a_cancelled_timer_does_not_move_the_clock() -> None:
    async def scenario(loop: VirtualLoop) -> float:
        handle = loop.call_later(5, lambda: None)
        handle.cancel()
        await asyncio.sleep(60)
        return loop.time()

    assert run_virtual(scenario) == 60


def test_a_paced_clock_must_have_a_positive_speed() -> None:
    with pytest.raises(ValueError, match="speed must be > 0"):
        PacedClock(START, 0)


def test_market_deadlines_scale_with_the_pace_of_the_venue() -> None:
    clock = PacedClock(START, 60)

    ahead = (clock.market_in(5) - clock.now()).total_seconds()

    assert ahead == pytest.approx(300, abs=1)


def test_a_run_of_a_year_does_not_stand_still_when_its_clock_becomes_coarse() -> None:
    """A backtest hung for ever after 194 days: 2**24 s, where the next float is further away than the loop's resolution was."""

    async def scenario(loop: VirtualLoop) -> list[float]:
        woken = []
        for seconds in (2.0**24 + 300, 0.01, 900.0, 2.0**25, 0.01):
            await asyncio.sleep(seconds)
            woken.append(loop.time())
        return woken

    assert run_virtual(scenario) == pytest.approx([2**24 + 300, 2**24 + 300.01, 2**24 + 1200.01, 3 * 2**24 + 1200.01, 3 * 2**24 + 1200.02])
