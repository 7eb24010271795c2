"""Generated markets for measurements: impulses, pullbacks and quiet stretches, so that the engine reaches its later gates.

Seeded, so that two runs measure the same work. These prices say nothing about any market.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from trading_system.domain.market import Bar, Timeframe
from trading_system.sim.rng import seeded

START_MS: Final = 1_600_041_600_000
"""2020-09-14 00:00 UTC, a Monday."""
QUARTERS_PER_DAY: Final = 96


class FedBar(NamedTuple):
    """A bar as live hands it to the strategy: by close time, the longer frame first."""

    close_ms: int
    timeframe: Timeframe
    bar: Bar


def generate_quarters(seed: int, days: int, start_ms: int = START_MS) -> list[Bar]:
    """`days` x 96 bars of 15 minutes."""
    rng = seeded("bench", seed)
    price, drift, left, bars = 100.0, 0.0, 0, []
    for i in range(days * QUARTERS_PER_DAY):
        if left == 0:
            left = rng.randrange(24, 160)
            # the drift points home when the price wandered far: a measured decade must not run into absurd prices
            home = -1.0 if price > 400.0 else 1.0 if price < 25.0 else rng.choice((1.0, 1.0, -1.0, -1.0, 0.0))
            drift = home * rng.uniform(0.0003, 0.0012)
        left -= 1
        opened = price
        first, second, price = (opened * (1.0 + drift * share + rng.gauss(0.0, 0.0022)) for share in (0.3, 0.6, 1.0))
        high, low = max(opened, first, second, price), min(opened, first, second, price)
        bars.append(Bar(start_ms + i * Timeframe.M15.ms, opened, high, low, price, 1000.0))
    return bars


def aggregate(children: Sequence[Bar], child: Timeframe, parent: Timeframe) -> list[Bar]:
    """Complete longer bars of gapless children that begin on a boundary of the longer frame."""
    count = parent.ms // child.ms
    groups = (children[i : i + count] for i in range(0, len(children) - count + 1, count))
    return [
        Bar(g[0].open_ms, g[0].open, max(b.high for b in g), min(b.low for b in g), g[-1].close, sum(b.volume for b in g)) for g in groups
    ]


def all_timeframes(quarters: list[Bar]) -> dict[Timeframe, list[Bar]]:
    """The four series of one market."""
    hours = aggregate(quarters, Timeframe.M15, Timeframe.H1)
    four_hours = aggregate(hours, Timeframe.H1, Timeframe.H4)
    return {
        Timeframe.M15: quarters,
        Timeframe.H1: hours,
        Timeframe.H4: four_hours,
        Timeframe.D1: aggregate(four_hours, Timeframe.H4, Timeframe.D1),
    }


def feed_of(series: dict[Timeframe, list[Bar]]) -> list[FedBar]:
    """Every bar of every frame in the order live feeds them."""
    feed = [FedBar(bar.open_ms + timeframe.ms, timeframe, bar) for timeframe, bars in series.items() for bar in bars]
    feed.sort(key=lambda fed: (fed.close_ms, -fed.timeframe.ms))
    return feed
