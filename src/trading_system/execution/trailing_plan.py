"""Break-even, trailing (RULE 9) and the final target: the stop moves toward profit only, and only by fresh quotes.

Starts when the first target has filled or, where there is no order for it, when mark passed it on two consecutive fresh quotes.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import assert_never

from trading_system.domain.actions import (
    Action,
    ActivateBreakEven,
    ActivateTrailing,
    BeginClose,
    ClosePartial,
    MoveStop,
    ReachFinalTarget,
)
from trading_system.domain.positions import CloseReason, OwnOrder, Position, Targets
from trading_system.domain.units import Price, Qty, floor_to_step
from trading_system.execution.position_view import FinalTarget, MarketView, PositionParameters, Watch, is_through, stop_on_tick

PASSES_NEEDED = 2


def break_even_price(position: Position, params: PositionParameters, tick: Decimal) -> Price | None:
    """Average entry plus (by default) two taker fees, on the profit side, on the tick; None while nothing is filled."""
    entry = position.average_entry
    if entry is None:
        return None
    return stop_on_tick(position.direction, entry * (1 + params.break_even_fees * params.taker_fee * position.direction.sign), tick)


def trail_multiple(open_r: Decimal, params: PositionParameters) -> Decimal:
    """The ladder's multiple of ATR at that profit."""
    multiple = params.trail_ladder[0][1]
    for from_r, value in params.trail_ladder:
        if open_r >= from_r:
            multiple = value
    return multiple


def watch_first_target(position: Position, targets: Targets, view: MarketView, watch: Watch, *, has_order: bool) -> Watch:
    """Count consecutive fresh quotes beyond the first target, where no order of ours waits there (`has_order`).

    A halt takes such orders away, a market that is past the level when it is to be placed lets none come to be.
    """
    if has_order or targets.tp1_price is None or view.mark is None or not view.is_fresh or view.quote_at == watch.tp1_quote_at:
        return watch
    passed = (view.mark - targets.tp1_price) * position.direction.sign >= 0
    count = watch.tp1_passed + 1 if passed else 0
    return replace(watch, tp1_passed=min(count, PASSES_NEEDED), tp1_quote_at=view.quote_at)


def first_target_is_done(position: Position, targets: Targets, watch: Watch) -> bool:
    """True when management may move on to break-even and trailing."""
    if targets.tp1_qty_target > 0 and position.tally.tp1_filled >= targets.tp1_qty_target:
        return True
    return watch.tp1_passed >= PASSES_NEEDED


def plan_trailing(
    position: Position, targets: Targets, stop: OwnOrder | None, view: MarketView, watch: Watch, params: PositionParameters
) -> tuple[Action, ...]:
    """Activations and moves of the stop for this quote. `stop`: our one live stop, or None (then it is placed first)."""
    mark = view.mark
    if mark is None or not view.is_fresh:
        return ()
    progress = position.progress
    if not progress.break_even_active and not progress.trailing_active:
        if not first_target_is_done(position, targets, watch):
            return _plan_final_target(position, mark, view, params)
        price = break_even_price(position, params, view.tick)
        if price is None or is_through(position.direction, mark, price):
            return ()
        return (ActivateBreakEven(position.position_id, price, "first target done"),)
    return _plan_trail(position, stop, mark, view, params) + _plan_final_target(position, mark, view, params)


def _plan_trail(position: Position, stop: OwnOrder | None, mark: Price, view: MarketView, params: PositionParameters) -> tuple[Action, ...]:
    open_r, atr = position.open_r(mark), view.atr_4h
    if open_r is None or atr is None or atr <= 0 or atr < params.trailing_activation_atr_min * mark:
        return ()
    reached = position.progress.trail_multiple
    multiple = trail_multiple(open_r, params)
    if reached is None or multiple < reached:
        return (ActivateTrailing(position.position_id, multiple, f"{open_r:.2f} R"),)
    wanted = stop_on_tick(position.direction, mark - reached * atr * position.direction.sign, view.tick)
    gain = (wanted - position.stop_wanted) * position.direction.sign
    if stop is None or stop.amending is not None or gain <= position.stop_wanted * params.trail_move_min:
        return ()
    if is_through(position.direction, mark, wanted):
        return ()
    return (MoveStop(position.position_id, stop.client_order_id, position.qty, wanted, f"trailing {reached} ATR behind {mark}"),)


def _plan_final_target(position: Position, mark: Price, view: MarketView, params: PositionParameters) -> tuple[Action, ...]:
    if params.final_target is FinalTarget.NONE or position.progress.final_target_done:
        return ()
    open_r = position.open_r(mark)
    if open_r is None or open_r < params.final_target_r:
        return ()
    evidence = f"mark {mark} is {open_r:.2f} R"
    reached = ReachFinalTarget(position.position_id, evidence)
    match params.final_target:
        case FinalTarget.TIGHTEN_TRAIL:
            return (reached, ActivateTrailing(position.position_id, params.final_target_tighten, evidence))
        case FinalTarget.CLOSE_PARTIAL:
            qty = floor_to_step(position.qty * params.final_target_share, view.size_step)
            if qty < view.unit:
                return (reached,)
            return (reached, ClosePartial(position.position_id, Qty(qty), None, CloseReason.FINAL_TARGET, evidence))
        case FinalTarget.CLOSE_FULL:
            return (reached, BeginClose(position.position_id, CloseReason.FINAL_TARGET, evidence))
        case _:
            assert_never(params.final_target)
