"""The stop of one position: it covers every filled unit, follows the quantity, and converges to one order.

The traps it avoids: a stop frozen at the size of the first partial fill, a search for another price when the market is
already past the wanted one, and two leftovers of a failed cancel that are then both removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from trading_system.domain.actions import Action, BeginClose, CancelOrder, MoveStop, PlaceStop
from trading_system.domain.orders import ClientOrderId, Direction, OrderPurpose
from trading_system.domain.positions import CloseReason, OrderState, OwnOrder, Position, PositionState
from trading_system.domain.units import ZERO, Price, Qty, floor_to_step
from trading_system.execution.position_view import MarketView, PositionParameters, Watch, is_through, stop_on_tick


def emergency_stop(
    direction: Direction,
    entry: Decimal,
    mark: Decimal,
    tick: Decimal,
    distance: Decimal,
    liquidation_share: Decimal,
    liquidation: Decimal | None,
) -> Price:
    """Trigger for a position found without a stop: `distance` beyond the worse of entry and mark, well before liquidation.

    The stop keeps at least `liquidation_share` of the way from liquidation to mark, and never lies at or past mark.
    """
    if direction is Direction.LONG:
        price = min(entry, mark) * (1 - distance)
        if liquidation is not None and liquidation < mark:
            price = max(price, liquidation + (mark - liquidation) * liquidation_share)
    else:
        price = max(entry, mark) * (1 + distance)
        if liquidation is not None and liquidation > mark:
            price = min(price, liquidation - (liquidation - mark) * liquidation_share)
    rounded = stop_on_tick(direction, price, tick)
    # a coarse tick may have rounded it through the mark
    return Price(rounded - tick * direction.sign) if is_through(direction, mark, rounded) else rounded


class Cover(NamedTuple):
    """The live stops of one position.

    own: live stops of ours, oldest first. doomed: those whose cancel was asked for already and whose end nobody has seen.
    covered: by all live stops, foreign ones too.
    """

    own: list[OwnOrder]
    doomed: list[OwnOrder]
    covered: Decimal


def plan_stop(
    position: Position,
    orders: Mapping[ClientOrderId, OwnOrder],
    view: MarketView,
    watch: Watch,
    params: PositionParameters,
    now_s: float,
) -> tuple[tuple[Action, ...], Watch]:
    """Actions that make the live stops cover the quantity at the wanted trigger; `now_s` in process seconds."""
    qty = position.tally.qty
    if qty != watch.qty:
        watch = replace(watch, qty=qty, qty_since_s=now_s)
    if view.listed is not None and view.listed_s != watch.listed_s:
        watch = _note_listed(orders, view.listed, view.listed_s, watch)
    if view.venue_naked_s is not None and position.state is not PositionState.OPEN:
        backup = _plan_backup(position, orders, view, watch, params, now_s)
        if backup is not None:
            return (backup,), replace(watch, backup_tried_s=now_s, stop_sent_s=now_s)
    if _is_as_wanted(position, orders, qty):
        return (), watch if watch.naked_since_s is None and watch.stop_tried_s is None else _covered(orders, watch, params, now_s)
    resting = [o for o in orders.values() if o.purpose is OrderPurpose.STOP and o.state is OrderState.LIVE and o.protects > 0]
    # one we have asked to cancel protects nobody: the request may arrive late, and a list that still shows it may be an old one
    live = [order for order in resting if order.cancel_requested_at is None]
    own = sorted((order for order in live if not order.is_foreign), key=lambda order: order.attempt)
    doomed = [order for order in resting if order.cancel_requested_at is not None]
    covered = sum((order.protects for order in live), ZERO)
    # less than a step cannot be protected by any order: it is dust, not a naked position
    missing = floor_to_step(max(ZERO, qty - covered), view.size_step)
    if missing <= 0:
        return _plan_covered(position, orders, Cover(own, doomed, covered), view, watch, params, now_s)
    if watch.naked_since_s is None:
        watch = replace(watch, naked_since_s=now_s)
    give_up = _give_up(position, view, watch, params, now_s)
    if give_up is not None:
        return (give_up,), watch
    retry_s = _retry_s(position, params)
    if watch.stop_tried_s is None and any(_may_come_alive(order, view) for order in orders.values()):
        # one sent outside a plan, or by an earlier process before the first list: it gets the time any attempt gets, and not a moment
        # longer than its fate is open
        watch = replace(watch, stop_awaited_s=_awaited_since_s(watch, retry_s, now_s))
        if watch.stop_awaited_s is not None and now_s - watch.stop_awaited_s < retry_s:
            return (), watch
    if _is_waiting(orders, watch, retry_s, now_s):
        return (), watch
    if not live and watch.stop_sent_s is not None and now_s - watch.stop_sent_s < params.stop_pace_s:
        return (), watch  # it fired at once into a book with nobody in it, and the next one would too
    trigger = _trigger(position, view, params)
    if trigger is None:
        return (), watch
    watch = replace(watch, stop_tried_s=now_s, stop_awaited_s=None)
    movable = [order for order in own if order.amending is None]
    if movable:
        main = movable[-1]
        return (MoveStop(position.position_id, main.client_order_id, Qty(main.remaining + missing), trigger, "position grew"),), watch
    watch = replace(watch, stop_sent_s=now_s)
    return (PlaceStop(position.position_id, Qty(missing), trigger, f"{qty - covered} of {qty} without a stop"),), watch


def _is_as_wanted(position: Position, orders: Mapping[ClientOrderId, OwnOrder], qty: Qty) -> bool:
    """The usual case, quickly: exactly one stop, ours, live, at the wanted trigger, for the whole quantity."""
    found: OwnOrder | None = None
    for order in orders.values():
        if order.purpose is OrderPurpose.STOP:
            if found is not None:
                return False
            found = order
    return (
        found is not None
        and found.state is OrderState.LIVE
        and found.amending is None
        and found.cancel_requested_at is None
        and not found.is_foreign
        and found.qty - found.filled_qty == qty
        and found.trigger_price == position.stop_wanted
    )


def _note_listed(orders: Mapping[ClientOrderId, OwnOrder], listed: frozenset[ClientOrderId], listed_s: float, watch: Watch) -> Watch:
    """Remember what a new list shows of the stops in the books, and that it lacks one (not of one that is only just being sent)."""
    stops = [(key, order) for key, order in orders.items() if order.purpose is OrderPurpose.STOP and not order.is_foreign]
    seen = frozenset(key for key, _ in stops if key in listed or key in watch.stops_seen)
    is_short = any(key not in listed and order.state is not OrderState.INTENDED for key, order in stops)
    missed_s = listed_s if is_short or watch.stops_missed_s is None else watch.stops_missed_s
    return replace(watch, listed_s=listed_s, stops_seen=seen, stops_missed_s=missed_s)


def _plan_backup(
    position: Position, orders: Mapping[ClientOrderId, OwnOrder], view: MarketView, watch: Watch, params: PositionParameters, now_s: float
) -> PlaceStop | None:
    """The books say covered, the venue's lists say naked: a second reduce-only stop is harmless, a gap is not, so at the first look.

    Only when every stop the books believe in was listed once and is not any more: a new one that no list shows yet is no sign of
    anything. The books learn of a vanished stop only by complete evidence, which failing look-ups can hold up for a minute. The
    extra stop is cancelled again once both are seen to rest.
    """
    if watch.backup_tried_s is not None and now_s - watch.backup_tried_s < params.backup_retry_s:
        return None
    listed = view.listed or frozenset()
    stops = [(key, order) for key, order in orders.items() if order.purpose is OrderPurpose.STOP and not order.is_foreign]
    # one that was sent here and has had its time without an answer or a list that shows it, is no cover to wait for either
    overdue = watch.backup_tried_s is not None
    if not stops or any(key in listed or not (key in watch.stops_seen or (overdue and order.is_uncertain)) for key, order in stops):
        return None
    qty = floor_to_step(position.qty, view.size_step)
    trigger = stop_on_tick(position.direction, position.stop_wanted, view.tick)
    if qty <= 0 or (view.mark is not None and is_through(position.direction, view.mark, trigger)):
        return None
    return PlaceStop(position.position_id, Qty(qty), trigger, f"the venue lists no cover ({view.venue_naked_s:.0f} s)")


def _retry_s(position: Position, params: PositionParameters) -> float:
    return params.stop_retry_s if position.is_own else params.adopted_stop_retry_s


def _awaited_since_s(watch: Watch, retry_s: float, now_s: float) -> float:
    """Since when: from its sending when this process sent it beside a vanished one, else from now."""
    if watch.stop_awaited_s is not None:
        return watch.stop_awaited_s
    sent_s = watch.backup_tried_s
    return now_s if sent_s is None or now_s - sent_s > 2 * retry_s else sent_s


def _covered(orders: Mapping[ClientOrderId, OwnOrder], watch: Watch, params: PositionParameters, now_s: float) -> Watch:
    """Nothing is naked by the books. One that was just placed has yet to hold: it may have fired at once, and nobody has heard.

    Until a list shows a stop, or so much time has passed that its end would be known (reads may be slow, and the proof of an end needs
    two of them), the time without one is not over.
    """
    stops = [(key, order) for key, order in orders.items() if order.purpose is OrderPurpose.STOP and order.state is OrderState.LIVE]
    is_seen = any(order.is_foreign or key in watch.stops_seen for key, order in stops)
    has_held = is_seen or watch.stop_sent_s is None or now_s - watch.stop_sent_s >= params.naked_hard_s / 2
    return replace(watch, naked_since_s=None if has_held else watch.naked_since_s, stop_tried_s=None, stop_awaited_s=None)


def _plan_covered(
    position: Position,
    orders: Mapping[ClientOrderId, OwnOrder],
    cover: Cover,
    view: MarketView,
    watch: Watch,
    params: PositionParameters,
    now_s: float,
) -> tuple[tuple[Action, ...], Watch]:
    """Nothing is naked: tidy up, but never more often than a refused attempt may be repeated."""
    if watch.naked_since_s is not None:
        watch = _covered(orders, watch, params, now_s)
    actions = _keep(position, cover, view, watch, params)
    retry_s = _retry_s(position, params)
    if not actions:
        return (), watch if watch.stop_tried_s is None else replace(watch, stop_tried_s=None)
    if watch.stop_tried_s is not None and now_s - watch.stop_tried_s < retry_s:
        return (), watch
    return actions, replace(watch, stop_tried_s=now_s)


def _may_come_alive(order: OwnOrder, view: MarketView) -> bool:
    """True for a stop of unknown fate that is worth waiting for.

    One that an earlier process intended either rests, and then the list shows it, or never left with that process. A list may be
    behind, and then two stops rest for a while; a position that waits for the proof is naked.
    """
    if order.purpose is not OrderPurpose.STOP or not order.is_uncertain:
        return False
    is_of_before = view.process_began_at is not None and order.intended_at < view.process_began_at
    return not (is_of_before and view.listed is not None and order.client_order_id not in view.listed)


def _is_waiting(orders: Mapping[ClientOrderId, OwnOrder], watch: Watch, retry_s: float, now_s: float) -> bool:
    """True while an earlier attempt may still come to life, or was refused a moment ago.

    A second reduce-only stop is harmless, a gap is not: so never for long.
    """
    stops = [order for order in orders.values() if order.purpose is OrderPurpose.STOP]
    hangs = any(order.is_uncertain or order.amending is not None for order in stops)
    if watch.stop_tried_s is None or now_s - watch.stop_tried_s >= retry_s:
        return False
    return hangs or not any(order.state is OrderState.LIVE for order in stops)


def _give_up(position: Position, view: MarketView, watch: Watch, params: PositionParameters, now_s: float) -> BeginClose | None:
    """Close a position of ours that cannot be protected: refused for X_hard, or the market is past its stop already."""
    if not position.is_own or not view.is_open or position.state is PositionState.CLOSING:
        return None
    if view.mark is not None and view.is_fresh and is_through(position.direction, view.mark, position.stop_wanted):
        evidence = f"mark {view.mark} is past the wanted stop {position.stop_wanted} and {position.qty} is uncovered"
        return BeginClose(position.position_id, CloseReason.THROUGH_STOP, evidence)
    naked_s = 0.0 if watch.naked_since_s is None else now_s - watch.naked_since_s
    if naked_s >= params.naked_hard_s:
        return BeginClose(position.position_id, CloseReason.STOP_REFUSED, f"no stop held for {naked_s:.0f} s")
    return None


def _trigger(position: Position, view: MarketView, params: PositionParameters) -> Price | None:
    wanted = stop_on_tick(position.direction, position.stop_wanted, view.tick)
    mark = view.mark
    if mark is None or not is_through(position.direction, mark, wanted):
        return wanted
    entry = position.average_entry
    if position.is_own and position.state is not PositionState.CLOSING:
        # the market is (or seems, by a doubtful quote) past it; where it cannot execute, the wanted stop is still the right one
        return wanted
    return emergency_stop(
        position.direction,
        mark if entry is None else entry,
        mark,
        view.tick,
        params.adopted_stop_distance,
        params.adopted_liquidation_share,
        view.liquidation_price,
    )


def _keep(position: Position, cover: Cover, view: MarketView, watch: Watch, params: PositionParameters) -> tuple[Action, ...]:
    """Everything is covered: converge to one stop of ours, with the right size and trigger."""
    own, doomed, covered = cover
    if not own or any(order.amending is not None for order in own):
        return ()
    newest = own[-1]
    foreign = covered - sum((order.protects for order in own), ZERO)
    needed = floor_to_step(max(ZERO, position.qty - foreign), view.size_step)
    if needed <= 0:
        return ()
    spare = [*doomed, *own[:-1]]
    if spare and not _surely_rest([*own, *doomed], view, watch, params):
        return ()  # one of them may be gone: which one protects is not known until all are seen
    if spare and newest.client_order_id not in view.alive:
        return ()  # every list may be old: the one that is to stay is asked for by name
    if spare and newest.protects >= needed and not _venue_agrees(position, view, watch):
        return ()  # a fill may be on its way: until then both are needed
    if spare and newest.protects >= needed:
        evidence = f"{newest.client_order_id} rests and covers {newest.protects} of {position.qty}"
        return tuple(CancelOrder(position.position_id, o.client_order_id, "one stop is enough", evidence) for o in spare)
    wanted = stop_on_tick(position.direction, position.stop_wanted, view.tick)
    if position.state is PositionState.CLOSING or newest.trigger_price is None:
        wanted = newest.trigger_price if newest.trigger_price is not None else wanted
    elif view.mark is not None and is_through(position.direction, view.mark, wanted):
        # moving it there would fire it; being through it is judged elsewhere. One that is too large is harmless, and where it rests
        # by an old list may not be where it rests: it is touched only when it is too small
        if newest.remaining >= needed:
            return ()
        wanted = newest.trigger_price
    elif (wanted - newest.trigger_price) * position.direction.sign < 0:
        wanted = newest.trigger_price  # never away from profit
    size = needed if needed >= newest.remaining or _venue_agrees(position, view, watch) else newest.remaining
    if newest.remaining == size and newest.trigger_price == wanted:
        return ()
    why = "stop to the wanted price" if newest.trigger_price != wanted else "size follows the position"
    return (MoveStop(position.position_id, newest.client_order_id, Qty(size), wanted, why),)


def _surely_rest(stops: list[OwnOrder], view: MarketView, watch: Watch, params: PositionParameters) -> bool:
    """True when the newest list of open orders showed every one of them, and is younger than any that missed one by more than lists
    lag: else it may be of before the moment at which that one went. Two reduce-only stops harm nobody meanwhile."""
    if view.listed is None or watch.stops_missed_s is None or view.listed_s - watch.stops_missed_s < params.lists_lag_s:
        return False
    return all(order.client_order_id in view.listed for order in stops)


def _venue_agrees(position: Position, view: MarketView, watch: Watch) -> bool:
    """A stop that is too large is harmless (it is reduce-only), one that is too small is not: so it shrinks only when the venue
    lists no more than the books do, in a reading begun after they came to this quantity. A lost feed message may hide a fill that
    is already there, and an older reading knows nothing of it."""
    return view.venue_qty is not None and view.venue_qty <= position.qty and view.venue_read_s > watch.qty_since_s
