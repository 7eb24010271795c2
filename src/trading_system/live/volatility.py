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
        self._m15: dict[Symbol, Atr] = {}
        self._h4: dict[Symbol, Atr] = {}

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        """Feed one closed bar; other timeframes than 15m and 4h are ignored."""
        if timeframe is Timeframe.M15:
            series = self._m15
        elif timeframe is Timeframe.H4:
            series = self._h4
        else:
            return
        atr = series.get(symbol)
        if atr is None:
            atr = series[symbol] = Atr(_PERIOD)
        atr.update(bar.high, bar.low, bar.close)

    def forget(self, symbol: Symbol) -> None:
        """Drop a symbol; its bars will be fed again."""
        self._m15.pop(symbol, None)
        self._h4.pop(symbol, None)

    def atr_4h(self, symbol: Symbol) -> float | None:
        """None while fewer than 14 bars were fed."""
        return _value(self._h4.get(symbol))

    def atr_15m(self, symbol: Symbol) -> float | None:
        return _value(self._m15.get(symbol))


def _value(atr: Atr | None) -> float | None:
    return atr.value if atr is not None and atr.is_ready else None
