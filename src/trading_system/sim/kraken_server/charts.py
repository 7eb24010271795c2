"""Charts v1: candles of trade, mark and spot prices. Prices are text, times are epoch milliseconds, the running candle is included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from trading_system.domain.market import Bar
from trading_system.sim.bars import RESOLUTION_MS
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.envelope import BadRequest, Payload
from trading_system.sim.kraken_server.params import Params

TICK_TYPES: Final = ("mark", "spot", "trade")
RESOLUTIONS: Final = ("1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d", "1w")
CANDLES_MAX: Final = 2000

_TEMPLATE: Final = '{{"time":%d,"open":"{price}","high":"{price}","low":"{price}","close":"{price}","volume":"{volume}"}}'


def tick_types(_desk: Desk, _params: Params) -> list[str]:
    return list(TICK_TYPES)


def chart_symbols(desk: Desk, params: Params) -> list[str]:
    _tick_type(params)
    return list(desk.exchange.symbols())


def resolutions(desk: Desk, params: Params) -> list[str]:
    _tick_type(params)
    _symbol(desk, params)
    return list(RESOLUTIONS)


def candles(desk: Desk, params: Params) -> Payload:
    """At most 2000 candles. With `from`: the oldest of the range, and whether there are more. Without it: the newest up to `to`."""
    tick_type, symbol = _tick_type(params), _symbol(desk, params)
    resolution = params.required("resolution")
    if resolution not in RESOLUTIONS:
        raise BadRequest("invalid resolution")
    from_s, to_s = params.integer("from"), params.integer("to")
    now_s = desk.now_ms // 1000
    last_s = now_s if to_s is None else min(to_s, now_s)
    bars = _some(_Wanted(desk, symbol, tick_type, resolution), from_s, last_s)
    has_more = from_s is not None and len(bars) > CANDLES_MAX
    page = bars[-CANDLES_MAX:] if from_s is None else bars[:CANDLES_MAX]
    return {"candles": candle_rows(page, tick_type, desk.exchange.spec(symbol).tick), "more_candles": has_more}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One series of candles."""

    desk: Desk
    symbol: str
    tick_type: str
    resolution: str

    def between(self, from_s: int, to_s: int) -> Sequence[Bar]:
        return self.desk.exchange.candles(self.symbol, self.tick_type, self.resolution, from_s, to_s)


def _some(wanted: _Wanted, from_s: int | None, last_s: int) -> Sequence[Bar]:
    """More than a page, if there is more, from the side that the page is cut from: not the whole history at every request.

    Gaps make a window hold fewer bars than it has room for; then a wider one is looked at.
    """
    first_s = wanted.desk.exchange.candles_since(wanted.symbol, wanted.tick_type)
    if first_s is None:
        return ()
    length_s = RESOLUTION_MS[wanted.resolution] // 1000
    first_s = max(first_s - length_s, 0 if from_s is None else from_s)  # a longer bar opens before its oldest part
    width_s = (CANDLES_MAX + 1) * length_s
    while True:
        since_s, until_s = (max(first_s, last_s - width_s), last_s) if from_s is None else (first_s, min(last_s, first_s + width_s))
        bars = wanted.between(since_s, until_s)
        if len(bars) > CANDLES_MAX or (since_s <= first_s and until_s >= last_s):
            return bars
        width_s *= 4


def candle_rows(bars: Sequence[Bar], tick_type: str, tick: Decimal) -> msgspec.Raw:
    """The bars as a JSON list, written by one template: a page of 2000 must not hold up the loop."""
    exponent = tick.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    decimals = max(0, -exponent)
    if tick_type == "trade":
        template = _TEMPLATE.format(price=f"%.{decimals}f", volume="%.8f")
        text = ",".join([template % bar for bar in bars])
    else:  # computed prices are finer than the tick and have no volume
        template = _TEMPLATE.format(price=f"%.{decimals + 4}f", volume="0")
        text = ",".join([template % bar[:5] for bar in bars])
    return msgspec.Raw(f"[{text}]".encode())


def _tick_type(params: Params) -> str:
    tick_type = params.required("tick_type")
    if tick_type not in TICK_TYPES:
        raise BadRequest("invalid tick type")
    return tick_type


def _symbol(desk: Desk, params: Params) -> str:
    symbol = desk.market(params.required("symbol"))
    if symbol is None:
        raise BadRequest("invalid symbol")
    return symbol
