"""Rows of public REST answers: instruments, tickers, trades."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trading_system.domain.market import Instrument
from trading_system.domain.symbols import base_of
from trading_system.domain.units import BPS, to_ms
from trading_system.sim.kraken_server.desk import uid_of
from trading_system.sim.kraken_server.encoding import iso, iso_seconds
from trading_system.sim.model import MarketMode, QuoteRow, TradeRow

FEE_SCHEDULE_UID: Final = uid_of("fee schedule", "linear")
_PERCENT: Final = Decimal("0.01")


def size_precision(step: Decimal) -> int:
    """`contractValueTradePrecision`: 4 for step 0.0001, 0 for 1, -3 for 1000. ValueError when the step is no power of ten."""
    exponent = step.normalize().adjusted()
    if step != Decimal(1).scaleb(exponent):
        raise ValueError(f"size step {step} is no power of ten")
    return -exponent


def is_tradeable(mode: MarketMode) -> bool:
    return mode in (MarketMode.ONLINE, MarketMode.POST_ONLY)


def instrument_row(instrument: Instrument, mode: MarketMode, mid: Decimal, category: str, opened_ms: int) -> dict[str, Any]:
    """One instrument. `mid` sizes the impact mid (about 6,000 USD)."""
    base = base_of(instrument.symbol)
    levels = [
        {"numNonContractUnits": level.notional_from, "initialMargin": level.initial, "maintenanceMargin": level.maintenance}
        for level in instrument.margin_levels
    ]
    row: dict[str, Any] = {
        "symbol": instrument.venue_symbol,
        "type": "flexible_futures",
        "tickSize": instrument.tick,
        "contractSize": 1,
        "tradeable": is_tradeable(mode),
        "impactMidSize": max(instrument.size_min, _at_step(Decimal(6000) / mid, instrument.size_step)),
    }
    if instrument.position_size_max is not None:
        row["maxPositionSize"] = instrument.position_size_max
    opened_at_ms = to_ms(instrument.opened_at) if instrument.opened_at else opened_ms
    row |= {
        "openingDate": iso_seconds(opened_at_ms),
        "marginLevels": levels,
        "retailMarginLevels": levels,
        "fundingRateCoefficient": 8,
        "maxRelativeFundingRate": instrument.funding_rate_max_hourly or Decimal("0.005"),
        "contractValueTradePrecision": size_precision(instrument.size_step),
        "minimumTradeSize": instrument.size_min,
        "postOnly": mode is MarketMode.POST_ONLY,
        "feeScheduleUid": FEE_SCHEDULE_UID,
        "mtf": False,
        "base": base,
        "quote": "USD",
        "pair": f"{base}:USD",
        "category": category,
        "tags": [],
        "tradfi": False,
        "isExpired": mode is MarketMode.DELISTED,
    }
    return row


def ticker_pair(symbol: str) -> str:
    """Tickers keep the venue's XBT: `XBT:USD` of `PF_XBTUSD`."""
    return f"{symbol.removeprefix('PF_').removesuffix('USD')}:USD"


def change_percent(quote: QuoteRow) -> Decimal:
    """Change over 24 h in percent, two digits."""
    return ((quote.last - quote.open_24h) / quote.open_24h * 100).quantize(_PERCENT) if quote.open_24h else Decimal(0)


def ticker_row(quote: QuoteRow) -> dict[str, Any]:
    """One ticker; a missing side of the book is left out, as on a dead market."""
    row: dict[str, Any] = {
        "symbol": quote.symbol,
        "last": quote.last,
        "lastTime": iso(quote.last_ms),
        "tag": "perpetual",
        "pair": ticker_pair(quote.symbol),
        "markPrice": quote.mark,
    }
    if quote.bid is not None:
        row |= {"bid": quote.bid, "bidSize": quote.bid_size}
    if quote.ask is not None:
        row |= {"ask": quote.ask, "askSize": quote.ask_size}
    row |= {
        "vol24h": quote.volume_24h,
        "volumeQuote": quote.volume_quote_24h,
        "openInterest": quote.open_interest,
        "open24h": quote.open_24h,
        "high24h": quote.high_24h,
        "low24h": quote.low_24h,
        "lastSize": quote.last_size,
        "fundingRate": quote.funding_rate,
        "fundingRatePrediction": quote.funding_rate_prediction,
        "relativeFundingRate": quote.relative_funding_rate,
        "relativeFundingRatePrediction": quote.relative_funding_rate_prediction,
        "suspended": quote.mode is MarketMode.SUSPENDED,
        "indexPrice": quote.index,
        "postOnly": quote.mode is MarketMode.POST_ONLY,
        "change24h": change_percent(quote),
        "isUnderlyingMarketClosed": False,
    }
    if quote.volume_24h:
        row["vwap24h"] = (quote.volume_quote_24h / quote.volume_24h).quantize(quote.last * BPS * BPS)
    return row


def index_row(symbol: str, quote: QuoteRow) -> dict[str, Any]:
    """An index among the tickers: three fields only."""
    return {"symbol": symbol, "last": quote.index, "lastTime": iso(quote.at_ms)}


def trade_row(trade: TradeRow) -> dict[str, Any]:
    """One row of `history`."""
    return {
        "time": iso(trade.at_ms),
        "trade_id": trade.trade_id,
        "price": trade.price,
        "size": trade.size,
        "side": trade.side.value,
        "type": trade.trade_type,
        "uid": trade.uid,
    }


def _at_step(value: Decimal, step: Decimal) -> Decimal:
    return value // step * step
