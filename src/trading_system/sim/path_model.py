"""One log price that trends, pulls back, ranges and jumps. The same process at any step length.

A trend is a chain of impulse and pull-back legs; a range reverts to where it began; a weak pull keeps years of it plausible.
"""

from __future__ import annotations

from typing import Any, Final

from trading_system.sim.rng import SeededRandom

_PULL_PER_HOUR: Final = 0.0004
_RANGE_PULL_PER_HOUR: Final = 0.05
_FIELDS: Final = ("x", "trend", "legs_left", "in_pullback", "hours_left", "drift", "volatility", "anchor", "range_pull")


class RegimeWalk:
    """State and step of the process. sigma_hour: standard deviation of an hour's log return in normal times."""

    __slots__ = (*_FIELDS, "_jump_rate", "_jump_sigma", "_sigma_hour")

    def __init__(self, sigma_hour: float, jump_rate: float, jump_sigma: float) -> None:
        """jump_rate: per hour. jump_sigma: log size of a jump."""
        self._sigma_hour = sigma_hour
        self._jump_rate = jump_rate
        self._jump_sigma = jump_sigma
        self.x = 0.0
        self.trend = self.legs_left = 0
        self.in_pullback = True
        self.hours_left = self.drift = self.anchor = self.range_pull = 0.0
        self.volatility = 1.0

    def step(self, hours: float, root_hours: float, rng: SeededRandom) -> float:
        """Advance and return the log return. root_hours = sqrt(hours), given so that it is computed once."""
        self.hours_left -= hours
        if self.hours_left <= 0.0:
            self._turn(rng)
        x = self.x
        change = (self.drift - _PULL_PER_HOUR * x - self.range_pull * (x - self.anchor)) * hours
        change += self._sigma_hour * self.volatility * root_hours * rng.gauss(0.0, 1.0)
        if rng.random() < self._jump_rate * hours:
            change += rng.gauss(0.0, self._jump_sigma)
        self.x = x + change
        return change

    def _turn(self, rng: SeededRandom) -> None:
        """Begin the next leg, or the next regime when the trend has run its legs."""
        if self.legs_left <= 0:
            lean = max(-0.2, min(0.2, self.x * 0.25))
            draw = rng.random()
            self.trend = 1 if draw < 0.33 - lean else -1 if draw < 0.66 else 0
            self.legs_left = rng.randrange(3, 9) if self.trend else 1
            self.in_pullback = True
        self.legs_left -= 1
        sigma = self._sigma_hour
        if not self.trend:
            self.drift, self.volatility, self.range_pull, self.anchor = 0.0, 0.75, _RANGE_PULL_PER_HOUR, self.x
            self.hours_left = rng.uniform(24.0, 110.0)
            return
        self.range_pull = 0.0
        self.in_pullback = not self.in_pullback
        if self.in_pullback:
            self.drift, self.volatility = -self.trend * rng.uniform(0.12, 0.30) * sigma, 0.85
            self.hours_left = rng.uniform(6.0, 26.0)
        else:
            self.drift, self.volatility = self.trend * rng.uniform(0.20, 0.42) * sigma, 1.15
            self.hours_left = rng.uniform(10.0, 44.0)

    def snapshot(self) -> list[Any]:
        return [getattr(self, name) for name in _FIELDS]

    def restore(self, values: list[Any]) -> None:
        for name, value in zip(_FIELDS, values, strict=True):
            setattr(self, name, value)


def market_walk() -> RegimeWalk:
    """The factor that all coins share (about 2 % a day)."""
    return RegimeWalk(sigma_hour=0.0042, jump_rate=1 / 900, jump_sigma=0.022)


def coin_walk(sigma_hour: float) -> RegimeWalk:
    """A coin's own part."""
    return RegimeWalk(sigma_hour=sigma_hour, jump_rate=1 / 700, jump_sigma=5 * sigma_hour)
