"""Publishes to WebSocket sessions: the model's events as they happened, market feeds on a beat of process time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Any, Final, Protocol, assert_never

from trading_system.domain.market import Instrument
from trading_system.sim.executor import POST_FAILED
from trading_system.sim.kraken_server.book_feed import BookFeed
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.encoding import encode
from trading_system.sim.kraken_server.feed_faults import FeedFaults
from trading_system.sim.kraken_server.rows_account import log_row
from trading_system.sim.kraken_server.rows_feed import (
    fill_feed_row,
    flex_block,
    notification_feed_row,
    open_order_feed_row,
    open_position_feed_row,
    order_feed_message,
    ticker_lite_message,
    ticker_message,
    trade_message,
)
from trading_system.sim.model import BalancesFeed, FillFeed, LogFeed, NoticeFeed, OrderFeed, PositionsFeed, SimEvent
from trading_system.sim.open_orders import VANISHED

PRODUCT_FEEDS: Final = frozenset({"ticker", "ticker_lite", "trade", "book"})
PRIVATE_FEEDS: Final = frozenset(
    {"fills", "open_orders", "open_orders_verbose", "open_positions", "balances", "account_log", "notifications_auth"}
)
FEEDS: Final = PRODUCT_FEEDS | PRIVATE_FEEDS | {"heartbeat"}

_BEAT_S: Final = 1.0
_QUICK_BEAT_S: Final = 0.2
_SNAPSHOT_ROWS: Final = 100


class Subscriber(Protocol):
    """A connection as the hub sees it."""

    def is_subscribed(self, feed: str, product: str = "") -> bool: ...

    def products(self, feed: str) -> Collection[str]: ...

    def send(self, text: str) -> None: ...


class FeedHub:
    """All sessions and what they were told."""

    def __init__(self, desk: Desk, feed_faults: FeedFaults | None = None) -> None:
        self._desk = desk
        self._feed_faults = feed_faults
        self._sessions: list[Subscriber] = []
        self._events: list[SimEvent] = []
        self._instruments: dict[str, Instrument] = {}
        self._books: dict[str, BookFeed] = {}
        self._trade_ids: dict[str, int] = {}
        self._seqs = Counter[str]()
        self._now_s = 0.0
        self._beat_at_s = 0.0
        self._quick_beat_at_s = 0.0
        self._heartbeat_at_s = 0.0

    @property
    def has_events(self) -> bool:
        return bool(self._events)

    def join(self, session: Subscriber) -> None:
        self._sessions.append(session)

    def leave(self, session: Subscriber) -> None:
        self._sessions.remove(session)

    def on_event(self, event: SimEvent) -> None:
        """Called by the model; told to the sessions by the next `publish`."""
        if self._sessions:
            self._events.append(event)

    def publish(self, now_s: float) -> None:
        """Tell the sessions what is new. `now_s`: process seconds."""
        self._now_s = now_s
        events, self._events = self._events, []
        if not self._sessions:
            return
        self._publish_account(events)
        if now_s - self._quick_beat_at_s >= _QUICK_BEAT_S:
            self._quick_beat_at_s = now_s
            self._publish_books_and_trades()
        if now_s - self._beat_at_s >= _BEAT_S:
            self._beat_at_s = now_s
            self._publish_beat()
        if now_s - self._heartbeat_at_s >= self._desk.exchange.config.variants.heartbeat_s:
            self._heartbeat_at_s = now_s
            self._broadcast("heartbeat", self._heartbeat)

    def first_messages(self, feed: str, products: Iterable[str]) -> list[dict[str, Any]]:
        """What a new subscriber of `feed` is told at once."""
        match feed:
            case "book":
                return [self._book_feed(symbol).snapshot() for symbol in products]
            case "trade":
                return [self._trade_snapshot(symbol) for symbol in products]
            case "ticker" | "ticker_lite":
                return [self._ticker(feed, symbol) for symbol in products]
            case "heartbeat":
                return [self._heartbeat()]
            case _:
                return [self._private_snapshot(feed)]

    # --- private feeds

    def _private_snapshot(self, feed: str) -> dict[str, Any]:
        exchange, account = self._desk.exchange, self._desk.account_uid
        match feed:
            case "fills":
                return {
                    "feed": "fills_snapshot",
                    "account": account,
                    "fills": [fill_feed_row(row) for row in exchange.fills(limit=_SNAPSHOT_ROWS)],
                }
            case "open_orders" | "open_orders_verbose":
                return {
                    "feed": f"{feed}_snapshot",
                    "account": account,
                    "orders": [open_order_feed_row(row) for row in exchange.open_orders()],
                }
            case "open_positions":
                return self._positions()
            case "balances":
                return self._balances("balances_snapshot")
            case "account_log":
                return {
                    "feed": "account_log_snapshot",
                    "logs": [log_row(row) for row in islice(reversed(exchange.account_log()), _SNAPSHOT_ROWS)],
                }
            case _:
                return {
                    "feed": "notifications_auth",
                    "notifications": [notification_feed_row(row) for row in self._desk.exchange.notices()],
                }

    def _publish_account(self, events: Iterable[SimEvent]) -> None:
        is_positions_due = is_balances_due = False
        for event in events:
            match event:
                case OrderFeed():
                    self._publish_order(event)
                case FillFeed():
                    row = fill_feed_row(event.fill)
                    self._broadcast("fills", lambda row=row: {"feed": "fills", "username": self._desk.account_uid, "fills": [row]})  # type: ignore[misc]
                case LogFeed():
                    entry = log_row(event.entry)
                    self._broadcast("account_log", lambda entry=entry: {"feed": "account_log", "new_entry": entry})  # type: ignore[misc]
                case PositionsFeed():
                    is_positions_due = True
                case BalancesFeed():
                    is_balances_due = True
                case NoticeFeed():
                    note = notification_feed_row(event.notice)
                    self._broadcast("notifications_auth", lambda note=note: {"feed": "notifications_auth", "notifications": [note]})  # type: ignore[misc]
                case _:
                    assert_never(event)
        if is_positions_due:
            self._broadcast("open_positions", lambda: self._next("open_positions", self._positions))
        if is_balances_due:
            self._broadcast("balances", lambda: self._next("balances", self._balances))

    def _publish_order(self, event: OrderFeed) -> None:
        if event.reason == VANISHED:
            return
        if event.reason != POST_FAILED:
            self._broadcast("open_orders", lambda: order_feed_message("open_orders", event))
        self._broadcast("open_orders_verbose", lambda: order_feed_message("open_orders_verbose", event))

    def _positions(self) -> dict[str, Any]:
        account = self._desk.exchange.account()
        rows = [open_position_feed_row(row, account) for row in self._desk.exchange.positions()]
        return {
            "feed": "open_positions",
            "account": self._desk.account_uid,
            "positions": rows,
            "seq": self._seqs["open_positions"],
            "timestamp": self._desk.now_ms,
        }

    def _balances(self, feed: str = "balances") -> dict[str, Any]:
        return {
            "feed": feed,
            "account": self._desk.account_uid,
            "holding": {},
            "futures": {},
            "flex_futures": flex_block(self._desk.exchange.account()),
            "timestamp": self._desk.now_ms,
            "seq": self._seqs["balances"],
        }

    # --- market feeds

    def _publish_beat(self) -> None:
        for feed in ("ticker", "ticker_lite"):
            for symbol in self._wanted(feed):
                self._broadcast(feed, lambda feed=feed, symbol=symbol: self._ticker(feed, symbol), symbol)  # type: ignore[misc]
        if any(session.is_subscribed("open_positions") for session in self._sessions) and self._desk.exchange.positions():
            # marks move between events
            self._broadcast("open_positions", lambda: self._next("open_positions", self._positions))

    def _publish_books_and_trades(self) -> None:
        for symbol in self._wanted("book"):
            self._advance_book(symbol)
        for symbol in self._wanted("trade"):
            self._advance_trades(symbol)

    def _book_feed(self, symbol: str) -> BookFeed:
        """The market's feed, brought up to date for everyone, so that a snapshot and the next delta fit together."""
        if symbol in self._books:
            self._advance_book(symbol)
        else:
            self._books[symbol] = BookFeed(self._desk.exchange.book(symbol))
        return self._books[symbol]

    def _advance_book(self, symbol: str) -> None:
        for message in self._books[symbol].advance(self._desk.exchange.book(symbol)):
            self._broadcast("book", lambda message=message: message, symbol)  # type: ignore[misc]

    def _trade_snapshot(self, symbol: str) -> dict[str, Any]:
        self._advance_trades(symbol)
        trades = self._desk.exchange.trades(symbol)[:_SNAPSHOT_ROWS]
        return {"feed": "trade_snapshot", "product_id": symbol, "trades": [trade_message(symbol, trade) for trade in trades]}

    def _advance_trades(self, symbol: str) -> None:
        trades = self._desk.exchange.trades(symbol)
        last_id = self._trade_ids.get(symbol)
        for trade in reversed(trades):
            if last_id is not None and trade.trade_id > last_id:
                self._broadcast("trade", lambda trade=trade: trade_message(symbol, trade), symbol)  # type: ignore[misc]
        self._trade_ids[symbol] = trades[0].trade_id if trades else 0

    def _ticker(self, feed: str, symbol: str) -> dict[str, Any]:
        quote = self._desk.exchange.quote(symbol)
        if symbol not in self._instruments:  # markets may be listed while the exchange runs
            self._instruments = {row.venue_symbol: row for row in self._desk.exchange.instruments()}
        instrument = self._instruments[symbol]
        return ticker_message(quote, instrument) if feed == "ticker" else ticker_lite_message(quote, instrument)

    def _heartbeat(self) -> dict[str, Any]:
        return {"feed": "heartbeat", "time": self._desk.now_ms}

    # --- delivery

    def _wanted(self, feed: str) -> list[str]:
        return sorted({symbol for session in self._sessions for symbol in session.products(feed)})

    def _broadcast(self, feed: str, make: Callable[[], dict[str, Any]], product: str = "") -> None:
        """Send to everyone subscribed; made and encoded once, and only when somebody listens."""
        listeners = [session for session in self._sessions if session.is_subscribed(feed, product)]
        if listeners:
            text = encode(make()).decode()
            texts = [text] if self._feed_faults is None else self._feed_faults.struck(feed, text, self._now_s)
            for session in listeners:
                for one in texts:
                    session.send(one)

    def _next(self, feed: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A message of a numbered feed: each number once and in order. What a newcomer is told first repeats the last one."""
        self._seqs[feed] += 1
        return make()
