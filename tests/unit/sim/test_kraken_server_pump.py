"""Market time follows process time at the asked speed, in short slices, and does not race after a pause."""

from datetime import datetime

import pytest

from fakes.kraken_server_rig import an_exchange
from trading_system.domain.units import from_ms
from trading_system.sim.exchange import SimExchange
from trading_system.sim.kraken_server.pump import MarketPump


class ManualClock:
    """Process time moves by hand; looking at it may cost some."""

    def __init__(self) -> None:
        self.at_s = 100.0
        self.cost_s = 0.0

    def monotonic(self) -> float:
        self.at_s += self.cost_s
        return self.at_s

    def now(self) -> datetime:
        return from_ms(0)

    def market_in(self, process_seconds: float) -> datetime:
        return from_ms(0)

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds

    async def sleep_until(self, moment: datetime) -> None:
        pass


def a_pump(speed: float) -> tuple[MarketPump, SimExchange, ManualClock, list[int]]:
    exchange, clock, slices = an_exchange(), ManualClock(), []
    return MarketPump(exchange, clock, speed, lambda: slices.append(exchange.now_ms)), exchange, clock, slices


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_market_time_passes_at_the_asked_speed(speed: float) -> None:
    pump, exchange, clock, _ = a_pump(speed)
    start_ms = exchange.now_ms
    for _ in range(100):
        clock.at_s += 0.01
        pump.step()

    assert exchange.now_ms - start_ms == pytest.approx(1000 * speed, abs=2)


def test_speed_zero_leaves_market_time_alone() -> None:
    pump, exchange, clock, _ = a_pump(0.0)
    before_ms = exchange.now_ms
    clock.at_s += 1000.0

    assert not pump.step()
    assert exchange.now_ms == before_ms


def test_what_is_due_is_applied_in_slices_that_are_published_one_by_one() -> None:
    pump, exchange, clock, slices = a_pump(60.0)
    start_ms = exchange.now_ms
    clock.at_s += 0.05
    pump.step()

    assert [at - start_ms for at in slices] == pytest.approx([1000, 2000, 3000], abs=1)


def test_a_slow_step_hands_over_and_says_that_more_is_due() -> None:
    pump, _, clock, slices = a_pump(60.0)
    clock.at_s += 0.1
    clock.cost_s = 0.02

    assert pump.step()
    assert len(slices) == 1


def test_after_a_long_stop_market_time_goes_on_from_where_it_stood() -> None:
    pump, exchange, clock, _ = a_pump(60.0)
    before_ms = exchange.now_ms
    clock.at_s += 3600.0
    pump.step()
    clock.at_s += 0.01
    pump.step()

    assert exchange.now_ms - before_ms == pytest.approx(600, abs=2)


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_a_senseless_speed_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        a_pump(speed)
