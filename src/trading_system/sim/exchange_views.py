"""What can be asked of the exchange: the parts it is made of, and the listings made from them. Asking changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from trading_system.domain.market import Bar, Instrument, Timeframe
from trading_system.domain.orders import Side
from trading_system.sim.agenda import Agenda
from trading_system.sim.bars import HOUR_MS, MONDAY_MS, BarSeries
from trading_system.sim.desk import Desk, DeskLimits
from trading_system.sim.exchange_config import ExchangeConfig
from trading_system.sim.executor import Executor
from trading_system.sim.fees import Fees, FeeSchedule
from trading_system.sim.funding import past_rates, predict_rate
from trading_system.sim.ledger import Ledger
from trading_system.sim.liquidation import Liquidator
from trading_system.sim.listings import book_rows, instrument, quote_row, status_of, top_row, trade_rows
from trading_system.sim.maker_protection import MakerProtection
from trading_system.sim.margin import MarginTerms
from trading_system.sim.market_state import MarketState
from trading_system.sim.model import (
    AccountRow,
    BookRows,
    FundingRow,
    HistoryRow,
    LogEntry,
    MarketMode,
    Notice,
    OrderRow,
    PositionRow,
    QuoteRow,
    SimFill,
    StatusRow,
    TopRow,
    TradeRow,
)
from trading_system.sim.open_orders import OpenOrders
from trading_system.sim.source import LateSource, MarketSpec, PriceBars, PriceSource
from trading_system.sim.tape import Tape
from trading_system.sim.venue_calendar import VenueCalendar

FUNDING_HOURS_KEPT: Final = 8_784
_SIDE_MINUTES_SAVED: Final = 120  # of mark and index; of trades twelve hours are kept


class ExchangeViews:
    """The exchange's parts and its queries. Symbols are venue symbols; an unknown one raises KeyError."""

    def __init__(self, source: PriceSource, config: ExchangeConfig) -> None:
        self.config = config
        self._source = source
        self._late = source if isinstance(source, LateSource) else None
        self._late_bars = [] if self._late is None else [self._late.series(number) for number in range(len(source.markets()))]
        self._seen_ms = source.start_ms
        """Up to when the markets nobody has a stake in were brought."""
        self.now_ms = source.start_ms
        self._tape = Tape(config.id_seed, config.finished_memory_ms)
        self._states = [self._new_state(number, spec) for number, spec in enumerate(source.markets())]
        self._markets = {state.spec.symbol: state for state in self._states}
        variants = config.variants
        fees = FeeSchedule(Fees(config.maker_fee, config.taker_fee), variants.has_fee_tiers)
        self._ledger = Ledger(self._states, self._tape, fees, variants.margin_rule)
        self._orders = OpenOrders(self._markets, self._tape)
        self._executor = Executor(self._markets, self._ledger, self._orders, self._tape, config.trigger_guard)
        self._liquidator = Liquidator(self._markets, self._ledger, self._orders, self._executor, self._tape, variants)
        self._agenda = Agenda()
        self._protection = MakerProtection(
            source.markets(), self._orders, self._agenda, variants.maker_protection_ms, variants.maker_protection_markets
        )
        limits = DeskLimits(config.market_guard, config.orders_open_max, variants)
        self._desk = Desk(self._markets, self._ledger, self._orders, self._executor, self._tape, limits, self._protection)
        self._calendar = VenueCalendar(self._markets, self._agenda, self._tape, self._liquidator)
        self._funding: dict[str, list[FundingRow]] = {symbol: [] for symbol in self._markets}
        self._funding_past: dict[str, tuple[FundingRow, ...]] = {}  # made when first asked for
        self._next_hour = self.now_ms - self.now_ms % HOUR_MS + HOUR_MS

    def _new_state(self, number: int, spec: MarketSpec) -> MarketState:
        start = self._source.start_ms
        if self._late is not None:
            return MarketState(number, spec, self._late.series(number), None, None, start, self.config.variants.mark_average_ms)
        quarters, hours = self._source.history(number, Timeframe.M15), self._source.history(number, Timeframe.H1)
        series = BarSeries(quarters, hours, start_ms=start)
        # mark and index history: the traded bars without volume; the premium is far below what a bar shows
        mark, index = (BarSeries(start_ms=start, past=series, minutes_saved=_SIDE_MINUTES_SAVED) for _ in range(2))
        return MarketState(number, spec, series, mark, index, start, self.config.variants.mark_average_ms)

    def _catch_up(self, until_ms: int) -> None:
        """Bring the markets of a late source to where they are at `until_ms`."""
        if self._late is not None and self._seen_ms < until_ms:
            self._seen_ms = until_ms
            for market, bars in zip(self._states, self._late_bars, strict=True):
                told = bars.latest(until_ms)
                if told is not None:
                    market.jump(*told)

    def _present(self) -> Sequence[MarketState]:
        """All markets as they are now: whoever looks at one from outside comes through here."""
        self._catch_up(self.now_ms)
        return self._states

    def _market(self, symbol: str) -> MarketState:
        """One market as it is now; KeyError."""
        self._catch_up(self.now_ms)
        return self._markets[symbol]

    def keep_finished_by(self, process_ms: Callable[[], int], memory_ms: int) -> None:
        """Let orders/status forget ended orders by a watch of process time: a fast market must not make it forget sooner."""
        self._tape.keep_finished_by(process_ms, memory_ms)

    # --- public queries ---

    def symbols(self) -> tuple[str, ...]:
        """Markets that have a price."""
        return tuple(market.spec.symbol for market in self.listed())

    def spec(self, symbol: str) -> MarketSpec:
        return self._market(symbol).spec

    def mode(self, symbol: str) -> MarketMode:
        return self._market(symbol).mode

    def instruments(self) -> tuple[Instrument, ...]:
        return tuple(instrument(market) for market in self.listed())

    def quote(self, symbol: str) -> QuoteRow:
        return quote_row(self._market(symbol), self.now_ms, self._next_hour)

    def quotes(self) -> tuple[QuoteRow, ...]:
        return tuple(quote_row(market, self.now_ms, self._next_hour) for market in self.listed())

    def top(self, symbol: str) -> TopRow:
        """The short form of `quote`."""
        return top_row(self._market(symbol), self.now_ms)

    def listed(self) -> list[MarketState]:
        """The markets that have a price, as they are now: for reading only."""
        return [market for market in self._present() if market.mid > 0]

    def quote_version(self, symbol: str) -> int:
        """Grows with every point and every change of our orders on the market."""
        return self._market(symbol).version

    def book(self, symbol: str, depth: int | None = None) -> BookRows:
        """The book with our own orders in it, best first, never crossed."""
        return book_rows(self._market(symbol), depth)

    def trades(self, symbol: str, before_ms: int | None = None, limit: int = 100) -> tuple[TradeRow, ...]:
        """Public trades, newest first; the newest thousand are kept. With `before_ms` only those before it."""
        return trade_rows(self._market(symbol), before_ms, limit)

    def candles(self, symbol: str, tick_type: str, resolution: str, from_s: int, to_s: int) -> Sequence[Bar]:
        """Bars with open time in [from_s, to_s] (epoch seconds), ascending, the running one included.

        tick_type trade, mark or spot (= index); resolution 1m … 1w; KeyError for other words.
        """
        week_opens_ms = 0 if self.config.variants.weeks_open_on_thursday else MONDAY_MS
        return self._series(symbol, tick_type).between(resolution, from_s * 1000, to_s * 1000, week_opens_ms)

    def candles_since(self, symbol: str, tick_type: str) -> int | None:
        """Epoch seconds of the oldest price that candles know of; None before the first."""
        first_ms = self._series(symbol, tick_type).first_ms
        return None if first_ms is None else first_ms // 1000

    def _series(self, symbol: str, tick_type: str) -> PriceBars:
        market = self._market(symbol)
        if tick_type == "trade":
            return market.bars
        series = {"mark": market.mark_bars, "spot": market.index_bars}[tick_type]
        if series is None:
            raise KeyError(f"{tick_type}: this exchange keeps bars of trades only")
        return series

    def funding_history(self, symbol: str) -> tuple[FundingRow, ...]:
        """Hourly rates, oldest first, at most a year. Those from before the market began are made up from its bars."""
        rates = self._funding[symbol]
        if symbol not in self._funding_past:
            market = self._market(symbol)
            hours = self._source.history(market.number, Timeframe.H1)
            self._funding_past[symbol] = past_rates(hours, market.spec.funding_base_hourly, self._source.start_ms)[-FUNDING_HOURS_KEPT:]
        return (*self._funding_past[symbol], *rates)[-FUNDING_HOURS_KEPT:]

    def funding_prediction(self, symbol: str) -> FundingRow:
        """What the next hour's rate would be if it were fixed now."""
        return predict_rate(self._market(symbol), self.now_ms)

    def dislocated(self, symbol: str) -> Side | None:
        """The side that would push a dislocated market further (BUY = mark stands too high); None when it is not."""
        return self._market(symbol).dislocated(self.config.variants.dislocation)

    def hold_ms(self, symbol: str) -> int:
        """How long maker protection holds orders on a market, ms; 0 = it does not."""
        return self._protection.hold_ms(symbol)

    def notices(self) -> tuple[Notice, ...]:
        """Announcements, oldest first; bounded."""
        return tuple(self._calendar.notices)

    @property
    def is_down(self) -> bool:
        """In maintenance: nothing private is answered."""
        return self._calendar.is_down

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

    def leverage(self) -> dict[str, Decimal]:
        """Fixed leverage by market: isolated ones only."""
        return dict(self._ledger.leverage)

    def margin_terms(self, symbol: str) -> MarginTerms:
        """How a position on the market is charged now: its levels, and the fixed leverage when it is isolated."""
        return self._ledger.terms(symbol)

    def traded_30_days(self) -> Decimal:
        """USD, the volume that decides the fees."""
        return self._ledger.turnover.volume(self.now_ms)

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
