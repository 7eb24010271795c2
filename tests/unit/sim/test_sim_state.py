"""Restarts: a snapshot, or the command log alone, brings back the same exchange, which then goes the same way."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from sim_builders import BTC, DOGE, START_MS, D, ScriptedPath, Venue
from trading_system.domain.orders import Side
from trading_system.sim.codec import from_json, to_json
from trading_system.sim.exchange import ExchangeConfig, SimExchange
from trading_system.sim.market_catalog import catalogue
from trading_system.sim.market_generator import GeneratedMarket
from trading_system.sim.model import CancelRequest, EditRequest, OrderRow, OrderType, SendRequest

COINS = catalogue()[:4]


def a_market() -> GeneratedMarket:
    return GeneratedMarket(5, START_MS, coins=COINS)


def trade(exchange: SimExchange, minutes: int) -> None:
    """An eventful while: entries, stops, edits, cancels, a full close."""
    for minute in range(minutes):
        symbol = COINS[minute % len(COINS)].spec.symbol
        quote, spec = exchange.quote(symbol), exchange.spec(symbol)
        assert quote.bid is not None
        size = spec.size_step * max(1, int(Decimal(300) / quote.last / spec.size_step))
        exchange.send(SendRequest(symbol, "mkt" if minute % 3 else "lmt", "buy" if minute % 2 else "sell", size, limit_price=quote.bid))
        stop = quote.bid // spec.tick * spec.tick - 5 * spec.tick
        placed = exchange.send(
            SendRequest(symbol, "stp", "sell", size, stop_price=stop, trigger_signal="mark", reduce_only=True, cli_ord_id=f"s{minute}")
        )
        if minute % 4 == 0:
            exchange.edit(EditRequest(order_id=placed.order_id, stop_price=stop - spec.tick))
        if minute % 5 == 0:
            exchange.cancel(CancelRequest(cli_ord_id=f"s{minute - 1}"))
        exchange.advance_to(exchange.now_ms + 61_000)


def truth(exchange: SimExchange) -> dict[str, Any]:
    state = exchange.snapshot_state()
    # older minutes are let go at a restart
    return {key: value for key, value in state.items() if key != "markets"} | {
        "quotes": [to_json(row) for row in exchange.quotes()],
        "quarters": [list(exchange.candles(coin.spec.symbol, "trade", "15m", START_MS // 1000, 1 << 40)) for coin in COINS],
    }


def test_a_restart_from_a_snapshot_continues_exactly_like_the_uninterrupted_run() -> None:
    whole = SimExchange(a_market())
    trade(whole, 30)
    saved = json.loads(json.dumps(whole.snapshot_state()))
    restarted = SimExchange(a_market())
    restarted.restore_state(saved)
    assert truth(restarted) == truth(whole)

    for exchange in (whole, restarted):
        trade(exchange, 30)

    assert truth(restarted) == truth(whole)
    assert len(whole.executions()) > 30


def test_the_command_log_alone_rebuilds_every_id_and_fill() -> None:
    log: list[str] = []
    whole = SimExchange(a_market(), on_commit=lambda record: log.append(json.dumps(record)))
    trade(whole, 40)

    rebuilt = SimExchange(a_market())
    for line in log:
        rebuilt.apply_commit(json.loads(line))
    rebuilt.advance_to(whole.now_ms)

    assert truth(rebuilt) == truth(whole)


def test_a_snapshot_plus_the_later_commands_is_the_same_state() -> None:
    log: list[dict[str, Any]] = []
    whole = SimExchange(a_market(), on_commit=lambda record: log.append(dict(record)))
    trade(whole, 20)
    saved = json.loads(json.dumps(whole.snapshot_state()))
    log.clear()
    trade(whole, 20)

    rebuilt = SimExchange(a_market())
    rebuilt.restore_state(saved)
    for record in log:
        rebuilt.apply_commit(record)
    rebuilt.advance_to(whole.now_ms)

    assert truth(rebuilt) == truth(whole)


def test_minute_bars_of_the_last_hours_survive_a_restart_and_older_ones_are_let_go() -> None:
    whole, restored = SimExchange(a_market()), SimExchange(a_market())
    whole.advance_to(START_MS + 14 * 3_600_000 + 100_000)
    restored.restore_state(json.loads(json.dumps(whole.snapshot_state())))
    symbol, since_s = COINS[0].spec.symbol, START_MS // 1000
    bars = {
        kind: [list(exchange.candles(symbol, kind, "1m", since_s, 1 << 40)) for exchange in (whole, restored)] for kind in ("trade", "mark")
    }

    assert [len(kept) for _, kept in bars.values()] == [721, 121]
    assert all(before[-len(kept) :] == kept for before, kept in bars.values())
    fives = [list(exchange.candles(symbol, "trade", "5m", since_s + 3 * 3_600, 1 << 40)) for exchange in (whole, restored)]
    assert fives[0] == fives[1]


def test_a_fill_is_committed_before_it_is_published() -> None:
    order: list[str] = []
    path = ScriptedPath()
    exchange = SimExchange(path, on_commit=lambda record: order.append(record["kind"]))
    exchange.subscribe(lambda event: order.append(type(event).__name__))
    exchange.send(SendRequest(BTC, "lmt", "buy", D("0.01"), limit_price=D(79_000)))
    order.clear()

    path.then(78_000.0)
    exchange.advance_to(START_MS + 60_000)

    assert order[0] == "time"
    assert "FillFeed" in order


def test_a_snapshot_of_another_market_or_version_is_refused() -> None:
    saved = SimExchange(a_market()).snapshot_state()

    with pytest.raises(ValueError, match="seed 5"):
        SimExchange(GeneratedMarket(6, START_MS, coins=COINS)).restore_state(saved)
    with pytest.raises(ValueError, match="other markets"):
        SimExchange(ScriptedPath()).restore_state(saved)
    with pytest.raises(ValueError, match="version 0"):
        SimExchange(a_market()).restore_state({**saved, "version": 0})


def test_how_often_time_is_advanced_changes_nothing() -> None:
    exchanges = [SimExchange(a_market(), ExchangeConfig(deposit_usd=D(500))) for _ in range(2)]
    for exchange in exchanges:
        trade(exchange, 5)
    end = exchanges[0].now_ms + 3 * 3_600_000
    exchanges[0].advance_to(end)
    while exchanges[1].now_ms < end:
        exchanges[1].advance_to(min(end, exchanges[1].now_ms + 777))

    assert truth(exchanges[0]) == truth(exchanges[1])


def test_mode_deposit_and_dead_man_survive_a_restart() -> None:
    venue = Venue()
    venue.exchange.deposit(D(5))
    venue.send("lmt", "buy", "100", symbol=DOGE, limit_price="0.09")
    venue.exchange.cancel_all_after(60)

    rebuilt = SimExchange(ScriptedPath())
    for record in venue.commits:
        rebuilt.apply_commit(record)
    rebuilt.advance_to(START_MS + 61_000)

    assert rebuilt.open_orders() == ()
    assert rebuilt.account().balance == 10_005


def test_rows_survive_the_codec() -> None:
    row = OrderRow("o", None, BTC, OrderType.STP, Side.SELL, D("0.10"), D(0), None, D("1E-10"), None, True, 1, 2, 3)

    assert from_json(OrderRow, json.loads(json.dumps(to_json(row)))) == row
