"""The open orders of the account: by venue id, by client id, and in their markets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from trading_system.sim.market_state import MarketState
from trading_system.sim.model import HistoryKind, OrderFeed, OrderRow, OrderState
from trading_system.sim.tape import Tape

VANISHED: Final = "vanished"
"""No word of the venue: fronts do not tell it to clients."""


class OpenOrders:
    """Every change of an open order goes through here, so that listings, histories and feed cannot disagree."""

    def __init__(self, markets: Mapping[str, MarketState], tape: Tape) -> None:
        self._markets = markets
        self._tape = tape
        self._by_id: dict[str, OrderRow] = {}
        self._by_client: dict[str, str] = {}
        self.held: set[str] = set()
        """Orders that maker protection holds back: listed, but not in the book yet."""

    def __len__(self) -> int:
        return len(self._by_id)

    def rows(self) -> tuple[OrderRow, ...]:
        """Oldest first."""
        return tuple(self._by_id.values())

    def find(self, order_id: str | None, cli_ord_id: str | None) -> OrderRow | None:
        """By venue id when given, else by client id."""
        if order_id is None and cli_ord_id is not None:
            order_id = self._by_client.get(cli_ord_id)
        return self._by_id.get(order_id) if order_id is not None else None

    def of(self, symbol: str) -> tuple[OrderRow, ...]:
        return tuple(self._markets[symbol].orders.values())

    def add(self, at_ms: int, order: OrderRow, reason: str) -> None:
        """The order rests from now on."""
        self._put(order)
        kind = HistoryKind.TRIGGER_PLACED if order.is_trigger else HistoryKind.ORDER_PLACED
        self._tape.note(at_ms, kind, order, reason)
        self._tape.outbox.append(OrderFeed(at_ms, order, reason, is_gone=False))

    def change(self, at_ms: int, order: OrderRow, reason: str) -> None:
        """Replace a resting order by its new row."""
        old = self._by_id[order.order_id]
        self._put(order)
        kind = HistoryKind.TRIGGER_UPDATED if order.is_trigger else HistoryKind.ORDER_UPDATED
        self._tape.note(at_ms, kind, order, reason, old)
        self._tape.outbox.append(OrderFeed(at_ms, order, reason, is_gone=False))

    def gone(self, at_ms: int, order: OrderRow, state: OrderState, reason: str) -> None:
        """The order (its last row) ended; also for one that never rested, like the rest of an immediate order."""
        self._forget(order)
        self._tape.finish(at_ms, order, state, reason)
        if state is OrderState.FULLY_EXECUTED:
            kind = HistoryKind.ORDER_UPDATED
        else:
            kind = HistoryKind.TRIGGER_CANCELLED if order.is_trigger else HistoryKind.ORDER_CANCELLED
        self._tape.note(at_ms, kind, order, reason)
        self._tape.outbox.append(OrderFeed(at_ms, order, reason, is_gone=True))

    def activated(self, at_ms: int, order: OrderRow) -> None:
        """A trigger fired: it leaves the book as a trigger; what becomes of it follows."""
        self._forget(order)
        self._tape.note(at_ms, HistoryKind.TRIGGER_ACTIVATED, order, "stop_order_triggered")
        self._tape.outbox.append(OrderFeed(at_ms, order, "stop_order_triggered", is_gone=True))

    def hold(self, at_ms: int, order: OrderRow) -> None:
        """Maker protection: the order is known from now on, and enters the book when it is released."""
        is_new = order.order_id not in self.held
        self.held.add(order.order_id)
        self._put(order)
        if is_new:
            self._tape.note(at_ms, HistoryKind.ORDER_PLACED, order, "new_placed_order_by_user")

    def release(self, order_id: str) -> OrderRow | None:
        """Take a held order out, to be matched now; None when it ended meanwhile."""
        order = self._by_id.get(order_id) if order_id in self.held else None
        if order is not None:
            self._forget(order)
        return order

    def trail(self, order: OrderRow) -> None:
        """A trailing stop followed its price: the new row, without a word in histories and feeds."""
        self._put(order)

    def vanish(self, at_ms: int, order: OrderRow) -> None:
        """A fault: the order is gone, and neither histories nor orders/status ever heard of its end."""
        self._forget(order)
        self._tape.outbox.append(OrderFeed(at_ms, order, VANISHED, is_gone=True))

    def _put(self, order: OrderRow) -> None:
        self._by_id[order.order_id] = order
        if order.cli_ord_id is not None:
            self._by_client[order.cli_ord_id] = order.order_id
        if order.order_id not in self.held:
            self._markets[order.symbol].put(order)

    def _forget(self, order: OrderRow) -> None:
        self.held.discard(order.order_id)
        if self._by_id.pop(order.order_id, None) is None:
            return
        if order.cli_ord_id is not None and self._by_client.get(order.cli_ord_id) == order.order_id:
            del self._by_client[order.cli_ord_id]
        self._markets[order.symbol].drop(order.order_id)

    def restore(self, rows: Sequence[OrderRow], held: Iterable[str] = ()) -> None:
        self.held = set(held)
        for row in rows:
            self._put(row)
