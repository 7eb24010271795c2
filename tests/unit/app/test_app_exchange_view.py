"""The person's view: what stands in it, and that it keeps quiet where nobody can see it."""

from __future__ import annotations

import io
from decimal import Decimal

from rich.console import Console

from fakes.kraken_server_rig import a_server
from trading_system.app.exchange_view import view_of, watch_exchange
from trading_system.sim.model import SendRequest
from trading_system.wiring.clock import WallClock


def printed(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_it_tells_time_pace_money_orders_positions_and_load() -> None:
    server = await a_server()
    server.exchange.send(SendRequest("PF_XBTUSD", "mkt", "buy", Decimal("0.1")))
    server.exchange.send(SendRequest("PF_XBTUSD", "stp", "sell", Decimal("0.1"), stop_price=Decimal(78_000), reduce_only=True))
    server.exchange.send(SendRequest("PF_XBTUSD", "lmt", "buy", Decimal("0.1"), limit_price=Decimal(70_000)))
    glance = server.glance()
    await server.close()

    lines = printed(view_of(glance, 12.34)).splitlines()

    assert [line.split() for line in lines] == [
        "market time 2026-09-07 00:00:01 UTC 0 x, 2 markets".split(),
        "equity 9,995.80 USD balance 9,996.00 USD".split(),
        "margin used 300.00 USD available 9,695.80 USD".split(),
        "orders 1 triggers 1, fills 1".split(),
        "requests 12.3/s 0 so far, 0 feed connections".split(),
        "market side size entry mark P&L".split(),
        "PF_XBTUSD long 0.1 80002 80000 -0.20 USD".split(),
    ]


async def test_where_there_is_no_terminal_it_prints_nothing() -> None:
    server = await a_server()
    console = Console(file=io.StringIO())
    await watch_exchange(server, WallClock(), console)
    await server.close()

    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == ""
