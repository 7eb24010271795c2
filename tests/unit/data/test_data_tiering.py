"""Which tier a market gets, and why it gets none."""

from __future__ import annotations

import pytest
from data_builders import D, a_ticker, an_instrument

from trading_system.data.tiering import Eligible, Excluded, ExclusionReason, RegistryParameters, judge_market
from trading_system.domain.market import Tier, TradingStatus
from trading_system.domain.symbols import Symbol

DEFAULTS = RegistryParameters()


@pytest.mark.parametrize(
    ("volume", "bid", "ask", "tier"),
    [
        ("5000000", "99.95", "100.05", Tier.A),  # exactly 0.10 %
        ("4999999", "99.95", "100.05", Tier.B),
        ("5000000", "99.94", "100.06", Tier.B),
        ("500000", "99.875", "100.125", Tier.B),
        ("499999", "99.875", "100.125", Tier.C),
        ("250000", "99.75", "100.25", Tier.C),
    ],
)
def test_tier_follows_volume_and_spread_with_both_bounds_included(volume: str, bid: str, ask: str, tier: Tier) -> None:
    judgement = judge_market(an_instrument(), a_ticker(volume=volume, bid=bid, ask=ask), DEFAULTS)

    assert isinstance(judgement, Eligible)
    assert judgement.tier is tier


def test_a_market_below_the_lowest_volume_is_excluded_with_both_numbers() -> None:
    judgement = judge_market(an_instrument(), a_ticker(volume="249999"), DEFAULTS)

    assert judgement == Excluded(Symbol("ADA/USD"), ExclusionReason.VOLUME_TOO_LOW, D(250_000), D(249_999))


def test_a_market_wider_than_the_widest_tier_is_excluded_with_both_numbers() -> None:
    judgement = judge_market(an_instrument(), a_ticker(bid="99.5", ask="100.5"), DEFAULTS)

    assert judgement == Excluded(Symbol("ADA/USD"), ExclusionReason.SPREAD_TOO_WIDE, D("0.0050"), D("0.01"))


def test_a_market_without_a_two_sided_quote_is_excluded_not_taken_as_tight() -> None:
    assert judge_market(an_instrument(), a_ticker(ask=None), DEFAULTS) == Excluded(Symbol("ADA/USD"), ExclusionReason.SPREAD_UNKNOWN)
    assert judge_market(an_instrument(), None, DEFAULTS) == Excluded(Symbol("ADA/USD"), ExclusionReason.NO_TICKER)


def test_a_pinned_coin_is_tier_a_however_thin() -> None:
    judgement = judge_market(an_instrument("DOGE/USD"), a_ticker("DOGE/USD", volume="1", bid="90", ask="110"), DEFAULTS)

    assert isinstance(judgement, Eligible)
    assert (judgement.tier, judgement.is_pinned) == (Tier.A, True)


def test_a_pin_does_not_open_a_suspended_market() -> None:
    judgement = judge_market(an_instrument("BTC/USD"), a_ticker("BTC/USD", status=TradingStatus.SUSPENDED), DEFAULTS)

    assert judgement == Excluded(Symbol("BTC/USD"), ExclusionReason.SUSPENDED)


@pytest.mark.parametrize(
    ("symbol", "parameters", "reason"),
    [
        ("EUR/USD", DEFAULTS, ExclusionReason.FIAT_OR_STABLE),
        ("USDT/USD", DEFAULTS, ExclusionReason.FIAT_OR_STABLE),
        ("ADA/USD", RegistryParameters(blocklist=frozenset({Symbol("ADA/USD")})), ExclusionReason.BLOCKLISTED),
        ("ADA/USD", RegistryParameters(candidate_symbols=frozenset({Symbol("BTC/USD")})), ExclusionReason.NOT_A_CANDIDATE),
    ],
)
def test_a_name_can_exclude_a_liquid_market(symbol: str, parameters: RegistryParameters, reason: ExclusionReason) -> None:
    assert judge_market(an_instrument(symbol), a_ticker(symbol), parameters) == Excluded(Symbol(symbol), reason)


def test_limits_of_the_tiers_are_those_of_the_specification() -> None:
    told = {t: (x.planned_leverage_max, x.notional_usd_max, x.slippage_max) for t, x in DEFAULTS.limits.items()}

    assert told == {
        Tier.A: (D(10), D(100_000), D("0.001")),
        Tier.B: (D(5), D(50_000), D("0.002")),
        Tier.C: (D(2), D(25_000), D("0.003")),
    }
