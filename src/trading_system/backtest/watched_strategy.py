"""A strategy that is watched while it works: which gate stopped how often, and whether it ever got a bar before its close.

The decisions are those of the strategy inside; the watch only reads them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import Strategy, StrategyCosts
from trading_system.domain.signals import Decision, Emitted, NoSignal
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import from_ms

FAULTS_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class GateShare:
    """Of the judgements that reached a gate, how many it stopped."""

    gate: str
    reached: int
    stopped: int

    @property
    def share(self) -> float | None:
        return self.stopped / self.reached if self.reached else None


class WatchedStrategy:
    """Implements the `Strategy` port round another one. Each closed 15m bar of a symbol counts once, however often it is judged."""

    def __init__(self, followed: Strategy) -> None:
        self._followed = followed
        self._gates: tuple[str, ...] = ()
        self._stopped: Counter[str] = Counter()
        self._judged_ms: dict[Symbol, int] = {}
        self._newest_close_ms: dict[Symbol, int] = {}
        self.judged = 0
        self.signals = 0
        self.last_judged_ms: int | None = None
        self.faults: list[str] = []
        """Bars that were given before their close, or that are no bars of their timeframe."""

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        close_ms = bar.open_ms + timeframe.ms
        if close_ms > self._newest_close_ms.get(symbol, -1):
            self._newest_close_ms[symbol] = close_ms
        if bar.open_ms % timeframe.ms:
            self._fault(f"{symbol}: no {timeframe.value} bar opens at {from_ms(bar.open_ms):%Y-%m-%d %H:%M}")
        self._followed.update(symbol, timeframe, bar)

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        decision = self._followed.decide(symbol, at_ms, costs)
        newest_ms = self._newest_close_ms.get(symbol, -1)
        if newest_ms > at_ms:
            self._fault(f"{symbol}: a bar that closes at {from_ms(newest_ms):%Y-%m-%d %H:%M} was known at {from_ms(at_ms):%H:%M:%S}")
        if self._judged_ms.get(symbol) != decision.at_ms:
            self._judged_ms[symbol] = decision.at_ms
            self._count(decision)
            self.last_judged_ms = at_ms
        return decision

    def mark_emitted(self, signal: Emitted) -> None:
        self._followed.mark_emitted(signal)

    def forget(self, symbol: Symbol) -> None:
        self._newest_close_ms.pop(symbol, None)
        self._followed.forget(symbol)

    def _count(self, decision: Decision) -> None:
        self.judged += 1
        if not self._gates:
            self._gates = tuple(gate.name for gate in decision.ladder.gates)
        if isinstance(decision, NoSignal):
            blocking = decision.ladder.blocking
            self._stopped["" if blocking is None else blocking.name] += 1
        else:
            self.signals += 1

    def _fault(self, text: str) -> None:
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(text)

    def gate_shares(self) -> tuple[GateShare, ...]:
        """Every gate in order."""
        shares = []
        reached = self.judged
        for name in self._gates:
            stopped = self._stopped[name]
            shares.append(GateShare(name, reached, stopped))
            reached -= stopped
        return tuple(shares)
