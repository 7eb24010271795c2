"""SimVenue: the daemon's ports over an in-process SimExchange. Nothing waits; every await returns at once.

Backtest and torture drive the whole daemon through it; faults are put between by wrapping it, never inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from trading_system.domain.account import (
    AccountFlow,
    AccountSnapshot,
    FeedEvent,
    FeedFill,
    FeedOrder,
    FeedPositions,
    FeedReset,
    FlowKind,
    VenuePosition,
)
from trading_system.domain.market import Bar, BookLevel, Instrument, OrderBook, Ticker, Timeframe
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    Direction,
    EntryOrder,
    EntryStyle,
    ExitOrder,
    Fill,
    FillId,
    FillKind,
    OpenOrder,
    OrderKind,
    OrderLife,
    OrderRequest,
    OrderStatus,
    OutcomeUnknown,
    Placed,
    Rejected,
    StopAmendment,
    StopOrder,
    SubmitOutcome,
    TakeProfitOrder,
    VenueOrderId,
)
from trading_system.domain.symbols import Symbol, normalise, to_venue
from trading_system.domain.units import Price, Qty, Usd, from_ms, to_ms
from trading_system.sim.exchange import SimExchange
from trading_system.sim.executor import POST_FAILED
from trading_system.sim.late_ticker import late_ticker, moved_to
from trading_system.sim.listings import top_facts, trading_status
from trading_system.sim.model import (
    CancelRequest,
    EditRequest,
    FillFeed,
    LogEntry,
    OrderFeed,
    OrderRow,
    OrderState,
    OrderType,
    PositionRow,
    PositionsFeed,
    SendRequest,
    SimEvent,
    SimFill,
    StatusRow,
    TopRow,
)
from trading_system.sim.open_orders import VANISHED
from trading_system.sim.read_models import LaggingReads

_FILL_KINDS: Final = {
    "maker": FillKind.MAKER,
    "taker": FillKind.TAKER,
    "takerAfterEdit": FillKind.TAKER,
    "liquidation": FillKind.LIQUIDATION,
    "assignor": FillKind.ASSIGNMENT,
    "unwindBankrupt": FillKind.UNWIND,
    "settlement": FillKind.SETTLEMENT,
}
_ORDER_KINDS: Final = {
    OrderType.STP: OrderKind.STOP,
    OrderType.TAKE_PROFIT: OrderKind.TAKE_PROFIT_TRIGGER,
    OrderType.TRAILING_STOP: OrderKind.OTHER,
}
_LIVES: Final = {
    OrderState.ENTERED_BOOK: OrderLife.ALIVE,
    OrderState.TRIGGER_PLACED: OrderLife.ALIVE,
    OrderState.FULLY_EXECUTED: OrderLife.FILLED,
    OrderState.CANCELLED: OrderLife.CANCELLED,
    OrderState.REJECTED: OrderLife.REJECTED,
    OrderState.TRIGGER_ACTIVATION_FAILURE: OrderLife.CANCELLED,
}
_ENTRY_TYPES: Final = {EntryStyle.IOC: "ioc", EntryStyle.LIMIT: "lmt", EntryStyle.POST_ONLY: "post"}
_WORDS: Final = {timeframe: timeframe.value for timeframe in Timeframe}
_CANCEL_OUTCOMES: Final = {
    "cancelled": CancelOutcome.CANCELLED,
    "filled": CancelOutcome.ALREADY_FILLED,
    "notFound": CancelOutcome.ALREADY_GONE,
}


class SimVenue:
    """MarketData, Account, Orders and PrivateFeed at once."""

    def __init__(self, exchange: SimExchange, *, feed_size: int = 10_000, reads: LaggingReads | None = None) -> None:
        """feed_size: events the private feed holds for a slow reader; past it the reader is told to read everything again.

        reads: where open orders, positions and fills are listed from; None = from the exchange, without delay.
        """
        self._exchange = exchange
        self._reads = reads
        self._feed: asyncio.Queue[FeedEvent] = asyncio.Queue(feed_size)
        self._tickers: dict[str, tuple[int, Ticker]] = {}
        self.unsubscribe = exchange.subscribe(self._on_event)

    # --- MarketData ---

    async def instruments(self) -> tuple[Instrument, ...]:
        return self._exchange.instruments()

    async def tickers(self) -> tuple[Ticker, ...]:
        """Quotes as of now; a market whose price did not move costs next to nothing."""
        now_ms = self._exchange.now_ms
        now = from_ms(now_ms)
        quotes: list[Ticker] = []
        for market in self._exchange.listed():
            symbol, version = market.spec.symbol, market.version
            known = self._tickers.get(symbol)
            if known is not None and known[0] == version:
                ticker = known[1] if known[1].at == now else moved_to(known[1], now)
            elif market.is_as_written:
                ticker = late_ticker(top_facts(market, now_ms), now)
            else:
                ticker = _ticker(self._exchange.top(symbol), now)
            self._tickers[symbol] = (version, ticker)
            quotes.append(ticker)
        return tuple(quotes)

    async def candles(self, symbol: Symbol, timeframe: Timeframe, since_ms: int, until_ms: int) -> tuple[Bar, ...]:
        return tuple(self._exchange.candles(to_venue(symbol), "trade", _WORDS[timeframe], -(-since_ms // 1000), until_ms // 1000))

    async def order_book(self, symbol: Symbol) -> OrderBook:
        book = self._exchange.book(to_venue(symbol))
        bids, asks = (tuple(BookLevel(Price(price), Qty(size)) for price, size in side) for side in (book.bids, book.asks))
        return OrderBook(symbol, from_ms(self._exchange.now_ms), bids, asks)

    # --- Account ---

    async def snapshot(self) -> AccountSnapshot:
        row = self._exchange.account()
        return AccountSnapshot(
            at=from_ms(row.at_ms),
            balance_value=Usd(row.balance),
            portfolio_value=Usd(row.portfolio_value),
            collateral_value=Usd(row.balance),
            margin_equity=Usd(row.margin_equity),
            initial_margin=Usd(row.initial_margin),
            initial_margin_with_orders=Usd(row.initial_margin_with_orders),
            maintenance_margin=Usd(row.maintenance_margin),
            available_margin=Usd(row.available_margin),
            unrealized_pnl=Usd(row.pnl),
            unrealized_funding=Usd(row.unrealized_funding),
        )

    async def positions(self) -> tuple[VenuePosition, ...]:
        return _positions((self._reads or self._exchange).positions())

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        return tuple(_open_order(row) for row in (self._reads or self._exchange).open_orders())

    async def fills(self, since: datetime) -> tuple[Fill, ...]:
        since_ms = to_ms(since)
        found = []
        listed = reversed(self._exchange.executions()) if self._reads is None else self._reads.newest_fills()
        for fill in listed:
            if fill.at_ms < since_ms:
                break
            found.append(_fill(fill))
        return tuple(reversed(found))

    async def order_status(self, ids: Sequence[ClientOrderId]) -> tuple[OrderStatus, ...]:
        return tuple(_status(row) for row in self._exchange.order_status(cli_ord_ids=ids)) if ids else ()

    async def flows(self, since: datetime) -> tuple[AccountFlow, ...]:
        since_ms = to_ms(since)
        found = []
        for entry in reversed(self._exchange.account_log()):
            if entry.at_ms < since_ms:
                break
            found += _flows(entry)[::-1]
        return tuple(reversed(found))

    # --- Orders ---

    async def submit(self, order: OrderRequest) -> SubmitOutcome:
        result = self._exchange.send(_send_request(order))
        if result.status == "placed":
            assert result.order_id is not None
            return Placed(VenueOrderId(result.order_id), None if result.reduced_quantity is None else Qty(result.reduced_quantity))
        if result.status == "clientOrderIdAlreadyExist":
            return OutcomeUnknown("id already in use")
        return Rejected(result.status)

    async def amend_stop(self, amendment: StopAmendment) -> SubmitOutcome:
        deadline = None if amendment.process_before is None else to_ms(amendment.process_before)
        order_id, size, trigger = amendment.venue_order_id, amendment.qty, amendment.trigger_price
        request = EditRequest(order_id=order_id, size=size, stop_price=trigger, process_before_ms=deadline)
        result = self._exchange.edit(request)
        return Placed(amendment.venue_order_id) if result.status == "edited" else Rejected(result.status)

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> CancelOutcome:
        result = self._exchange.cancel(CancelRequest(venue_order_id, None if venue_order_id is not None else client_order_id))
        return _CANCEL_OUTCOMES.get(result.status, CancelOutcome.UNKNOWN)

    # --- PrivateFeed ---

    async def events(self) -> AsyncIterator[FeedEvent]:
        yield FeedReset("connected")
        while True:
            yield await self._feed.get()

    def _on_event(self, event: SimEvent) -> None:
        told: FeedEvent
        match event:
            case FillFeed():
                told = FeedFill(_fill(event.fill))
            case OrderFeed() if event.reason not in (POST_FAILED, VANISHED):  # told on the verbose feed, and not at all
                order = event.order
                told = FeedOrder(
                    normalise(order.symbol),
                    VenueOrderId(order.order_id),
                    _client(order.cli_ord_id),
                    event.reason if event.is_gone else None,
                )
            case PositionsFeed():
                told = FeedPositions(_positions(self._exchange.positions()))
            case _:
                return
        if self._feed.full():
            while not self._feed.empty():
                self._feed.get_nowait()
            told = FeedReset("the reader was too slow; events were dropped")
        self._feed.put_nowait(told)


def _positions(rows: Sequence[PositionRow]) -> tuple[VenuePosition, ...]:
    return tuple(
        VenuePosition(normalise(row.symbol), Direction.LONG if row.is_long else Direction.SHORT, Qty(row.size), Price(row.entry_price))
        for row in rows
    )


def _client(text: str | None) -> ClientOrderId | None:
    return None if text is None else ClientOrderId(text)


def _price(value: Decimal | None) -> Price | None:
    return None if value is None else Price(value)


def _send_request(order: OrderRequest) -> SendRequest:
    symbol, side, size, client_id = to_venue(order.symbol), order.side.value, order.qty, order.client_order_id
    match order:
        case EntryOrder():
            kind = _ENTRY_TYPES[order.style]
            deadline = to_ms(order.process_before)
            return SendRequest(symbol, kind, side, size, limit_price=order.limit_price, cli_ord_id=client_id, process_before_ms=deadline)
        case StopOrder():
            return SendRequest(
                symbol, "stp", side, size, stop_price=order.trigger_price, trigger_signal="mark", reduce_only=True, cli_ord_id=client_id
            )
        case TakeProfitOrder():
            return SendRequest(symbol, "lmt", side, size, limit_price=order.limit_price, reduce_only=True, cli_ord_id=client_id)
        case ExitOrder():
            kind = "mkt" if order.limit_price is None else "ioc"
            return SendRequest(symbol, kind, side, size, limit_price=order.limit_price, reduce_only=True, cli_ord_id=client_id)


def _ticker(row: TopRow, now: datetime) -> Ticker:
    return Ticker(
        symbol=normalise(row.symbol),
        at=now,
        bid=_price(row.bid),
        ask=_price(row.ask),
        last=Price(row.last),
        mark=Price(row.mark),
        index=Price(row.index_price),
        volume_quote_24h=row.volume_quote_24h,
        open_interest=row.open_interest,
        funding_rate_hourly=row.relative_funding_rate,
        status=trading_status(row.mode),
    )


def _open_order(row: OrderRow) -> OpenOrder:
    return OpenOrder(
        venue_order_id=VenueOrderId(row.order_id),
        client_order_id=_client(row.cli_ord_id),
        symbol=normalise(row.symbol),
        side=row.side,
        kind=_ORDER_KINDS.get(row.order_type, OrderKind.LIMIT),
        qty=Qty(row.unfilled),
        filled_qty=Qty(row.filled),
        limit_price=_price(row.limit_price),
        trigger_price=_price(row.stop_price),
        trigger_signal=None if row.trigger_signal is None else row.trigger_signal.value,
        reduce_only=row.reduce_only,
        received_at=from_ms(row.received_ms),
        status_word=row.status_word,
    )


def _fill(row: SimFill) -> Fill:
    return Fill(
        fill_id=FillId(row.fill_id),
        venue_order_id=VenueOrderId(row.order_id),
        client_order_id=_client(row.cli_ord_id),
        symbol=normalise(row.symbol),
        side=row.side,
        qty=Qty(row.size),
        price=Price(row.price),
        at=from_ms(row.at_ms),
        kind=_FILL_KINDS.get(row.fill_type, FillKind.OTHER),
        fee_usd=row.fee_paid,
    )


def _status(row: StatusRow) -> OrderStatus:
    order = row.order
    reason = row.error or row.update_reason or ""
    return OrderStatus(_client(order.cli_ord_id), VenueOrderId(order.order_id), _LIVES[row.state], Qty(order.filled), reason)


def _flows(entry: LogEntry) -> list[AccountFlow]:
    """The money movements that are not realised P&L; the position leg of a trade moves no money."""
    if entry.asset != "usd":
        return []
    symbol = None if entry.contract is None else normalise(entry.contract)
    flow_id, at = str(entry.entry_id), from_ms(entry.at_ms)
    if entry.fee is not None:
        flows = [AccountFlow(flow_id, at, FlowKind.FEE, Usd(-entry.fee), symbol, entry.execution)]
        if entry.liquidation_fee:
            flows.append(AccountFlow(f"{flow_id}:liquidation", at, FlowKind.LIQUIDATION_FEE, Usd(-entry.liquidation_fee), symbol))
        return flows
    amount = Usd(entry.new_balance - entry.old_balance)
    if entry.realized_funding is not None:
        return [AccountFlow(flow_id, at, FlowKind.FUNDING, amount, symbol)]
    kind = FlowKind.DEPOSIT if amount >= 0 else FlowKind.WITHDRAWAL
    return [AccountFlow(flow_id, at, kind, amount, symbol)]
