"""The universe: what is added and removed, what a shrink does, and what stays known of a held market."""

from __future__ import annotations

from data_builders import ADA, BTC, D, a_ticker, an_instrument, at

from trading_system.data.market_registry import (
    InstrumentChange,
    MarketRegistry,
    ShrinkRejected,
    Universe,
    UniverseAccepted,
    UniverseDecision,
    decide_universe,
)
from trading_system.data.tiering import Eligible, Excluded, ExclusionReason, RegistryParameters
from trading_system.domain.market import Tier, TradingStatus
from trading_system.domain.symbols import Symbol


def discover(names: list[str], last: Universe | None = None, **ticker: str) -> UniverseDecision:
    return decide_universe([an_instrument(n) for n in names], [a_ticker(n, **ticker) for n in names], last, RegistryParameters(), at())


def a_universe(count: int) -> Universe:
    decision = discover([f"C{i}/USD" for i in range(count)])
    assert isinstance(decision, UniverseAccepted)
    return decision.universe


def a_registry(*names: str) -> MarketRegistry:
    registry = MarketRegistry()
    registry.apply_instruments([an_instrument(n) for n in names])
    decision = discover(list(names))
    assert isinstance(decision, UniverseAccepted)
    registry.apply(decision)
    return registry


def test_added_removed_and_changed_markets_are_named() -> None:
    first = discover(["BTC/USD", "ADA/USD", "XRP/USD"])
    assert isinstance(first, UniverseAccepted)
    second = decide_universe(
        [an_instrument("BTC/USD"), an_instrument("ADA/USD"), an_instrument("LTC/USD")],
        [a_ticker("BTC/USD"), a_ticker("ADA/USD", volume="600000"), a_ticker("LTC/USD")],
        first.universe,
        RegistryParameters(),
        at(4),
    )

    assert isinstance(second, UniverseAccepted)
    assert second.added == ("LTC/USD",)
    assert second.removed == (Excluded(Symbol("XRP/USD"), ExclusionReason.NOT_LISTED),)
    assert second.tier_changed == ((ADA, Tier.A, Tier.B),)


def test_a_discovery_below_half_of_the_last_good_universe_is_refused() -> None:
    decision = discover([f"C{i}/USD" for i in range(9)], a_universe(20))

    assert decision == ShrinkRejected(last_good_count=20, found_count=9, allowed_count_min=D(10))


def test_exactly_half_is_believed() -> None:
    assert isinstance(discover([f"C{i}/USD" for i in range(10)], a_universe(20)), UniverseAccepted)


def test_the_guard_leaves_a_small_universe_alone() -> None:
    assert isinstance(discover(["C1/USD"], a_universe(10)), UniverseAccepted)
    assert isinstance(discover(["C1/USD"], a_universe(11)), ShrinkRejected)


def test_a_held_market_that_leaves_the_universe_stays_managed_with_its_tier_and_facts() -> None:
    registry = a_registry("BTC/USD", "ADA/USD")
    registry.hold([ADA])
    decision = discover(["BTC/USD"], registry.universe)
    assert isinstance(decision, UniverseAccepted)
    registry.apply_instruments([an_instrument("BTC/USD")])
    registry.apply(decision)

    assert registry.eligible() == (BTC,)
    assert registry.managed() == (ADA, BTC)
    assert registry.entry_block(ADA) is ExclusionReason.NOT_LISTED
    assert registry.tier(ADA) is Tier.A
    assert registry.instrument(ADA) == an_instrument("ADA/USD")


def test_a_changed_fact_of_a_held_market_is_told_once() -> None:
    registry = a_registry("BTC/USD", "ADA/USD")
    registry.hold([ADA])
    changed = [an_instrument("ADA/USD", tick="0.01"), an_instrument("BTC/USD", tick="0.01")]

    assert registry.apply_instruments(changed) == (InstrumentChange(an_instrument("ADA/USD"), changed[0]),)
    assert registry.apply_instruments(changed) == ()


def test_post_only_blocks_entries_until_a_quote_says_open_again_and_the_market_stays_in_the_universe() -> None:
    registry = a_registry("ADA/USD")

    registry.observe_modes([a_ticker(status=TradingStatus.POST_ONLY)])
    assert registry.entry_block(ADA) is ExclusionReason.ENTRIES_BLOCKED_BY_MODE
    assert registry.eligible() == (ADA,)
    registry.observe_modes([a_ticker(status=TradingStatus.SUSPENDED)])
    assert registry.entry_block(ADA) is ExclusionReason.SUSPENDED
    registry.observe_modes([a_ticker()])
    assert registry.entry_block(ADA) is None


def test_explain_knows_something_of_every_symbol() -> None:
    registry = a_registry("ADA/USD")

    known = registry.explain(ADA)
    unknown = registry.explain(Symbol("NOPE/USD"))

    assert isinstance(known.judgement, Eligible)
    assert known.limits == registry.limits(Tier.A)
    assert unknown.judgement == Excluded(Symbol("NOPE/USD"), ExclusionReason.NOT_LISTED)
    assert (unknown.mode, unknown.limits, unknown.is_held) == (None, None, False)


def test_before_the_first_discovery_nothing_is_eligible_and_nothing_raises() -> None:
    registry = MarketRegistry()
    registry.hold([BTC])

    assert registry.eligible() == ()
    assert registry.managed() == (BTC,)
    assert registry.entry_block(BTC) is ExclusionReason.NOT_LISTED
