"""Public market data of the v3 and v4 API: instruments, tickers, order book, trades, fee schedules, funding history."""

from __future__ import annotations

from typing import Any, Final

from trading_system.domain.orders import Side
from trading_system.sim.fees import FEE_TIERS
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.encoding import iso_seconds
from trading_system.sim.kraken_server.envelope import BadRequest, Payload
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.rows_market import FEE_SCHEDULE_UID, index_row, instrument_row, is_tradeable, ticker_row, trade_row

_DISLOCATED: Final = {Side.BUY: "ABOVE_UPPER_BOUND", Side.SELL: "BELOW_LOWER_BOUND"}


def known_market(desk: Desk, params: Params, name: str = "symbol") -> str:
    """The market that is named; refused with the venue's HTTP 400 when there is none."""
    symbol = desk.market(params.required(name))
    if symbol is None:
        raise BadRequest(f"Argument invalid: {name}")
    return symbol


def instruments(desk: Desk, _params: Params) -> Payload:
    exchange = desk.exchange
    rows = []
    for instrument in exchange.instruments():
        spec = exchange.spec(instrument.venue_symbol)
        mode = exchange.mode(instrument.venue_symbol)
        quote = exchange.quote(instrument.venue_symbol)
        row = instrument_row(instrument, mode, quote.index, spec.category, spec.opened_ms)
        hold_ms = exchange.hold_ms(instrument.venue_symbol)
        rows.append(row | {"makerProtectionMillis": hold_ms} if hold_ms else row)
    return {"instruments": rows}


def _status_row(desk: Desk, symbol: str) -> dict[str, Any]:
    side = desk.exchange.dislocated(symbol)
    return {
        "tradeable": is_tradeable(desk.exchange.mode(symbol)),
        "experiencingDislocation": side is not None,
        "priceDislocationDirection": None if side is None else _DISLOCATED[side],
        "experiencingExtremeVolatility": False,
        "extremeVolatilityInitialMarginMultiplier": 1,
    }


def instruments_status(desk: Desk, _params: Params) -> Payload:
    return {"instrumentStatus": [{"symbol": symbol, **_status_row(desk, symbol)} for symbol in desk.exchange.symbols()]}


def instrument_status(desk: Desk, params: Params) -> Payload:
    return _status_row(desk, known_market(desk, params))


def tickers(desk: Desk, params: Params) -> Payload:
    """All tickers with the index rows between them, or those asked for."""
    wanted = {name.upper() for name in params.texts("symbol")}
    if wanted and not wanted & set(desk.exchange.symbols()):
        raise BadRequest("Argument invalid: symbol")
    quotes = desk.exchange.quotes()
    rows = [ticker_row(quote) for quote in quotes if not wanted or quote.symbol in wanted]
    if not wanted:
        rows += [index_row(f"in_{quote.symbol.removeprefix('PF_').lower()}", quote) for quote in quotes if quote.symbol == "PF_XBTUSD"]
    return {"tickers": rows}


def ticker(desk: Desk, params: Params) -> Payload:
    symbol = params.required("symbol").upper()
    if symbol not in desk.exchange.symbols():
        raise BadRequest("Argument invalid: symbol")
    return {"ticker": ticker_row(desk.exchange.quote(symbol))}


def orderbook(desk: Desk, params: Params) -> Payload:
    """The whole book, best first on both sides."""
    book = desk.exchange.book(known_market(desk, params))
    bids = book.bids[::-1] if desk.exchange.config.variants.bids_ascending else book.bids
    return {"orderBook": {"bids": bids, "asks": book.asks}}


def history(desk: Desk, params: Params) -> Payload:
    """At most 100 public trades, newest first; `lastTime` gives those before it."""
    trades = desk.exchange.trades(known_market(desk, params), params.time_ms("lastTime"))
    return {"history": [trade_row(trade) for trade in trades]}


def feeschedules(_desk: Desk, _params: Params) -> Payload:
    tiers = [{"makerFee": tier.maker_percent, "takerFee": tier.taker_percent, "usdVolume": tier.volume_usd} for tier in FEE_TIERS]
    return {"feeSchedules": [{"uid": FEE_SCHEDULE_UID, "name": "Linear Multi-Collateral Fees", "tiers": tiers}]}


def funding_rates(desk: Desk, params: Params) -> Payload:
    """Hourly rates, ascending, all of them in one answer."""
    rates = desk.exchange.funding_history(known_market(desk, params))
    return {
        "rates": [
            {"timestamp": iso_seconds(rate.at_ms), "fundingRate": rate.absolute, "relativeFundingRate": rate.relative} for rate in rates
        ]
    }
