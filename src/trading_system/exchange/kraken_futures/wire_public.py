"""Public REST answers (raw bytes) to domain types, through typed msgspec decoding. Numbers become Decimal without floats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, BookLevel, Instrument, MarginLevel, OrderBook, Ticker, TradingStatus
from trading_system.domain.symbols import Symbol, is_perpetual, normalise
from trading_system.domain.units import ZERO, Price, Qty
from trading_system.exchange.kraken_futures.observer import WireIssue
from trading_system.exchange.kraken_futures.wire_values import Issues, Parsed, WireError, moment_from, shortened

S = TypeVar("S", bound=msgspec.Struct)

DEFAULT_MARGIN_LEVELS: Final = tuple(
    MarginLevel(Decimal(notional), Decimal(initial), Decimal(initial) / 2)
    for notional, initial in (("0", "0.05"), ("10000", "0.10"), ("250000", "0.20"), ("500000", "0.30"), ("2000000", "0.50"))
)
"""Kraken's published class D. Used, with an issue, where the venue tells no schedule: rather too dear than too cheap."""


class _Error(msgspec.Struct, rename="camel"):
    code: int | None = None
    message: str = ""


class _Envelope(msgspec.Struct, rename="camel"):
    result: str | None = None
    error: str | None = None
    errors: list[_Error] = []
    server_time: str | None = None


class _Tickers(_Envelope, rename="camel"):
    tickers: list[msgspec.Raw] | None = None


class _Instruments(_Envelope, rename="camel"):
    instruments: list[msgspec.Raw] | None = None


class _Sides(msgspec.Struct):
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]


class _Book(_Envelope, rename="camel"):
    order_book: _Sides | None = None


class _Candles(msgspec.Struct):
    candles: list[msgspec.Raw] | None = None
    more_candles: bool = False


class _Candle(msgspec.Struct):
    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0


class _Ticker(msgspec.Struct, rename="camel"):
    symbol: str
    last: Decimal | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    vol24h: Decimal | None = None
    volume_quote: Decimal | None = None
    open_interest: Decimal | None = None
    funding_rate: Decimal | None = None
    relative_funding_rate: Decimal | None = None
    suspended: bool | None = None
    post_only: bool | None = None


class _Level(msgspec.Struct, rename="camel"):
    initial_margin: Decimal
    maintenance_margin: Decimal
    num_non_contract_units: Decimal | None = None
    contracts: Decimal | None = None


class _Instrument(msgspec.Struct, rename="camel"):
    symbol: str
    tick_size: Decimal | None = None
    contract_value_trade_precision: int | None = None
    minimum_trade_size: Decimal | None = None
    tradeable: bool = True
    post_only: bool | None = None
    is_expired: bool | None = None
    max_position_size: Decimal | None = None
    opening_date: str | None = None
    margin_levels: list[_Level] | None = None
    retail_margin_levels: list[_Level] | None = None
    max_relative_funding_rate: Decimal | None = None


def _decode(body: bytes, kind: type[S], *, strict: bool = True) -> S:
    try:
        return msgspec.json.decode(body, type=kind, strict=strict)
    except msgspec.DecodeError as error:
        # ValidationError is a DecodeError: wrong shape and malformed JSON are the same failed read
        raise ReadFailed(f"the answer is not what was asked for ({shortened(str(error))})") from None


def _check(envelope: _Envelope) -> None:
    if envelope.result == "error" or envelope.error is not None:
        said = envelope.error or "; ".join(error.message for error in envelope.errors) or "unnamed error"
        raise ReadFailed(f"the venue said {shortened(said)}", retry_after_s=10.0 if said == "apiLimitExceeded" else None)


def parse_server_time(body: bytes) -> datetime | None:
    """`serverTime` of any envelope, or None."""
    try:
        text = msgspec.json.decode(body, type=_Envelope).server_time
        return None if text is None else moment_from(text)
    except (msgspec.DecodeError, WireError):
        return None


def parse_tickers(body: bytes, fallback_at: datetime) -> Parsed[Ticker]:
    """GET tickers: one quote per linear perpetual, as of the answer's serverTime (`fallback_at` when it has none)."""
    envelope = _decode(body, _Tickers)
    _check(envelope)
    if envelope.tickers is None:
        raise ReadFailed("the answer holds no list 'tickers'")
    at = _envelope_time(envelope, fallback_at)
    issues: Issues = []
    quotes: dict[Symbol, Ticker] = {}
    for index, raw in enumerate(envelope.tickers):
        where = f"tickers[{index}]"
        try:
            row = msgspec.json.decode(raw, type=_Ticker)
            if not is_perpetual(row.symbol):
                continue
            quote = _quote(row, at)
        except (msgspec.DecodeError, ValueError) as error:
            issues.append(WireIssue(where, shortened(str(error)), is_lost=True))
            continue
        if quote.symbol in quotes:
            issues.append(WireIssue(where, f"{row.symbol} is a second spelling of {quote.symbol}", is_lost=True))
            continue
        quotes[quote.symbol] = quote
    return Parsed(tuple(quotes.values()), tuple(issues))


def _envelope_time(envelope: _Envelope, fallback_at: datetime) -> datetime:
    try:
        return fallback_at if envelope.server_time is None else moment_from(envelope.server_time)
    except WireError:
        return fallback_at


def _quote(row: _Ticker, at: datetime) -> Ticker:
    mark = _price(row.mark_price)
    volume = row.volume_quote
    if volume is None:
        volume = (row.vol24h or ZERO) * (row.last or mark or ZERO)
    return Ticker(
        symbol=normalise(row.symbol),
        at=at,
        bid=_price(row.bid),
        ask=_price(row.ask),
        last=_price(row.last),
        mark=mark,
        index=_price(row.index_price),
        volume_quote_24h=_finite(volume) or ZERO,
        open_interest=_finite(row.open_interest),
        funding_rate_hourly=_relative_funding(row, mark),
        status=_status(expired=False, tradeable=not row.suspended, post_only=bool(row.post_only)),
    )


def _relative_funding(row: _Ticker, mark: Price | None) -> Decimal | None:
    """`fundingRate` is absolute (USD per contract unit and hour); newer answers also tell the relative one."""
    if row.relative_funding_rate is not None:
        return _finite(row.relative_funding_rate)
    absolute = _finite(row.funding_rate)
    return None if absolute is None or mark is None else absolute / mark


def _status(*, expired: bool, tradeable: bool, post_only: bool) -> TradingStatus:
    if expired:
        return TradingStatus.DELISTED
    if not tradeable:
        return TradingStatus.SUSPENDED
    return TradingStatus.POST_ONLY if post_only else TradingStatus.OPEN


def parse_instruments(body: bytes, *, uses_retail_margin: bool = False) -> Parsed[Instrument]:
    """GET instruments: the linear perpetuals. A contract without tick or size step is left out with an issue."""
    envelope = _decode(body, _Instruments)
    _check(envelope)
    if envelope.instruments is None:
        raise ReadFailed("the answer holds no list 'instruments'")
    issues: Issues = []
    found: dict[Symbol, Instrument] = {}
    for index, raw in enumerate(envelope.instruments):
        where = f"instruments[{index}]"
        try:
            row = msgspec.json.decode(raw, type=_Instrument)
            if not is_perpetual(row.symbol):
                continue
            contract = _contract(row, uses_retail_margin, where, issues)
        except (msgspec.DecodeError, ValueError) as error:
            issues.append(WireIssue(where, shortened(str(error)), is_lost=True))
            continue
        if contract.symbol in found:
            issues.append(WireIssue(where, f"{row.symbol} is a second spelling of {contract.symbol}", is_lost=True))
            continue
        found[contract.symbol] = contract
    return Parsed(tuple(found.values()), tuple(issues))


def _contract(row: _Instrument, uses_retail_margin: bool, where: str, issues: Issues) -> Instrument:
    if row.tick_size is None or not row.tick_size.is_finite() or row.tick_size <= 0:
        raise WireError(f"{row.symbol}: tickSize {shortened(row.tick_size)}")
    if row.contract_value_trade_precision is None or abs(row.contract_value_trade_precision) > 18:
        raise WireError(f"{row.symbol}: contractValueTradePrecision {shortened(row.contract_value_trade_precision)}")
    # the precision counts decimals and may be negative: -3 means steps of 1000
    step = Decimal(1).scaleb(-row.contract_value_trade_precision)
    levels = _margin_levels(row.retail_margin_levels if uses_retail_margin else row.margin_levels)
    if levels is None:
        issues.append(WireIssue(where, f"{row.symbol}: no margin schedule; class D is assumed"))
    size_min = _finite(row.minimum_trade_size)
    size_max = _finite(row.max_position_size)
    return Instrument(
        symbol=normalise(row.symbol),
        venue_symbol=row.symbol.upper(),
        tick=row.tick_size,
        size_step=Decimal(format(step, "f")),
        size_min=Qty(size_min if size_min is not None and size_min > 0 else Decimal(format(step, "f"))),
        position_size_max=None if size_max is None or size_max <= 0 else Qty(size_max),
        margin_levels=levels or DEFAULT_MARGIN_LEVELS,
        status=_status(expired=bool(row.is_expired), tradeable=row.tradeable, post_only=bool(row.post_only)),
        funding_rate_max_hourly=_finite(row.max_relative_funding_rate),
        opened_at=None if row.opening_date is None else moment_from(row.opening_date),
    )


def _margin_levels(levels: list[_Level] | None) -> tuple[MarginLevel, ...] | None:
    """Ascending by USD notional from 0; None when there is no usable schedule."""
    result = []
    for level in levels or ():
        start = level.num_non_contract_units
        if start is None or not start.is_finite() or not 0 < level.initial_margin <= 1 or not 0 < level.maintenance_margin <= 1:
            return None
        result.append(MarginLevel(start, level.initial_margin, level.maintenance_margin))
    result.sort(key=lambda level: level.notional_from)
    return tuple(result) if result and result[0].notional_from == 0 else None


def parse_order_book(body: bytes, symbol: Symbol, fallback_at: datetime) -> OrderBook:
    """GET orderbook. Sorted here: a recorded answer had its bids ascending. Empty levels are dropped."""
    envelope = _decode(body, _Book)
    _check(envelope)
    if envelope.order_book is None:
        raise ReadFailed("the answer holds no 'orderBook'")
    return OrderBook(
        symbol=symbol,
        at=_envelope_time(envelope, fallback_at),
        bids=_levels(envelope.order_book.bids, best_is_high=True),
        asks=_levels(envelope.order_book.asks, best_is_high=False),
    )


def _levels(rows: Sequence[tuple[Decimal, Decimal]], *, best_is_high: bool) -> tuple[BookLevel, ...]:
    usable = (row for row in rows if row[0].is_finite() and row[1].is_finite() and row[0] > 0 and row[1] > 0)
    return tuple(BookLevel(Price(price), Qty(size)) for price, size in sorted(usable, reverse=best_is_high))


def parse_candles(body: bytes) -> tuple[Parsed[Bar], bool]:
    """Charts answer: bars ascending, running one included, and whether more follow. Non-finite bars are left out (a gap)."""
    page = _decode(body, _Candles)
    if page.candles is None:
        raise ReadFailed("the answer holds no list 'candles'")
    bars: list[Bar] = []
    issues: Issues = []
    for index, raw in enumerate(page.candles):
        try:
            # strict=False: prices and volumes come as text
            row = msgspec.json.decode(raw, type=_Candle, strict=False)
        except msgspec.DecodeError as error:
            issues.append(WireIssue(f"candles[{index}]", shortened(str(error)), is_lost=True))
            continue
        bar = Bar(row.time, row.open, row.high, row.low, row.close, row.volume)
        if not all(map(math.isfinite, bar)):
            issues.append(WireIssue(f"candles[{index}]", "not all values are finite", is_lost=True))
            continue
        bars.append(bar)
    bars.sort()
    return Parsed(tuple(bars), tuple(issues)), page.more_candles


def _price(value: Decimal | None) -> Price | None:
    """A price that may be missing: null, zero, negative and non-finite are None."""
    return Price(value) if value is not None and value.is_finite() and value > 0 else None


def _finite(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value.is_finite() else None
