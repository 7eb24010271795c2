"""The person's view of a running exchange: a small table on the terminal, made anew once a second."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

from trading_system.domain.protocols import Clock
from trading_system.domain.units import from_ms
from trading_system.sim.kraken_server.glance import Glance
from trading_system.sim.kraken_server.server import KrakenServer
from trading_system.sim.model import PositionRow

REFRESH_S: Final = 1.0
POSITIONS_SHOWN: Final = 12


async def watch_exchange(server: KrakenServer, clock: Clock, console: Console | None = None) -> None:
    """Show the exchange until cancelled. A terminal that cannot move its cursor is left alone."""
    console = console or Console()
    if not console.is_terminal or console.is_dumb_terminal:
        return
    with Live(console=console, auto_refresh=False) as live:
        last, last_s = server.glance(), clock.monotonic()
        while True:
            await clock.sleep(REFRESH_S)
            now, now_s = server.glance(), clock.monotonic()
            live.update(view_of(now, (now.requests - last.requests) / (now_s - last_s)), refresh=True)
            last, last_s = now, now_s


def view_of(glance: Glance, requests_per_s: float) -> RenderableType:
    """The table. Pure."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("market time", f"{from_ms(glance.market_ms):%Y-%m-%d %H:%M:%S} UTC", f"{glance.speed:g} x, {glance.markets} markets")
    facts.add_row("equity", _usd(glance.equity), f"balance {_usd(glance.balance)}")
    facts.add_row("margin used", _usd(glance.margin_used), f"available {_usd(glance.available_margin)}")
    facts.add_row("orders", str(glance.orders), f"triggers {glance.triggers}, fills {glance.fills}")
    facts.add_row("requests", f"{requests_per_s:.1f}/s", f"{glance.requests} so far, {glance.feeds} feed connections")
    if glance.faults_struck:
        facts.add_row("faults", *_pair(f"{kind} {count}" for kind, count in sorted(glance.faults_struck.items())))
    return Group(facts, _positions(glance.positions)) if glance.positions else facts


def _positions(positions: tuple[PositionRow, ...]) -> Table:
    table = Table("market", "side", box=None, padding=(0, 2))
    for title in ("size", "entry", "mark", "P&L"):
        table.add_column(title, justify="right")
    for row in positions[:POSITIONS_SHOWN]:
        side = "long" if row.is_long else "short"
        table.add_row(row.symbol, side, f"{row.size:f}", _price(row.entry_price), _price(row.mark_price), _usd(row.unrealized_pnl))
    if len(positions) > POSITIONS_SHOWN:
        table.add_row(f"and {len(positions) - POSITIONS_SHOWN} more")
    return table


def _usd(amount: Decimal) -> str:
    return f"{amount:,.2f} USD"


def _price(price: Decimal) -> str:
    return f"{float(price):.8g}"


def _pair(texts: Iterable[str]) -> tuple[str, str]:
    first, *others = texts
    return first, ", ".join(others)
