"""The flex wallet: fees, P&L, funding, margin, liquidation."""

from __future__ import annotations

from sim_builders import BTC, DOGE, START_MS, D, Venue
from trading_system.sim.model import OrderFeed
from trading_system.sim.position import apply_fill
from trading_system.sim.variants import ExchangeVariants, LiquidationStyle

HOUR = 3_600_000


def test_a_round_trip_books_profit_and_fees_to_the_last_digit() -> None:
    venue = Venue()
    venue.send("mkt", "buy", "0.01")
    venue.price(81_000.0)
    venue.send("mkt", "sell", "0.01")

    flows = sum((-fill.side.sign * fill.size * fill.price - fill.fee_paid for fill in venue.exchange.executions()), D(0))
    assert venue.exchange.account().balance == 10_000 + flows
    assert all(fill.fee_paid == fill.size * fill.price * D("0.0005") for fill in venue.exchange.executions())


def test_partial_closes_at_prices_that_do_not_divide_lose_no_digit() -> None:
    size, cost, first = apply_fill(D(3), D("100.000000000001"), D(-1), D(34))
    size, cost, second = apply_fill(size, cost, D(-1), D(35))
    size, cost, third = apply_fill(size, cost, D(-1), D(36))

    assert (size, cost) == (0, 0)
    assert first + second + third == 34 + 35 + 36 - D("100.000000000001")


def test_a_fill_beyond_the_position_flips_it_at_the_new_price() -> None:
    assert apply_fill(D(2), D(200), D(-5), D(110)) == (D(-3), D(-330), D(20))


def test_each_trade_is_two_rows_of_the_account_log() -> None:
    venue = Venue()
    venue.send("lmt", "buy", "0.001", limit_price="80200")

    cash, leg = list(venue.exchange.account_log())[-2:]
    assert (cash.asset, leg.asset, cash.booking_uid) == ("usd", BTC, leg.booking_uid)
    assert cash.new_balance - cash.old_balance == (cash.realized_pnl or 0) - (cash.fee or 0)
    assert (leg.old_balance, leg.new_balance, leg.execution) == (0, D("0.001"), venue.exchange.fills()[0].fill_id)


def test_funding_is_fixed_from_the_last_hours_premium_and_paid_by_longs_when_positive() -> None:
    venue = Venue()
    venue.send("mkt", "buy", "0.01")
    for _ in range(6):
        venue.price(80_080.0, index=80_000.0, seconds=600)  # 10 bps premium for an hour
    rate = venue.exchange.quote(BTC).funding_rate
    assert rate == D("0.000125") * 80_000
    before = venue.exchange.account().balance

    venue.exchange.advance_to(START_MS + HOUR + HOUR // 2)
    assert venue.exchange.account().unrealized_funding == -rate * D("0.01") / 2
    assert venue.exchange.account().balance == before
    venue.exchange.advance_to(START_MS + 2 * HOUR)

    assert venue.exchange.account().balance == before - rate * D("0.01")
    assert venue.exchange.account().unrealized_funding == 0


def test_funding_is_realised_when_the_position_changes() -> None:
    venue = Venue()
    venue.send("mkt", "sell", "0.01")
    venue.price(80_080.0, index=80_000.0, seconds=3599)
    venue.exchange.advance_to(START_MS + HOUR + HOUR // 4)
    rate = venue.exchange.quote(BTC).funding_rate

    venue.send("mkt", "buy", "0.01")

    paid = [entry.realized_funding for entry in venue.exchange.account_log() if entry.info == "funding rate change"]
    assert paid == [rate * D("0.01") / 4]


def test_open_orders_claim_margin_only_for_what_they_could_add() -> None:
    venue = Venue()
    venue.send("mkt", "buy", "0.1")
    position_margin = venue.exchange.account().initial_margin

    venue.send("lmt", "sell", "0.1", limit_price="90000")
    assert venue.exchange.account().initial_margin_with_orders == position_margin
    venue.send("lmt", "buy", "0.1", limit_price="70000")

    assert venue.exchange.account().initial_margin_with_orders == position_margin + D("0.02") * 7_000


def test_below_initial_margin_orders_that_add_risk_are_cancelled_and_stops_stay() -> None:
    venue = Venue(deposit_usd=D(1_000))
    venue.send("mkt", "buy", "0.4")  # needs about 640 of 1000
    venue.send("lmt", "buy", "0.01", limit_price="70000")
    venue.send("stp", "sell", "0.4", stop_price="60000", trigger_signal="mark", reduce_only=True)

    venue.price(79_000.0)

    assert [order.is_trigger for order in venue.exchange.open_orders()] == [True]
    assert [e.reason for e in venue.events if isinstance(e, OrderFeed) and e.is_gone][-1] == "not_enough_margin"
    assert venue.position() == D("0.4")


def test_below_maintenance_everything_is_liquidated_and_equity_stays_above_zero() -> None:
    venue = Venue(deposit_usd=D(1_000))
    venue.send("mkt", "buy", "0.4")
    venue.send("mkt", "buy", "1000", symbol=DOGE)

    venue.price(70_000.0)  # a gap far past bankruptcy

    assert venue.exchange.positions() == ()
    assert venue.exchange.open_orders() == ()
    assert venue.exchange.account().balance >= 0
    # the book cannot pay a bankrupt position: counterparties take it over at the price that leaves nothing
    assert {fill.fill_type for fill in venue.exchange.fills(limit=2)} == {"assignor"}


def test_the_listed_liquidation_price_is_where_liquidation_happens() -> None:
    venue = Venue(deposit_usd=D(1_000), variants=ExchangeVariants(liquidation=LiquidationStyle.FULL))
    venue.send("mkt", "buy", "0.3")
    (row,) = venue.exchange.positions()
    assert row.liquidation_price is not None

    venue.price(float(row.liquidation_price) + 20)
    assert venue.position() == D("0.3")
    venue.price(float(row.liquidation_price) - 20)

    assert venue.position() == 0
    assert venue.exchange.account().balance > 0


def test_only_what_is_not_tied_up_can_be_withdrawn() -> None:
    venue = Venue(deposit_usd=D(1_000))
    venue.send("mkt", "buy", "0.2")
    free = venue.exchange.account().available_margin

    assert venue.exchange.deposit(D(-5_000)) == -free
    assert venue.exchange.account().available_margin == 0
    assert venue.exchange.deposit(D(-1)) == 0


def test_fills_are_listed_newest_first_and_by_page() -> None:
    venue = Venue()
    for mid in (80_000.0, 80_100.0, 80_200.0):
        venue.price(mid)
        venue.send("mkt", "buy", "0.0001")

    newest = venue.exchange.fills(limit=1)
    older = venue.exchange.fills(before_ms=newest[0].at_ms)
    assert [fill.seq for fill in (*newest, *older)] == [3, 2, 1]
