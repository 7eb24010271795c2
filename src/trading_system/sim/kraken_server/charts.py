"""Charts v1: candles of trade, mark and spot prices. Prices are text, times are epoch milliseconds, the running candle is included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from trading_system.domain.market import Bar
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.envelope import BadRequest, Payload
from trading_system.sim.kraken_server.params import Params

TICK_TYPES: Final = ("mark", "spot", "trade")
RESOLUTIONS: Final = ("1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d", "1w")
CANDLES_MAX: Final = 2000


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
    bars: Sequence[Bar] = desk.exchange.candles(symbol, tick_type, resolution, from_s or 0, desk.now_ms // 1000 if to_s is None else to_s)
    has_more = from_s is not None and len(bars) > CANDLES_MAX
    page = bars[-CANDLES_MAX:] if from_s is None else bars[:CANDLES_MAX]
    price = _tick_text(desk.exchange.spec(symbol).tick) if tick_type == "trade" else _plain_text
    return {"candles": [_row(bar, price, has_volume=tick_type == "trade") for bar in page], "more_candles": has_more}


def _row(bar: Bar, price: Callable[[float], str], *, has_volume: bool) -> dict[str, Any]:
    return {
        "time": bar.open_ms,
        "open": price(bar.open),
        "high": price(bar.high),
        "low": price(bar.low),
        "close": price(bar.close),
        "volume": f"{bar.volume:.8f}" if has_volume else "0",
    }


def _tick_text(tick: Decimal) -> Callable[[float], str]:
    """Writes prices with the decimals of the tick."""
    exponent = tick.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    template = f"%.{max(0, -exponent)}f"
    return lambda value: template % value


def _plain_text(value: float) -> str:
    """Twelve significant digits, never an exponent."""
    return f"{Decimal(f'{value:.12g}'):f}"


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
