"""The Clock port, on every clock: two times, and only one of them follows the venue's pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from trading_system.domain.protocols import Clock
from trading_system.wiring.clock import LoopClock, PacedClock, WallClock
from trading_system.wiring.virtual_loop import VirtualLoop

START = datetime(2026, 1, 1, tzinfo=UTC)
SPEEDS = {"wall": 1.0, "paced": 20.0, "loop": 1.0, "virtual": 1.0}


def runner_of(kind: str) -> asyncio.Runner:
    return asyncio.Runner(loop_factory=VirtualLoop) if kind == "virtual" else asyncio.Runner()


def make_clock(kind: str) -> Clock:
    """Within a running loop."""
    makers: dict[str, Callable[[], Clock]] = {
        "wall": WallClock,
        "paced": lambda: PacedClock(START, SPEEDS["paced"]),
        "loop": lambda: LoopClock(asyncio.get_running_loop(), START),
        "virtual": lambda: LoopClock(asyncio.get_running_loop(), START),
    }
    return makers[kind]()


@pytest.fixture(params=list(SPEEDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_market_time_is_aware_utc_and_process_time_only_grows(kind: str) -> None:
    async def scenario() -> tuple[datetime, float, float]:
        clock = make_clock(kind)
        before = clock.monotonic()
        await clock.sleep(0.01)
        return clock.now(), before, clock.monotonic()

    with runner_of(kind) as runner:
        now, before, after = runner.run(scenario())

    assert now.utcoffset() == timedelta(0)
    assert after - before >= 0.0099


def test_sleeping_takes_process_seconds_and_market_time_moves_at_its_pace(kind: str) -> None:
    async def scenario() -> tuple[float, float]:
        clock = make_clock(kind)
        started, market = clock.monotonic(), clock.now()
        await clock.sleep(0.05)
        return clock.monotonic() - started, (clock.now() - market).total_seconds()

    with runner_of(kind) as runner:
        process_s, market_s = runner.run(scenario())

    assert market_s == pytest.approx(process_s * SPEEDS[kind], rel=0.2, abs=0.01)


def test_sleeping_until_a_market_moment_ends_at_it_and_never_before(kind: str) -> None:
    async def scenario() -> tuple[datetime, datetime]:
        clock = make_clock(kind)
        moment = clock.market_in(0.03)
        await clock.sleep_until(moment)
        return moment, clock.now()

    with runner_of(kind) as runner:
        moment, now = runner.run(scenario())

    assert timedelta(0) <= now - moment < timedelta(seconds=0.5 * SPEEDS[kind])


def test_a_moment_that_has_passed_is_not_waited_for(kind: str) -> None:
    async def scenario() -> float:
        clock = make_clock(kind)
        started = clock.monotonic()
        await clock.sleep_until(clock.now() - timedelta(hours=1))
        return clock.monotonic() - started

    with runner_of(kind) as runner:
        assert runner.run(scenario()) < 0.2


def test_a_deadline_that_travels_to_the_venue_is_told_in_market_time(kind: str) -> None:
    async def scenario() -> float:
        clock = make_clock(kind)
        return (clock.market_in(5.0) - clock.now()).total_seconds()

    with runner_of(kind) as runner:
        assert runner.run(scenario()) == pytest.approx(5.0 * SPEEDS[kind], rel=0.01)
