"""A strategy with no opinion and many signals, so that torture tries execution and not patience.

Each closed 15m bar of a market is a signal or not, long or short, by a hash of (seed, market, bar): the same bars always give
the same decisions, whatever process asks.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Mapping
from typing import Final

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.orders import Direction
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision, Emitted, GateResult, GateState, Ladder, NoSignal, Regime, Signal
from trading_system.domain.symbols import Symbol

_BARS: Final = 20
_STOP_ATR: Final = 0.7
_STOP_FRACTION_MIN: Final = 0.003
_TARGET_R: Final = 3.0
_PREMISE_R: Final = 0.5


class NoisyStrategy:
    """Implements the Strategy port. signal_share: part of the closed bars that are signals, in [0, 1]."""

    def __init__(self, seed: int, signal_share: float = 0.9) -> None:
        self._seed = seed
        self._share = signal_share
        self._bars: dict[Symbol, deque[Bar]] = {}

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        if timeframe is not Timeframe.M15 or not all(math.isfinite(value) for value in bar[1:]):
            return
        bars = self._bars.setdefault(symbol, deque(maxlen=_BARS))
        if not bars or bar.open_ms > bars[-1].open_ms:
            bars.append(bar)

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        del costs
        bars = self._bars.get(symbol)
        if bars is None or len(bars) < _BARS:
            return self._no(symbol, at_ms, None, "DATA_INSUFFICIENT")
        last = bars[-1]
        close_ms = last.open_ms + Timeframe.M15.ms
        draws = self._draws(symbol, last.open_ms)
        if draws[0] >= self._share:
            return self._no(symbol, close_ms, last.close, "DICE")
        direction = Direction.LONG if draws[1] < 0.5 else Direction.SHORT
        atr = sum(bar.high - bar.low for bar in bars) / len(bars)
        risk = max(_STOP_ATR * atr, _STOP_FRACTION_MIN * last.close)
        return Signal(
            symbol=symbol,
            at_ms=close_ms,
            direction=direction,
            regime=(Regime.TIGHT_SMC, Regime.WIDE_STRUCTURE, Regime.CONSOLIDATION)[int(draws[2] * 3)],
            entry_price=last.close,
            stop_price=last.close - risk * direction.sign,
            target_price=last.close + risk * _TARGET_R * direction.sign,
            score=60.0 + 40.0 * draws[3],
            reward_risk=_TARGET_R,
            premise_price=last.close - risk * _PREMISE_R * direction.sign,
            atr_15m=atr * 2,
            atr_4h=atr * 4,
            cost_bps=12.0,
            setup=f"noise {direction.value}",
            ladder=_ladder(symbol, close_ms, last.close, GateState.PASSED),
        )

    def mark_emitted(self, signal: Emitted) -> None:
        """The dice are thrown anew for each bar."""

    def forget(self, symbol: Symbol) -> None:
        self._bars.pop(symbol, None)

    def _draws(self, symbol: Symbol, open_ms: int) -> tuple[float, ...]:
        digest = hashlib.blake2b(f"{self._seed}:{symbol}:{open_ms}".encode(), digest_size=16).digest()
        return tuple(int.from_bytes(digest[at : at + 4], "big") / 2**32 for at in (0, 4, 8, 12))

    @staticmethod
    def _no(symbol: Symbol, at_ms: int, price: float | None, code: str) -> NoSignal:
        return NoSignal(symbol, at_ms, code, _ladder(symbol, at_ms, price, GateState.FAILED, code))


def noisy_strategy(options: Mapping[str, str]) -> NoisyStrategy:
    """The entry point for a real process (group `trading_system.strategies`). No installed package offers it; a harness does."""
    return NoisyStrategy(int(options.get("seed", "1")), float(options.get("signal_share", "0.9")))


def _ladder(symbol: Symbol, at_ms: int, price: float | None, state: GateState, code: str | None = None) -> Ladder:
    return Ladder(symbol, at_ms, price, (GateResult("dice", state, "a lucky bar", None, None, code),))
