"""S1: the stop of a position that is ours moves toward profit only, until a close of it was decided.

The measure is the best trigger that the journal knows to rest. No later intent may fall behind it, and no amendment the venue makes: a
stop that arrives late beside a better one takes nothing away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from trading_system.domain.events import AmendConfirmed, AmendIntended, CloseRequested, EntryPlanned, OrderIntended, OrderPlaced
from trading_system.domain.orders import OrderPurpose
from trading_system.domain.symbols import to_venue
from trading_system.execution.order_ids import parse_client_order_id
from trading_system.sim.model import OrderRow
from trading_system.torture.checker import Checker, Journaled, Violation
from trading_system.torture.venue_log import Actor, Edited, VenueRecord


class StopChecker(Checker):
    """tick_of: by venue symbol. Positions that were adopted, and those that are being closed, are not judged."""

    def __init__(self, tick_of: Callable[[str], Decimal]) -> None:
        self._tick_of = tick_of
        self._own: dict[str, tuple[str, int]] = {}
        """By position id: its venue symbol and 1 for long, -1 for short."""
        self._best: dict[str, Decimal] = {}
        self._intended: dict[str, Decimal] = {}
        """By client id: the trigger that was asked for."""

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        match record.event:
            case EntryPlanned(plan=plan):
                self._own[plan.position_id] = (to_venue(plan.symbol), plan.direction.sign)
            case CloseRequested(position_id=position_id):
                self._own.pop(position_id, None)
            case OrderIntended(order=order) if order.purpose is OrderPurpose.STOP and order.trigger_price is not None:
                self._intended[order.client_order_id] = order.trigger_price
                yield from self._judge(record.at_ms, order.client_order_id, order.trigger_price)
            case AmendIntended(client_order_id=key, trigger_price=trigger):
                yield from self._judge(record.at_ms, key, trigger)
            case OrderPlaced(client_order_id=key) if key in self._intended:
                self._rests(key, self._intended[key])
            case AmendConfirmed(client_order_id=key, trigger_price=trigger):
                self._rests(key, trigger)
            case _:
                pass

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        match record:
            case Edited(actor=Actor.DAEMON, status="edited", request=edit, order=OrderRow() as order) if edit.stop_price is not None:
                yield from self._judge(record.at_ms, order.cli_ord_id, edit.stop_price)
            case _:
                pass

    def _judge(self, at_ms: int, client_id: str | None, trigger: Decimal) -> Iterable[Violation]:
        name = parse_client_order_id(client_id or "")
        if name is None or name.position_id not in self._own or name.position_id not in self._best:
            return
        symbol, sign = self._own[name.position_id]
        best = self._best[name.position_id]
        if (best - trigger) * sign > self._tick_of(symbol):
            yield Violation("S1", at_ms, symbol, f"a stop at {trigger} after one at {best} ({client_id})")

    def _rests(self, client_id: str, trigger: Decimal) -> None:
        name = parse_client_order_id(client_id)
        if name is None or name.position_id not in self._own:
            return
        sign = self._own[name.position_id][1]
        best = self._best.get(name.position_id, trigger)
        self._best[name.position_id] = max(best, trigger) if sign > 0 else min(best, trigger)
