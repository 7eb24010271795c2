"""What happens to orders when prices move: fills of resting limits, firing triggers, shrinking reduce-only orders.

Also the taker side: an order that may execute at once walks the book here. Everything is booked through the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from trading_system.domain.orders import Side
from trading_system.sim.ledger import Ledger
from trading_system.sim.market_state import MarketState
from trading_system.sim.matching import Take, guard_ticks, is_within, resting_fill, walk
from trading_system.sim.model import ExecutionEvent, MarketMode, OrderFeed, OrderRow, OrderState, OrderType, TriggerSignal
from trading_system.sim.open_orders import OpenOrders
from trading_system.sim.source import PricePoint
from trading_system.sim.tape import Tape
from trading_system.sim.trailing import followed, offset_limit
from trading_system.sim.triggers import has_fired, level_on_the_way

IOC_FAILED: Final = "ioc_order_failed_because_it_would_not_be_executed"
POST_FAILED: Final = "post_order_failed_because_it_would_filled"
NOT_REDUCING: Final = "would_not_reduce_position"
NO_MARGIN: Final = "not_enough_margin"
_STEPS_MAX: Final = 10_000  # per point; every step ends or shrinks an order


@dataclass(frozen=True, slots=True)
class TakerPlan:
    """What a taker would get now. `hits_own`: one of our own orders stands in its way.

    margin_fault: the refusal word when the account could not bear these executions.
    """

    takes: tuple[Take, ...]
    size: Decimal
    hits_own: bool
    margin_fault: str | None


class Executor:
    """Executions on all markets of one account."""

    def __init__(self, markets: Mapping[str, MarketState], ledger: Ledger, orders: OpenOrders, tape: Tape, trigger_guard: Decimal) -> None:
        self._markets = markets
        self._ledger = ledger
        self._orders = orders
        self._tape = tape
        self._trigger_guard = trigger_guard
        self.cancels_makers = False
        """The account's self-trade strategy: an order of ours that stands in the way of another is cancelled."""

    # --- taker side ---

    def plan(self, at_ms: int, market: MarketState, order: OrderRow, limit_ticks: int) -> TakerPlan:
        """Pure look: what would `order` take up to its limit, and would it meet our own order first."""
        takes = walk(market.levels(order.side.opposite), order.side, order.unfilled, limit_ticks)
        own = self.best_own(market, order.side.opposite, order.order_id)
        hits_own = False
        if own is not None and is_within(order.side, own, limit_ticks):
            better = sum((t.size for t in takes if is_within(order.side, t.ticks, own)), Decimal(0))
            hits_own = better < order.unfilled
        executions = [(take.size, market.price_of(take.ticks)) for take in takes]
        margin_fault = self._ledger.find_margin_fault(at_ms, order, executions, self._ledger.fees(at_ms).taker) if takes else None
        return TakerPlan(takes, sum((t.size for t in takes), Decimal(0)), hits_own, margin_fault)

    def best_own(self, market: MarketState, side: Side, but: str | None = None) -> int | None:
        """Our best resting limit on `side`, in ticks."""
        prices = [
            market.ticks_of(o.limit_price)
            for o in market.orders.values()
            if o.side is side and not o.is_trigger and o.limit_price is not None and o.order_id != but
        ]
        if not prices:
            return None
        return max(prices) if side is Side.BUY else min(prices)

    def take(
        self,
        at_ms: int,
        market: MarketState,
        order: OrderRow,
        plan: TakerPlan,
        fill_type: str = "taker",
        before_edit: OrderRow | None = None,
        reduced: Decimal | None = None,
    ) -> tuple[OrderRow, list[ExecutionEvent]]:
        """Book the plan's executions; return the order's last row and the events. The order must not rest meanwhile."""
        events = []
        if plan.hits_own:
            self._clear_own(at_ms, market, order)
        fee = self._ledger.fees(at_ms).taker
        for take in plan.takes:
            market.take(order.side.opposite, take.level, take.size)
            fill = self._ledger.book_fill(at_ms, order, take.size, market.price_of(take.ticks), fill_type, fee)
            events.append(ExecutionEvent(fill.fill_id, fill.price, fill.size, order, before_edit, reduced))
            order = replace(order, filled=order.filled + take.size, updated_ms=at_ms)
        if plan.takes:
            self.shrink_reduce_only(at_ms, market)
        return order, events

    def _clear_own(self, at_ms: int, market: MarketState, order: OrderRow) -> None:
        """Cancel our own orders that `order` would meet within its limit."""
        assert order.limit_price is not None
        limit_ticks = market.ticks_of(order.limit_price)
        for own in tuple(market.orders.values()):
            if own.side is order.side or own.is_trigger or own.limit_price is None or own.order_id == order.order_id:
                continue
            if is_within(order.side, market.ticks_of(own.limit_price), limit_ticks):
                self._orders.gone(at_ms, own, OrderState.CANCELLED, "would_execute_self")

    # --- a point of the path ---

    def pass_to(self, market: MarketState, point: PricePoint, before: float) -> None:
        """Let orders meet the market, which stands at `point` already; `before` is its previous mid.

        A continuous move stops over at each stop price on the way, so that a stop fills near its level, not at the bar's extreme.
        """
        if point.is_continuous and before > 0:
            here = market.mid, market.index, market.mark, market.last
            market.stop_over(before)
            while (level := self._next_stop(market, market.mid, point.mid)) is not None:
                market.stop_over(level)
                if not self.match_here(point.at_ms, market, before):
                    break  # a trigger on another signal than the path's: judged at the end of the move
                before = level
            market.stop_over(point.mid)
            market.mid, market.index, market.mark, market.last = here
        self._follow(market)
        self.match_here(point.at_ms, market, before)

    def _follow(self, market: MarketState) -> None:
        """Move trailing stops after the price. Not told on the feeds: the order is the same, its trigger moved."""
        for order in tuple(market.orders.values()):
            if order.trailing is not None:
                stop = followed(order, market.signal_price(order.trigger_signal or TriggerSignal.LAST), market.spec.tick)
                if stop is not None:
                    self._orders.trail(replace(order, stop_price=stop))

    def _next_stop(self, market: MarketState, before: float, after: float) -> float | None:
        nearest: tuple[float, float] | None = None
        for order in market.orders.values():
            if order.is_trigger and order.stop_price is not None:
                level = float(order.stop_price)
                distance = level_on_the_way(level, before, after)
                if distance is not None and (nearest is None or distance < nearest[0]):
                    nearest = (distance, level)
        return nearest[1] if nearest else None

    def match_here(self, at_ms: int, market: MarketState, before: float) -> bool:
        """Execute and fire whatever the present prices allow, nearest to `before` first. True when anything happened."""
        if market.mode is not MarketMode.ONLINE:
            return False
        for step in range(_STEPS_MAX):
            order = self._next_due(market, before)
            if order is None:
                return step > 0
            if order.is_trigger:
                self._fire(at_ms, market, order)
            else:
                self._fill_resting(at_ms, market, order)
        raise RuntimeError(f"orders on {market.spec.symbol} never came to rest at one price")

    def _next_due(self, market: MarketState, before: float) -> OrderRow | None:
        due = [order for order in market.orders.values() if self._is_due(market, order)]
        return min(due, key=lambda o: (abs(float(o.stop_price if o.is_trigger else o.limit_price or 0) - before), o.seq), default=None)  # type: ignore[arg-type]

    def _is_due(self, market: MarketState, order: OrderRow) -> bool:
        if order.is_trigger:
            return has_fired(order, market.signal_price(order.trigger_signal or TriggerSignal.LAST))
        return order.order_id not in market.touched and self._resting_amount(market, order) > 0

    def _resting_amount(self, market: MarketState, order: OrderRow) -> Decimal:
        assert order.limit_price is not None
        traded = Decimal(abs(market.volume))
        limit = market.ticks_of(order.limit_price)
        return resting_fill(order.side, limit, order.unfilled, market.touch, market.last_ticks, traded, market.spec.size_step)

    def _fill_resting(self, at_ms: int, market: MarketState, order: OrderRow) -> None:
        amount = self._resting_amount(market, order)
        assert order.limit_price is not None
        market.touched.add(order.order_id)
        fee = self._ledger.fees(at_ms).maker
        is_closing = self._ledger.reducible(order.symbol, order.side) >= amount
        if is_closing and self._ledger.find_margin_fault(at_ms, order, [(amount, order.limit_price)], fee):
            self._orders.gone(at_ms, order, OrderState.CANCELLED, NO_MARGIN)  # closing here would leave a debt: left to liquidation
            return
        self._ledger.book_fill(at_ms, order, amount, order.limit_price, "maker", fee)
        rest = replace(order, filled=order.filled + amount, updated_ms=at_ms)
        if rest.unfilled:
            self._orders.change(at_ms, rest, "partial_fill")
        else:
            self._orders.gone(at_ms, rest, OrderState.FULLY_EXECUTED, "full_fill")
        self.shrink_reduce_only(at_ms, market)

    def _fire(self, at_ms: int, market: MarketState, trigger: OrderRow) -> None:
        self._orders.activated(at_ms, trigger)
        quantity = trigger.quantity
        if trigger.reduce_only:
            quantity = min(quantity, self._ledger.reducible(trigger.symbol, trigger.side))
            if not quantity:
                self._fail(at_ms, trigger, NOT_REDUCING)
                return
        if trigger.limit_offset is not None:
            limit_ticks, kind = market.ticks_of(offset_limit(trigger, market.spec.tick)), OrderType.LMT
        elif trigger.limit_price is None:
            limit_ticks = guard_ticks(trigger.side, market.touch, self._trigger_guard)
            kind = OrderType.IOC
        else:
            limit_ticks, kind = market.ticks_of(trigger.limit_price), OrderType.LMT
        order = replace(trigger, order_type=kind, quantity=quantity, limit_price=market.price_of(limit_ticks), updated_ms=at_ms)
        if not order.reduce_only and not self._ledger.affords(at_ms, order):
            self._fail(at_ms, trigger, NO_MARGIN)
            return
        plan = self.plan(at_ms, market, order, limit_ticks)
        if plan.hits_own and not self.cancels_makers:
            self._fail(at_ms, trigger, "would_execute_self")
            return
        if plan.margin_fault is not None:
            self._fail(at_ms, trigger, NO_MARGIN)
            return
        if kind is OrderType.LMT:
            self._tape.outbox.append(OrderFeed(at_ms, order, "limit_order_from_stop", is_gone=False))
        order, _ = self.take(at_ms, market, order, plan)
        if not order.unfilled:
            self._orders.gone(at_ms, order, OrderState.FULLY_EXECUTED, "full_fill")
        elif kind is OrderType.IOC:
            self._orders.gone(at_ms, order, OrderState.CANCELLED, IOC_FAILED)
        else:
            self._orders.add(at_ms, order, "limit_order_from_stop")
            self.shrink_reduce_only(at_ms, market)

    def _fail(self, at_ms: int, trigger: OrderRow, reason: str) -> None:
        self._orders.gone(at_ms, trigger, OrderState.TRIGGER_ACTIVATION_FAILURE, reason)

    def shrink_reduce_only(self, at_ms: int, market: MarketState) -> None:
        """Cut resting reduce-only limits to the position, end those with nothing to reduce. Triggers are cut when they fire."""
        for order in tuple(market.orders.values()):
            if not order.reduce_only or order.is_trigger:
                continue
            room = self._ledger.reducible(order.symbol, order.side)
            if not room:
                self._orders.gone(at_ms, order, OrderState.CANCELLED, NOT_REDUCING)
            elif order.unfilled > room:
                self._orders.change(at_ms, replace(order, quantity=order.filled + room, updated_ms=at_ms), "edited_by_user")
