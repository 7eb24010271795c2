"""SimExchange: one account, many markets. Synchronous and deterministic: market time moves only by `advance_to`.

State is a function of the source, the configuration and the commands with their market times; how often `advance_to` is
called between them changes nothing. That is what makes the command log a complete backup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from trading_system.domain.market import Bar, Instrument, Timeframe
from trading_system.sim.bars import HOUR_MS, BarSeries
from trading_system.sim.codec import from_json, to_json
from trading_system.sim.desk import Desk
from trading_system.sim.executor import Executor, Fees
from trading_system.sim.funding import fix_rate, predict_rate
from trading_system.sim.ledger import Ledger
from trading_system.sim.listings import book_rows, instrument, quote_row, status_of, trade_rows
from trading_system.sim.market_state import MarketState
from trading_system.sim.model import (
    AccountRow,
    BookRows,
    CancelAfterResult,
    CancelAllResult,
    CancelRequest,
    CancelResult,
    EditRequest,
    EditResult,
    FundingRow,
    HistoryRow,
    LogEntry,
    MarketMode,
    OrderRow,
    PositionRow,
    QuoteRow,
    SendRequest,
    SendResult,
    SimEvent,
    SimFill,
    StatusRow,
    TradeRow,
)
from trading_system.sim.open_orders import OpenOrders
from trading_system.sim.source import MarketSpec, PricePoint, PriceSource
from trading_system.sim.tape import Tape

_FUNDING_HOURS_KEPT: Final = 8_784
STATE_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """Rates as fractions of notional; guards as fractions of the touch."""

    deposit_usd: Decimal = Decimal(10_000)
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    market_guard: Decimal = Decimal("0.01")
    """How far beyond the touch a market order may execute."""
    trigger_guard: Decimal = Decimal("0.01")
    """The same for a stop-market when it fires (the venue's own value is not published)."""
    orders_open_max: int = 500
    finished_memory_ms: int = 5_000
    """How long (market time) orders/status knows an ended order."""
    id_seed: int = 0


class SimExchange:
    """The venue model. Symbols are venue symbols; an unknown one raises KeyError in queries and is refused in requests."""

    def __init__(
        self, source: PriceSource, config: ExchangeConfig | None = None, *, on_commit: Callable[[Mapping[str, Any]], None] | None = None
    ) -> None:
        """on_commit(record): told every command before its answer is returned, and the time of a fill before it is published.

        Records are JSON-able: {"at_ms", "kind", "args", "accepted"}; see `apply_commit`.
        """
        self.config = config = config or ExchangeConfig()
        self._source = source
        self._on_commit = on_commit
        self.now_ms = source.start_ms
        self._tape = Tape(config.id_seed, config.finished_memory_ms)
        self._states = [self._new_state(number, spec) for number, spec in enumerate(source.markets())]
        self._markets = {state.spec.symbol: state for state in self._states}
        self._ledger = Ledger(self._states, self._tape)
        self._orders = OpenOrders(self._markets, self._tape)
        fees = Fees(config.maker_fee, config.taker_fee)
        self._executor = Executor(self._markets, self._ledger, self._orders, self._tape, fees, config.trigger_guard)
        self._desk = Desk(
            self._markets, self._ledger, self._orders, self._executor, self._tape, config.market_guard, config.orders_open_max
        )
        self._funding: dict[str, list[FundingRow]] = {symbol: [] for symbol in self._markets}
        self._subscribers: list[Callable[[SimEvent], None]] = []
        self._next_hour = self.now_ms - self.now_ms % HOUR_MS + HOUR_MS
        self._dead_man_ms: int | None = None
        source.bind(lambda number: int(self._states[number].position_f > 0) - int(self._states[number].position_f < 0))
        if config.deposit_usd:
            self._ledger.deposit(self.now_ms, config.deposit_usd)
        self._tape.outbox.clear()

    def _new_state(self, number: int, spec: MarketSpec) -> MarketState:
        quarters, hours = self._source.history(number, Timeframe.M15), self._source.history(number, Timeframe.H1)
        start = self._source.start_ms
        series = BarSeries(quarters, hours, start_ms=start)
        # mark and index history: the traded bars without volume; the premium is far below what a bar shows
        mark, index = (BarSeries(start_ms=start, past=series) for _ in range(2))
        return MarketState(number, spec, series, mark, index, start)

    # --- time ---

    def advance_to(self, ms: int) -> int:
        """Move market time to `ms`, applying every point up to it; return how many. Going back is ignored."""
        if ms <= self.now_ms:
            return 0
        applied = 0
        ledger = self._ledger
        states, timer_ms = self._states, self._timer_ms
        for point in self._source.points(ms):
            applied += 1
            if point.at_ms >= timer_ms:
                self._run_timers(point.at_ms)
                timer_ms = self._timer_ms
            market = states[point.market]
            before = market.mid
            if market.position_f:
                mark = market.mark
                market.move(point)
                ledger.equity_f += market.position_f * (market.mark - mark)
                if ledger.equity_f < ledger.alarm_f:
                    self._touch_account(point, before, check_orders=market.is_tripped())
                    continue
            else:
                market.move(point)
            if market.orders and market.is_tripped():
                self._touch_account(point, before, check_orders=True)
        if ms >= self._timer_ms:
            self._run_timers(ms)
        self.now_ms = ms
        return applied

    @property
    def _timer_ms(self) -> int:
        return self._next_hour if self._dead_man_ms is None else min(self._next_hour, self._dead_man_ms)

    def _touch_account(self, point: PricePoint, before: float, *, check_orders: bool) -> None:
        """Orders first (a stop may fire before the margin runs out), then margin."""
        self.now_ms = point.at_ms
        if check_orders:
            self._executor.pass_to(self._states[point.market], point, before)
            self._ledger.refresh_guard()
        if self._ledger.equity_f < self._ledger.alarm_f:
            self._executor.enforce_margin(point.at_ms)
        self._publish_advance()

    def _run_timers(self, until_ms: int) -> None:
        """Funding hours and the dead man's switch due up to `until_ms`, each at its own time."""
        while (at_ms := self._timer_ms) <= until_ms:
            self.now_ms = at_ms
            if at_ms == self._next_hour:
                self._turn_hour(at_ms)
            else:
                self._dead_man_ms = None
                self._desk.cancel_all(at_ms, None, "dead_man_switch")
                self._ledger.refresh_guard()
            self._publish_advance()

    def _turn_hour(self, at_ms: int) -> None:
        self._next_hour = at_ms + HOUR_MS
        for market in self._states:
            self._ledger.settle_funding(at_ms, market)
            if market.is_listed:
                rate = fix_rate(market, at_ms)
                rows = self._funding[market.spec.symbol]
                rows.append(rate)
                del rows[:-_FUNDING_HOURS_KEPT]
        self._ledger.refresh_guard()

    # --- requests ---

    def send(self, request: SendRequest) -> SendResult:
        """Place an order; a refusal is the answer's `status`."""
        result = self._desk.send(self.now_ms, request)
        self._commit("send", to_json(request), accepted=result.status == "placed")
        return result

    def edit(self, request: EditRequest) -> EditResult:
        result = self._desk.edit(self.now_ms, request)
        self._commit("edit", to_json(request), accepted=result.status == "edited")
        return result

    def cancel(self, request: CancelRequest) -> CancelResult:
        result = self._desk.cancel(self.now_ms, request)
        self._ledger.refresh_guard()
        self._commit("cancel", to_json(request), accepted=result.status == "cancelled")
        return result

    def cancel_all(self, symbol: str | None = None) -> CancelAllResult:
        """Every open order (of one market), triggers included."""
        result = self._desk.cancel_all(self.now_ms, symbol)
        self._ledger.refresh_guard()
        self._commit("cancel_all", {"symbol": symbol}, accepted=bool(result.cancelled))
        return result

    def cancel_all_after(self, timeout_s: int) -> CancelAfterResult:
        """Arm (or, with 0, disarm) the dead man's switch: all orders are cancelled that many market seconds from now."""
        self._dead_man_ms = self.now_ms + timeout_s * 1000 if timeout_s > 0 else None
        self._commit("cancel_all_after", {"timeout_s": timeout_s}, accepted=True)
        return CancelAfterResult(self.now_ms, self._dead_man_ms)

    def deposit(self, amount: Decimal) -> None:
        """Add cash; negative withdraws."""
        self._ledger.deposit(self.now_ms, amount)
        self._commit("deposit", {"amount": str(amount)}, accepted=True)

    def set_mode(self, symbol: str, mode: MarketMode) -> None:
        """Change what a market accepts. Orders that crossed meanwhile are matched at the next point after it is online again."""
        self._markets[symbol].mode = mode
        self._markets[symbol].version += 1
        self._commit("set_mode", {"symbol": symbol, "mode": mode.value}, accepted=True)

    # --- public queries ---

    def symbols(self) -> tuple[str, ...]:
        """Markets that have a price."""
        return tuple(symbol for symbol, market in self._markets.items() if market.is_listed)

    def spec(self, symbol: str) -> MarketSpec:
        return self._markets[symbol].spec

    def mode(self, symbol: str) -> MarketMode:
        return self._markets[symbol].mode

    def instruments(self) -> tuple[Instrument, ...]:
        return tuple(instrument(market) for market in self._states if market.is_listed)

    def quote(self, symbol: str) -> QuoteRow:
        return quote_row(self._markets[symbol], self.now_ms, self._next_hour)

    def quotes(self) -> tuple[QuoteRow, ...]:
        return tuple(quote_row(market, self.now_ms, self._next_hour) for market in self._states if market.is_listed)

    def quote_version(self, symbol: str) -> int:
        """Grows with every point and every change of our orders on the market."""
        return self._markets[symbol].version

    def book(self, symbol: str, depth: int | None = None) -> BookRows:
        """The book with our own orders in it, best first, never crossed."""
        return book_rows(self._markets[symbol], depth)

    def trades(self, symbol: str) -> tuple[TradeRow, ...]:
        """The latest 100 public trades, newest first."""
        return trade_rows(self._markets[symbol])

    def candles(self, symbol: str, tick_type: str, resolution: str, from_s: int, to_s: int) -> Sequence[Bar]:
        """Bars with open time in [from_s, to_s] (epoch seconds), ascending, the running one included.

        tick_type trade, mark or spot (= index); resolution 1m … 1w; KeyError for other words.
        """
        return self._series(symbol, tick_type).between(resolution, from_s * 1000, to_s * 1000)

    def candles_since(self, symbol: str, tick_type: str) -> int | None:
        """Epoch seconds of the oldest price that candles know of; None before the first."""
        first_ms = self._series(symbol, tick_type).first_ms
        return None if first_ms is None else first_ms // 1000

    def _series(self, symbol: str, tick_type: str) -> BarSeries:
        market = self._markets[symbol]
        return {"trade": market.bars, "mark": market.mark_bars, "spot": market.index_bars}[tick_type]

    def funding_history(self, symbol: str) -> tuple[FundingRow, ...]:
        """Hourly rates, oldest first, at most a year."""
        return tuple(self._funding[symbol])

    def funding_prediction(self, symbol: str) -> FundingRow:
        """What the next hour's rate would be if it were fixed now."""
        return predict_rate(self._markets[symbol], self.now_ms)

    # --- private queries ---

    def open_orders(self) -> tuple[OrderRow, ...]:
        """Newest first, triggers included."""
        return self._orders.rows()[::-1]

    def order_status(self, order_ids: Sequence[str] = (), cli_ord_ids: Sequence[str] = ()) -> tuple[StatusRow, ...]:
        """Open orders and those that ended a moment ago; unknown ids are missing. No ids at all = everything known."""
        known = [*(status_of(order) for order in self._orders.rows()), *self._tape.remembered(self.now_ms)]
        if not order_ids and not cli_ord_ids:
            return tuple(known)
        ids, client_ids = set(order_ids), set(cli_ord_ids)
        return tuple(row for row in known if row.order.order_id in ids or row.order.cli_ord_id in client_ids)

    def positions(self) -> tuple[PositionRow, ...]:
        return self._ledger.position_rows(self.now_ms)

    def fills(self, before_ms: int | None = None, limit: int = 100) -> tuple[SimFill, ...]:
        """Newest first; with `before_ms` only those before it."""
        found: list[SimFill] = []
        for fill in reversed(self._tape.fills):
            if before_ms is None or fill.at_ms < before_ms:
                found.append(fill)
                if len(found) == limit:
                    break
        return tuple(found)

    def account(self) -> AccountRow:
        return self._ledger.account(self.now_ms)

    def account_log(self) -> Sequence[LogEntry]:
        """Oldest first; bounded, the oldest rows are let go."""
        return self._tape.log

    def order_history(self) -> Sequence[HistoryRow]:
        """Oldest first; bounded."""
        return self._tape.orders

    def trigger_history(self) -> Sequence[HistoryRow]:
        """Oldest first; bounded."""
        return self._tape.triggers

    def executions(self) -> Sequence[SimFill]:
        """Oldest first; bounded."""
        return self._tape.fills

    # --- events and durability ---

    def subscribe(self, callback: Callable[[SimEvent], None]) -> Callable[[], None]:
        """Call back every event, in order, after it is committed. The callback must not call requests. Returns the unsubscriber."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def _commit(self, kind: str, args: Mapping[str, Any], *, accepted: bool) -> None:
        if self._on_commit is not None:
            self._on_commit({"at_ms": self.now_ms, "kind": kind, "args": args, "accepted": accepted})
        self._publish()

    def _publish_advance(self) -> None:
        if self._tape.outbox:
            if self._on_commit is not None:
                self._on_commit({"at_ms": self.now_ms, "kind": "time", "args": {}, "accepted": True})
            self._publish()

    def _publish(self) -> None:
        events = self._tape.outbox[:]
        self._tape.outbox.clear()
        for event in events:
            for subscriber in tuple(self._subscribers):
                subscriber(event)

    def apply_commit(self, record: Mapping[str, Any]) -> None:
        """Replay one record of `on_commit`, in order, on the state it followed: same ids, same fills. Nothing is committed again."""
        hook, self._on_commit = self._on_commit, None
        try:
            self.advance_to(record["at_ms"])
            args = record["args"]
            match record["kind"]:
                case "time":
                    pass
                case "send":
                    self.send(from_json(SendRequest, args))
                case "edit":
                    self.edit(from_json(EditRequest, args))
                case "cancel":
                    self.cancel(from_json(CancelRequest, args))
                case "cancel_all":
                    self.cancel_all(args["symbol"])
                case "cancel_all_after":
                    self.cancel_all_after(args["timeout_s"])
                case "deposit":
                    self.deposit(Decimal(args["amount"]))
                case "set_mode":
                    self.set_mode(args["symbol"], MarketMode(args["mode"]))
                case unknown:
                    raise ValueError(f"unknown command record {unknown!r}: written by another version?")
        finally:
            self._on_commit = hook

    def snapshot_state(self, *, is_raw: bool = False) -> dict[str, Any]:
        """Everything that is not a function of the source's parameters, as JSON-able data.

        is_raw: leave the frozen rows of the histories as they are, for a writer that encodes them elsewhere.
        """
        return {
            "version": STATE_VERSION,
            "config": to_json(self.config),
            "now_ms": self.now_ms,
            "dead_man_ms": self._dead_man_ms,
            "source": self._source.snapshot_state(),
            "tape": self._tape.snapshot((lambda row: row) if is_raw else to_json),
            "ledger": self._ledger.snapshot(),
            "orders": [to_json(order) for order in self._orders.rows()],
            "markets": {symbol: market.snapshot() for symbol, market in self._markets.items()},
            "funding": {symbol: [to_json(row) for row in rows] for symbol, rows in self._funding.items() if rows},
        }

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Take over a snapshot, into an exchange fresh from the constructor (same source parameters); ValueError when it does not fit."""
        if state["version"] != STATE_VERSION:
            raise ValueError(f"exchange state has version {state['version']}, this program reads {STATE_VERSION}")
        if state["markets"].keys() != self._markets.keys():
            raise ValueError("exchange state lists other markets than the price source")
        self._source.restore_state(state["source"])
        self.now_ms = state["now_ms"]
        self._next_hour = self.now_ms - self.now_ms % HOUR_MS + HOUR_MS
        self._dead_man_ms = state["dead_man_ms"]
        self._tape.restore(state["tape"])
        for symbol, data in state["markets"].items():
            self._markets[symbol].restore(data)
        self._orders.restore([from_json(OrderRow, row) for row in state["orders"]])
        self._ledger.restore(state["ledger"])
        for symbol, rows in state["funding"].items():
            self._funding[symbol] = [from_json(FundingRow, row) for row in rows]
