"""Can this size be bought or sold now without paying more than the tier's slippage? Fails closed: no book, no entry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from trading_system.domain.intents import RefusalReason, Refused
from trading_system.domain.market import BookLevel, OrderBook, Ticker
from trading_system.domain.orders import Side
from trading_system.domain.units import ONE, ZERO
from trading_system.risk.limits import QuoteLimits


def opposing(book: OrderBook, side: Side) -> tuple[BookLevel, ...]:
    """The levels an order of `side` takes from, best first."""
    return book.asks if side is Side.BUY else book.bids


def depth_within(levels: Sequence[BookLevel], side: Side, limit_price: Decimal) -> Decimal:
    """Base units offered at `limit_price` or better."""
    return sum((level.qty for level in levels if (limit_price - level.price) * side.sign >= 0), ZERO)


def average_price(levels: Sequence[BookLevel], qty: Decimal) -> Decimal | None:
    """Average price paid for `qty` (> 0) walking the levels; None when the book is too short."""
    left, paid = qty, ZERO
    for level in levels:
        taken = min(left, level.qty)
        paid += taken * level.price
        left -= taken
        if left <= 0:
            return paid / qty
    return None


def check_book(
    book: OrderBook | None, side: Side, qty: Decimal, slippage_max: Decimal, now: datetime, limits: QuoteLimits
) -> Refused | None:
    """Gate a taking entry: a fresh two-sided book, spread, depth within the cap, and the walk's average against mid."""
    if book is None or not book.bids or not book.asks or book.bids[0].price >= book.asks[0].price:
        return Refused(RefusalReason.BOOK_UNAVAILABLE, ONE, ZERO, note="no usable order book was read")
    age = now - book.at
    if age > timedelta(seconds=limits.age_s_max):
        return Refused(
            RefusalReason.BOOK_UNAVAILABLE, Decimal(limits.age_s_max), Decimal(str(age.total_seconds())), note="order book age in seconds"
        )
    bid, ask = book.bids[0].price, book.asks[0].price
    mid = (bid + ask) / 2
    spread = (ask - bid) / mid
    if spread > limits.spread_max:
        return Refused(RefusalReason.SPREAD, limits.spread_max, spread)
    levels = opposing(book, side)
    depth = depth_within(levels, side, levels[0].price * (ONE + slippage_max * side.sign))
    if depth < qty * limits.depth_multiple_min:
        return Refused(RefusalReason.BOOK_TOO_THIN, qty * limits.depth_multiple_min, depth, note="base units within the slippage cap")
    average = average_price(levels, qty)
    if average is None:
        return Refused(RefusalReason.BOOK_TOO_THIN, qty, depth)
    slippage = abs(average - mid) / mid
    if slippage > slippage_max:
        return Refused(RefusalReason.SLIPPAGE, slippage_max, slippage, note="average price of the book walk against mid")
    return None


def check_signal_spread(ticker: Ticker, limits: QuoteLimits) -> Refused | None:
    """Before a signal becomes a candidate: live spread (fraction of mid). A missing side refuses: the quote gate fails closed."""
    spread = ticker.spread
    if spread is None:
        return Refused(RefusalReason.QUOTE_UNUSABLE, limits.signal_spread_max, ZERO, note="bid or ask missing, or crossed")
    if spread > limits.signal_spread_max:
        return Refused(RefusalReason.SPREAD, limits.signal_spread_max, spread)
    return None
