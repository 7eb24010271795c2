"""The money: balance, positions, fees, funding, margin. Exact Decimals; every movement has its row in the account log.

Invariant: balance = deposits + sum of realised P&L - fees + funding received, to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading_system.domain.orders import Side
from trading_system.sim.codec import from_json, to_json
from trading_system.sim.margin import initial_margin, liquidation_mark, maintenance_margin, margin_with_orders
from trading_system.sim.market_state import MarketState
from trading_system.sim.model import AccountRow, BalancesFeed, FillFeed, LogEntry, LogFeed, OrderRow, PositionRow, PositionsFeed, SimFill
from trading_system.sim.position import Position, apply_fill, funding_due
from trading_system.sim.tape import Tape

_ZERO = Decimal(0)
_GUARD_MARGIN = 1.0005  # the float guard speaks a little early; the exact test decides


class Ledger:
    """One account. `equity_f` and `alarm_f` are float shadows that let the hot path skip the exact margin test."""

    def __init__(self, markets: Sequence[MarketState], tape: Tape) -> None:
        self._markets = {market.spec.symbol: market for market in markets}
        self._tape = tape
        self.balance = _ZERO
        self.positions: dict[str, Position] = {}
        self.equity_f = 0.0
        self.alarm_f = float("-inf")

    # --- movements ---

    def deposit(self, at_ms: int, amount: Decimal) -> None:
        """Add cash (negative = withdrawal)."""
        old, self.balance = self.balance, self.balance + amount
        self._write(at_ms, "cross-exchange transfer", self._tape.new_id(), "usd", None, old, self.balance)
        self._tape.outbox.append(BalancesFeed(at_ms))
        self.refresh_guard()

    def book_fill(self, at_ms: int, order: OrderRow, size: Decimal, price: Decimal, fill_type: str, fee_rate: Decimal) -> SimFill:
        """Book one execution of `order` (the row before it). Funding accrued so far is realised first."""
        market = self._markets[order.symbol]
        self.settle_funding(at_ms, market)
        position = self.positions.get(order.symbol)
        old_size, old_cost = (position.size, position.cost) if position else (_ZERO, _ZERO)
        signed = size * order.side.sign
        new_size, new_cost, realised = apply_fill(old_size, old_cost, signed, price)
        fee = size * price * fee_rate
        if new_size:
            self.positions[order.symbol] = Position(order.symbol, new_size, new_cost, at_ms, at_ms)
        else:
            self.positions.pop(order.symbol, None)
        market.position_f = float(new_size)
        self._tape.fill_seq += 1
        fill = SimFill(
            self._tape.new_id(), self._tape.fill_seq, order.order_id, order.cli_ord_id, order.symbol, order.side, size, price, at_ms,
            fill_type, fee, "USD", order.unfilled - size, order.order_type,
        )  # fmt: skip
        self._tape.fills.append(fill)
        old_balance, self.balance = self.balance, self.balance + realised - fee
        self._write_trade(fill, old_balance, realised, (old_size, old_cost), (new_size, new_cost), market)
        self._tape.outbox += (FillFeed(fill), PositionsFeed(at_ms), BalancesFeed(at_ms))
        market.print_trade(price, float(size) * (order.side.sign if fill_type != "maker" else -order.side.sign))
        self.refresh_guard()
        return fill

    def settle_funding(self, at_ms: int, market: MarketState) -> None:
        """Realise the funding accrued on the market's position up to `at_ms`."""
        position = self.positions.get(market.spec.symbol)
        if position is None or at_ms <= position.funding_from_ms:
            return
        amount = funding_due(position.size, market.funding_absolute, at_ms - position.funding_from_ms)
        self.positions[position.symbol] = Position(position.symbol, position.size, position.cost, position.changed_ms, at_ms)
        if not amount:
            return
        old, self.balance = self.balance, self.balance + amount
        self._write(
            at_ms, "funding rate change", self._tape.new_id(), "usd", position.symbol, old, self.balance,
            mark_price=market.mark_price(), funding_rate=market.funding_relative, realized_funding=amount,
        )  # fmt: skip
        self._tape.outbox.append(BalancesFeed(at_ms))

    def _write_trade(
        self,
        fill: SimFill,
        old_balance: Decimal,
        realised: Decimal,
        before: tuple[Decimal, Decimal],
        after: tuple[Decimal, Decimal],
        market: MarketState,
    ) -> None:
        info = "futures liquidation" if fill.fill_type == "liquidation" else "futures trade"
        booking = self._tape.new_id()
        mark = market.mark_price()
        entries = [cost / size if size else _ZERO for size, cost in (before, after)]
        self._write(
            fill.at_ms, info, booking, "usd", fill.symbol, old_balance, self.balance,
            trade_price=fill.price, mark_price=mark, realized_pnl=realised, fee=fill.fee_paid, execution=fill.fill_id,
        )  # fmt: skip
        self._write(
            fill.at_ms, info, booking, fill.symbol, fill.symbol, before[0], after[0], trade_price=fill.price, mark_price=mark,
            execution=fill.fill_id, old_average_entry_price=entries[0], new_average_entry_price=entries[1],
        )  # fmt: skip

    def _write(
        self, at_ms: int, info: str, booking: str, asset: str, contract: str | None, old: Decimal, new: Decimal, **more: Any
    ) -> None:
        entry = LogEntry(self._tape.next_log_id(), booking, at_ms, info, asset, contract, old, new, **more)
        self._tape.log.append(entry)
        self._tape.outbox.append(LogFeed(entry))

    # --- readings ---

    def size_of(self, symbol: str) -> Decimal:
        """Signed; 0 when flat."""
        position = self.positions.get(symbol)
        return position.size if position else _ZERO

    def reducible(self, symbol: str, side: Side) -> Decimal:
        """How much an order on `side` could reduce the position by."""
        return max(_ZERO, -self.size_of(symbol) * side.sign)

    def unrealised_funding(self, at_ms: int) -> Decimal:
        return sum((self._accrued(position, at_ms) for position in self.positions.values()), _ZERO)

    def _accrued(self, position: Position, at_ms: int) -> Decimal:
        return funding_due(position.size, self._markets[position.symbol].funding_absolute, at_ms - position.funding_from_ms)

    def account(self, at_ms: int) -> AccountRow:
        """The whole wallet now, exact."""
        pnl = initial = maintenance = _ZERO
        for position in self.positions.values():
            market = self._markets[position.symbol]
            pnl += position.pnl_at(market.mark_price())
            initial += initial_margin(market.margin_levels, position.entry_notional)
            maintenance += maintenance_margin(market.margin_levels, position.entry_notional)
        return AccountRow(at_ms, self.balance, pnl, self.unrealised_funding(at_ms), initial, self.margin_with(None), maintenance)

    def equity(self, at_ms: int) -> Decimal:
        pnl = sum((p.pnl_at(self._markets[p.symbol].mark_price()) for p in self.positions.values()), _ZERO)
        return self.balance + pnl + self.unrealised_funding(at_ms)

    def maintenance(self) -> Decimal:
        return sum((maintenance_margin(self._markets[p.symbol].margin_levels, p.entry_notional) for p in self.positions.values()), _ZERO)

    def initial(self) -> Decimal:
        return sum((initial_margin(self._markets[p.symbol].margin_levels, p.entry_notional) for p in self.positions.values()), _ZERO)

    def margin_with(self, extra: OrderRow | None, without: str | None = None) -> Decimal:
        """Initial margin with open orders; `extra` counted in as if it rested, the order with id `without` left out."""
        return sum(
            (self._market_margin(market, extra, without) for market in self._markets.values() if self._has_claim(market, extra)), _ZERO
        )

    def _has_claim(self, market: MarketState, extra: OrderRow | None) -> bool:
        return bool(market.orders) or bool(market.position_f) or (extra is not None and extra.symbol == market.spec.symbol)

    def _market_margin(self, market: MarketState, extra: OrderRow | None, without: str | None) -> Decimal:
        buys = sells = _ZERO
        resting = [order for order in market.orders.values() if order.order_id != without]
        if extra is not None and extra.symbol == market.spec.symbol:
            resting.append(extra)
        for order in resting:
            # triggers claim nothing until they fire; reduce-only orders cannot add risk
            if order.reduce_only or order.is_trigger or order.limit_price is None:
                continue
            if order.side is Side.BUY:
                buys += order.unfilled * order.limit_price
            else:
                sells += order.unfilled * order.limit_price
        position = self.positions.get(market.spec.symbol)
        return margin_with_orders(market.margin_levels, position.cost if position else _ZERO, buys, sells)

    def affords(self, at_ms: int, order: OrderRow, without: str | None = None) -> bool:
        """True when the order fits into the available margin, or claims no more than is claimed already."""
        after = self.margin_with(order, without)
        return after <= self.margin_with(None) or after <= self.equity(at_ms)

    def position_rows(self, at_ms: int) -> tuple[PositionRow, ...]:
        """Open positions by symbol; flat markets have no row."""
        equity, maintenance = self.equity(at_ms), self.maintenance()
        rows = []
        for symbol in sorted(self.positions):
            position, market = self.positions[symbol], self._markets[symbol]
            mark, notional = market.mark_price(), position.entry_notional
            rows.append(
                PositionRow(
                    symbol,
                    position.size > 0,
                    abs(position.size),
                    position.entry_price,
                    position.changed_ms,
                    mark,
                    market.index_price(),
                    position.pnl_at(mark),
                    self._accrued(position, at_ms),
                    initial_margin(market.margin_levels, notional),
                    maintenance_margin(market.margin_levels, notional),
                    liquidation_mark(position.size, mark, equity, maintenance),
                )
            )
        return tuple(rows)

    # --- the float guard ---

    def refresh_guard(self) -> None:
        """Recompute the float shadows after any change of money, positions, orders or the hour's rates."""
        if not self.positions:
            self.equity_f, self.alarm_f = 0.0, float("-inf")
            return
        pnl = hourly = 0.0
        for position in self.positions.values():
            market = self._markets[position.symbol]
            pnl += market.position_f * market.mark - float(position.cost)
            hourly += abs(market.position_f * float(market.funding_absolute))
        self.equity_f = float(self.balance) + pnl
        self.alarm_f = float(max(self.maintenance(), self.initial())) * _GUARD_MARGIN + hourly

    def snapshot(self) -> dict[str, Any]:
        return {"balance": str(self.balance), "positions": [to_json(position) for position in self.positions.values()]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace everything by a snapshot; the markets are restored already."""
        self.balance = Decimal(state["balance"])
        self.positions.clear()
        for row in state["positions"]:
            position = from_json(Position, row)
            self.positions[position.symbol] = position
            self._markets[position.symbol].position_f = float(position.size)
        self.refresh_guard()
