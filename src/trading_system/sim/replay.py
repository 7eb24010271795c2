"""Replay of stored 15m candles as a PriceSource: four points per bar, honest about what a bar does not tell.

Open; then the extreme that hurts an open position (low first when long, high first when short; flat: low first in a rising
bar); the other extreme; close. Inside a bar the price is taken to pass every level on the way; between bars it may gap.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import median
from typing import Any, Final, TypeAlias

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import base_of
from trading_system.domain.tuples import maker_of
from trading_system.sim.bars import DAY_MS, HOUR_MS, QUARTER_MS, BarColumns, aggregate
from trading_system.sim.candle_files import CandleFileError, CandleSeries
from trading_system.sim.market_catalog import make_spec
from trading_system.sim.source import MarketSpec, PricePoint

OFFSETS_MS: Final = (0, 300_000, 600_000, 890_000)
"""When inside its bar each of the four points is."""
VOLUME_SCALE: Final = 0.04
"""Stored candles are usually of the largest venue; the simulated one trades about this share of it."""
FUNDING_BASE_HOURLY: Final = Decimal("0.0000125")
"""Without a premium in the data: the customary 0.01 % per 8 hours, longs pay."""


_Row: TypeAlias = tuple[int, float, float, float, float, float]
"""Market, open, high, low, close, a quarter of the volume."""
_new_point: Final = maker_of(PricePoint)


@dataclass(frozen=True, slots=True)
class _Market:
    spec: MarketSpec
    quarters: BarColumns
    hours: BarColumns


class Replay:
    """A PriceSource over loaded candles. Points begin at `start_ms`; bars before it are history."""

    def __init__(
        self,
        series: Sequence[CandleSeries],
        start_ms: int,
        end_ms: int | None = None,
        *,
        volume_scale: float = VOLUME_SCALE,
        funding_base_hourly: Decimal = FUNDING_BASE_HOURLY,
    ) -> None:
        """start_ms: on a full hour (else ValueError); end_ms: exclusive, None = where the data ends. CandleFileError: no bars between."""
        if start_ms % HOUR_MS:
            raise ValueError(f"a replay starts on a full hour, not at {start_ms} ms")
        self.start_ms = start_ms
        self._markets = [_prepare(one, start_ms, volume_scale, funding_base_hourly) for one in series if len(one.quarters)]
        data_end = max((market.quarters.open_ms[-1] + QUARTER_MS for market in self._markets), default=0)
        self.end_ms = data_end if end_ms is None else min(end_ms, data_end)
        if self.end_ms <= start_ms:
            raise CandleFileError(f"no candles at or after {start_ms} ms; the data ends at {data_end} ms")
        self._direction_of: Callable[[int], int] = lambda market: 0
        self._low_first = [False] * len(self._markets)
        self._phase = self._done = 0
        self._slot = start_ms
        self._rows = self._rows_at(start_ms)

    def markets(self) -> Sequence[MarketSpec]:
        return [market.spec for market in self._markets]

    def history(self, market: int, timeframe: Timeframe) -> Iterable[Bar]:
        """Bars before the start. Hours: from the 1h file, continued (or replaced) by aggregated quarters."""
        held = self._markets[market]
        before_ms = self.start_ms - 1
        if timeframe is Timeframe.M15:
            return held.quarters.slice(0, before_ms)
        stored = held.hours.slice(0, before_ms)
        since = stored.open_ms[-1] + HOUR_MS if stored else 0
        made = aggregate(held.quarters.between(since, before_ms), HOUR_MS)
        hours = BarColumns(max(1, len(stored) + len(made)))
        hours.extend(stored)
        hours.extend(made)
        return hours if timeframe is Timeframe.H1 else aggregate(hours, timeframe.ms)

    def bind(self, direction_of: Callable[[int], int]) -> None:
        self._direction_of = direction_of

    def points(self, until_ms: int) -> Iterator[PricePoint]:
        # a point is made only when its time has come: the order of the extremes depends on the position held then
        while self._slot < self.end_ms:
            phase = self._phase
            at_ms = self._slot + OFFSETS_MS[phase]
            if at_ms > until_ms:
                return
            low_first = self._low_first
            for number, o, high, low, close, volume in self._rows[self._done :]:
                self._done += 1
                if phase == 0:
                    price = o
                elif phase == 3:
                    price = close
                else:
                    if phase == 1:
                        direction = self._direction_of(number)
                        low_first[number] = direction > 0 if direction else close > o
                    price = low if low_first[number] == (phase == 1) else high
                # what PricePoint(...) does, without its frame: two million of these are a month of sixty markets
                yield _new_point((at_ms, number, price, price, volume if close >= o else -volume, phase > 0))
            self._done = 0
            self._phase += 1
            if self._phase == len(OFFSETS_MS):
                self._phase = 0
                self._slot += QUARTER_MS
                self._rows = self._rows_at(self._slot)

    def _rows_at(self, slot: int) -> list[_Row]:
        rows = []
        for number, market in enumerate(self._markets):
            quarters = market.quarters
            at = bisect_left(quarters.open_ms, slot)
            if at < len(quarters) and quarters.open_ms[at] == slot:
                volume = quarters.volume[at] / 4
                rows.append((number, quarters.open[at], quarters.high[at], quarters.low[at], quarters.close[at], volume))
        return rows

    def snapshot_state(self) -> dict[str, Any]:
        return {
            "start_ms": self.start_ms,
            "symbols": [market.spec.symbol for market in self._markets],
            "slot": self._slot,
            "phase": self._phase,
            "done": self._done,
            "low_first": self._low_first,
        }

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot; ValueError when it belongs to another start or other symbols."""
        symbols = [market.spec.symbol for market in self._markets]
        if (state["start_ms"], state["symbols"]) != (self.start_ms, symbols):
            raise ValueError(f"the saved replay starts at {state['start_ms']} with {len(state['symbols'])} markets; this one differs")
        self._slot, self._phase, self._done = state["slot"], state["phase"], state["done"]
        self._low_first = list(state["low_first"])
        self._rows = self._rows_at(self._slot)


def _prepare(series: CandleSeries, start_ms: int, volume_scale: float, funding_base_hourly: Decimal) -> _Market:
    """Scale volumes; derive grid, tier and liquidity from what was known at the start, never from bars that come later."""
    quarters, hours = _scaled(series.quarters, volume_scale), _scaled(series.hours, volume_scale)
    known = _known_at(quarters, start_ms)
    per_day = DAY_MS // QUARTER_MS
    daily = [sum(bar.volume * bar.close for bar in known[at : at + per_day]) for at in range(0, len(known), per_day)]
    tick = _grid(known)
    spec = make_spec(base_of(series.symbol), median(bar.close for bar in known), max(1.0, median(daily)), tick=tick)
    return _Market(replace(spec, funding_base_hourly=funding_base_hourly), quarters, hours)


def _known_at(quarters: BarColumns, start_ms: int) -> list[Bar]:
    """Up to 60 days of bars before the start; a market that was listed just before or later is judged by its first day."""
    before = list(quarters.between(start_ms - 60 * DAY_MS, start_ms - 1))
    per_day = DAY_MS // QUARTER_MS
    return before if len(before) >= per_day else list(quarters.between(0, quarters.open_ms[0] + DAY_MS - 1))


def _scaled(bars: BarColumns, factor: float) -> BarColumns:
    copy = BarColumns(max(1, len(bars)))
    copy.extend(bars)
    copy.volume = array("d", [volume * factor for volume in copy.volume])
    return copy


def _grid(bars: Sequence[Bar]) -> Decimal:
    """The tick: as many decimals as the data's prices show."""
    exponents = [0]
    for bar in bars[:: max(1, len(bars) // 2000)]:
        exponents.extend(int(Decimal(repr(price)).normalize().as_tuple().exponent) for price in bar[1:5])
    return Decimal(1).scaleb(min(exponents))
