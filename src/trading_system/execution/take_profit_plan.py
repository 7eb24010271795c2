"""Take-profits: sizes fixed when the entry completed, resting reduce-only limits, each level judged alone.

The trap it avoids: one level that the market has passed cancels the whole plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from trading_system.domain.actions import Action, PlaceTakeProfit
from trading_system.domain.orders import ClientOrderId, OrderPurpose
from trading_system.domain.positions import OwnOrder, Position, PositionState, Targets
from trading_system.domain.units import ZERO, Price, Qty, floor_to_step
from trading_system.execution.position_view import MarketView, PositionParameters, Watch

_LEVELS = (OrderPurpose.TP1, OrderPurpose.TP2)


def compute_targets(position: Position, view: MarketView) -> Targets:
    """The snapshot for what was really filled. A first share that floors to nothing becomes one unit when there are two."""
    entered = Qty(position.tally.entered + max(ZERO, position.tally.adjusted))
    levels = position.plan.take_profits
    unit = view.unit
    tp1 = _share(entered, levels[0].share, view.size_step, unit) if levels else ZERO
    if levels and tp1 == 0 and entered >= 2 * unit:
        tp1 = unit
    tp2 = _share(entered, levels[1].share, view.size_step, unit) if len(levels) > 1 else ZERO
    tp2 = min(tp2, entered - tp1)
    return Targets(
        entry_size_initial=entered,
        tp1_qty_target=Qty(tp1),
        tp2_qty_target=Qty(tp2),
        tp1_price=levels[0].price if levels else None,
        tp2_price=levels[1].price if len(levels) > 1 else None,
    )


def _share(entered: Decimal, share: Decimal, step: Decimal, unit: Decimal) -> Decimal:
    qty = floor_to_step(entered * share, step)
    return qty if qty >= unit else ZERO


def plan_take_profits(
    position: Position,
    targets: Targets,
    orders: Mapping[ClientOrderId, OwnOrder],
    view: MarketView,
    watch: Watch,
    params: PositionParameters,
    now_s: float,
) -> tuple[tuple[Action, ...], Watch]:
    """Orders for levels that are missing, not yet filled, not passed and far enough from the price."""
    if not view.allow_take_profits or view.mark is None or not view.is_open:
        return (), watch
    if position.state is not PositionState.PROTECTED and position.state is not PositionState.PARTIAL:
        return (), watch
    resting = sum((order.remaining for order in orders.values() if order.purpose.is_take_profit), ZERO)
    actions: list[Action] = []
    for purpose in _LEVELS:
        missing = missing_qty(position, targets, purpose)
        if missing <= 0 or any(order.purpose is purpose for order in orders.values()):
            continue
        if now_s < watch.take_profit_due_s(purpose, params):
            continue
        watch = watch.with_take_profit(purpose, now_s)
        price = level_price(targets, purpose)
        qty = floor_to_step(min(missing, position.qty - resting), view.size_step)
        if price is None or qty < view.unit or not _is_ahead(position, price, view.mark, params):
            continue
        resting += qty
        actions.append(PlaceTakeProfit(position.position_id, purpose, Qty(qty), price))
    return tuple(actions), watch


def missing_qty(position: Position, targets: Targets, purpose: OrderPurpose) -> Decimal:
    """What of that level's target is not filled yet (0 for a skipped level)."""
    if purpose in position.progress.skipped:
        return ZERO
    if purpose is OrderPurpose.TP1:
        return targets.tp1_qty_target - position.tally.tp1_filled
    return targets.tp2_qty_target - position.tally.tp2_filled


def level_price(targets: Targets, purpose: OrderPurpose) -> Price | None:
    return targets.tp1_price if purpose is OrderPurpose.TP1 else targets.tp2_price


def _is_ahead(position: Position, price: Decimal, mark: Decimal, params: PositionParameters) -> bool:
    """True when the level is on the profit side of mark, by the least distance."""
    return (price - mark) * position.direction.sign >= mark * params.take_profit_distance_min
