"""What the venue does by force: partial and full liquidation, assignment, unwinding, settlement. Equity stays at or above zero."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sim_builders import BTC, D, ScriptedPath, Venue, a_spec
from trading_system.sim.model import FillFeed, MarketMode, OrderFeed, SimFill
from trading_system.sim.variants import ExchangeVariants, LiquidationStyle

FULL = ExchangeVariants(liquidation=LiquidationStyle.FULL)


def a_long(variants: ExchangeVariants | None = None, *, size: str = "0.4", depth_usd: float = 5e6) -> Venue:
    """About 32,000 USD on 1,000 USD of equity, maintenance about 320."""
    path = ScriptedPath([a_spec(depth_usd=depth_usd)], [80_000.0])
    venue = Venue(path, deposit_usd=D(1_000), variants=variants or ExchangeVariants())
    venue.send("mkt", "buy", size)
    return venue


def forced(venue: Venue) -> list[SimFill]:
    kinds = ("liquidation", "assignor", "unwindBankrupt", "settlement")
    return [fill for fill in venue.exchange.executions() if fill.fill_type in kinds]


def test_a_partial_liquidation_cuts_the_position_until_the_margin_holds_and_keeps_the_stop() -> None:
    venue = a_long()
    venue.send("stp", "sell", "0.4", stop_price="70000", trigger_signal="mark", reduce_only=True)

    venue.price(78_250.0)

    account = venue.exchange.account()
    assert venue.position() == D("0.2")
    assert account.margin_equity >= account.maintenance_margin
    assert [order.stop_price for order in venue.exchange.open_orders()] == [70_000]


def test_a_full_liquidation_closes_everything_and_cancels_every_order() -> None:
    venue = a_long(FULL)
    venue.send("stp", "sell", "0.4", stop_price="70000", trigger_signal="mark", reduce_only=True)

    venue.price(78_250.0)

    assert venue.exchange.positions() == ()
    assert venue.exchange.open_orders() == ()
    assert [event.reason for event in venue.events if isinstance(event, OrderFeed) and event.is_gone][-1] == "liquidation"


def test_the_liquidation_fee_is_charged_beside_the_taker_fee_and_logged_apart() -> None:
    venue = a_long()

    venue.price(78_250.0)

    rows = [row for row in venue.exchange.account_log() if row.liquidation_fee]
    notional = sum((fill.size * fill.price for fill in forced(venue)), D(0))
    assert sum((row.liquidation_fee or D(0) for row in rows), D(0)) == notional * D("0.005")
    assert sum((row.fee or D(0) for row in rows), D(0)) == notional * D("0.0005")
    for row in rows:
        assert row.info == "futures liquidation"
        assert row.new_balance - row.old_balance == (row.realized_pnl or 0) - (row.fee or 0) - (row.liquidation_fee or 0)


def test_the_public_tape_names_partial_and_whole_liquidations() -> None:
    partial, whole = a_long(), a_long(FULL)
    for venue in (partial, whole):
        venue.price(78_250.0)

    assert partial.exchange.trades(BTC)[0].trade_type == "partial liquidation"
    assert whole.exchange.trades(BTC)[0].trade_type == "liquidation"
    assert partial.exchange.trades(BTC)[-1].trade_type == "fill"


def test_what_the_book_cannot_take_is_assigned_to_counterparties_at_mark_without_fee() -> None:
    venue = a_long(FULL, depth_usd=40_000.0)

    venue.price(78_250.0)

    kinds = [fill.fill_type for fill in forced(venue)]
    assert kinds == ["liquidation"] * (len(kinds) - 1) + ["assignor"]
    assigned = forced(venue)[-1]
    assert (assigned.price, assigned.fee_paid) == (78_250, 0)
    assert venue.exchange.positions() == ()
    assert [row.info for row in venue.exchange.account_log()][-1] == "futures assignor"


def test_beyond_what_counterparties_take_the_rest_is_unwound() -> None:
    venue = a_long(ExchangeVariants(liquidation=LiquidationStyle.FULL, assignment_depth=D("0.1")), depth_usd=40_000.0)

    venue.price(78_250.0)

    assert [fill.fill_type for fill in forced(venue)][-2:] == ["assignor", "unwindBankrupt"]
    assert venue.exchange.account().balance >= 0


@pytest.mark.parametrize("style", LiquidationStyle)
@pytest.mark.parametrize(("side", "price"), [("buy", 60_000.0), ("sell", 110_000.0)])
def test_a_gap_far_past_bankruptcy_costs_the_whole_account_and_no_more(style: LiquidationStyle, side: str, price: float) -> None:
    venue = Venue(deposit_usd=D(1_000), variants=ExchangeVariants(liquidation=style))
    venue.send("mkt", side, "0.4")

    venue.price(price)

    assert venue.exchange.positions() == ()
    assert 0 <= venue.exchange.account().balance < 1


def test_nothing_is_taken_from_the_book_of_a_suspended_market() -> None:
    venue = a_long(FULL)
    venue.exchange.set_mode(BTC, MarketMode.SUSPENDED)

    venue.price(78_250.0)

    assert {fill.fill_type for fill in forced(venue)} == {"assignor"}


def test_a_settled_contract_closes_at_the_index_without_fee_and_takes_no_orders_any_more() -> None:
    venue = a_long(size="0.1")
    venue.send("stp", "sell", "0.1", stop_price="70000", trigger_signal="mark", reduce_only=True, cli_ord_id="s")
    venue.price(80_400.0, index=80_300.0)
    balance = venue.exchange.account().balance
    cost = sum((fill.size * fill.price for fill in venue.exchange.executions()), D(0))

    venue.exchange.set_mode(BTC, MarketMode.DELISTED)

    (fill,) = forced(venue)
    assert (fill.fill_type, fill.price, fill.fee_paid) == ("settlement", 80_300, 0)
    assert venue.exchange.account().balance == balance + D("0.1") * 80_300 - cost
    assert venue.exchange.positions() == ()
    assert [e.reason for e in venue.events if isinstance(e, OrderFeed) and e.order.cli_ord_id == "s"][-1] == "contract_expired"
    assert [row.info for row in venue.exchange.account_log()][-1] == "settlement"
    assert venue.send("mkt", "buy", "0.1").status == "marketInactive"


def test_an_order_that_would_lead_straight_into_liquidation_is_refused() -> None:
    """The mark lags behind a jump of the traded price: 2 % of margin do not cover a fill 1.5 % beyond it."""
    venue = Venue(deposit_usd=D(1_700))
    venue.price(81_200.0, index=80_000.0, seconds=1)

    result = venue.send("mkt", "buy", "1")

    assert result.status == "wouldCauseLiquidation"
    assert venue.exchange.positions() == ()


def test_closing_at_a_price_that_would_leave_a_debt_is_refused() -> None:
    venue = a_long(size="0.5")
    venue.price(79_000.0, index=79_000.0)
    venue.price(77_500.0, index=79_000.0, seconds=0.1)  # a wick: the mark stays

    result = venue.send("mkt", "sell", "0.5", reduce_only=True)

    assert result.status == "insufficientAvailableFunds"
    assert venue.exchange.account().margin_equity >= 0


def test_every_forced_fill_is_told_on_the_feed() -> None:
    venue = a_long(FULL)
    venue.price(78_250.0)

    told = [event.fill for event in venue.events if isinstance(event, FillFeed)]
    assert told == list(venue.exchange.executions())
    assert sum((fill.size * fill.side.sign for fill in told), Decimal(0)) == 0
