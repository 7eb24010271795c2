"""What an order would need, and how large one may be: the two questions about margin before sending.

Parameters and answers follow the published names; what the venue rounds, and how, is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from trading_system.domain.market import Instrument
from trading_system.domain.orders import Side
from trading_system.domain.units import floor_to_step
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.envelope import Payload, RequestRefused
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.rest_public import known_market
from trading_system.sim.margin import MarginTerms

_ZERO = Decimal(0)


def order_margin(desk: Desk, params: Params) -> Payload:
    """Initial margin that a limit or market order of `size` would add to the account's."""
    symbol, side, size = known_market(desk, params), _side(params), params.required_number("size")
    price = _price(desk, params, symbol, side)
    terms, cost = desk.exchange.margin_terms(symbol), _signed_cost(desk, symbol)
    added = terms.initial(abs(cost + side.sign * size * price)) - terms.initial(abs(cost))
    return {"initialMargin": max(_ZERO, added), "price": price}


def max_order_size(desk: Desk, params: Params) -> Payload:
    """The largest orders that the available margin, and the market's position limit, leave room for on either side."""
    symbol = known_market(desk, params)
    payload: Payload = {}
    for side in Side:
        price = _price(desk, params, symbol, side)
        payload |= {f"max{side.value.capitalize()}Size": _largest(desk, symbol, side, price), f"{side.value}Price": price}
    return payload


def _largest(desk: Desk, symbol: str, side: Side, price: Decimal) -> Decimal:
    instrument, cost, held = _instrument(desk, symbol), _signed_cost(desk, symbol), _signed_size(desk, symbol)
    terms = desk.exchange.margin_terms(symbol)
    room = max(_ZERO, desk.exchange.account().available_margin) + terms.initial(abs(cost))
    size = (max(_affordable(terms, room), default=_ZERO) - side.sign * cost) / price
    if instrument.position_size_max is not None:
        size = min(size, instrument.position_size_max - side.sign * held)
    return floor_to_step(max(_ZERO, size), instrument.size_step)


def _affordable(terms: MarginTerms, room: Decimal) -> Iterator[Decimal]:
    """Per level, the largest notional inside it that `room` USD of margin carries."""
    for level, above in pairwise((*terms.levels, None)):
        assert level is not None
        if terms.leverage is not None and not terms.allows(terms.leverage, level.notional_from):
            return
        notional = room / level.initial if terms.leverage is None else room * terms.leverage
        if notional >= level.notional_from:
            yield notional if above is None else min(notional, above.notional_from)


def _price(desk: Desk, params: Params, symbol: str, side: Side) -> Decimal:
    """The limit of a limit order, else the touch it would take; the mark where there is none."""
    limit = params.number("limitPrice")
    match params.required("orderType"):
        case "lmt":
            if limit is None:
                raise RequestRefused("requiredArgumentMissing")
            return limit
        case "mkt":
            quote = desk.exchange.quote(symbol)
            touch = quote.ask if side is Side.BUY else quote.bid
            return quote.mark if touch is None else touch
        case _:
            raise RequestRefused("invalidArgument: orderType")


def _side(params: Params) -> Side:
    try:
        return Side(params.required("side").lower())
    except ValueError as error:
        raise RequestRefused("invalidArgument: side") from error


def _instrument(desk: Desk, symbol: str) -> Instrument:
    return next(row for row in desk.exchange.instruments() if row.venue_symbol == symbol)


def _signed_size(desk: Desk, symbol: str) -> Decimal:
    return sum((row.size if row.is_long else -row.size for row in desk.exchange.positions() if row.symbol == symbol), _ZERO)


def _signed_cost(desk: Desk, symbol: str) -> Decimal:
    """Entry value of the position, negative when short."""
    rows = (row for row in desk.exchange.positions() if row.symbol == symbol)
    return sum(((row.size if row.is_long else -row.size) * row.entry_price for row in rows), _ZERO)
