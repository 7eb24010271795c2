"""A replay that tells points only where somebody looks or has a stake: nobody can tell it from one that tells them all."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_system.domain.market import Bar
from trading_system.domain.symbols import Symbol
from trading_system.sim.bars import DAY_MS, HOUR_MS, QUARTER_MS, BarColumns, aggregate
from trading_system.sim.candle_files import CandleSeries
from trading_system.sim.exchange import SimExchange
from trading_system.sim.late_replay import LateReplay
from trading_system.sim.model import SendRequest
from trading_system.sim.replay import OFFSETS_MS, Replay

START = 30 * DAY_MS
BASES = ("BTC", "SOL", "ADA")
VENUE = {"BTC": "PF_XBTUSD", "SOL": "PF_SOLUSD", "ADA": "PF_ADAUSD"}
CENTS = st.integers(9_000, 11_000)
BAR = st.tuples(CENTS, CENTS, CENTS, CENTS, st.integers(0, 50_000))
SLOTS = st.lists(st.one_of(st.none(), BAR), min_size=4, max_size=16)
SIZE = st.one_of(st.integers(-4, 4), st.sampled_from((-600, -300, 300, 600)))
"""Small ones, and such that a bar can ruin the account."""
ACTION = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 3 * QUARTER_MS)),
    st.tuples(st.just("next point"), st.just(0)),
    st.tuples(st.just("look"), st.integers(0, 2)),
    st.tuples(st.just("market order"), SIZE, st.integers(0, 2)),
    st.tuples(st.just("limit order"), SIZE, st.integers(0, 2), CENTS),
    st.tuples(st.just("stop order"), SIZE, st.integers(0, 2), CENTS),
    st.tuples(st.just("cancel all"), st.just(0)),
)


def a_series(base: str, slots: list[tuple[int, int, int, int, int] | None]) -> CandleSeries:
    past = [Bar(START - k * QUARTER_MS, 100.0, 101.25, 99.5, 100.5, 3_000.0) for k in range(200, 0, -1)]
    live = []
    for number, slot in enumerate(slots):
        if slot is not None:  # a stretch without a price is a gap
            o, a, b, c, volume = slot
            prices = [cents / 100 for cents in (o, max(o, a, b, c), min(o, a, b, c), c)]
            live.append(Bar(START + number * QUARTER_MS, prices[0], prices[1], prices[2], prices[3], float(volume)))
    quarters, hours = BarColumns(1_000), BarColumns(1_000)
    quarters.extend([*past, *live])
    hours.extend(aggregate(past, HOUR_MS))
    return CandleSeries(Symbol(f"{base}/USD"), quarters, hours)


def seen(exchange: SimExchange, symbol: str) -> list[Any]:
    """All that somebody from outside can see of one market, and of the account."""
    now_s = exchange.now_ms // 1000
    quote = exchange.quote(symbol)
    return [
        (quote.at_ms, quote.bid, quote.bid_size, quote.ask, quote.last, quote.mark, quote.index, quote.funding_rate),
        (quote.open_24h, quote.high_24h, quote.low_24h),
        exchange.top(symbol)[:6],
        (exchange.book(symbol).bids, exchange.book(symbol).asks),
        exchange.funding_history(symbol)[-3:],
        [[bar[:5] for bar in exchange.candles(symbol, "trade", word, 0, now_s)] for word in ("15m", "30m", "1h", "4h", "1d", "1w")],
        [bar[:5] for bar in exchange.candles(symbol, "trade", "15m", now_s - 1_800, now_s)],
        exchange.candles_since(symbol, "trade"),
        exchange.symbols(),
        (exchange.fills(), exchange.positions(), exchange.open_orders(), exchange.account()),
    ]


def volumes(exchange: SimExchange, symbol: str) -> list[float]:
    now_s = exchange.now_ms // 1000
    day = exchange.quote(symbol)
    bars = [bar for word in ("15m", "4h") for bar in exchange.candles(symbol, "trade", word, 0, now_s)]
    return [float(day.volume_24h), float(day.open_interest), *(bar.volume for bar in bars)]


def perform(exchange: SimExchange, action: tuple[Any, ...]) -> Any:
    match action:
        case ("wait", ms):
            exchange.advance_to(exchange.now_ms + ms)
        case ("next point", _):
            into = (exchange.now_ms - START) % QUARTER_MS
            exchange.advance_to(exchange.now_ms - into + next((o for o in OFFSETS_MS if o > into), QUARTER_MS))
        case ("to a boundary", _):  # the statistics of a day move on there
            exchange.advance_to(exchange.now_ms - (exchange.now_ms - START) % QUARTER_MS + 20 * QUARTER_MS)
        case ("market order", size, market):
            return exchange.send(SendRequest(VENUE[BASES[market]], "mkt", "buy" if size > 0 else "sell", Decimal(abs(size))))
        case ("limit order", size, market, cents):
            side, price = "buy" if size > 0 else "sell", Decimal(cents) / 100
            return exchange.send(SendRequest(VENUE[BASES[market]], "lmt", side, Decimal(abs(size)), limit_price=price))
        case ("stop order", size, market, cents):
            side, price = "buy" if size > 0 else "sell", Decimal(cents) / 100
            request = SendRequest(VENUE[BASES[market]], "stp", side, Decimal(abs(size)), stop_price=price, trigger_signal="mark")
            return exchange.send(request)
        case ("cancel all", _):
            return exchange.cancel_all()
        case ("look", market):
            return seen(exchange, VENUE[BASES[market]])
    return None


def both(slots: list[list[tuple[int, int, int, int, int] | None]]) -> tuple[SimExchange, SimExchange]:
    series = [a_series(base, one) for base, one in zip(BASES, slots, strict=True)]
    return SimExchange(Replay(series, START)), SimExchange(LateReplay(series, START))


@settings(max_examples=60, deadline=None)
@given(st.tuples(SLOTS, SLOTS, SLOTS).filter(lambda all_: any(s for s in all_ if any(s))), st.lists(ACTION, max_size=25))
def test_whoever_looks_sees_what_a_replay_of_every_point_shows(
    slots: tuple[list[tuple[int, int, int, int, int] | None], ...], actions: list[tuple[Any, ...]]
) -> None:
    every, late = both(list(slots))
    for action in (*actions, ("to a boundary", 0)):
        assert perform(late, action) == perform(every, action)
    for symbol in VENUE.values():
        assert seen(late, symbol) == seen(every, symbol)
        assert late.quote_version(symbol) == every.quote_version(symbol)
        assert volumes(late, symbol) == pytest.approx(volumes(every, symbol), rel=1e-9, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(st.tuples(SLOTS, SLOTS, SLOTS).filter(lambda all_: any(s for s in all_ if any(s))), st.lists(ACTION, max_size=12), st.lists(ACTION))
def test_a_snapshot_goes_on_as_if_nothing_had_been(
    slots: tuple[list[tuple[int, int, int, int, int] | None], ...], before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]
) -> None:
    _, kept = both(list(slots))
    for action in before:
        perform(kept, action)
    _, taken = both(list(slots))
    taken.restore_state(json.loads(json.dumps(kept.snapshot_state())))
    for action in after:
        assert perform(taken, action) == perform(kept, action)
    for symbol in VENUE.values():
        assert seen(taken, symbol) == seen(kept, symbol)


def test_a_market_with_a_stake_must_have_been_told_up_to_now() -> None:
    series = a_series("BTC", [(10_000, 10_100, 9_900, 10_050, 10)] * 8)
    replay = LateReplay([series], START)
    list(replay.points(START + QUARTER_MS))  # nobody has a stake: nothing is told
    replay.watch(lambda at_ms: [0])

    with pytest.raises(RuntimeError, match="left behind"):
        list(replay.points(START + 3 * QUARTER_MS))
