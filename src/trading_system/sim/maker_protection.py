"""Maker protection: on the most liquid markets everything that could take is held back a few milliseconds.

Announced by the venue for its ten most liquid linear perpetuals; post-only placements, triggers and all cancels pass at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from trading_system.sim.agenda import Agenda, AgendaKind
from trading_system.sim.codec import to_json
from trading_system.sim.model import EditRequest, OrderRow, OrderType
from trading_system.sim.open_orders import OpenOrders
from trading_system.sim.source import MarketSpec


class MakerProtection:
    """Decides what is held and puts its release on the agenda. hold_ms 0 = nothing is held."""

    def __init__(self, specs: Iterable[MarketSpec], orders: OpenOrders, agenda: Agenda, hold_ms: int, markets: int) -> None:
        """markets: how many of the most liquid ones are protected."""
        ranked = sorted(specs, key=lambda spec: -spec.volume_usd_24h)
        self._protected = frozenset(spec.symbol for spec in ranked[:markets]) if hold_ms else frozenset()
        self._orders = orders
        self._agenda = agenda
        self._hold_ms = hold_ms

    def hold_ms(self, symbol: str) -> int:
        """How long the market holds; 0 = it does not."""
        return self._hold_ms if symbol in self._protected else 0

    def holds(self, order: OrderRow) -> bool:
        return order.symbol in self._protected and order.order_type is not OrderType.POST and not order.is_trigger

    def hold(self, now_ms: int, order: OrderRow) -> None:
        self._orders.hold(now_ms, order)
        self._agenda.add(now_ms + self._hold_ms, AgendaKind.ORDER_RELEASED, order.order_id)

    def hold_edit(self, now_ms: int, request: EditRequest) -> None:
        self._agenda.add(now_ms + self._hold_ms, AgendaKind.EDIT_RELEASED, request.order_id or "", to_json(request))
