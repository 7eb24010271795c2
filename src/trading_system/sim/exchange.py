"""SimExchange: one account, many markets, market time moved only by `advance_to`. Synchronous and deterministic.

Signatures first; bodies follow in the next commits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from trading_system.domain.market import Bar, Instrument
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
from trading_system.sim.source import MarketSpec, PriceSource


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """Rates as fractions of notional; guards as fractions of the touch."""

    deposit_usd: Decimal = Decimal(10_000)
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    market_guard: Decimal = Decimal("0.01")
    trigger_guard: Decimal = Decimal("0.01")
    orders_open_max: int = 500
    funding_rate_max_hourly: Decimal = Decimal("0.005")
    id_seed: int = 0


class SimExchangeApi(Protocol):
    """What SimExchange(source: PriceSource, config: ExchangeConfig = ..., on_commit=None) offers."""

    # time
    now_ms: int

    def advance_to(self, ms: int) -> int: ...  # returns points applied; going back is ignored

    # requests
    def send(self, request: SendRequest) -> SendResult: ...
    def edit(self, request: EditRequest) -> EditResult: ...
    def cancel(self, request: CancelRequest) -> CancelResult: ...
    def cancel_all(self, symbol: str | None = None) -> CancelAllResult: ...
    def cancel_all_after(self, timeout_s: int) -> CancelAfterResult: ...
    def deposit(self, amount: Decimal) -> None: ...
    def set_mode(self, symbol: str, mode: MarketMode) -> None: ...

    # public queries (symbol = venue symbol; KeyError when there is no such market)
    def symbols(self) -> tuple[str, ...]: ...
    def spec(self, symbol: str) -> MarketSpec: ...
    def mode(self, symbol: str) -> MarketMode: ...
    def instruments(self) -> tuple[Instrument, ...]: ...
    def quote(self, symbol: str) -> QuoteRow: ...
    def quotes(self) -> tuple[QuoteRow, ...]: ...
    def quote_version(self, symbol: str) -> int: ...  # grows with every point / own order change
    def book(self, symbol: str, depth: int | None = None) -> BookRows: ...
    def trades(self, symbol: str) -> tuple[TradeRow, ...]: ...  # newest first, <= 100
    def candles(self, symbol: str, tick_type: str, resolution: str, from_s: int, to_s: int) -> Sequence[Bar]: ...
    def funding_history(self, symbol: str) -> tuple[FundingRow, ...]: ...

    # private queries
    def open_orders(self) -> tuple[OrderRow, ...]: ...  # newest first
    def order_status(self, order_ids: Sequence[str] = (), cli_ord_ids: Sequence[str] = ()) -> tuple[StatusRow, ...]: ...  # no ids = all
    def positions(self) -> tuple[PositionRow, ...]: ...
    def fills(self, before_ms: int | None = None, limit: int = 100) -> tuple[SimFill, ...]: ...  # newest first
    def account(self) -> AccountRow: ...
    def account_log(self) -> Sequence[LogEntry]: ...  # oldest first
    def order_history(self) -> Sequence[HistoryRow]: ...  # oldest first
    def trigger_history(self) -> Sequence[HistoryRow]: ...  # oldest first
    def executions(self) -> Sequence[SimFill]: ...  # oldest first

    # events, durability
    def subscribe(self, callback: Callable[[SimEvent], None]) -> Callable[[], None]: ...  # returns the unsubscriber
    def snapshot_state(self) -> dict[str, Any]: ...
    def restore_state(self, state: Mapping[str, Any]) -> None: ...
    def apply_commit(self, record: Mapping[str, Any]) -> None: ...

    # on_commit(record): called with a JSON-able command record before the answer of every accepted send/edit/cancel/... is returned
    # and before a fill is published. State after a crash = restore_state(last snapshot), then apply_commit of each later record:
    # commands are replayed at their market time on the deterministic path, so every id and every fill comes out the same.


__all__ = ["ExchangeConfig", "PriceSource", "SimExchangeApi"]
