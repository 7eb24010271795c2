"""The generated market: a PriceSource from (seed, start). Points every 10 market seconds per market.

The path is cut into blocks of 15 minutes, each with its own random stream, so that its position is a few numbers and a
restart continues exactly where it stood. Wall speed never enters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trading_system.domain.market import Bar, Timeframe
from trading_system.sim.bars import HOUR_MS, QUARTER_MS, aggregate
from trading_system.sim.history_cache import load_or_generate
from trading_system.sim.market_catalog import CoinModel, catalogue
from trading_system.sim.path_model import RegimeWalk, coin_walk, market_walk
from trading_system.sim.rng import SeededRandom, seeded
from trading_system.sim.source import MarketSpec, PricePoint

STEP_MS: Final = 10_000
_STEPS_PER_BLOCK: Final = QUARTER_MS // STEP_MS
_STEP_HOURS: Final = STEP_MS / HOUR_MS
_STEP_ROOT: Final = math.sqrt(_STEP_HOURS)
_PREMIUM_KEPT: Final = 0.995  # per step: a premium lasts about half an hour
_WICK_RATE: Final = 2e-5  # per point: one trade far from the index, about once a week and market at 10 s points


class _Coin:
    """Where one coin stands."""

    __slots__ = ("beta", "log_price", "number", "offset_ms", "premium", "usual_units", "walk")

    def __init__(self, number: int, model: CoinModel, walk: RegimeWalk, log_price: float, offset_ms: int) -> None:
        self.number = number
        self.beta = model.beta
        self.walk = walk
        self.log_price = log_price
        self.premium = 0.0
        self.offset_ms = offset_ms
        self.usual_units = model.spec.volume_usd_24h / 86_400_000 * STEP_MS / model.price


class GeneratedMarket:
    """A PriceSource. Markets take turns inside a step, so that times are strictly ordered and points spread out."""

    def __init__(
        self,
        seed: int,
        start_ms: int,
        *,
        cache_dir: Path | None = None,
        progress: Callable[[str], None] = lambda line: None,
        coins: Sequence[CoinModel] | None = None,
    ) -> None:
        """start_ms: on a full hour, else ValueError. coins: other markets than the catalogue's (tests)."""
        self.seed = seed
        self.start_ms = start_ms
        models = tuple(coins if coins is not None else catalogue())
        self._specs = tuple(model.spec for model in models)
        self._history = load_or_generate(cache_dir, seed, start_ms, models, progress)
        self._factor = market_walk()
        self._factor.restore(self._history.factor)
        pause = STEP_MS // (len(models) + 1)
        self._coins = [
            _Coin(number, model, coin_walk(model.sigma_hour), past.log_price, number * pause)
            for number, (model, past) in enumerate(zip(models, self._history.coins, strict=True))
        ]
        for coin, past in zip(self._coins, self._history.coins, strict=True):
            coin.walk.restore(past.walk)
        self._block = 0
        self._done = 0  # points of the block that were handed out
        self._block_start = self._state()
        self._open_block()
        self._waiting: PricePoint | None = None

    def markets(self) -> Sequence[MarketSpec]:
        return self._specs

    def history(self, market: int, timeframe: Timeframe) -> Iterable[Bar]:
        """Closed bars before the start: 60 days of 15m, 500 days of the others (1h times four is 4h, and so on)."""
        if timeframe is Timeframe.M15:
            return self._history.bars(market, QUARTER_MS)
        hours = self._history.bars(market, HOUR_MS)
        return hours if timeframe is Timeframe.H1 else aggregate(hours, timeframe.ms)

    def bind(self, direction_of: Callable[[int], int]) -> None:
        """A generated path does not care about positions."""

    def points(self, until_ms: int) -> Iterator[PricePoint]:
        while True:
            point = self._waiting
            if point is None:
                point = next(self._stream, None)
                if point is None:
                    self._next_block()
                    continue
            if point.at_ms > until_ms:
                self._waiting = point
                return
            self._waiting = None
            self._done += 1
            yield point

    def _next_block(self) -> None:
        self._block += 1
        self._done = 0
        self._block_start = self._state()
        self._open_block()

    def _open_block(self) -> None:
        rng = seeded(self.seed, self.start_ms, "path", self._block)
        self._stream = self._walk_block(self.start_ms + self._block * QUARTER_MS, rng)

    def _walk_block(self, block_ms: int, rng: SeededRandom) -> Iterator[PricePoint]:
        factor_step, random, exp = self._factor.step, rng.random, math.exp
        for step in range(_STEPS_PER_BLOCK):
            at_ms = block_ms + step * STEP_MS
            shared = factor_step(_STEP_HOURS, _STEP_ROOT, rng)
            for coin in self._coins:
                own = coin.walk.step(_STEP_HOURS, _STEP_ROOT, rng)
                coin.log_price += coin.beta * shared + own
                # the premium drifts with a rising coin and is noisy; its hourly average sets the funding rate
                coin.premium = premium = coin.premium * _PREMIUM_KEPT + (random() - 0.497) * 6e-5 + own * 0.02
                index = exp(coin.log_price)
                draw = random()
                if draw < _WICK_RATE:
                    premium += (random() - 0.5) * 0.03
                size = coin.usual_units * (0.1 + 1.8 * draw)
                yield PricePoint(
                    at_ms + coin.offset_ms, coin.number, index * (1.0 + premium), index, size if random() < 0.5 else -size, False
                )

    def _state(self) -> dict[str, Any]:
        return {
            "factor": self._factor.snapshot(),
            "coins": [[coin.log_price, coin.premium, coin.walk.snapshot()] for coin in self._coins],
        }

    def snapshot_state(self) -> dict[str, Any]:
        """The block's first state and how far it was read."""
        return {"seed": self.seed, "start_ms": self.start_ms, "block": self._block, "done": self._done, "block_start": self._block_start}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot; ValueError when it belongs to another seed or start."""
        if (state["seed"], state["start_ms"]) != (self.seed, self.start_ms):
            raise ValueError(
                f"the saved market is seed {state['seed']}, start {state['start_ms']}; this one is seed {self.seed}, start {self.start_ms}"
            )
        self._block, self._done = state["block"], state["done"]
        self._block_start = begin = state["block_start"]
        self._factor.restore(begin["factor"])
        for coin, (log_price, premium, walk) in zip(self._coins, begin["coins"], strict=True):
            coin.log_price, coin.premium = log_price, premium
            coin.walk.restore(walk)
        self._open_block()
        self._waiting = None
        for _ in range(self._done):
            next(self._stream)
