"""The money: balance, positions, fees, funding, margin. Exact Decimals; every movement has its row in the account log.

Invariant: balance = deposits + sum of realised P&L - fees + funding received, to the last digit. Cross positions share what
is not set aside; an isolated position leans on its own purse, a part of the same balance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from trading_system.domain.orders import Side
from trading_system.sim.codec import from_json, to_json
from trading_system.sim.fees import Fees, FeeSchedule, Turnover
from trading_system.sim.margin import MarginTerms, liquidation_mark
from trading_system.sim.market_state import MarketState
from trading_system.sim.model import (
    AccountRow,
    BalancesFeed,
    FillFeed,
    IsolatedRow,
    LogEntry,
    LogFeed,
    OrderRow,
    PositionRow,
    PositionsFeed,
    SimFill,
)
from trading_system.sim.position import Position, apply_fill, booked, funding_due
from trading_system.sim.tape import Tape
from trading_system.sim.variants import MarginRule

_ZERO = Decimal(0)
_GUARD_MARGIN = 1.0005  # the float guard speaks a little early; the exact test decides
_INFO: Final = {
    "liquidation": "futures liquidation",
    "assignor": "futures assignor",
    "unwindBankrupt": "futures unwind bankrupt",
    "settlement": "settlement",
}


class Ledger:
    """One account. `equity_f` and `alarm_f` are float shadows that let the hot path skip the exact margin test."""

    def __init__(self, markets: Sequence[MarketState], tape: Tape, fees: FeeSchedule, rule: MarginRule) -> None:
        self._markets = {market.spec.symbol: market for market in markets}
        self._tape = tape
        self._fees = fees
        self._rule = rule
        self._cross_terms = {symbol: MarginTerms(market.margin_levels, rule) for symbol, market in self._markets.items()}
        self.turnover = Turnover()
        self.balance = _ZERO
        self.positions: dict[str, Position] = {}
        self.leverage: dict[str, Decimal] = {}
        """Fixed leverage by market: positions there are isolated."""
        self.purses: dict[str, Decimal] = {}
        """What is set aside of the balance for each open isolated position."""
        self.equity_f = 0.0
        self.alarm_f = float("-inf")

    def fees(self, at_ms: int) -> Fees:
        """The rates of the account's 30-day volume."""
        return self._fees.at(self.turnover.volume(at_ms))

    # --- movements ---

    def deposit(self, at_ms: int, amount: Decimal) -> None:
        """Add cash (negative = withdrawal)."""
        old, self.balance = self.balance, self.balance + amount
        self._write(at_ms, "cross-exchange transfer", self._tape.new_id(), "usd", None, old, self.balance)
        self._tape.outbox.append(BalancesFeed(at_ms))
        self.refresh_guard()

    def book_fill(
        self,
        at_ms: int,
        order: OrderRow,
        size: Decimal,
        price: Decimal,
        fill_type: str,
        fee_rate: Decimal,
        liquidation_rate: Decimal = _ZERO,
    ) -> SimFill:
        """Book one execution of `order` (the row before it). Funding accrued so far is realised first.

        liquidation_rate: fraction of notional, charged beside the fee.
        """
        market = self._markets[order.symbol]
        self.settle_funding(at_ms, market)
        position = self.positions.get(order.symbol)
        old_size, old_cost = (position.size, position.cost) if position else (_ZERO, _ZERO)
        signed = size * order.side.sign
        new_size, new_cost, realised = apply_fill(old_size, old_cost, signed, price)
        fee, penalty = size * price * fee_rate, size * price * liquidation_rate
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
        old_balance, self.balance = self.balance, self.balance + realised - fee - penalty
        if order.symbol in self.leverage:
            self._fill_purse(at_ms, order, (old_size, old_cost), (new_size, new_cost), realised - fee - penalty)
        self._write_trade(fill, old_balance, realised, (old_size, old_cost), (new_size, new_cost), penalty or None)
        self._tape.outbox += (FillFeed(fill), PositionsFeed(at_ms), BalancesFeed(at_ms))
        taker_sign = order.side.sign if fill_type != "maker" else -order.side.sign
        market.print_trade(price, float(size) * taker_sign, _trade_type(fill_type, is_partial=bool(new_size)))
        if fill_type != "settlement":
            self.turnover.add(at_ms, size * price)
        self.refresh_guard()
        return fill

    def _fill_purse(
        self, at_ms: int, order: OrderRow, before: tuple[Decimal, Decimal], after: tuple[Decimal, Decimal], gained: Decimal
    ) -> None:
        """Set aside for what was added, release the share of what was closed; a forced close releases nothing before the last unit."""
        symbol, (old_size, old_cost), (new_size, new_cost) = order.symbol, before, after
        if not new_size:
            self.purses.pop(symbol, None)
        elif abs(new_size) < abs(old_size) and new_size * old_size > 0:
            left = self.purses[symbol] + gained
            self.purses[symbol] = left if order.order_type.is_forced else min(left, booked(self.purses[symbol] * new_cost / old_cost))
        else:
            is_more = old_size * new_size > 0
            kept = self.purses[symbol] if is_more else _ZERO
            self.purses[symbol] = kept
            added = abs(new_cost) - abs(old_cost) if is_more else abs(new_cost)
            wanted = booked(added / self.leverage[symbol])
            # what this trade cost came out of the cross equity; as far as that cannot bear it, the purse does
            self.purses[symbol] = kept + min(wanted, max(min(_ZERO, gained), self.cross_equity(at_ms)))

    def settle_funding(self, at_ms: int, market: MarketState) -> None:
        """Realise the funding accrued on the market's position up to `at_ms`."""
        position = self.positions.get(market.spec.symbol)
        if position is None or at_ms <= position.funding_from_ms:
            return
        amount = funding_due(position.size, market.funding_absolute, at_ms - position.funding_from_ms)
        self.positions[position.symbol] = Position(position.symbol, position.size, position.cost, position.changed_ms, at_ms)
        if amount:
            self._realise_funding(at_ms, market, amount)

    def charge_funding(self, at_ms: int, market: MarketState, amount: Decimal) -> None:
        """Realise what accrued and `amount` (USD, positive = paid) beside it."""
        self.settle_funding(at_ms, market)
        self._realise_funding(at_ms, market, -amount)
        self.refresh_guard()

    def _realise_funding(self, at_ms: int, market: MarketState, amount: Decimal) -> None:
        symbol, old = market.spec.symbol, self.balance
        self.balance += amount
        if symbol in self.purses:
            self.purses[symbol] += amount
        self._write(
            at_ms, "funding rate change", self._tape.new_id(), "usd", symbol, old, self.balance,
            mark_price=market.mark_price(), funding_rate=market.funding_relative, realized_funding=amount,
        )  # fmt: skip
        self._tape.outbox.append(BalancesFeed(at_ms))

    def set_leverage(self, at_ms: int, symbol: str, leverage: Decimal | None) -> bool:
        """Isolate a market at a fixed leverage, or (None) return it to cross. False, and nothing changed, when margin would break."""
        position = self.positions.get(symbol)
        old_leverage, old_purse = self.leverage.get(symbol), self.purses.get(symbol)
        before = self.claims(None), self.cross_equity(at_ms)
        if leverage is None:
            self.leverage.pop(symbol, None)
            self.purses.pop(symbol, None)
        else:
            self.leverage[symbol] = leverage
            if position is not None:
                self.purses[symbol] = booked(position.entry_notional / leverage)
        terms = self.terms(symbol)
        claims, equity = self.claims(None), self.cross_equity(at_ms)
        is_sound = claims <= equity or (claims <= before[0] and equity >= before[1])
        if leverage is not None and position is not None:
            notional = position.entry_notional
            is_sound = is_sound and terms.allows(leverage, notional) and self.pool_equity(at_ms, symbol) > terms.maintenance(notional)
        if not is_sound:
            for book, old in ((self.leverage, old_leverage), (self.purses, old_purse)):
                if old is None:
                    book.pop(symbol, None)
                else:
                    book[symbol] = old
        self.refresh_guard()
        return is_sound

    def _write_trade(
        self,
        fill: SimFill,
        old_balance: Decimal,
        realised: Decimal,
        before: tuple[Decimal, Decimal],
        after: tuple[Decimal, Decimal],
        penalty: Decimal | None,
    ) -> None:
        info = _INFO.get(fill.fill_type, "futures trade")
        booking = self._tape.new_id()
        mark = self._markets[fill.symbol].mark_price()
        entries = [cost / size if size else _ZERO for size, cost in (before, after)]
        self._write(
            fill.at_ms, info, booking, "usd", fill.symbol, old_balance, self.balance, trade_price=fill.price, mark_price=mark,
            realized_pnl=realised, fee=fill.fee_paid, execution=fill.fill_id, liquidation_fee=penalty,
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

    def terms(self, symbol: str) -> MarginTerms:
        """How the market's positions are charged now."""
        leverage = self.leverage.get(symbol)
        return self._cross_terms[symbol] if leverage is None else MarginTerms(self._markets[symbol].margin_levels, self._rule, leverage)

    def account(self, at_ms: int) -> AccountRow:
        """The whole wallet now, exact."""
        pnl = funding = initial = maintenance = own = _ZERO
        isolated = []
        for symbol, position in sorted(self.positions.items()):
            terms, notional = self.terms(symbol), position.entry_notional
            row = IsolatedRow(
                symbol, self.purses.get(symbol, _ZERO), position.pnl_at(self._markets[symbol].mark_price()), self._accrued(position, at_ms),
                terms.initial(notional), terms.maintenance(notional),
            )  # fmt: skip
            pnl, funding = pnl + row.pnl, funding + row.unrealized_funding
            initial, maintenance = initial + row.initial_margin, maintenance + row.maintenance_margin
            if symbol in self.purses:
                isolated.append(row)
                own += row.initial_margin
        return AccountRow(at_ms, self.balance, pnl, funding, initial, self.claims(None) + own, maintenance, tuple(isolated))

    def _accrued(self, position: Position, at_ms: int) -> Decimal:
        return funding_due(position.size, self._markets[position.symbol].funding_absolute, at_ms - position.funding_from_ms)

    def _unrealised(self, position: Position, at_ms: int) -> Decimal:
        return position.pnl_at(self._markets[position.symbol].mark_price()) + self._accrued(position, at_ms)

    def pool(self, symbol: str | None) -> list[Position]:
        """The positions that share one margin: an isolated market's own, or (None) all cross positions, by symbol."""
        if symbol is not None:
            return [self.positions[symbol]] if symbol in self.positions else []
        return [self.positions[name] for name in sorted(self.positions) if name not in self.purses]

    def pool_of(self, symbol: str) -> str | None:
        """The pool a market's position is in."""
        return symbol if symbol in self.purses else None

    def pool_equity(self, at_ms: int, symbol: str | None) -> Decimal:
        """What a pool of positions can lose before nothing is left of it."""
        money = self.balance - sum(self.purses.values(), _ZERO) if symbol is None else self.purses.get(symbol, _ZERO)
        return money + sum((self._unrealised(position, at_ms) for position in self.pool(symbol)), _ZERO)

    def cross_equity(self, at_ms: int) -> Decimal:
        return self.pool_equity(at_ms, None)

    def pool_maintenance(self, symbol: str | None) -> Decimal:
        return sum((self.terms(p.symbol).maintenance(p.entry_notional) for p in self.pool(symbol)), _ZERO)

    def cross_initial(self) -> Decimal:
        return sum((self.terms(p.symbol).initial(p.entry_notional) for p in self.pool(None)), _ZERO)

    def claims(self, extra: OrderRow | None, without: str | None = None) -> Decimal:
        """What cross positions and all open orders need of the cross equity.

        `extra` counted in as if it rested, the order with id `without` left out. An isolated position's purse is not in it.
        """
        markets = self._markets.values()
        return sum((self._claim(market, extra, without) for market in markets if self._has_claim(market, extra)), _ZERO)

    def _has_claim(self, market: MarketState, extra: OrderRow | None) -> bool:
        return bool(market.orders) or bool(market.position_f) or (extra is not None and extra.symbol == market.spec.symbol)

    def _claim(self, market: MarketState, extra: OrderRow | None, without: str | None) -> Decimal:
        symbol = market.spec.symbol
        buys, sells = self._risk_orders(market, extra, without)
        position, terms = self.positions.get(symbol), self.terms(symbol)
        cost = position.cost if position else _ZERO
        needed = terms.with_orders(cost, buys, sells)
        return needed - terms.initial(abs(cost)) if symbol in self.purses else needed

    def _risk_orders(self, market: MarketState, extra: OrderRow | None, without: str | None) -> tuple[Decimal, Decimal]:
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
        return buys, sells

    def worst_notional(self, order: OrderRow, without: str | None = None) -> Decimal:
        """The largest position, in USD, that `order` and the open orders of its market could make."""
        buys, sells = self._risk_orders(self._markets[order.symbol], order, without)
        position = self.positions.get(order.symbol)
        cost = position.cost if position else _ZERO
        return max(abs(cost), abs(cost + buys), abs(cost - sells))

    def affords(self, at_ms: int, order: OrderRow, without: str | None = None) -> bool:
        """True when the order fits into the available margin, or claims no more than is claimed already."""
        after = self.claims(order, without)
        return after <= self.claims(None) or after <= self.cross_equity(at_ms)

    def find_margin_fault(self, at_ms: int, order: OrderRow, executions: Sequence[tuple[Decimal, Decimal]], fee: Decimal) -> str | None:
        """The refusal word for executions [(size, price)] of `order` that the account could not bear, judged at mark.

        Closing must not leave a debt; adding must not lead straight into liquidation.
        """
        symbol, sign = order.symbol, order.side.sign
        mark, size = self._markets[symbol].mark_price(), self.size_of(symbol)
        amount = sum((part for part, _ in executions), _ZERO)
        change = sum((part * (sign * (mark - price) - price * fee) for part, price in executions), _ZERO)
        purse = self.pool_equity(at_ms, symbol) if symbol in self.purses else _ZERO
        if size * sign < 0 and amount <= abs(size):
            return None if self.cross_equity(at_ms) + purse + change >= 0 else "insufficientAvailableFunds"
        terms, traded = self.terms(symbol), sum((part * price for part, price in executions), _ZERO)
        added = traded if size * sign >= 0 else traded * (amount - abs(size)) / amount
        held = self.positions[symbol].entry_notional if symbol in self.positions else _ZERO
        after = terms.maintenance(held + added if size * sign >= 0 else added)
        if terms.leverage is not None:
            kept = purse if size * sign >= 0 else _ZERO
            return None if kept + booked(added / terms.leverage) + change >= after else "wouldCauseLiquidation"
        others = self.pool_maintenance(None) - terms.maintenance(held)
        return None if self.cross_equity(at_ms) + change >= others + after else "wouldCauseLiquidation"

    def position_rows(self, at_ms: int) -> tuple[PositionRow, ...]:
        """Open positions by symbol; flat markets have no row."""
        pools = {key: (self.pool_equity(at_ms, key), self.pool_maintenance(key)) for key in (None, *self.purses)}
        rows = []
        for symbol in sorted(self.positions):
            position, market, terms = self.positions[symbol], self._markets[symbol], self.terms(symbol)
            mark, notional = market.mark_price(), position.entry_notional
            equity, maintenance = pools[self.pool_of(symbol)]
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
                    terms.initial(notional),
                    terms.maintenance(notional),
                    liquidation_mark(position.size, mark, equity, maintenance),
                    self.leverage.get(symbol),
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
            market.ruin_below, market.ruin_above = float("-inf"), float("inf")
            market.cross_f = 0.0 if position.symbol in self.purses else market.position_f
            if position.symbol in self.purses:
                self._guard_purse(market, position)
                continue
            pnl += market.position_f * market.mark - float(position.cost)
            hourly += abs(market.position_f * float(market.funding_absolute))
        self.equity_f = float(self.balance - sum(self.purses.values(), _ZERO)) + pnl
        self.alarm_f = float(max(self.pool_maintenance(None), self.cross_initial())) * _GUARD_MARGIN + hourly

    @property
    def is_near_ruin(self) -> bool:
        """True when the guard speaks: the exact test is worth its time at every point, whosever it is."""
        if self.equity_f < self.alarm_f:
            return True
        isolated = (self._markets[symbol] for symbol in self.purses)
        return any(not market.ruin_below < market.mark < market.ruin_above for market in isolated)

    def _guard_purse(self, market: MarketState, position: Position) -> None:
        """The mark beyond which the exact test of an isolated position is worth its time; an hour's funding is allowed for."""
        size, maintenance = market.position_f, float(self.pool_maintenance(position.symbol))
        hourly = abs(size * float(market.funding_absolute))
        spare = float(self.purses[position.symbol]) - float(position.cost) - maintenance * _GUARD_MARGIN - hourly
        if size > 0:
            market.ruin_below = -spare / size
        else:
            market.ruin_above = -spare / size

    def snapshot(self) -> dict[str, Any]:
        return {
            "balance": str(self.balance),
            "positions": [to_json(position) for position in self.positions.values()],
            "leverage": to_json(self.leverage),
            "purses": to_json(self.purses),
            "turnover": self.turnover.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace everything by a snapshot; the markets are restored already."""
        self.balance = Decimal(state["balance"])
        self.leverage = {symbol: Decimal(text) for symbol, text in state.get("leverage", {}).items()}
        self.purses = {symbol: Decimal(text) for symbol, text in state.get("purses", {}).items()}
        self.turnover.restore(state.get("turnover", {}))
        self.positions.clear()
        for row in state["positions"]:
            position = from_json(Position, row)
            self.positions[position.symbol] = position
            self._markets[position.symbol].position_f = float(position.size)
        self.refresh_guard()


def _trade_type(fill_type: str, *, is_partial: bool) -> str:
    """The public tape's word."""
    match fill_type:
        case "liquidation":
            return "partial liquidation" if is_partial else "liquidation"
        case "assignor" | "unwindBankrupt":
            return "assignment"
        case "settlement":
            return "termination"
        case _:
            return "fill"
