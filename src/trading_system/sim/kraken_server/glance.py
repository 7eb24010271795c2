"""What a person who looks at a running exchange wants to know, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trading_system.sim.exchange import SimExchange
from trading_system.sim.model import PositionRow


@dataclass(frozen=True, slots=True)
class Glance:
    """Money in USD. `requests` counts since the start of the process."""

    market_ms: int
    speed: float
    markets: int
    equity: Decimal
    balance: Decimal
    margin_used: Decimal
    available_margin: Decimal
    orders: int
    triggers: int
    fills: int
    positions: tuple[PositionRow, ...]
    requests: int
    feeds: int
    """Open WebSocket connections."""
    faults_struck: Mapping[str, int]


def glance_at(exchange: SimExchange, *, speed: float, requests: int, feeds: int, faults_struck: Mapping[str, int]) -> Glance:
    """The exchange as it stands now."""
    account, orders = exchange.account(), exchange.open_orders()
    triggers = sum(order.is_trigger for order in orders)
    return Glance(
        market_ms=exchange.now_ms,
        speed=speed,
        markets=len(exchange.symbols()),
        equity=account.portfolio_value,
        balance=account.balance,
        margin_used=account.initial_margin_with_orders,
        available_margin=account.available_margin,
        orders=len(orders) - triggers,
        triggers=triggers,
        fills=len(exchange.executions()),
        positions=exchange.positions(),
        requests=requests,
        feeds=feeds,
        faults_struck=dict(faults_struck),
    )
