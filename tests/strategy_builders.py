"""Builders for tests of the strategy: hand-made bars, and seeded markets that trend, pull back and give signals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.signals import Decision, Signal
from trading_system.domain.symbols import Symbol
from trading_system.strategy.bars import negated
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.smc_engine import SymbolEngine

START_MS = 1_700_006_400_000 // Timeframe.D1.ms * Timeframe.D1.ms
SYMBOL = Symbol("BTC/USD")

QUICK = SmcParameters(
    bars_4h_min=60,
    bars_1d_for_bias_min=15,
    bias_ema_bars=15,
    volatility_rank_values=60,
    volatility_rank_values_min=20,
    swing_lookback_bars_4h=200,
)
"""The rules with short warm-ups, so that a test market of a few weeks reaches every gate."""


@dataclass(frozen=True, slots=True)
class FixedCosts:
    spread_bps: float = 2.0
    entry_fee_bps: float = 2.0
    exit_fee_bps: float = 5.0
    funding_bps_per_hour: float = 0.0


COSTS = FixedCosts()
Event = tuple[int, Timeframe, Bar]
"""(close time, timeframe, bar)."""


def bars_of(rows: Iterable[tuple[float, float, float, float]], timeframe: Timeframe = Timeframe.H4) -> list[Bar]:
    """Bars from (open, high, low, close), one after the other."""
    return [Bar(START_MS + i * timeframe.ms, *row, 1.0) for i, row in enumerate(rows)]


def aggregate(bars: Sequence[Bar], timeframe: Timeframe) -> list[Bar]:
    """Complete bars of a longer timeframe."""
    groups: dict[int, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(timeframe.open_of(bar.open_ms), []).append(bar)
    per_group = timeframe.ms // (bars[1].open_ms - bars[0].open_ms)
    return [
        Bar(open_ms, g[0].open, max(b.high for b in g), min(b.low for b in g), g[-1].close, sum(b.volume for b in g))
        for open_ms, g in groups.items()
        if len(g) == per_group
    ]


def random_quarters(seed: int, days: int) -> list[Bar]:
    """15m bars of a market with impulses, pullbacks and quiet stretches."""
    rng = Random(seed)
    price, drift, left, bars = 100.0, 0.0, 0, []
    for i in range(days * 96):
        if left == 0:
            left = rng.randrange(24, 160)
            drift = rng.choice((0.0, 1.0, 1.0, -1.0)) * rng.uniform(0.0003, 0.0012) * (1 if (i // 1500) % 2 == 0 else -1)
        left -= 1
        open_ = price
        steps = [open_ * (1.0 + drift * share + rng.gauss(0.0, 0.0022)) for share in (0.3, 0.6, 1.0)]
        price = steps[-1]
        bars.append(Bar(START_MS + i * Timeframe.M15.ms, open_, max(open_, *steps), min(open_, *steps), price, 1.0))
    return bars


def events_of(quarters: Sequence[Bar], hours: Sequence[Bar] | None = None) -> list[Event]:
    """All four timeframes, each bar at its close; bars that close together come longest first."""
    hourly = aggregate(quarters, Timeframe.H1) if hours is None else hours
    series = {
        Timeframe.M15: quarters,
        Timeframe.H1: hourly,
        Timeframe.H4: aggregate(hourly, Timeframe.H4),
        Timeframe.D1: aggregate(hourly, Timeframe.D1),
    }
    events = [(bar.open_ms + timeframe.ms, timeframe, bar) for timeframe, bars in series.items() for bar in bars]
    return sorted(events, key=lambda event: (event[0], -event[1].ms))


def decisions_of(
    engine: SymbolEngine, events: Iterable[Event], *, costs: FixedCosts = COSTS, is_mirrored: bool = False, is_marking: bool = True
) -> Iterator[Decision]:
    """Feed events and judge every 15m close; signals are acted on at once."""
    for closed_ms, timeframe, bar in events:
        engine.ingest(timeframe, negated(bar) if is_mirrored else bar)
        if timeframe is Timeframe.M15:
            decision = engine.decide(closed_ms, costs)
            yield decision
            if is_marking and isinstance(decision, Signal):
                engine.mark_emitted(decision)


def an_engine(parameters: SmcParameters = QUICK) -> SymbolEngine:
    return SymbolEngine(SYMBOL, parameters)
