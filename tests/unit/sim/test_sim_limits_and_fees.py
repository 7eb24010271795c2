"""What is refused by number and distance, what trading costs by volume, and the switches of the open points."""

from __future__ import annotations

from typing import Any

import pytest

from sim_builders import BTC, START_MS, D, Venue
from trading_system.sim.bars import DAY_MS
from trading_system.sim.fees import FEE_TIERS, Fees, FeeSchedule, Turnover
from trading_system.sim.margin import MarginTerms
from trading_system.sim.margin_schedule import MarginClass, margin_levels
from trading_system.sim.model import CancelEvent, EditRequest, RejectEvent
from trading_system.sim.variants import ExchangeVariants, MarginRule


def with_variants(**switches: Any) -> Venue:
    return Venue(deposit_usd=D(100_000), variants=ExchangeVariants(**switches))


@pytest.mark.parametrize(("side", "inside", "outside"), [("buy", "84000", "84001"), ("sell", "76000", "75999")])
def test_a_limit_may_reach_through_the_mark_only_as_far_as_the_collar(side: str, inside: str, outside: str) -> None:
    venue = with_variants(price_collar=D("0.05"))
    refused = venue.send("ioc", side, "0.01", limit_price=outside)

    assert refused.status == "outsidePriceCollar"
    assert isinstance(refused.events[0], RejectEvent)
    assert refused.events[0].reason == "PRICE_COLLAR"
    assert venue.send("ioc", side, "0.01", limit_price=inside).status == "placed"


def test_a_limit_far_on_its_own_side_is_inside_every_collar() -> None:
    assert with_variants(price_collar=D("0.05")).send("lmt", "buy", "0.01", limit_price="1000").status == "placed"


def test_an_edit_may_not_leave_the_collar_either() -> None:
    venue = with_variants(price_collar=D("0.05"))
    venue.send("lmt", "buy", "0.01", limit_price="79000", cli_ord_id="a")

    assert venue.exchange.edit(EditRequest(cli_ord_id="a", limit_price=D(90_000))).status == "outsidePriceCollar"


def test_small_orders_are_counted_per_market_and_large_ones_pass() -> None:
    venue = with_variants(small_orders_max=2, small_order_usd=D(100))
    words = [venue.send("lmt", "buy", size, limit_price="70000").status for size in ("0.001", "0.001", "0.001", "0.01")]

    assert words == ["placed", "placed", "tooManySmallOrders", "placed"]


def test_the_number_of_resting_orders_per_market_is_limited_and_immediate_ones_pass() -> None:
    venue = with_variants(market_orders_max=1)
    words = [venue.send(kind, "buy", "0.01", limit_price="79000").status for kind in ("lmt", "lmt")]

    assert words == ["placed", "tooManyOrders"]
    assert venue.send("mkt", "buy", "0.01").status == "placed"


def test_a_reduce_only_trigger_without_a_position_is_refused_only_where_the_venue_does() -> None:
    words = []
    for needs in (False, True):
        venue = with_variants(reduce_only_trigger_needs_position=needs)
        words.append(venue.send("stp", "sell", "0.01", stop_price="70000", reduce_only=True).status)

    assert words == ["placed", "wouldNotReducePosition"]


def test_the_rest_of_an_immediate_order_is_told_only_where_the_venue_does() -> None:
    told = []
    for is_told in (False, True):
        venue = with_variants(ioc_rest_is_told=is_told)
        result = venue.send("ioc", "buy", "10", limit_price="80010")
        assert result.status == "placed"
        told.append([type(event) is CancelEvent for event in result.events][-1])

    assert told == [False, True]


def test_fees_fall_with_the_volume_of_thirty_days() -> None:
    schedule = FeeSchedule(Fees(D("0.0002"), D("0.0005")))
    rates = [schedule.at(D(volume)) for volume in (0, 2_499_999, 2_500_000, 100_000_000, 2_000_000_000)]

    assert [fees.taker for fees in rates] == [D("0.0005"), D("0.0005"), D("0.00045"), D("0.000125"), D("0.0001")]
    assert [fees.maker for fees in rates][-1] == D("-0.00005")
    assert FeeSchedule(schedule.base, has_tiers=False).at(D(10**9)) == schedule.base
    assert [tier.volume_usd for tier in FEE_TIERS] == sorted(tier.volume_usd for tier in FEE_TIERS)


def test_the_next_tier_applies_as_soon_as_the_volume_is_reached_and_ends_after_thirty_days() -> None:
    venue = Venue(deposit_usd=D(1_000_000))
    for number in range(9):
        venue.send("mkt", "buy" if number % 2 else "sell", "4")
    assert venue.exchange.traded_30_days() > 2_500_000
    venue.send("mkt", "buy", "0.01")
    cheaper = venue.exchange.fills(limit=1)[0]
    venue.exchange.advance_to(START_MS + 31 * DAY_MS)
    venue.send("mkt", "buy", "0.01")
    dear = venue.exchange.fills(limit=1)[0]

    assert cheaper.fee_paid == cheaper.size * cheaper.price * D("0.00045")
    assert dear.fee_paid == dear.size * dear.price * D("0.0005")


def test_turnover_forgets_the_thirty_first_day() -> None:
    turnover = Turnover()
    for day in range(40):
        turnover.add(day * DAY_MS, D(1))

    assert turnover.volume(39 * DAY_MS) == 30
    assert turnover.volume(45 * DAY_MS) == 24
    assert len(turnover.snapshot()) == 30


def test_margin_is_charged_whole_or_by_parts() -> None:
    levels = margin_levels(MarginClass.A)
    whole, parts = (MarginTerms(levels, rule) for rule in (MarginRule.WHOLE, MarginRule.MARGINAL))

    assert whole.initial(D(3_000_000)) == 150_000
    assert parts.initial(D(3_000_000)) == 20_000 + 40_000 + 50_000
    assert parts.initial(D(100_000_000)) == 20_000 + 40_000 + 150_000 + 500_000 + 2_000_000 + 12_000_000 + 20_000_000
    assert whole.maintenance(D(500_000)) == parts.maintenance(D(500_000)) == 5_000


@pytest.mark.parametrize(("average_ms", "mark"), [(1, "80800"), (30_000, "80400"), (60_000, "80200")])
def test_the_mark_follows_the_premium_as_quickly_as_the_average_is_short(average_ms: int, mark: str) -> None:
    venue = with_variants(mark_average_ms=average_ms)

    venue.price(80_800.0, index=80_000.0, seconds=15)

    assert venue.exchange.quote(BTC).mark == D(mark)


@pytest.mark.parametrize(
    "wrong",
    [
        {"partial_share": D(0)}, {"liquidation_fee": D(-1)}, {"price_collar": D(0)}, {"mark_average_ms": 0},
        {"maker_protection_ms": 101}, {"stop_word": "halt"}, {"maintenance_status": 404},
    ],
)  # fmt: skip
def test_a_switch_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|is stp"):
        ExchangeVariants(**wrong)
