"""Isolated margin: a market with a fixed leverage has its own purse, and can lose no more than is in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sim_builders import BTC, DOGE, DOGE_SPEC, START_MS, D, ScriptedPath, Venue, a_spec
from trading_system.sim.exchange import SimExchange
from trading_system.sim.variants import ExchangeVariants, LiquidationStyle


def an_isolated_long(leverage: int = 10, *, deposit: int = 10_000, size: str = "0.1") -> Venue:
    venue = Venue(deposit_usd=D(deposit))
    assert venue.exchange.set_leverage(BTC, D(leverage))
    assert venue.send("mkt", "buy", size).status == "placed"
    return venue


def test_an_isolated_position_sets_its_margin_aside_and_shows_its_leverage() -> None:
    venue = an_isolated_long(10)

    account = venue.exchange.account()
    (row,) = account.isolated
    (position,) = venue.exchange.positions()
    cost = sum((fill.size * fill.price for fill in venue.exchange.executions()), D(0))
    assert row.margin == row.initial_margin == cost / 10
    assert position.max_fixed_leverage == 10
    assert account.margin_equity == account.cross_equity + row.equity
    assert account.available_margin == account.cross_equity


def test_a_loss_takes_the_purse_and_nothing_else() -> None:
    venue = an_isolated_long(10)
    aside = venue.exchange.account().isolated[0].margin
    before = venue.exchange.account().balance

    venue.price(60_000.0)  # a quarter below entry, the purse holds a tenth

    after = venue.exchange.account()
    assert venue.exchange.positions() == ()
    assert before - aside <= after.balance < before - aside + 1


def test_its_liquidation_price_does_not_depend_on_the_rest_of_the_account() -> None:
    prices = [an_isolated_long(10, deposit=deposit).exchange.positions()[0].liquidation_price for deposit in (2_000, 50_000)]

    assert prices[0] == prices[1]
    assert prices[0] is not None
    assert 72_000 < prices[0] < 73_500


def test_it_is_liquidated_at_the_listed_price_and_not_before() -> None:
    venue = Venue(deposit_usd=D(10_000), variants=ExchangeVariants(liquidation=LiquidationStyle.FULL))
    venue.exchange.set_leverage(BTC, D(10))
    venue.send("mkt", "buy", "0.1")
    price = venue.exchange.positions()[0].liquidation_price
    assert price is not None

    venue.price(float(price) + 20)
    assert venue.position() == D("0.1")
    venue.price(float(price) - 20)

    assert venue.position() == 0


def test_cross_positions_are_liquidated_without_touching_the_isolated_one() -> None:
    venue = Venue(deposit_usd=D(2_000))
    venue.exchange.set_leverage(DOGE, D(2))
    venue.send("mkt", "buy", "10000", symbol=DOGE)
    venue.send("mkt", "buy", "0.5")

    venue.price(70_000.0)

    assert [row.symbol for row in venue.exchange.positions()] == [DOGE]
    assert venue.exchange.account().cross_equity >= 0


def test_closing_a_part_gives_the_share_of_the_purse_back() -> None:
    venue = an_isolated_long(10)
    aside = venue.exchange.account().isolated[0].margin
    venue.send("mkt", "sell", "0.05", reduce_only=True)
    half = venue.exchange.account().isolated[0].margin
    venue.send("mkt", "sell", "0.05", reduce_only=True)

    assert half == aside / 2
    assert venue.exchange.account().isolated == ()


def test_funding_of_an_isolated_position_is_paid_from_its_purse() -> None:
    venue = an_isolated_long(10)
    aside, free = venue.exchange.account().isolated[0].margin, venue.exchange.account().cross_equity
    for _ in range(6):
        venue.price(80_080.0, index=80_000.0, seconds=600)
    venue.exchange.advance_to(START_MS + 2 * 3_600_000)

    paid = sum((row.realized_funding or D(0) for row in venue.exchange.account_log()), D(0))
    assert paid < 0
    assert venue.exchange.account().isolated[0].margin == aside + paid
    assert venue.exchange.account().cross_equity == free


def test_a_preference_that_would_break_margin_is_refused_and_changes_nothing() -> None:
    venue = Venue(deposit_usd=D(1_000))
    venue.send("mkt", "buy", "0.1")  # 8,000 USD
    before = venue.exchange.account()

    assert not venue.exchange.set_leverage(BTC, D(2))  # 4,000 would have to be set aside

    assert venue.exchange.account() == before
    assert venue.exchange.leverage() == {}
    assert venue.exchange.set_leverage(BTC, D(10))


def test_a_higher_leverage_is_refused_while_the_loss_needs_the_margin() -> None:
    venue = an_isolated_long(5)
    venue.price(76_000.0)

    assert not venue.exchange.set_leverage(BTC, D(50))
    assert venue.exchange.leverage() == {BTC: 5}


def test_returning_to_cross_gives_the_purse_back_to_the_account() -> None:
    venue = an_isolated_long(10)

    assert venue.exchange.set_leverage(BTC, None)

    assert venue.exchange.account().isolated == ()
    assert venue.exchange.positions()[0].max_fixed_leverage is None
    assert venue.exchange.account().cross_equity == venue.exchange.account().margin_equity


@pytest.mark.parametrize("leverage", ["51", "0", "-1", "NaN"])
def test_a_leverage_beyond_the_markets_schedule_cannot_be_set(leverage: str) -> None:
    with pytest.raises(ValueError, match="leverage"):
        Venue().exchange.set_leverage(BTC, D(leverage))


def test_an_order_too_large_for_the_fixed_leverage_is_refused() -> None:
    venue = Venue(deposit_usd=D(1_000_000))
    venue.exchange.set_leverage(BTC, D(50))

    assert venue.send("lmt", "buy", "13", limit_price="79000").status == "fixedLeverageTooHigh"
    assert venue.send("lmt", "buy", "12", limit_price="79000").status == "placed"


def test_orders_on_an_isolated_market_claim_what_they_would_set_aside() -> None:
    venue = Venue(deposit_usd=D(10_000))
    venue.exchange.set_leverage(BTC, D(5))

    venue.send("lmt", "buy", "0.1", limit_price="70000")

    assert venue.exchange.account().initial_margin_with_orders == 1_400
    assert venue.send("lmt", "buy", "0.7", limit_price="70000").status == "insufficientAvailableFunds"


def test_isolation_survives_a_restart_from_snapshot_and_from_the_command_log() -> None:
    venue = an_isolated_long(10)
    saved = json.loads(json.dumps(venue.exchange.snapshot_state()))

    restored = SimExchange(ScriptedPath())
    restored.restore_state(saved)
    replayed = SimExchange(ScriptedPath())
    for record in venue.commits:
        replayed.apply_commit(record)

    assert restored.account() == replayed.account() == venue.exchange.account()
    assert restored.leverage() == replayed.leverage() == {BTC: 10}


def test_funding_that_eats_the_purse_of_a_market_standing_still_is_seen_at_the_points_of_the_others() -> None:
    venue = Venue(
        ScriptedPath((a_spec(), replace(DOGE_SPEC, funding_base_hourly=D("-0.005")))), deposit_usd=D(10_000),
        variants=ExchangeVariants(liquidation=LiquidationStyle.FULL),
    )  # fmt: skip
    venue.price(80_000.0, seconds=3_601)  # the first hour sets the rate of the next
    venue.exchange.set_leverage(DOGE, D(10))
    venue.send("mkt", "sell", "10000", symbol=DOGE)
    threshold = float(venue.exchange.positions()[0].liquidation_price or 0)
    venue.price(threshold - 0.0002, market=1, seconds=10)
    is_there_before = bool(venue.position(DOGE))

    venue.price(80_000.0, seconds=3_000)  # only the other market moves

    assert is_there_before
    assert venue.position(DOGE) == 0
    assert venue.exchange.account().margin_equity > 9_800
