"""Generated histories: hourly bars to the last 60 days, quarter-hours from there, and the walks' state at the end.

Longer bars are aggregates of shorter ones, so that all timeframes agree. A bar's extremes are those of a Brownian bridge
between its open and close, drawn exactly.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trading_system.sim.bars import DAY_MS, HOUR_MS, QUARTER_MS, BarColumns
from trading_system.sim.market_catalog import CoinModel
from trading_system.sim.path_model import RegimeWalk, coin_walk, market_walk
from trading_system.sim.rng import SeededRandom, seeded

HISTORY_DAYS: Final = 500
QUARTER_DAYS: Final = 60
_QUARTERS_PER_HOUR: Final = 4
COLUMNS: Final = 5  # open, high, low, close, volume


@dataclass(frozen=True, slots=True)
class CoinHistory:
    """Flat columns-by-row arrays [open, high, low, close, volume, open, …] of contiguous bars that end at the start time."""

    quarters: array[float]
    hours: array[float]
    walk: list[Any]
    log_price: float
    """Natural log of the last close."""


@dataclass(frozen=True, slots=True)
class MarketHistory:
    """`seed` and `start_ms` name it completely."""

    seed: int
    start_ms: int
    factor: list[Any]
    coins: tuple[CoinHistory, ...]

    def bars(self, coin: int, length_ms: int) -> BarColumns:
        """Quarter or hour bars, ascending."""
        flat = self.coins[coin].quarters if length_ms == QUARTER_MS else self.coins[coin].hours
        return BarColumns.from_rows(self.start_ms - len(flat) // COLUMNS * length_ms, length_ms, flat)


def generate_history(
    seed: int,
    start_ms: int,
    coins: Sequence[CoinModel],
    progress: Callable[[str], None],
    *,
    history_days: int = HISTORY_DAYS,
    quarter_days: int = QUARTER_DAYS,
) -> MarketHistory:
    """Generate everything before `start_ms` (on a full hour, else ValueError). progress gets a line now and then."""
    if start_ms % HOUR_MS:
        raise ValueError(f"a generated market starts on a full hour, not at {start_ms} ms")
    factor = market_walk()
    rng = seeded(seed, start_ms, "factor")
    slow_steps = (history_days - quarter_days) * 24
    fast_steps = quarter_days * DAY_MS // QUARTER_MS
    slow = _steps(factor, 1.0, slow_steps, rng)
    fast = _steps(factor, 0.25, fast_steps, rng)
    histories = []
    for number, coin in enumerate(coins):
        histories.append(_generate_coin(coin, slow, fast, seeded(seed, start_ms, coin.spec.symbol)))
        if number % 10 == 9:
            progress(f"generating market history: {number + 1} of {len(coins)} markets")
    return MarketHistory(seed, start_ms, factor.snapshot(), tuple(histories))


def _steps(walk: RegimeWalk, hours: float, count: int, rng: SeededRandom) -> list[float]:
    root = math.sqrt(hours)
    return [walk.step(hours, root, rng) for _ in range(count)]


def _generate_coin(coin: CoinModel, slow: Sequence[float], fast: Sequence[float], rng: SeededRandom) -> CoinHistory:
    walk = coin_walk(coin.sigma_hour)
    hours, log_price = array("d"), 0.0
    log_price = _extend(hours, coin, walk, slow, 1.0, log_price, rng)
    quarters = array("d")
    log_price = _extend(quarters, coin, walk, fast, 0.25, log_price, rng)
    # the path ends at the catalogue's price; everything before is scaled, volumes (USD / price) the other way round
    shift = coin.price / math.exp(log_price)
    digits = max(0, -int(coin.spec.tick.normalize().as_tuple().exponent))
    for flat in (hours, quarters):
        _scale(flat, shift, digits)
    hours.extend(_merge_quarters(quarters))
    return CoinHistory(quarters, hours, walk.snapshot(), math.log(coin.price))


def _extend(
    flat: array[float], coin: CoinModel, walk: RegimeWalk, factor: Sequence[float], hours: float, log_price: float, rng: SeededRandom
) -> float:
    """Append one bar per factor step; return the new log price. Prices start at exp(log_price)."""
    root = math.sqrt(hours)
    beta, step, random = coin.beta, walk.step, rng.random
    log, sqrt, exp = math.log, math.sqrt, math.exp
    variance = ((beta * 0.0042) ** 2 + coin.sigma_hour**2) * hours
    sigma = sqrt(variance)
    usual = coin.spec.volume_usd_24h / 24 * hours
    append = flat.append
    price = exp(log_price)
    for factor_change in factor:
        change = beta * factor_change + step(hours, root, rng)
        square = change * change
        # maximum and minimum of a Brownian bridge from 0 to `change`
        up = (change + sqrt(square - 2.0 * variance * log(1.0 - random()))) * 0.5
        down = (change - sqrt(square - 2.0 * variance * log(1.0 - random()))) * 0.5
        log_price += change
        append(price)
        append(price * exp(up))
        append(price * exp(down))
        price = exp(log_price)
        append(price)
        append(usual * (0.4 + 0.6 * abs(change) / sigma) * (0.5 + random()) / price)
    return log_price


def _scale(flat: array[float], shift: float, digits: int) -> None:
    for at in range(0, len(flat), COLUMNS):
        flat[at] = round(flat[at] * shift, digits)
        flat[at + 1] = round(flat[at + 1] * shift, digits)
        flat[at + 2] = round(flat[at + 2] * shift, digits)
        flat[at + 3] = round(flat[at + 3] * shift, digits)
        flat[at + 4] /= shift


def _merge_quarters(flat: array[float]) -> array[float]:
    """Hours of four quarters each."""
    merged = array("d")
    width = COLUMNS * _QUARTERS_PER_HOUR
    for at in range(0, len(flat), width):
        part = flat[at : at + width]
        merged.extend((part[0], max(part[1::COLUMNS]), min(part[2::COLUMNS]), part[-2], part[4] + part[9] + part[14] + part[19]))
    return merged
