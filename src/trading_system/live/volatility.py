"""ATR and the last 4h closes of every managed market, fed from the same closed bars as the strategy, whatever strategy is plugged in.

The trap it avoids: trailing that never runs because nobody passed it an ATR.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final

import msgspec

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.strategy.indicators import Atr

_QUARTER: Final = Timeframe.M15
_FOUR_HOURS: Final = Timeframe.H4
_PERIOD: Final = 14
_CLOSES_MAX: Final = 256


class _Kept(msgspec.Struct):
    """One symbol, for a snapshot."""

    m15: Atr | None
    h4: Atr | None
    closed_ms: bytes
    closes: bytes


class _Closes:
    """The newest 4h closes of a symbol, in flat arrays: as objects they would be seven times as heavy."""

    __slots__ = ("at_ms", "prices")

    def __init__(self) -> None:
        self.at_ms, self.prices = array("q"), array("d")

    def append(self, at_ms: int, price: float) -> None:
        self.at_ms.append(at_ms)
        self.prices.append(price)
        if len(self.at_ms) > _CLOSES_MAX:
            del self.at_ms[0], self.prices[0]


class VolatilityBook:
    """ATR14 of the 15m and the 4h series per symbol, in price units, and 4h closes. Owned by the loop."""

    def __init__(self) -> None:
        self._m15: dict[Symbol, Atr] = {}
        self._h4: dict[Symbol, Atr] = {}
        self._closes_4h: dict[Symbol, _Closes] = {}

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        """Feed one closed bar; other timeframes than 15m and 4h are ignored."""
        if timeframe is _QUARTER:
            series = self._m15
        elif timeframe is _FOUR_HOURS:
            series = self._h4
            closes = self._closes_4h.get(symbol)
            if closes is None:
                closes = self._closes_4h[symbol] = _Closes()
            closes.append(bar.open_ms + timeframe.ms, bar.close)
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
        self._closes_4h.pop(symbol, None)

    def adopt(self, symbol: Symbol, other: VolatilityBook) -> None:
        """Take a symbol over from another book, all of it at once."""
        self.forget(symbol)
        for mine, theirs in ((self._m15, other._m15), (self._h4, other._h4)):
            if symbol in theirs:
                mine[symbol] = theirs[symbol]
        if symbol in other._closes_4h:
            self._closes_4h[symbol] = other._closes_4h[symbol]

    def snapshot(self, symbol: Symbol) -> bytes:
        """The whole state of a symbol, exact."""
        closes = self._closes_4h.get(symbol) or _Closes()
        return msgspec.msgpack.encode(_Kept(self._m15.get(symbol), self._h4.get(symbol), closes.at_ms.tobytes(), closes.prices.tobytes()))

    def restore(self, symbol: Symbol, snapshot: bytes) -> bool:
        """Go on from a snapshot; False (and nothing changes) when it is none."""
        try:
            kept = msgspec.msgpack.decode(snapshot, type=_Kept)
        except msgspec.MsgspecError:
            return False
        self.forget(symbol)
        if kept.m15 is not None:
            self._m15[symbol] = kept.m15
        if kept.h4 is not None:
            self._h4[symbol] = kept.h4
        if kept.closes:
            closes = self._closes_4h[symbol] = _Closes()
            closes.at_ms.frombytes(kept.closed_ms)
            closes.prices.frombytes(kept.closes)
        return True

    def atr_4h(self, symbol: Symbol) -> float | None:
        """None while fewer than 14 bars were fed."""
        return _value(self._h4.get(symbol))

    def closes_4h_since(self, symbol: Symbol, at_ms: int) -> tuple[tuple[int, float], ...]:
        """(close time, close) of the 4h bars that closed after `at_ms`, oldest first; of six weeks at most."""
        closes = self._closes_4h.get(symbol)
        if closes is None:
            return ()
        start = bisect_right(closes.at_ms, at_ms)
        return tuple(zip(closes.at_ms[start:], closes.prices[start:], strict=True))

    def atr_15m(self, symbol: Symbol) -> float | None:
        return _value(self._m15.get(symbol))


def _value(atr: Atr | None) -> float | None:
    return atr.value if atr is not None and atr.is_ready else None
