"""ATR of every managed market, fed from the same closed bars as the strategy, whatever strategy is plugged in.

The trap it avoids: trailing that never runs because nobody passed it an ATR.
"""

from __future__ import annotations

from typing import Final

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.strategy.indicators import Atr

_PERIOD: Final = 14


class VolatilityBook:
    """ATR14 of the 15m and the 4h series per symbol, in price units. Owned by the loop."""

    def __init__(self) -> None:
        self._atr: dict[tuple[Symbol, Timeframe], Atr] = {}
        self._value: dict[tuple[Symbol, Timeframe], float] = {}

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        """Feed one closed bar; other timeframes than 15m and 4h are ignored."""
        if timeframe is not Timeframe.H4 and timeframe is not Timeframe.M15:
            return
        key = (symbol, timeframe)
        atr = self._atr.get(key)
        if atr is None:
            atr = self._atr[key] = Atr(_PERIOD)
        value = atr.update(bar.high, bar.low, bar.close)
        if value is not None:
            self._value[key] = value

    def forget(self, symbol: Symbol) -> None:
        """Drop a symbol; its bars will be fed again."""
        for timeframe in (Timeframe.M15, Timeframe.H4):
            self._atr.pop((symbol, timeframe), None)
            self._value.pop((symbol, timeframe), None)

    def atr_4h(self, symbol: Symbol) -> float | None:
        return self._value.get((symbol, Timeframe.H4))

    def atr_15m(self, symbol: Symbol) -> float | None:
        return self._value.get((symbol, Timeframe.M15))
