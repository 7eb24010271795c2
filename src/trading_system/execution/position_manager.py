"""What to do next for one position: `plan(...)` from facts to actions, pure, made anew at every tick and every private event.

Order of thought: is it over → the stop → is it being closed → the entry → the take-profits → break-even and trailing. A plan
never assumes that an action worked: the next one looks at what the journal then says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from trading_system.domain.actions import (
    AbandonEntry,
    Action,
    BeginClose,
    CancelOrder,
    ClosePartial,
    CloseStep,
    CompleteEntry,
    FinishClose,
    RetryEntry,
)
from trading_system.domain.orders import ClientOrderId, Direction, EntryStyle, OrderPurpose
from trading_system.domain.positions import CloseReason, OrderState, OwnOrder, Position, PositionState
from trading_system.domain.units import ZERO, Price, Qty, floor_to_step
from trading_system.execution.fills import exit_reason
from trading_system.execution.ledger import LedgerState
from trading_system.execution.position_view import MarketView, PositionParameters, Watch, exit_on_tick, is_through
from trading_system.execution.registry import entry_is_settled
from trading_system.execution.rule_exits import plan_rule_exit
from trading_system.execution.stop_plan import plan_stop
from trading_system.execution.take_profit_plan import compute_targets, plan_take_profits
from trading_system.execution.trailing_plan import plan_trailing, watch_first_target

Orders = Mapping[ClientOrderId, OwnOrder]


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in the order in which to perform them, and what to remember for the next plan."""

    actions: tuple[Action, ...]
    watch: Watch


def plan(
    state: LedgerState,
    position: Position,
    view: MarketView,
    watch: Watch,
    params: PositionParameters,
    *,
    now: datetime,
    now_s: float,
) -> Plan:
    """Plan for one active position. now: market time; now_s: process seconds."""
    orders = state.orders_of(position.plan.position_id)
    if position.state.awaits_entry:
        return Plan(_plan_unfilled(state, position, orders, view, params, now), watch)
    if not position.state.is_active:
        return Plan((), watch)
    qty = position.tally.qty
    if qty <= 0:
        return Plan(_plan_end(state, position, orders, params, now), watch)
    if position.state.needs_human:
        return Plan((), watch)
    stop_actions, watch = plan_stop(position, orders, view, watch, params, now_s)
    if position.state is PositionState.CLOSING:
        actions, watch = _plan_closing(state, position, orders, view, watch, params, now, now_s)
        return Plan(stop_actions + actions, watch)
    if any(isinstance(action, BeginClose) for action in stop_actions):
        return Plan(stop_actions, watch)
    entry_actions = _plan_entry_rest(state, position, orders, view, params, now) if position.targets is None or _has_entry(orders) else ()
    through, watch = _plan_through_stop(position, view, watch, params, now_s)
    if through is not None:
        return Plan((*stop_actions, *entry_actions, through), watch)
    by_rule = plan_rule_exit(position, view, params, now)
    if by_rule is not None:
        return Plan((*stop_actions, *entry_actions, by_rule), watch)
    entry_actions += _plan_excess(state, position, orders, view)
    targets = position.targets
    if targets is None or stop_actions:
        return Plan(stop_actions + entry_actions, watch)
    has_first_target = any(order.purpose is OrderPurpose.TP1 for order in orders.values())
    watch = watch_first_target(position, targets, view, watch, has_order=has_first_target)
    profit_actions, watch = plan_take_profits(position, targets, orders, view, watch, params, now_s)
    trail_actions = plan_trailing(position, targets, _one_stop(orders), view, watch, params)
    return Plan(entry_actions + profit_actions + trail_actions, watch)


def _has_entry(orders: Orders) -> bool:
    return any(order.purpose is OrderPurpose.ENTRY for order in orders.values())


def _one_stop(orders: Orders) -> OwnOrder | None:
    """Our live stop when there is exactly one; while two rest, they converge first."""
    found: OwnOrder | None = None
    for order in orders.values():
        if order.purpose is OrderPurpose.STOP and order.state is OrderState.LIVE and not order.is_foreign:
            if found is not None:
                return None
            found = order
    return found


def _plan_unfilled(
    state: LedgerState, position: Position, orders: Orders, view: MarketView, params: PositionParameters, now: datetime
) -> tuple[Action, ...]:
    """Nothing is filled (as far as anybody knows): wait, cancel, try the next attempt, or give the intent up."""
    entries = [order for order in orders.values() if order.purpose is OrderPurpose.ENTRY]
    if entries:
        return _plan_cancel(position, entries, view, params, now)
    if not entry_is_settled(state, position.position_id):
        return ()  # an execution was reported and is not booked yet
    if position.state is PositionState.PENDING:
        retry = _next_attempt(state, position, view, params, now)
        if retry is not None:
            return (retry,)
    last = _last_entry(state, position)
    why = "no order was ever sent" if last is None or last.end is None else f"{last.end.reason.value}: {last.end.evidence}"
    return (AbandonEntry(position.position_id, why),)


def _last_entry(state: LedgerState, position: Position) -> OwnOrder | None:
    attempt = state.attempts.get((position.position_id, OrderPurpose.ENTRY), 0)
    return state.orders.get(ClientOrderId(f"ts-{position.position_id}-{OrderPurpose.ENTRY.value}-{attempt}"))


def _next_attempt(state: LedgerState, position: Position, view: MarketView, params: PositionParameters, now: datetime) -> RetryEntry | None:
    """Re-price a post-only entry that would have executed, a few times, at the touch, never beyond the approved limit.

    At the touch the stop is nearer than it was when the size was approved, so the risk only falls. A short is then sold higher:
    its size is cut to what was approved in money.
    """
    last = _last_entry(state, position)
    if position.plan.style is not EntryStyle.POST_ONLY or last is None or last.end is None or last.cancel_requested_at is not None:
        return None
    if last.end.evidence != "postWouldExecute" or last.attempt > params.entry_retries or not view.is_fresh or not view.is_open:
        return None
    touch = view.bid if position.direction is Direction.LONG else view.ask
    limit = position.plan.limit_price
    if touch is None or limit is None or now - position.plan.planned_at >= params.entry_timeout or _is_away(position, view, params):
        return None
    price = min(touch, limit) if position.direction is Direction.LONG else max(touch, limit)
    left = position.plan.qty - position.tally.entered
    qty = left if price <= limit else floor_to_step(left * limit / price, view.size_step)
    return RetryEntry(position.position_id, Qty(qty), Price(price)) if qty >= view.unit else None


def _is_away(position: Position, view: MarketView, params: PositionParameters) -> bool:
    if view.mark is None or not view.is_fresh:
        return False
    reference = position.plan.reference_price
    return abs(view.mark - reference) >= reference * params.entry_price_away


def _plan_cancel(
    position: Position, entries: list[OwnOrder], view: MarketView, params: PositionParameters, now: datetime
) -> tuple[Action, ...]:
    """Cancel resting entries that are too old or that the market left behind."""
    actions: list[Action] = []
    for order in entries:
        if order.state is not OrderState.LIVE or order.is_immediate:
            continue  # nobody knows of it, or the venue ends it by itself: both are resolved by looking
        if order.cancel_requested_at is not None:
            if _due_again(order, params, now):
                actions.append(
                    CancelOrder(
                        position.position_id,
                        order.client_order_id,
                        "cancel again",
                        f"not known to have ended since {order.cancel_requested_at}",
                    )
                )
        elif now - order.intended_at >= params.entry_timeout:
            actions.append(CancelOrder(position.position_id, order.client_order_id, "entry timeout", f"open since {order.intended_at}"))
        elif _is_away(position, view, params):
            evidence = f"mark {view.mark}, reference {position.plan.reference_price}"
            actions.append(CancelOrder(position.position_id, order.client_order_id, "price moved away", evidence))
    return tuple(actions)


def _due_again(order: OwnOrder, params: PositionParameters, now: datetime) -> bool:
    return order.cancel_requested_at is not None and now - order.cancel_requested_at >= params.cancel_retry


def _plan_entry_rest(
    state: LedgerState, position: Position, orders: Orders, view: MarketView, params: PositionParameters, now: datetime
) -> tuple[Action, ...]:
    """Partly filled: the rest of the entry, and the moment it is complete."""
    entries = [order for order in orders.values() if order.purpose is OrderPurpose.ENTRY]
    if entries:
        return _plan_cancel(position, entries, view, params, now)
    if position.targets is not None or not entry_is_settled(state, position.position_id):
        return ()
    return (CompleteEntry(position.position_id, compute_targets(position, view), "every entry order ended and is booked"),)


def _plan_excess(state: LedgerState, position: Position, orders: Orders, view: MarketView) -> tuple[Action, ...]:
    """A packet the venue took twice filled more than was approved: give the excess back. What a human added is not ours to reduce."""
    approved = position.plan.qty
    if not position.is_own or position.tally.entered <= approved or position.qty <= approved or not view.is_open:
        return ()
    attempts = range(1, state.attempts.get((position.position_id, OrderPurpose.ENTRY), 0) + 1)
    prefix = f"ts-{position.position_id}-{OrderPurpose.ENTRY.value}-"
    ours = sum((state.orders[ClientOrderId(f"{prefix}{attempt}")].filled_qty for attempt in attempts), ZERO)
    # what an old list made the books larger by is in no fill, and not ours to give back
    booked = position.tally.entered - position.tally.exited
    excess = floor_to_step(min(position.qty, ours, booked) - approved, view.size_step)
    if excess < view.unit or any(order.purpose is OrderPurpose.REDUCE for order in orders.values()):
        return ()
    evidence = f"entry orders filled {ours}, approved were {approved}"
    return (ClosePartial(position.position_id, Qty(excess), None, CloseReason.EXCESS, evidence),)


def _plan_through_stop(
    position: Position, view: MarketView, watch: Watch, params: PositionParameters, now_s: float
) -> tuple[BeginClose | None, Watch]:
    """Mark beyond the stop for a while, the market executing, the position still listed: the stop did not act."""
    mark = view.mark
    if mark is None or not view.is_fresh or not view.is_open or not is_through(position.direction, mark, position.stop_wanted):
        return None, watch if watch.through_since_s is None else replace(watch, through_since_s=None)
    if watch.through_since_s is None:
        return None, replace(watch, through_since_s=now_s)
    waited_s = now_s - watch.through_since_s
    listed = view.venue_qty is not None and view.venue_qty > 0 and view.venue_read_s > watch.through_since_s
    if waited_s < params.through_stop_s or not listed or not position.is_own:
        return None, watch
    evidence = f"mark {mark} beyond the stop {position.stop_wanted} for {waited_s:.0f} s, venue still lists {view.venue_qty}"
    return BeginClose(position.position_id, CloseReason.THROUGH_STOP, evidence), watch


def _plan_closing(
    state: LedgerState,
    position: Position,
    orders: Orders,
    view: MarketView,
    watch: Watch,
    params: PositionParameters,
    now: datetime,
    now_s: float,
) -> tuple[tuple[Action, ...], Watch]:
    """The next step of closing in full, each only when the outcome of the one before is known."""
    cancels = tuple(
        CancelOrder(position.position_id, order.client_order_id, "the position is being closed", "close requested")
        for order in orders.values()
        if order.purpose is OrderPurpose.ENTRY
        and order.state is OrderState.LIVE
        and not order.is_immediate
        and (order.cancel_requested_at is None or _due_again(order, params, now))
    )
    if not view.is_open or (view.venue_qty is not None and view.venue_qty <= 0):
        return cancels, watch  # suspended: the stop stays; not listed any more: its fills are being looked for
    if any(order.purpose in (OrderPurpose.CLOSE, OrderPurpose.REDUCE) for order in orders.values()):
        return cancels, watch
    if watch.close_tried_s is not None and now_s - watch.close_tried_s < params.close_step_s:
        return cancels, watch
    qty = floor_to_step(position.qty, view.size_step)
    if qty <= 0:
        return cancels, watch
    step = state.attempts.get((position.position_id, OrderPurpose.CLOSE), 0)
    width = params.close_widths[min(step, len(params.close_widths) - 1)]
    limit: Price | None = None
    if width is not None and view.mark is not None:
        limit = exit_on_tick(position.direction, view.mark * (1 - width * position.direction.sign), view.tick)
    evidence = "" if position.close is None else position.close.evidence
    return (*cancels, CloseStep(position.position_id, Qty(qty), limit, step, evidence)), replace(watch, close_tried_s=now_s)


def _plan_end(state: LedgerState, position: Position, orders: Orders, params: PositionParameters, now: datetime) -> tuple[Action, ...]:
    """Out by its fills. It is over once no entry order can add to it any more."""
    entries = [order for order in orders.values() if order.purpose is OrderPurpose.ENTRY]
    if entries:
        return tuple(
            CancelOrder(position.position_id, order.client_order_id, "the position is out", "all fills booked")
            for order in entries
            if order.state is OrderState.LIVE
            and not order.is_immediate
            and (order.cancel_requested_at is None or _due_again(order, params, now))
        )
    if not entry_is_settled(state, position.position_id):
        return ()
    last = state.last_exit.get(position.position_id)
    reason = exit_reason(position, None if last is None else state.fills[last], None if last is None else state.fill_purpose.get(last))
    evidence = "no fill explains the last change of quantity" if last is None else f"fill {last}"
    return (FinishClose(position.position_id, reason, evidence),)
