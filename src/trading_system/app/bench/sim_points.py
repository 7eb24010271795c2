"""How many price points a second the exchange model takes in process: 60 generated markets, 200 resting orders, 20 positions."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import Final

from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of
from trading_system.domain.units import floor_to_step
from trading_system.sim.exchange import ExchangeConfig, SimExchange
from trading_system.sim.market_catalog import catalogue
from trading_system.sim.market_generator import GeneratedMarket
from trading_system.sim.model import SendRequest

SYMBOLS: Final = 60
ORDERS: Final = 200
POSITIONS: Final = 20
RUNS: Final = 5
_START_MS: Final = 1_767_571_200_000  # 2026-01-05
_HOUR_MS: Final = 3_600_000
_USD: Final = Decimal(200)
_KEY: Final = "sim_points_per_s"


def measure() -> dict[str, Outcome]:
    """Market hours, each as points ÷ CPU seconds; making the path is part of it."""
    with tempfile.TemporaryDirectory(prefix="ts-bench-") as folder:
        source = GeneratedMarket(1, _START_MS, cache_dir=Path(folder), coins=catalogue()[:SYMBOLS])
    exchange = SimExchange(source, ExchangeConfig(deposit_usd=Decimal(1_000_000)))
    exchange.advance_to(exchange.now_ms + 20_000)
    _trade(exchange)
    samples = []
    for _ in range(RUNS):
        begun = process_time()
        points = exchange.advance_to(exchange.now_ms + _HOUR_MS)
        samples.append(points / (process_time() - begun))
    resting, held = len(exchange.open_orders()), len(exchange.positions())
    if resting != ORDERS or held != POSITIONS:
        return {_KEY: Unmeasured(f"{resting} orders and {held} positions were left, not {ORDERS} and {POSITIONS}")}
    return {_KEY: reading_of(samples, f"{SYMBOLS} markets, {ORDERS} resting orders (60 of them stops), {POSITIONS} positions")}


def _trade(exchange: SimExchange) -> None:
    """Three orders on every market, a position and a fourth order on the first twenty; all far enough away to stay."""
    for number, symbol in enumerate(exchange.symbols()):
        _send(exchange, symbol, "lmt", "buy", Decimal("0.85"))
        _send(exchange, symbol, "lmt", "sell", Decimal("1.15"))
        _send(exchange, symbol, "stp", "sell", Decimal("0.80"))
        if number < POSITIONS:
            _send(exchange, symbol, "mkt", "buy", None)
            _send(exchange, symbol, "lmt", "buy", Decimal("0.84"))


def _send(exchange: SimExchange, symbol: str, kind: str, side: str, factor: Decimal | None) -> None:
    spec, last = exchange.spec(symbol), exchange.quote(symbol).last
    size = max(spec.size_min, floor_to_step(_USD / last, spec.size_step))
    price = None if factor is None else floor_to_step(last * factor, spec.tick)
    is_stop = kind == "stp"
    exchange.send(
        SendRequest(
            symbol, kind, side, size, None if is_stop else price, price if is_stop else None, "mark" if is_stop else None,
        )
    )  # fmt: skip
