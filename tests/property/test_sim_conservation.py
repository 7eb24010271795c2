"""What the exchange model must never do, under random orders on random paths."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_builders import BTC, DOGE, DOGE_SPEC, D, ScriptedPath, Venue, a_spec
from trading_system.domain.orders import Side
from trading_system.sim.codec import to_json
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.rest_orders import batch_order
from trading_system.sim.model import CancelRequest, EditRequest, FillFeed, MarketMode, OrderFeed, OrderRow, SelfTrade, SendRequest
from trading_system.sim.position import apply_fill
from trading_system.sim.variants import ExchangeVariants, LiquidationStyle, MarginRule

TICK = {BTC: D(100), DOGE: D("0.001")}
MID = {BTC: D(80_000), DOGE: D("0.1")}
UNIT = {BTC: D("0.05"), DOGE: D(20_000)}
LEVERAGE_MAX = {BTC: D(50), DOGE: D(20)}

USUAL = ExchangeVariants()
STRICT = ExchangeVariants(
    liquidation=LiquidationStyle.FULL, liquidation_fee=D("0.02"), assignment_depth=D(0), margin_rule=MarginRule.MARGINAL,
    accepts_trailing_stops=False, price_collar=D("0.01"), small_orders_max=1, market_orders_max=3, reduce_only_trigger_needs_position=True,
    dead_man_spares_triggers=True, ioc_rest_is_told=False, mark_average_ms=1, maker_protection_ms=100,
)  # fmt: skip
GENEROUS = ExchangeVariants(
    liquidation_fee=D(0), partial_share=D("0.1"), partial_from_usd=D(0), price_collar=None, has_fee_tiers=False, maker_protection_ms=1,
    maker_protection_markets=1,
)  # fmt: skip
orders = st.tuples(
    st.just("send"),
    st.sampled_from(["lmt", "post", "ioc", "fok", "mkt", "stp", "take_profit", "trailing_stop"]),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from([BTC, DOGE]),
    st.integers(1, 8),  # size in units
    st.integers(-12, 12),  # price in ticks from the first mid
    st.booleans(),  # reduce only
    st.sampled_from(["mark", "last", "index"]),
    st.sampled_from(["market", "limit", "offset"]),  # what a trigger becomes
)
moves = st.tuples(st.just("move"), st.integers(0, 1), st.integers(-25, 25), st.booleans(), st.integers(1, 2_000))
others = st.one_of(
    st.tuples(st.just("edit"), st.integers(0, 20), st.integers(1, 8), st.integers(-12, 12), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.just("cancel_all"), st.sampled_from([None, BTC, DOGE])),
    st.tuples(st.just("batch"), st.lists(st.tuples(st.integers(0, 2), orders, st.integers(0, 20)), min_size=1, max_size=4)),
    st.tuples(st.just("self_trade"), st.sampled_from(list(SelfTrade))),
    st.tuples(st.just("dead_man"), st.sampled_from([0, 60, 1_500])),
    st.tuples(st.just("maintenance"), st.integers(0, 1_000), st.integers(1, 20)),
    st.tuples(st.just("delist"), st.sampled_from([BTC, DOGE]), st.integers(0, 3_000)),
    st.tuples(st.just("deposit"), st.integers(1, 500)),
    st.tuples(st.just("withdraw"), st.integers(1, 5_000)),
    st.tuples(st.just("mode"), st.sampled_from([MarketMode.ONLINE] * 6 + list(MarketMode)[1:4])),
    st.tuples(st.just("leverage"), st.sampled_from([BTC, DOGE]), st.sampled_from([None, 2, 5, 10, 50])),
    st.tuples(st.just("settle"), st.sampled_from([BTC, DOGE])),
)
scripts = st.lists(st.one_of(orders, orders, moves, moves, others), min_size=12, max_size=60)


DEPOSIT = D(3_000)
# longs pay on one market, shorts on the other; a premium comes on top of it
SPECS = (replace(a_spec(), funding_base_hourly=D("0.0004")), replace(DOGE_SPEC, funding_base_hourly=D("-0.003")))


def a_path() -> ScriptedPath:
    return ScriptedPath(SPECS)


def play(script: list[tuple[Any, ...]], variants: ExchangeVariants = USUAL) -> Venue:
    """Run a script, checking after every step."""
    venue = Venue(a_path(), deposit_usd=DEPOSIT, variants=variants)
    for step in script:
        act(venue, step)
        check_now(venue)
    return venue


def act(venue: Venue, step: tuple[Any, ...]) -> None:
    resting = venue.exchange.open_orders()
    match step:
        case ("send", *_):
            request = request_of(step)
            before = venue.position(request.symbol)
            venue.exchange.send(request)
            if request.reduce_only and request.order_type not in ("stp", "take_profit", "trailing_stop"):
                after = venue.position(request.symbol)
                assert abs(after) <= abs(before)
                assert after * before >= 0
        case ("move", market, ticks, continuous, seconds):
            symbol = (BTC, DOGE)[market]
            mid = float(MID[symbol] + ticks * TICK[symbol])
            index = mid * (1 + (seconds % 7 - 3) * 1e-4)
            venue.price(mid, index=index, market=market, continuous=continuous, seconds=seconds)
        case ("edit", which, units, ticks, is_absolute) if resting:
            order = resting[which % len(resting)]
            price = MID[order.symbol] + ticks * TICK[order.symbol]
            more: dict[str, Any] = {"stop_price": price} if order.is_trigger else {"limit_price": price}
            if order.trailing is not None:
                more = {"trailing_deviation": D(abs(ticks) + 1), "trailing_unit": "PERCENT"}
            venue.exchange.edit(EditRequest(order.order_id, size=units * UNIT[order.symbol], is_absolute=is_absolute, **more))
        case ("cancel", which) if resting:
            venue.exchange.cancel(CancelRequest(resting[which % len(resting)].order_id))
        case ("cancel_all", symbol):
            venue.exchange.cancel_all(symbol)
            assert not [o for o in venue.exchange.open_orders() if symbol in (None, o.symbol) and is_at_rest(venue, o)]
        case ("batch", instructions):
            items = [instruction_of(*instruction, resting) for instruction in instructions]
            answer = batch_order(Desk(venue.exchange, "account"), Params([("json", json.dumps({"batchOrder": items}))]))
            assert len(answer["batchStatus"]) == len(items)
        case ("self_trade", strategy):
            venue.exchange.set_self_trade(strategy)
        case ("dead_man", timeout_s):
            venue.exchange.cancel_all_after(timeout_s)
        case ("maintenance", in_s, minutes):
            venue.exchange.announce_maintenance(venue.exchange.now_ms + in_s * 1000, minutes, 1)
        case ("delist", symbol, in_s) if venue.exchange.mode(symbol) is not MarketMode.DELISTED:
            venue.exchange.announce_delisting(symbol, venue.exchange.now_ms + in_s * 1000)
        case ("mode", mode) if venue.exchange.mode(BTC) is not MarketMode.DELISTED:
            venue.exchange.set_mode(BTC, mode)
        case ("leverage", symbol, leverage):
            before = to_json(venue.exchange.positions())
            if not venue.exchange.set_leverage(symbol, None if leverage is None else min(D(leverage), LEVERAGE_MAX[symbol])):
                assert to_json(venue.exchange.positions()) == before
        case ("deposit", amount):
            assert venue.exchange.deposit(D(amount)) == amount
        case ("withdraw", amount):
            assert -amount <= venue.exchange.deposit(D(-amount)) <= 0
        case ("settle", symbol):
            venue.exchange.set_mode(symbol, MarketMode.DELISTED)
            assert venue.position(symbol) == 0
            assert not [order for order in venue.exchange.open_orders() if order.symbol == symbol]


def request_of(step: tuple[Any, ...]) -> SendRequest:
    _, kind, side, symbol, units, ticks, reduce_only, signal, becomes = step
    price, more = MID[symbol] + ticks * TICK[symbol], dict[str, Any]()
    if kind in ("lmt", "post", "ioc", "fok"):
        more = {"limit_price": price}
    elif kind == "trailing_stop":
        more = {"trailing_deviation": D(abs(ticks) + 1), "trailing_unit": "PERCENT", "trigger_signal": signal}
    elif kind != "mkt":
        more = {"stop_price": price, "trigger_signal": signal}
        if becomes == "limit":
            more["limit_price"] = price + TICK[symbol] * (units - 4)
        elif becomes == "offset":
            more |= {"offset_value": D(units - 4), "offset_unit": "PERCENT"}
    return SendRequest(symbol, kind, side, units * UNIT[symbol], reduce_only=reduce_only, **more)


def instruction_of(what: int, order: tuple[Any, ...], which: int, resting: Sequence[OrderRow]) -> dict[str, Any]:
    """A batch instruction, in the words of the wire: send, or edit or cancel a resting order."""
    request, known = request_of(order), resting[which % len(resting)].order_id if resting else "nobody"
    fields = {
        "orderType": request.order_type, "symbol": request.symbol, "side": request.side, "size": request.size,
        "limitPrice": request.limit_price, "stopPrice": request.stop_price, "triggerSignal": request.trigger_signal,
        "reduceOnly": request.reduce_only, "trailingStopMaxDeviation": request.trailing_deviation,
        "trailingStopDeviationUnit": request.trailing_unit, "limitPriceOffsetValue": request.offset_value,
        "limitPriceOffsetUnit": request.offset_unit,
    }  # fmt: skip
    words = {name: value if isinstance(value, bool) else str(value) for name, value in fields.items() if value is not None}
    match what:
        case 0:
            return {"order": "send", **words}
        case 1:
            return {"order": "edit", "order_id": known, "size": words["size"]}
        case _:
            return {"order": "cancel", "order_id": known}


def is_at_rest(venue: Venue, order: OrderRow) -> bool:
    """False for what cannot be cancelled now: in maintenance, or held back (then it is cancelled when it is released)."""
    is_held = order.received_ms + venue.exchange.config.variants.maker_protection_ms > venue.exchange.now_ms
    return not is_held and venue.exchange.mode(order.symbol) is not MarketMode.MAINTENANCE


def check_now(venue: Venue) -> None:
    exchange = venue.exchange
    held: dict[str, Decimal] = defaultdict(Decimal)
    for fill in exchange.executions():
        held[fill.symbol] += fill.size * fill.side.sign
    assert {row.symbol: row.size if row.is_long else -row.size for row in exchange.positions()} == {s: q for s, q in held.items() if q}
    for symbol in (BTC, DOGE):
        book = exchange.book(symbol)
        assert all(a[0] > b[0] for a, b in zip(book.bids, book.bids[1:], strict=False))
        assert all(a[0] < b[0] for a, b in zip(book.asks, book.asks[1:], strict=False))
        assert not book.bids or not book.asks or book.bids[0][0] < book.asks[0][0]
        assert all(size > 0 for _, size in (*book.bids, *book.asks))
    account = exchange.account()
    assert account.margin_equity >= 0
    assert account.cross_equity >= 0
    assert all(row.equity >= row.maintenance_margin for row in account.isolated)
    own = sum((row.maintenance_margin for row in account.isolated), D(0))
    assert account.cross_equity >= account.maintenance_margin - own
    for order in exchange.open_orders():
        assert 0 <= order.filled < order.quantity
        is_held = order.received_ms + exchange.config.variants.maker_protection_ms > exchange.now_ms  # cut when it is released
        if order.reduce_only and not order.is_trigger and not is_held:
            assert order.unfilled <= max(D(0), -venue.position(order.symbol) * order.side.sign)


def check_books(venue: Venue) -> None:
    exchange = venue.exchange
    size: dict[str, Decimal] = defaultdict(Decimal)
    cost: dict[str, Decimal] = defaultdict(Decimal)
    added = [row.new_balance - row.old_balance for row in exchange.account_log() if row.info == "cross-exchange transfer"]
    deposited = sum(added, D(0))
    assert added[0] == DEPOSIT
    cash = deposited - sum((entry.liquidation_fee or D(0) for entry in exchange.account_log()), D(0))
    per_order: dict[str, Decimal] = defaultdict(Decimal)
    for fill in exchange.executions():
        signed = fill.size * fill.side.sign
        size[fill.symbol], cost[fill.symbol], realised = apply_fill(size[fill.symbol], cost[fill.symbol], signed, fill.price)
        cash += realised - fill.fee_paid
        per_order[fill.order_id] += fill.size
        assert fill.remaining >= 0
    cash += sum((entry.realized_funding or D(0) for entry in exchange.account_log()), D(0))
    assert exchange.account().balance == cash
    assert {row.symbol: (row.size if row.is_long else -row.size) for row in exchange.positions()} == {s: q for s, q in size.items() if q}
    # with open cost added back, money is exactly deposits + trade cash flows - fees + funding
    flows = sum((-fill.size * fill.side.sign * fill.price - fill.fee_paid for fill in exchange.executions()), deposited)
    funding = sum((entry.realized_funding or D(0) for entry in exchange.account_log()), D(0))
    penalties = sum((entry.liquidation_fee or D(0) for entry in exchange.account_log()), D(0))
    assert exchange.account().balance - sum(cost.values(), D(0)) == flows + funding - penalties
    for entry, after in zip(cash_rows := [row for row in exchange.account_log() if row.asset == "usd"], cash_rows[1:], strict=False):
        assert entry.new_balance == after.old_balance
    seen: dict[str, Decimal] = {}
    for event in venue.events:
        if isinstance(event, OrderFeed):
            seen[event.order.order_id] = max(seen.get(event.order.order_id, D(0)), event.order.quantity)
    assert all(per_order[order_id] <= total for order_id, total in seen.items())


@settings(max_examples=120, deadline=None)
@given(scripts)
def test_money_positions_and_books_are_conserved_under_any_order_flow(script: list[tuple[Any, ...]]) -> None:
    check_books(play(script))


@settings(max_examples=40, deadline=None)
@given(scripts)
def test_the_same_script_gives_the_same_events_and_the_command_log_rebuilds_it(script: list[tuple[Any, ...]]) -> None:
    one, other = play(script), play(script)
    assert one.exchange.snapshot_state() == other.exchange.snapshot_state()
    assert [to_json(event) for event in one.events] == [to_json(event) for event in other.events]

    path = a_path()
    path.script = list(one.path.script)
    rebuilt = Venue(path, deposit_usd=D(3_000)).exchange
    for record in one.commits:
        rebuilt.apply_commit(record)
    rebuilt.advance_to(one.exchange.now_ms)
    assert [to_json(row) for row in rebuilt.executions()] == [to_json(row) for row in one.exchange.executions()]
    assert rebuilt.account() == one.exchange.account()
    assert rebuilt.open_orders() == one.exchange.open_orders()

    path = a_path()
    path.script = list(one.path.script)
    restored = Venue(path, deposit_usd=D(0)).exchange
    restored.restore_state(json.loads(json.dumps(one.exchange.snapshot_state())))
    for exchange in (one.exchange, restored):
        exchange.advance_to(exchange.now_ms + 5_000_000)
    assert restored.account() == one.exchange.account()
    assert restored.positions() == one.exchange.positions()


@pytest.mark.parametrize("variants", [STRICT, GENEROUS], ids=["strict", "generous"])
def test_the_books_hold_under_every_reading_of_the_open_points(variants: ExchangeVariants) -> None:
    for seed in range(6):
        check_books(play(a_long_script(seed), variants))


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, min_size=1, max_size=30), st.sampled_from(["buy", "sell"]), st.integers(1, 20))
def test_liquidation_never_leaves_negative_equity(path: list[tuple[Any, ...]], side: str, units: int) -> None:
    venue = Venue(a_path(), deposit_usd=D(1_000))
    venue.send("mkt", side, str(units * D("0.02")))
    for step in path:
        act(venue, step)
        account = venue.exchange.account()
        assert account.margin_equity >= 0
        assert not venue.exchange.positions() or account.margin_equity >= account.maintenance_margin


@settings(max_examples=60, deadline=None)
@given(scripts)
def test_a_reduce_only_fill_never_grows_or_flips_a_position(script: list[tuple[Any, ...]]) -> None:
    venue = play(script)
    only_reducing = {event.order.order_id: event.order.reduce_only for event in venue.events if isinstance(event, OrderFeed)}
    size: dict[str, Decimal] = defaultdict(Decimal)
    for event in venue.events:
        if isinstance(event, FillFeed):
            fill = event.fill
            before = size[fill.symbol]
            size[fill.symbol] += fill.size * (1 if fill.side is Side.BUY else -1)
            if only_reducing.get(fill.order_id):
                assert abs(size[fill.symbol]) < abs(before)
                assert size[fill.symbol] * before >= 0


def a_long_script(seed: int) -> list[tuple[Any, ...]]:
    """Hundreds of mixed steps: long enough for liquidations, partial fills and self-trades, which short scripts seldom reach."""
    rng = random.Random(seed)
    script: list[tuple[Any, ...]] = []
    for _ in range(150):
        kind, signal = (
            rng.choice(["lmt", "lmt", "post", "ioc", "fok", "mkt", "stp", "take_profit", "trailing_stop"]),
            rng.choice(["mark", "last", "index"]),
        )
        send = (
            "send",
            kind,
            rng.choice(["buy", "sell"]),
            rng.choice([BTC, DOGE]),
            rng.randint(1, 4),
            rng.randint(-12, 12),
            rng.random() < 0.3,
            signal,
            rng.choice(["market", "limit", "offset"]),
        )
        move = ("move", rng.randint(0, 1), rng.randint(-15, 15), rng.random() < 0.5, rng.randint(1, 2_000))
        edit = ("edit", rng.randint(0, 20), rng.randint(1, 8), rng.randint(-12, 12), rng.random() < 0.5)
        batch = ("batch", [(rng.randint(0, 2), send, rng.randint(0, 20)) for _ in range(2)])
        modes = ("mode", rng.choice([MarketMode.ONLINE] * 4 + list(MarketMode)[1:4]))
        leverage = ("leverage", rng.choice([BTC, DOGE]), rng.choice([None, None, 2, 5, 10, 50]))
        settle = ("settle", DOGE)
        choices = [send, move, edit, ("cancel", rng.randint(0, 20)), modes, leverage, settle, ("deposit", 1_000), ("withdraw", 700), batch]
        script.append(rng.choices(choices, [40, 40, 8, 6, 6, 6, 0.3, 3, 1, 4])[0])
    return [*script, ("settle", BTC), ("settle", DOGE)]  # whatever is left ends here


@pytest.mark.parametrize("seed", range(12))
def test_long_random_days_conserve_money_too(seed: int) -> None:
    venue = play(a_long_script(seed))

    check_books(venue)
    assert len(venue.exchange.executions()) > 0


def test_the_long_days_together_reach_every_kind_of_fill() -> None:
    unwound = ExchangeVariants(assignment_depth=D("0.0001"))

    fills = [fill for seed in range(12) for fill in play(a_long_script(seed), unwound).exchange.executions()]

    assert len(fills) > 250
    log = [entry for seed in range(12) for entry in play(a_long_script(seed)).exchange.account_log()]
    assert {entry.realized_funding > 0 for entry in log if entry.realized_funding is not None} == {True, False}
    assert any(entry.liquidation_fee for entry in log)
    assert {fill.fill_type for fill in fills} >= {
        "maker",
        "taker",
        "takerAfterEdit",
        "liquidation",
        "assignor",
        "unwindBankrupt",
        "settlement",
    }
