"""A price source whose path is written by the test: each market stands at a price from a moment on. A function of time only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading_system.domain.market import Bar, Tier, Timeframe
from trading_system.sim.margin_schedule import MarginClass
from trading_system.sim.source import MarketSpec, PricePoint

START_MS = 1_788_739_200_000  # 2026-09-07 00:00 UTC, a Monday
STEP_MS = 1_000


def a_market(
    symbol: str = "PF_XBTUSD", *, tick: str = "1", step: str = "0.0001", position_max: str = "1200", funding: str = "0"
) -> MarketSpec:
    """funding: relative hourly rate that longs pay, whatever the premium says."""
    return MarketSpec(
        symbol=symbol,
        tick=Decimal(tick),
        size_step=Decimal(step),
        size_min=Decimal(step),
        position_size_max=Decimal(position_max),
        margin_class=MarginClass.A,
        tier=Tier.A,
        half_spread_bps=0.2,
        depth_usd=5_000_000.0,
        volume_usd_24h=500_000_000.0,
        category="Layer 1",
        funding_base_hourly=Decimal(funding),
    )


class ScriptedMarket:
    """Points once a second. `script`: per symbol, {seconds after start: price from then on}; second 0 is needed."""

    def __init__(self, script: Mapping[str, Mapping[int, float]], specs: Sequence[MarketSpec] | None = None) -> None:
        self._script = {symbol: sorted(prices.items()) for symbol, prices in script.items()}
        self._specs = tuple(specs or (a_market(symbol) for symbol in script))
        self._done_ms = START_MS

    @property
    def start_ms(self) -> int:
        return START_MS

    def markets(self) -> Sequence[MarketSpec]:
        return self._specs

    def history(self, market: int, timeframe: Timeframe) -> Sequence[Bar]:
        price = self._script[self._specs[market].symbol][0][1]
        opens = range(START_MS - 3_000 * timeframe.ms, START_MS, timeframe.ms)
        return [Bar(open_ms, price, price * 1.001, price * 0.999, price, 10.0) for open_ms in opens]

    def bind(self, direction_of: Callable[[int], int]) -> None:
        """The path does not care about positions."""

    def points(self, until_ms: int) -> Iterator[PricePoint]:
        while self._done_ms + STEP_MS <= until_ms:
            self._done_ms += STEP_MS
            second = (self._done_ms - START_MS) // 1000
            for number, spec in enumerate(self._specs):
                price = [value for at, value in self._script[spec.symbol] if at <= second][-1]
                yield PricePoint(self._done_ms, number, price, price, 0.5 if second % 2 else -0.5, False)

    def snapshot_state(self) -> dict[str, Any]:
        return {"done_ms": self._done_ms}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        self._done_ms = state["done_ms"]
