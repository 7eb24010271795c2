"""The order desk: send, edit, cancel. Checks in the venue's order; every answer carries its chronological events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from trading_system.domain.orders import Side
from trading_system.sim.executor import IOC_FAILED, NO_MARGIN, NOT_REDUCING, POST_FAILED, Executor, TakerPlan
from trading_system.sim.ledger import Ledger
from trading_system.sim.maker_protection import MakerProtection
from trading_system.sim.market_state import MarketState
from trading_system.sim.matching import guard_ticks, is_within
from trading_system.sim.model import (
    CancelAllResult,
    CancelEvent,
    CancelRequest,
    CancelResult,
    DeviationUnit,
    EditEvent,
    EditRequest,
    EditResult,
    HistoryKind,
    LimitOffset,
    MarketMode,
    OrderEvent,
    OrderFeed,
    OrderRow,
    OrderState,
    OrderType,
    PlaceEvent,
    RejectEvent,
    SendRequest,
    SendResult,
    Trailing,
    TriggerSignal,
)
from trading_system.sim.open_orders import OpenOrders
from trading_system.sim.order_check import (
    REJECT_REASON,
    SENDABLE,
    find_collar_fault,
    find_count_fault,
    find_mode_fault,
    find_price_fault,
    find_size_fault,
    find_word_fault,
)
from trading_system.sim.tape import Tape
from trading_system.sim.trailing import find_trailing_fault, stop_behind
from trading_system.sim.variants import ExchangeVariants

_ZERO: Final = Decimal(0)
_LATE_REASON: Final = {
    "iocWouldNotExecute": IOC_FAILED,
    "postWouldExecute": POST_FAILED,
    "selfFill": "would_execute_self",
    "wouldNotReducePosition": NOT_REDUCING,
    "marketSuspended": "market_inactive",
    "marketInactive": "market_inactive",
    "marketIsPostOnly": "market_inactive",
    "wouldIncreasePriceDislocation": "market_inactive",
}
_IMMEDIATE: Final = frozenset({OrderType.IOC, OrderType.FOK, OrderType.MKT})


@dataclass(frozen=True, slots=True)
class DeskLimits:
    """market_guard: how far beyond the touch a market order may execute, as a fraction. orders_open_max: of the whole account."""

    market_guard: Decimal
    orders_open_max: int
    variants: ExchangeVariants


class Desk:
    """Takes the account's commands at market time `now_ms`, which each call names."""

    def __init__(
        self,
        markets: Mapping[str, MarketState],
        ledger: Ledger,
        orders: OpenOrders,
        executor: Executor,
        tape: Tape,
        limits: DeskLimits,
        protection: MakerProtection,
    ) -> None:
        self._markets = markets
        self._ledger = ledger
        self._orders = orders
        self._executor = executor
        self._tape = tape
        self._limits = limits
        self._variants = limits.variants
        self._protection = protection

    # --- send ---

    def send(self, now_ms: int, request: SendRequest) -> SendResult:
        """Place an order. Never raises for a bad request: the answer's `status` is the refusal word."""
        market = self._markets.get(request.symbol)
        word = find_word_fault(request, now_ms, self._variants)
        if word is None and (market is None or not market.is_listed):
            word = "marketInactive"
        if word is None and request.cli_ord_id is not None and self._orders.find(None, request.cli_ord_id) is not None:
            word = "clientOrderIdAlreadyExist"
        if word is not None or market is None:
            return SendResult(word or "marketInactive", now_ms, cli_ord_id=request.cli_ord_id)
        order = self._draft(now_ms, market, request)
        word = self._find_fault(market, order)
        if word is not None:
            return self._refuse(now_ms, order, word)
        asked = order.quantity
        if order.reduce_only and (not order.is_trigger or self._variants.reduce_only_trigger_needs_position):
            room = self._ledger.reducible(order.symbol, order.side)
            if not room:
                return self._refuse(now_ms, order, "wouldNotReducePosition")
            order = order if order.is_trigger else replace(order, quantity=min(asked, room))
        reduced = order.quantity if order.quantity < asked else None
        word = self._find_account_fault(now_ms, market, order)
        if word is not None:
            return self._refuse(now_ms, order, word)
        if self._protection.holds(order):
            self._protection.hold(now_ms, order)
            return self._placed(now_ms, order, [PlaceEvent(order, reduced)], reduced)
        return self._place(now_ms, market, order, reduced)

    def _draft(self, now_ms: int, market: MarketState, request: SendRequest) -> OrderRow:
        kind, side = SENDABLE[request.order_type], Side(request.side)
        limit, stop, signal, trailing = request.limit_price, None, None, None
        if kind.is_trigger:
            stop, signal = request.stop_price, TriggerSignal(request.trigger_signal or TriggerSignal.LAST.value)
        if kind is OrderType.TRAILING_STOP:
            assert request.trailing_deviation is not None
            assert signal is not None
            trailing, limit = Trailing(request.trailing_deviation, DeviationUnit(request.trailing_unit)), None
            stop = stop_behind(trailing, market.signal_price(signal), market.spec.tick, fires_below=side is Side.SELL)
        if kind is OrderType.MKT:
            # a market order is an IOC with a price guard, and is listed as one
            kind, limit = OrderType.IOC, market.price_of(guard_ticks(side, market.touch, self._limits.market_guard))
        return OrderRow(
            self._tape.new_id(), request.cli_ord_id, request.symbol, kind, side, request.size, _ZERO, limit, stop, signal,
            request.reduce_only, now_ms, now_ms, self._tape.next_order_seq(), trailing, _offset_of(request),
        )  # fmt: skip

    def _find_fault(self, market: MarketState, order: OrderRow) -> str | None:
        """Faults that need the market but not the account."""
        return (
            find_mode_fault(market.mode, order.order_type)
            or find_size_fault(order.quantity, market.spec)
            or find_price_fault(order.limit_price, market.spec)
            or find_price_fault(order.stop_price, market.spec)
            or find_collar_fault(order, market.mark_price(), self._variants.price_collar)
            or self._find_count_fault(market, order)
        )

    def _find_count_fault(self, market: MarketState, order: OrderRow) -> str | None:
        if order.order_type in _IMMEDIATE:
            return None
        if len(self._orders) >= self._limits.orders_open_max:
            return "tooManyOrders"
        return find_count_fault(order, market.orders.values(), self._variants)

    def _find_account_fault(self, now_ms: int, market: MarketState, order: OrderRow, without: str | None = None) -> str | None:
        if order.reduce_only or order.is_trigger:
            return None
        adding = [
            o for o in market.orders.values() if o.side is order.side and not (o.reduce_only or o.is_trigger) and o.order_id != without
        ]
        same = sum((o.unfilled for o in adding), _ZERO)
        after = self._ledger.size_of(order.symbol) * order.side.sign + same + order.unfilled
        if after > market.spec.position_size_max:
            return "maxPositionViolation"
        leverage = self._ledger.leverage.get(order.symbol)
        if leverage is not None and not self._ledger.terms(order.symbol).allows(leverage, self._ledger.worst_notional(order, without)):
            return "fixedLeverageTooHigh"
        return None if self._ledger.affords(now_ms, order, without) else "insufficientAvailableFunds"

    def _place(self, now_ms: int, market: MarketState, order: OrderRow, reduced: Decimal | None) -> SendResult:
        if order.is_trigger:
            self._orders.add(now_ms, order, "new_placed_order_by_user")
            # a stop price that is passed already fires at once; the answer still says PLACE
            self._executor.match_here(now_ms, market, market.mid)
            return self._placed(now_ms, order, [PlaceEvent(order)], None)
        assert order.limit_price is not None
        if order.order_type is OrderType.POST:
            if self._would_cross(market, order):
                return self._refuse(now_ms, order, "postWouldExecute")
            self._orders.add(now_ms, order, "new_placed_order_by_user")
            return self._placed(now_ms, order, [PlaceEvent(order, reduced)], reduced)
        plan = self._executor.plan(now_ms, market, order, market.ticks_of(order.limit_price))
        if word := self._find_take_fault(market, order, plan):
            return self._refuse(now_ms, order, word)
        if (order.order_type in _IMMEDIATE and not plan.takes) or (order.order_type is OrderType.FOK and plan.size < order.quantity):
            return self._refuse(now_ms, order, "iocWouldNotExecute")
        if plan.margin_fault is not None:
            return self._refuse(now_ms, order, plan.margin_fault)
        return self._execute(now_ms, market, order, plan, reduced)

    def _find_take_fault(self, market: MarketState, order: OrderRow, plan: TakerPlan) -> str | None:
        if plan.takes and market.dislocated(self._variants.dislocation) is order.side:
            return "wouldIncreasePriceDislocation"
        return "selfFill" if plan.hits_own and not self._executor.cancels_makers else None

    def _execute(self, now_ms: int, market: MarketState, order: OrderRow, plan: TakerPlan, reduced: Decimal | None) -> SendResult:
        order, executions = self._executor.take(now_ms, market, order, plan, reduced=reduced)
        events: list[OrderEvent] = list(executions)
        if not order.unfilled:
            self._orders.gone(now_ms, order, OrderState.FULLY_EXECUTED, "full_fill")
        elif order.order_type in _IMMEDIATE:
            self._orders.gone(now_ms, order, OrderState.CANCELLED, IOC_FAILED)
            if self._variants.ioc_rest_is_told:
                events.append(CancelEvent(order.order_id, order))
        else:
            self._orders.add(now_ms, order, "new_placed_order_by_user")
            events.append(PlaceEvent(order, reduced))
            self._executor.shrink_reduce_only(now_ms, market)
        return self._placed(now_ms, order, events, reduced)

    def release(self, now_ms: int, order_id: str) -> None:
        """The hold of maker protection is over: what would have happened at once happens now. A refusal is told on the feed."""
        order = self._orders.release(order_id)
        if order is None:
            return
        market = self._markets[order.symbol]
        order = replace(order, seq=self._tape.next_order_seq())  # its place in the queue is taken now
        word = find_mode_fault(market.mode, order.order_type) or self._find_account_fault(now_ms, market, order)
        if word is None and order.reduce_only:
            room = self._ledger.reducible(order.symbol, order.side)
            order = replace(order, quantity=min(order.quantity, room) if room else order.quantity)
            word = None if room else "wouldNotReducePosition"
        if word is None:
            word = self._place(now_ms, market, order, None).status
        if word != "placed":
            self._orders.gone(now_ms, order, OrderState.REJECTED, _LATE_REASON.get(word, NO_MARGIN))
        self._ledger.refresh_guard()

    def release_edit(self, now_ms: int, request: EditRequest) -> None:
        """A held edit takes effect; when it cannot any more, the order stays as it is."""
        self._edit(now_ms, replace(request, process_before_ms=None), is_released=True)

    def _would_cross(self, market: MarketState, order: OrderRow) -> bool:
        assert order.limit_price is not None
        limit = market.ticks_of(order.limit_price)
        best = market.touch.ask if order.side is Side.BUY else market.touch.bid
        own = self._executor.best_own(market, order.side.opposite, order.order_id)
        return is_within(order.side, best, limit) or (own is not None and is_within(order.side, own, limit))

    def _placed(self, now_ms: int, order: OrderRow, events: list[OrderEvent], reduced: Decimal | None) -> SendResult:
        self._ledger.refresh_guard()
        return SendResult("placed", now_ms, order.order_id, order.cli_ord_id, tuple(events), reduced)

    def _refuse(self, now_ms: int, order: OrderRow, word: str) -> SendResult:
        reason = REJECT_REASON.get(word)
        events: tuple[OrderEvent, ...] = () if reason is None else (RejectEvent(order.order_id, order, reason),)
        self._tape.note(now_ms, HistoryKind.ORDER_REJECTED, order, word)
        self._tape.finish(now_ms, order, OrderState.REJECTED, None, reason or word)
        if word == "postWouldExecute":
            self._tape.outbox.append(OrderFeed(now_ms, order, POST_FAILED, is_gone=True))
        return SendResult(word, now_ms, order.order_id, order.cli_ord_id, events)

    # --- edit ---

    def edit(self, now_ms: int, request: EditRequest) -> EditResult:
        """Change size, limit, stop price or distance of a resting order in place. A refused edit leaves the order as it was."""
        return self._edit(now_ms, request, is_released=False)

    def _edit(self, now_ms: int, request: EditRequest, *, is_released: bool) -> EditResult:
        if request.process_before_ms is not None and now_ms > request.process_before_ms:
            return EditResult("wouldProcessAfterSpecifiedTime", now_ms, request.order_id, request.cli_ord_id)
        old = self._orders.find(request.order_id, request.cli_ord_id)
        if old is None or old.order_id in self._orders.held:
            return EditResult("orderForEditNotFound", now_ms, request.order_id, request.cli_ord_id)
        market = self._markets[old.symbol]
        if old.trailing is not None and (word := _find_trailing_edit_fault(request)):
            return EditResult(word, now_ms, old.order_id, old.cli_ord_id)
        new = self._edited(now_ms, market, old, request)
        plan: TakerPlan | None = None
        word = self._find_edit_fault(now_ms, market, old, new, request)
        if word is None and not new.is_trigger:
            assert new.limit_price is not None
            if new.order_type is OrderType.POST and self._would_cross(market, new):
                word = "postWouldExecute"
            elif market.mode is MarketMode.ONLINE:
                plan = self._executor.plan(now_ms, market, new, market.ticks_of(new.limit_price))
                word = self._find_take_fault(market, new, plan) or plan.margin_fault
            elif self._would_cross(market, new):
                word = "marketIsPostOnly"
        if word is not None:
            return _refused_edit(now_ms, new, word)
        if not is_released and self._protection.holds(new):
            self._protection.hold_edit(now_ms, replace(request, order_id=old.order_id))
            return EditResult("edited", now_ms, old.order_id, old.cli_ord_id, (EditEvent(old, new, None),))
        return self._apply_edit(now_ms, market, old, new, plan)

    def _edited(self, now_ms: int, market: MarketState, old: OrderRow, request: EditRequest) -> OrderRow:
        quantity = old.quantity
        if request.size is not None:
            quantity = request.size if request.is_absolute else request.size + old.filled
        reduced = old.reduce_only and not old.is_trigger
        if reduced:
            quantity = min(quantity, old.filled + self._ledger.reducible(old.symbol, old.side))
        limit = old.limit_price if request.limit_price is None else request.limit_price
        stop = old.stop_price if request.stop_price is None else request.stop_price
        trailing = old.trailing
        if trailing is not None and request.trailing_deviation is not None and old.trigger_signal is not None:
            trailing = Trailing(request.trailing_deviation, DeviationUnit(request.trailing_unit or trailing.unit.value))
            stop = stop_behind(trailing, market.signal_price(old.trigger_signal), market.spec.tick, fires_below=old.fires_below)
        # a smaller size alone keeps the place in the queue
        keeps_place = limit == old.limit_price and quantity <= old.quantity
        seq = old.seq if keeps_place else self._tape.next_order_seq()
        return replace(old, quantity=quantity, limit_price=limit, stop_price=stop, updated_ms=now_ms, seq=seq, trailing=trailing)

    def _find_edit_fault(self, now_ms: int, market: MarketState, old: OrderRow, new: OrderRow, request: EditRequest) -> str | None:
        if request.stop_price is not None and not old.is_trigger:
            return "orderForEditNotAStop"
        if market.mode not in (MarketMode.ONLINE, MarketMode.POST_ONLY):
            return find_mode_fault(market.mode, old.order_type)
        if new.unfilled <= 0:
            return "invalidSize"
        return (
            find_size_fault(new.unfilled, market.spec)
            or find_price_fault(new.limit_price, market.spec)
            or find_price_fault(new.stop_price, market.spec)
            or find_collar_fault(new, market.mark_price(), self._variants.price_collar)
            or self._find_account_fault(now_ms, market, new, old.order_id)
        )

    def _apply_edit(self, now_ms: int, market: MarketState, old: OrderRow, new: OrderRow, plan: TakerPlan | None) -> EditResult:
        events: list[OrderEvent] = [EditEvent(old, new, None)]
        self._orders.change(now_ms, new, "edited_by_user")
        if plan is not None and plan.takes:
            market.drop(new.order_id)  # it must not rest while it takes
            new, executions = self._executor.take(now_ms, market, new, plan, "takerAfterEdit", old)
            events += executions
            market.put(new)
            if new.unfilled:
                self._orders.change(now_ms, new, "partial_fill")
                self._executor.shrink_reduce_only(now_ms, market)
            else:
                self._orders.gone(now_ms, new, OrderState.FULLY_EXECUTED, "full_fill")
        elif new.is_trigger:
            self._executor.match_here(now_ms, market, market.mid)
        self._ledger.refresh_guard()
        return EditResult("edited", now_ms, new.order_id, new.cli_ord_id, tuple(events))

    # --- cancel ---

    def cancel(self, now_ms: int, request: CancelRequest) -> CancelResult:
        """Take an order out of the book. Accepted in every market mode."""
        if request.process_before_ms is not None and now_ms > request.process_before_ms:
            return CancelResult("wouldProcessAfterSpecifiedTime", now_ms, request.order_id, request.cli_ord_id)
        order = self._orders.find(request.order_id, request.cli_ord_id)
        if order is not None and self._markets[order.symbol].mode is MarketMode.MAINTENANCE:
            return CancelResult("marketSuspended", now_ms, order.order_id, order.cli_ord_id)
        if order is None:
            return CancelResult(self._word_of_gone(now_ms, request), now_ms, request.order_id, request.cli_ord_id)
        self._take_out(now_ms, order, "cancelled_by_user")
        return CancelResult("cancelled", now_ms, order.order_id, order.cli_ord_id, (CancelEvent(order.order_id, order),))

    def _take_out(self, now_ms: int, order: OrderRow, reason: str) -> None:
        if order.order_id in self._orders.held:  # too late to undo: what it cannot take at its release is dropped
            self._orders.hold(now_ms, replace(order, order_type=OrderType.IOC, updated_ms=now_ms))
        else:
            self._orders.gone(now_ms, order, OrderState.CANCELLED, reason)

    def _word_of_gone(self, now_ms: int, request: CancelRequest) -> str:
        for row in self._tape.remembered(now_ms):
            is_it = row.order.order_id == request.order_id if request.order_id is not None else row.order.cli_ord_id == request.cli_ord_id
            if is_it and row.state is OrderState.FULLY_EXECUTED:
                return "filled"
        return "notFound"

    def cancel_all(
        self, now_ms: int, symbol: str | None, reason: str = "cancelled_by_user", *, spares_triggers: bool = False
    ) -> CancelAllResult:
        """Cancel every open order (of one market), triggers included unless spared."""
        orders = tuple(
            order
            for order in self._orders.rows()
            if (symbol is None or order.symbol == symbol)
            and not (spares_triggers and order.is_trigger)
            and self._markets[order.symbol].mode is not MarketMode.MAINTENANCE
        )
        for order in orders:
            self._take_out(now_ms, order, reason)
        status = "cancelled" if orders else "noOrdersToCancel"
        return CancelAllResult(status, now_ms, symbol or "all", orders, tuple(CancelEvent(order.order_id, order) for order in orders))


def _refused_edit(now_ms: int, new: OrderRow, word: str) -> EditResult:
    """The order stays as it was; the answer shows what it was to become."""
    reason = REJECT_REASON.get(word)
    events: tuple[OrderEvent, ...] = () if reason is None else (RejectEvent(new.order_id, new, reason),)
    return EditResult(word, now_ms, new.order_id, new.cli_ord_id, events)


def _offset_of(request: SendRequest) -> LimitOffset | None:
    return None if request.offset_value is None else LimitOffset(request.offset_value, DeviationUnit(request.offset_unit))


def _find_trailing_edit_fault(request: EditRequest) -> str | None:
    """A trailing stop's trigger price follows the market and cannot be set; it has no limit price."""
    if request.stop_price is not None:
        return "cannotEditTriggerPriceOfTrailingStop"
    if request.limit_price is not None:
        return "cannotEditLimitPriceOfTrailingStop"
    if request.trailing_deviation is None:
        return None
    return find_trailing_fault(request.trailing_deviation, request.trailing_unit or DeviationUnit.QUOTE_CURRENCY.value)
