"""Reads naked time off the exchange's own events: what the venue held against what rested there, in market time.

It knows nothing of the daemon's books, so it cannot share their mistakes.
"""

from __future__ import annotations

from decimal import Decimal

from trading_system.domain.orders import Side
from trading_system.sim.exchange import SimExchange
from trading_system.sim.model import FillFeed, OrderFeed, OrderRow, OrderType, SimEvent


class VenueWatch:
    """Subscribe once; `naked_s_max` is the longest time any market was held without full cover."""

    def __init__(self, exchange: SimExchange) -> None:
        self._exchange = exchange
        self._held: dict[str, Decimal] = {}
        self._stops: dict[str, dict[str, OrderRow]] = {}
        self._naked_since: dict[str, int] = {}
        self._worst_ms = 0
        self.fills = 0
        exchange.subscribe(self._on_event)

    @property
    def naked_s_max(self) -> float:
        """Seconds of market time, what is naked now included."""
        running = (self._exchange.now_ms - since for since in self._naked_since.values())
        return max([self._worst_ms, *running]) / 1000

    def _on_event(self, event: SimEvent) -> None:
        match event:
            case FillFeed(fill=fill):
                self.fills += 1
                change = fill.size if fill.side is Side.BUY else -fill.size
                self._held[fill.symbol] = self._held.get(fill.symbol, Decimal(0)) + change
                self._judge(fill.symbol, fill.at_ms)
            case OrderFeed(order=order) if order.order_type is OrderType.STP and order.reduce_only:
                stops = self._stops.setdefault(order.symbol, {})
                if event.is_gone:
                    stops.pop(order.order_id, None)
                else:
                    stops[order.order_id] = order
                self._judge(order.symbol, event.at_ms)
            case _:
                pass

    def _judge(self, symbol: str, at_ms: int) -> None:
        held = self._held.get(symbol, Decimal(0))
        side = Side.SELL if held > 0 else Side.BUY
        cover = sum((o.unfilled for o in self._stops.get(symbol, {}).values() if o.side is side), Decimal(0))
        if abs(held) > cover:
            self._naked_since.setdefault(symbol, at_ms)
        elif symbol in self._naked_since:
            self._worst_ms = max(self._worst_ms, at_ms - self._naked_since.pop(symbol))
