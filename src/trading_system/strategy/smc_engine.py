"""The SMC strategy: one engine per symbol, judged by the gates in order."""

from __future__ import annotations

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision, Signal
from trading_system.domain.symbols import Symbol
from trading_system.strategy.parameters import SmcParameters


class SymbolEngine:
    """The streaming state of one symbol."""

    def __init__(self, symbol: Symbol, parameters: SmcParameters) -> None: ...

    def update(self, timeframe: Timeframe, bar: Bar) -> bool: ...

    def decide(self, at_ms: int, costs: StrategyCosts) -> Decision: ...

    def mark_emitted(self, signal: Signal) -> None: ...

    def fresh(self) -> SymbolEngine: ...

    def snapshot(self) -> bytes: ...

    @classmethod
    def restore(cls, data: bytes, symbol: Symbol, parameters: SmcParameters) -> SymbolEngine | None: ...


class SmcStrategy:
    """Implements the `Strategy` port for any number of symbols."""

    def __init__(self, parameters: SmcParameters | None = None) -> None: ...

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None: ...

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision: ...

    def mark_emitted(self, signal: Signal) -> None: ...
