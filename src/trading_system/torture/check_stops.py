"""S1: the stop of a position that is ours moves toward profit only, until a close of it was decided.

Judged is the best trigger the venue ever took for a position: a later stop may repeat it, never fall behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from trading_system.domain.events import CloseRequested, EntryPlanned
from trading_system.domain.orders import OrderPurpose
from trading_system.execution.order_ids import parse_client_order_id
from trading_system.sim.model import OrderRow
from trading_system.torture.checker import Checker, Journaled, Violation
from trading_system.torture.venue_log import Actor, Edited, Sent, VenueRecord


class StopChecker(Checker):
    """tick_of: by venue symbol. Positions that were adopted, and those that are being closed, are not judged."""

    def __init__(self, tick_of: Callable[[str], Decimal]) -> None:
        self._tick_of = tick_of
        self._own: set[str] = set()
        self._best: dict[str, Decimal] = {}

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        match record.event:
            case EntryPlanned(plan=plan):
                self._own.add(plan.position_id)
            case CloseRequested(position_id=position_id):
                self._own.discard(position_id)
            case _:
                pass
        return ()

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        match record:
            case Sent(actor=Actor.DAEMON, is_accepted=True, request=request) if request.stop_price is not None:
                yield from self._judge(record.at_ms, request.symbol, request.cli_ord_id, request.side, request.stop_price)
            case Edited(actor=Actor.DAEMON, status="edited", request=edit, order=OrderRow() as order) if edit.stop_price is not None:
                yield from self._judge(record.at_ms, order.symbol, order.cli_ord_id, order.side.value, edit.stop_price)
            case _:
                pass

    def _judge(self, at_ms: int, symbol: str, client_id: str | None, side: str, trigger: Decimal) -> Iterable[Violation]:
        name = parse_client_order_id(client_id or "")
        if name is None or name.purpose is not OrderPurpose.STOP or name.position_id not in self._own:
            return
        sign = 1 if side == "sell" else -1
        best = self._best.get(name.position_id, trigger)
        if (best - trigger) * sign > self._tick_of(symbol):
            yield Violation("S1", at_ms, symbol, f"a stop at {trigger} after one at {best} ({client_id})")
        self._best[name.position_id] = max(best, trigger) if sign > 0 else min(best, trigger)
