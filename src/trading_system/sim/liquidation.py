"""What the venue does by force: cancel orders that margin no longer carries, liquidate, assign, unwind, settle.

Equity never ends below zero: the book is taken only down to the price that leaves nothing, the rest goes to counterparties
at a price that costs the account no more than it has (Kraken Futures help pages on liquidation and assignment).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from trading_system.domain.orders import Side
from trading_system.domain.units import floor_to_step
from trading_system.sim.executor import Executor
from trading_system.sim.ledger import Ledger
from trading_system.sim.market_state import MarketState
from trading_system.sim.matching import walk
from trading_system.sim.model import MarketMode, OrderRow, OrderState, OrderType
from trading_system.sim.open_orders import OpenOrders
from trading_system.sim.position import Position
from trading_system.sim.tape import Tape
from trading_system.sim.variants import ExchangeVariants, LiquidationStyle

_ZERO: Final = Decimal(0)
_PIECES_MAX: Final = 10_000  # every piece at least halves a position, or ends it


class Liquidator:
    """The margin engine of one account."""

    def __init__(
        self,
        markets: Mapping[str, MarketState],
        ledger: Ledger,
        orders: OpenOrders,
        executor: Executor,
        tape: Tape,
        variants: ExchangeVariants,
    ) -> None:
        self._markets = markets
        self._ledger = ledger
        self._orders = orders
        self._executor = executor
        self._tape = tape
        self._variants = variants

    def enforce_margin(self, at_ms: int) -> None:
        """Below initial margin cancel orders that could add risk; below maintenance liquidate. Cross first, then each isolated market."""
        ledger = self._ledger
        if ledger.cross_equity(at_ms) < ledger.cross_initial():
            for order in self._orders.rows():
                if not order.reduce_only and not order.is_trigger:
                    self._orders.gone(at_ms, order, OrderState.CANCELLED, "not_enough_margin")
        for pool in (None, *sorted(ledger.purses)):
            if ledger.pool_equity(at_ms, pool) < ledger.pool_maintenance(pool):
                self._liquidate(at_ms, pool)
        ledger.refresh_guard()

    def _liquidate(self, at_ms: int, pool: str | None) -> None:
        ledger = self._ledger
        is_partial = self._variants.liquidation is LiquidationStyle.PARTIAL
        for order in self._orders.rows():
            is_of_pool = order.symbol == pool if pool is not None else order.symbol not in ledger.purses
            if is_of_pool and not (is_partial and (order.reduce_only or order.is_trigger)):
                self._orders.gone(at_ms, order, OrderState.CANCELLED, "liquidation")
        for _ in range(_PIECES_MAX):
            positions = ledger.pool(pool)
            is_safe = ledger.pool_equity(at_ms, pool) >= ledger.pool_maintenance(pool)
            if not positions or (is_partial and is_safe):
                return
            worst = max(positions, key=lambda p: (ledger.terms(p.symbol).maintenance(p.entry_notional), p.symbol))
            self._close(at_ms, worst.symbol, self._piece(at_ms, worst) if is_partial else abs(worst.size))
        raise RuntimeError("a liquidation never came to its end")

    def _piece(self, at_ms: int, position: Position) -> Decimal:
        """How much of a position goes next."""
        whole = abs(position.size)
        is_bankrupt = self._ledger.pool_equity(at_ms, self._ledger.pool_of(position.symbol)) < 0
        if is_bankrupt or position.entry_notional < self._variants.partial_from_usd:
            return whole
        return floor_to_step(whole * self._variants.partial_share, self._markets[position.symbol].spec.size_step) or whole

    def _close(self, at_ms: int, symbol: str, size: Decimal) -> None:
        """Sell (buy back) `size` of a position: through the book, then to counterparties, then unwound."""
        market, ledger = self._markets[symbol], self._ledger
        ledger.settle_funding(at_ms, market)
        fee, penalty = ledger.fees(at_ms).taker, self._variants.liquidation_fee
        order = self._forced(at_ms, market, OrderType.LIQUIDATION, size)
        limit = self._limit(at_ms, market, size, fee + penalty)
        order = replace(order, limit_price=market.price_of(limit))
        if market.mode is MarketMode.ONLINE:
            for take in walk(market.levels(order.side.opposite), order.side, size, limit):
                market.take(order.side.opposite, take.level, take.size)
                ledger.book_fill(at_ms, order, take.size, market.price_of(take.ticks), "liquidation", fee, penalty)
                order = replace(order, filled=order.filled + take.size)
        state = OrderState.CANCELLED if order.unfilled else OrderState.FULLY_EXECUTED
        self._orders.gone(at_ms, order, state, "liquidation")
        rest = order.unfilled
        capacity = Decimal(repr(market.spec.depth_usd)) * self._variants.assignment_depth / market.mark_price()
        assigned = min(rest, floor_to_step(capacity, market.spec.size_step))
        self._hand_over(at_ms, market, OrderType.ASSIGNMENT, "assignor", assigned)
        self._hand_over(at_ms, market, OrderType.UNWIND, "unwindBankrupt", rest - assigned)
        self._after_close(at_ms, market)

    def unwind(self, at_ms: int, market: MarketState, share: Decimal) -> bool:
        """Take `share` of a position to counterparties, whatever its margin (a counterparty of it was ruined). False without one."""
        whole = abs(self._ledger.size_of(market.spec.symbol))
        if not whole:
            return False
        self._ledger.settle_funding(at_ms, market)
        size = floor_to_step(whole * share, market.spec.size_step) or whole
        self._hand_over(at_ms, market, OrderType.UNWIND, "unwindBankrupt", size)
        self._after_close(at_ms, market)
        return True

    def _hand_over(self, at_ms: int, market: MarketState, kind: OrderType, fill_type: str, size: Decimal) -> None:
        """Without fee, at mark while the account can bear it."""
        if size:
            at_mark = self._on_grid(market, market.mark_price())
            kept = self._limit(at_ms, market, size, _ZERO)
            ticks = max(at_mark, kept) if self._ledger.size_of(market.spec.symbol) > 0 else min(at_mark, kept)
            self._book_whole(at_ms, market, kind, fill_type, size, market.price_of(ticks))

    def _book_whole(self, at_ms: int, market: MarketState, kind: OrderType, fill_type: str, size: Decimal, price: Decimal) -> None:
        order = replace(self._forced(at_ms, market, kind, size), limit_price=price)
        self._ledger.book_fill(at_ms, order, size, price, fill_type, _ZERO)
        reason = "contract_expired" if kind is OrderType.SETTLEMENT else "liquidation"
        self._orders.gone(at_ms, replace(order, filled=size), OrderState.FULLY_EXECUTED, reason)

    def _after_close(self, at_ms: int, market: MarketState) -> None:
        self._executor.shrink_reduce_only(at_ms, market)
        if not self._ledger.size_of(market.spec.symbol):
            self._cancel_all(at_ms, market, "liquidation")

    def _cancel_all(self, at_ms: int, market: MarketState, reason: str) -> None:
        """Orders that maker protection holds back too."""
        for order in self._orders.rows():
            if order.symbol == market.spec.symbol:
                self._orders.gone(at_ms, order, OrderState.CANCELLED, reason)

    def _forced(self, at_ms: int, market: MarketState, kind: OrderType, size: Decimal) -> OrderRow:
        side = Side.SELL if self._ledger.size_of(market.spec.symbol) > 0 else Side.BUY
        return OrderRow(
            self._tape.new_id(), None, market.spec.symbol, kind, side, size, _ZERO, None, None, None,
            True, at_ms, at_ms, self._tape.next_order_seq(),
        )  # fmt: skip

    def _limit(self, at_ms: int, market: MarketState, size: Decimal, fee: Decimal) -> int:
        """The worst price, in ticks, at which closing `size` with this fee leaves the pool's equity at or above zero."""
        symbol = market.spec.symbol
        share = self._ledger.pool_equity(at_ms, self._ledger.pool_of(symbol)) / size
        if self._ledger.size_of(symbol) > 0:
            return self._on_grid(market, (market.mark_price() - share) / (1 - fee))
        return self._on_grid(market, (market.mark_price() + share) / (1 + fee))

    def _on_grid(self, market: MarketState, price: Decimal) -> int:
        """To whole ticks in the account's favour, at least one."""
        rounding = ROUND_CEILING if self._ledger.size_of(market.spec.symbol) > 0 else ROUND_FLOOR
        return max(1, int((price / market.spec.tick).to_integral_value(rounding)))

    # --- the end of a contract ---

    def settle(self, at_ms: int, market: MarketState) -> None:
        """Cancel all orders of a market and close its position at the index, without fee."""
        symbol = market.spec.symbol
        self._cancel_all(at_ms, market, "contract_expired")
        size = abs(self._ledger.size_of(symbol))
        if size:
            self._ledger.settle_funding(at_ms, market)
            at_index, kept = self._on_grid(market, market.index_price()), self._limit(at_ms, market, size, _ZERO)
            ticks = max(at_index, kept) if self._ledger.size_of(symbol) > 0 else min(at_index, kept)
            self._book_whole(at_ms, market, OrderType.SETTLEMENT, "settlement", size, market.price_of(ticks))
        self._ledger.refresh_guard()
