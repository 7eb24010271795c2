"""Messages and rows of the WebSocket feeds (v1). Times are epoch milliseconds; `qty` of an order is what remains of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trading_system.domain.market import Instrument
from trading_system.domain.orders import Side
from trading_system.sim.executor import POST_FAILED
from trading_system.sim.kraken_server.rows_market import change_percent, ticker_pair
from trading_system.sim.model import (
    AccountRow,
    BookRows,
    IsolatedRow,
    MarketMode,
    Notice,
    OrderFeed,
    OrderRow,
    OrderType,
    PositionRow,
    QuoteRow,
    SimFill,
    TradeRow,
)

_TYPE_WORDS: Final = {
    OrderType.STP: "stop",
    OrderType.TAKE_PROFIT: "take_profit",
    OrderType.TRAILING_STOP: "stop",
    OrderType.LIQUIDATION: "liquidation",
    OrderType.ASSIGNMENT: "assignment",
    OrderType.UNWIND: "unwind",
}
_TRADE_WORDS: Final = {"partial liquidation": "partialLiquidation", "assignment": "liquidation"}
_FILL_WORDS: Final = {**_TYPE_WORDS, OrderType.IOC: "ioc", OrderType.MKT: "ioc", OrderType.FOK: "fok", OrderType.POST: "post"}
_WHOLE_ORDER_REASONS: Final = frozenset({"full_fill", "partial_fill", POST_FAILED})
_PERCENT: Final = Decimal("0.01")


def ticker_message(quote: QuoteRow, instrument: Instrument) -> dict[str, Any]:
    premium = ((quote.mark - quote.index) / quote.index * 100).quantize(_PERCENT) if quote.index else Decimal(0)
    message: dict[str, Any] = {
        "time": quote.at_ms,
        "product_id": quote.symbol,
        "funding_rate": quote.funding_rate,
        "funding_rate_prediction": quote.funding_rate_prediction,
        "relative_funding_rate": quote.relative_funding_rate,
        "relative_funding_rate_prediction": quote.relative_funding_rate_prediction,
        "next_funding_rate_time": quote.next_funding_ms,
        "leverage": f"{int(1 / instrument.margin_levels[0].initial)}x",
        "premium": premium,
        "feed": "ticker",
        "bid": quote.bid,
        "ask": quote.ask,
        "bid_size": quote.bid_size,
        "ask_size": quote.ask_size,
        "volume": quote.volume_24h,
        "dtm": 0,
        "index": quote.index,
        "last": quote.last,
        "change": change_percent(quote),
        "suspended": quote.mode is MarketMode.SUSPENDED,
        "tag": "perpetual",
        "pair": ticker_pair(quote.symbol),
        "openInterest": quote.open_interest,
        "markPrice": quote.mark,
        "maturityTime": 0,
        "post_only": quote.mode is MarketMode.POST_ONLY,
        "volumeQuote": quote.volume_quote_24h,
        "open": quote.open_24h,
        "high": quote.high_24h,
        "low": quote.low_24h,
    }
    return {name: value for name, value in message.items() if value is not None}


def ticker_lite_message(quote: QuoteRow, instrument: Instrument) -> dict[str, Any]:
    names = ("product_id", "bid", "ask", "change", "premium", "volume", "volumeQuote", "tag", "pair", "dtm", "maturityTime")
    full = ticker_message(quote, instrument)
    return {"feed": "ticker_lite", **{name: full[name] for name in names if name in full}}


def trade_message(symbol: str, trade: TradeRow) -> dict[str, Any]:
    return {
        "feed": "trade",
        "product_id": symbol,
        "uid": trade.uid,
        "side": trade.side.value,
        "type": _TRADE_WORDS.get(trade.trade_type, trade.trade_type),
        "seq": trade.trade_id,
        "time": trade.at_ms,
        "qty": trade.size,
        "price": trade.price,
    }


def book_snapshot_message(book: BookRows, seq: int) -> dict[str, Any]:
    return {
        "feed": "book_snapshot",
        "product_id": book.symbol,
        "timestamp": book.at_ms,
        "seq": seq,
        "tickSize": None,
        "bids": [{"price": price, "qty": qty} for price, qty in book.bids],
        "asks": [{"price": price, "qty": qty} for price, qty in book.asks],
    }


def book_delta_message(symbol: str, side: Side, seq: int, price: Decimal, qty: Decimal, at_ms: int) -> dict[str, Any]:
    """One level's new size; 0 removes it."""
    return {"feed": "book", "product_id": symbol, "side": side.value, "seq": seq, "price": price, "qty": qty, "timestamp": at_ms}


def fill_feed_row(fill: SimFill) -> dict[str, Any]:
    row: dict[str, Any] = {
        "instrument": fill.symbol,
        "time": fill.at_ms,
        "price": fill.price,
        "seq": fill.seq,
        "buy": fill.side is Side.BUY,
        "qty": fill.size,
        "remaining_order_qty": fill.remaining,
        "order_id": fill.order_id,
        "fill_id": fill.fill_id,
        "fill_type": fill.fill_type,
        "fee_paid": fill.fee_paid,
        "fee_currency": fill.fee_currency,
        "taker_order_type": _FILL_WORDS.get(fill.order_type, "limit") if fill.fill_type != "maker" else "ioc",
        "order_type": _TYPE_WORDS.get(fill.order_type, "limit"),
    }
    return row if fill.cli_ord_id is None else {**row, "cli_ord_id": fill.cli_ord_id}


def open_order_feed_row(order: OrderRow) -> dict[str, Any]:
    row: dict[str, Any] = {
        "instrument": order.symbol,
        "time": order.received_ms,
        "last_update_time": order.updated_ms,
        "qty": order.unfilled,
        "filled": order.filled,
        "limit_price": order.limit_price if order.limit_price is not None else Decimal("0.0"),
        "stop_price": order.stop_price if order.stop_price is not None else Decimal("0.0"),
        "type": _TYPE_WORDS.get(order.order_type, "limit"),
        "order_id": order.order_id,
        "direction": 0 if order.side is Side.BUY else 1,
        "reduce_only": order.reduce_only,
    }
    if order.cli_ord_id is not None:
        row["cli_ord_id"] = order.cli_ord_id
    if order.trigger_signal is not None:
        row["triggerSignal"] = order.trigger_signal.value
    if order.trailing is not None:
        row["trailing_stop_options"] = {"max_deviation": order.trailing.max_deviation, "unit": order.trailing.unit.value}
    return row


def order_feed_message(feed: str, event: OrderFeed) -> dict[str, Any]:
    """Fills tell the whole order; a cancelled order is told by its ids alone."""
    order = event.order
    if not event.is_gone or event.reason in _WHOLE_ORDER_REASONS:
        return {"feed": feed, "order": open_order_feed_row(order), "is_cancel": event.is_gone, "reason": event.reason}
    ids = {"order_id": order.order_id} | ({} if order.cli_ord_id is None else {"cli_ord_id": order.cli_ord_id})
    return {"feed": feed, **ids, "is_cancel": True, "reason": event.reason}


def open_position_feed_row(position: PositionRow, account: AccountRow) -> dict[str, Any]:
    notional = position.size * position.mark_price
    return {
        "instrument": position.symbol,
        "balance": position.size if position.is_long else -position.size,
        "pnl": position.unrealized_pnl,
        "entry_price": position.entry_price,
        "mark_price": position.mark_price,
        "index_price": position.index_price,
        "liquidation_threshold": position.liquidation_price if position.liquidation_price is not None else Decimal(0),
        "effective_leverage": _ratio(notional, _equity_of(position, account)),
        "return_on_equity": _ratio(position.unrealized_pnl * 100, position.initial_margin),
        "unrealized_funding": position.unrealized_funding,
        "initial_margin": position.initial_margin,
        "initial_margin_with_orders": position.initial_margin,
        "maintenance_margin": position.maintenance_margin,
        "pnl_currency": "USD",
    }


def _equity_of(position: PositionRow, account: AccountRow) -> Decimal:
    """What the position leans on: its own purse when isolated."""
    own = next((row.equity for row in account.isolated if row.symbol == position.symbol), None)
    return account.cross_equity if own is None else own


def _isolated_block(row: IsolatedRow) -> dict[str, Any]:
    return {
        "initial_margin": row.initial_margin,
        "initial_margin_with_orders": row.initial_margin,
        "maintenance_margin": row.maintenance_margin,
        "pnl": row.pnl,
        "unrealized_funding": row.unrealized_funding,
        "total_unrealized": row.pnl + row.unrealized_funding,
        "total_unrealized_as_margin": row.pnl + row.unrealized_funding,
        "margin_equity": row.equity,
    }


def _cross_block(account: AccountRow) -> dict[str, Any]:
    own = account.isolated
    initial = sum((row.initial_margin for row in own), Decimal(0))
    balance = account.balance - sum((row.margin for row in own), Decimal(0))
    return {
        "balance_value": balance,
        "portfolio_value": account.cross_equity,
        "collateral_value": balance,
        "initial_margin": account.initial_margin_with_orders - initial,
        "initial_margin_without_orders": account.initial_margin - initial,
        "maintenance_margin": account.maintenance_margin - sum((row.maintenance_margin for row in own), Decimal(0)),
        "pnl": account.pnl - sum((row.pnl for row in own), Decimal(0)),
        "unrealized_funding": account.unrealized_funding - sum((row.unrealized_funding for row in own), Decimal(0)),
        "margin_equity": account.cross_equity,
        "available_margin": account.available_margin,
    }


def flex_block(account: AccountRow) -> dict[str, Any]:
    """`flex_futures` of the balances feed."""
    usd = {
        "quantity": account.balance,
        "value": account.balance,
        "collateral_value": account.balance,
        "available": max(Decimal(0), min(account.balance, account.available_margin)),
        "haircut": Decimal("0.0"),
        "conversion_spread": Decimal("0.0"),
    }
    without_orders = account.initial_margin
    return {
        "currencies": {"USD": usd},
        "balance_value": account.balance,
        "portfolio_value": account.portfolio_value,
        "collateral_value": account.balance,
        "initial_margin": account.initial_margin_with_orders,
        "initial_margin_without_orders": without_orders,
        "maintenance_margin": account.maintenance_margin,
        "pnl": account.pnl,
        "unrealized_funding": account.unrealized_funding,
        "total_unrealized": account.total_unrealized,
        "total_unrealized_as_margin": account.total_unrealized,
        "margin_equity": account.margin_equity,
        "available_margin": account.available_margin,
        "isolated": {row.symbol: _isolated_block(row) for row in account.isolated},
        "cross": _cross_block(account),
    }


def notification_feed_row(note: Notice) -> dict[str, Any]:
    return {
        "id": note.notification_id,
        "type": note.kind,
        "priority": note.priority,
        "note": note.note,
        "effective_time": note.effective_ms,
        "expected_downtime_minutes": note.downtime_minutes,
    }


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(Decimal("0.000001")) if whole > 0 else Decimal(0)
