"""Discovery: when it is due, what a failed read does, and what the cache is good for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from data_builders import ADA, BTC, D, FakeVenue, ManualClock, a_ticker, an_instrument, at

from trading_system.data.market_discovery import MarketDiscovery, SpecSource
from trading_system.data.market_registry import MarketRegistry, ShrinkRejected, UniverseAccepted
from trading_system.data.spec_cache import load_specs, save_specs
from trading_system.data.tiering import RegistryParameters
from trading_system.domain.market import Tier
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Qty


def a_discovery(cache: Path | None = None) -> tuple[MarketDiscovery, FakeVenue, ManualClock, MarketRegistry]:
    clock, registry = ManualClock(), MarketRegistry()
    names = ("BTC/USD", "ADA/USD")
    venue = FakeVenue(clock, listed=tuple(an_instrument(n) for n in names), quotes=tuple(a_ticker(n) for n in names))
    return MarketDiscovery(venue, clock, registry, cache), venue, clock, registry


async def test_discovery_fills_the_registry_and_is_due_again_after_four_hours() -> None:
    discovery, _, _, registry = a_discovery()
    assert discovery.is_due(at())

    report = await discovery.discover()

    assert isinstance(report.decision, UniverseAccepted)
    assert (report.tier_counts, [e.symbol for e in report.pinned]) == ({Tier.A: 2}, [BTC])
    assert registry.eligible() == (ADA, BTC)
    assert not discovery.is_due(at(3, minutes=59))
    assert discovery.is_due(at(4))


async def test_failed_tickers_change_nothing_and_are_tried_again_in_five_minutes() -> None:
    discovery, venue, clock, registry = a_discovery()
    await discovery.discover()
    venue.quotes, clock.moment = None, at(4)

    report = await discovery.discover()

    assert (report.decision, report.failure) == (None, "tickers: tickers")
    assert registry.eligible() == (ADA, BTC)
    assert not discovery.is_due(at(4, minutes=4))
    assert discovery.is_due(at(4, minutes=5))


async def test_failed_instruments_fall_back_to_a_fresh_cache_but_not_to_an_old_one(tmp_path: Path) -> None:
    discovery, venue, clock, _ = a_discovery(tmp_path / "specs.json")
    await discovery.discover()
    venue.listed = None

    clock.moment = at(12)
    fresh = await discovery.discover()
    clock.moment = at(12, seconds=1)
    old = await discovery.discover()

    assert (fresh.spec_source, fresh.failure) == (SpecSource.CACHE, None)
    assert (old.decision, old.failure) == (None, "instruments: instruments")


async def test_a_maintenance_answer_keeps_the_old_universe() -> None:
    discovery, venue, _, registry = a_discovery()
    names = [f"C{i}/USD" for i in range(30)]
    venue.listed, venue.quotes = tuple(an_instrument(n) for n in names), tuple(a_ticker(n) for n in names)
    await discovery.discover()
    venue.listed = venue.listed[:3]

    report = await discovery.discover()

    assert report.decision == ShrinkRejected(30, 3, D(15))
    assert len(registry.eligible()) == 30


async def test_the_shrink_guard_remembers_the_last_universe_over_a_restart(tmp_path: Path) -> None:
    """A restart during the venue's maintenance took whatever three markets there were for the universe."""
    discovery, venue, _, _ = a_discovery(tmp_path / "specs.json")
    names = [f"C{i}/USD" for i in range(30)]
    venue.listed, venue.quotes = tuple(an_instrument(n) for n in names), tuple(a_ticker(n) for n in names)
    await discovery.discover()
    again, venue, _, registry = a_discovery(tmp_path / "specs.json")
    venue.listed, venue.quotes = tuple(an_instrument(n) for n in names[:3]), tuple(a_ticker(n) for n in names[:3])

    again.restore()
    assert not again.is_done
    report = await again.discover()

    assert report.decision == ShrinkRejected(30, 3, D(15))
    assert again.is_done
    assert len(registry.eligible()) == 30
    venue.listed, venue.quotes = tuple(an_instrument(n) for n in names[:20]), tuple(a_ticker(n) for n in names[:20])
    report = await again.discover()
    assert isinstance(report.decision, UniverseAccepted)
    assert (report.decision.added, len(report.decision.removed)) == ((), 10)


async def test_a_universe_that_was_judged_by_other_rules_guards_nothing(tmp_path: Path) -> None:
    """Who narrows the list on purpose must not be refused for it."""
    discovery, venue, clock, _ = a_discovery(tmp_path / "specs.json")
    names = [f"C{i}/USD" for i in range(30)]
    venue.listed, venue.quotes = tuple(an_instrument(n) for n in names), tuple(a_ticker(n) for n in names)
    await discovery.discover()
    narrow = MarketRegistry(RegistryParameters(candidate_symbols=frozenset({Symbol("C1/USD"), Symbol("C2/USD")})))
    again = MarketDiscovery(venue, clock, narrow, tmp_path / "specs.json")

    again.restore()
    report = await again.discover()

    assert isinstance(report.decision, UniverseAccepted)
    assert narrow.eligible() == (Symbol("C1/USD"), Symbol("C2/USD"))


async def test_a_start_without_the_venue_knows_ticks_and_sizes_from_the_cache_however_old(tmp_path: Path) -> None:
    before, *_ = a_discovery(tmp_path / "specs.json")
    await before.discover()
    discovery, _, _, registry = a_discovery(tmp_path / "specs.json")

    assert discovery.restore() == at()
    assert registry.instrument(ADA) == an_instrument("ADA/USD")
    assert registry.eligible() == ()


def test_cached_specs_are_exact(tmp_path: Path) -> None:
    told = (an_instrument(tick="0.000000123456789123"),)
    save_specs(tmp_path / "specs.json", told, at())

    cached = load_specs(tmp_path / "specs.json")

    assert cached is not None
    assert (cached.instruments, cached.saved_at) == (told, at())


def test_a_damaged_cache_is_no_cache(tmp_path: Path) -> None:
    path = tmp_path / "specs.json"
    save_specs(path, (an_instrument(),), at())
    path.write_bytes(path.read_bytes()[:-10])

    assert load_specs(path) is None
    assert load_specs(tmp_path / "absent.json") is None


async def test_a_cache_that_cannot_be_written_is_reported_and_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    discovery, _, _, registry = a_discovery(tmp_path / "file" / "specs.json")

    report = await discovery.discover()

    assert report.cache_failure is not None
    assert registry.eligible() == (ADA, BTC)


async def test_facts_are_read_again_between_discoveries_and_the_changes_of_what_was_asked_for_are_told() -> None:
    discovery, venue, _, registry = a_discovery()
    await discovery.discover()
    venue.listed = tuple(replace(one, size_step=D("10"), size_min=Qty(D("10"))) for one in venue.listed or ())

    reread = await discovery.reread_facts([ADA])

    assert [(change.now.symbol, change.now.size_step) for change in reread.changes] == [(ADA, D(10))]
    assert registry.eligible() == (ADA, BTC)


async def test_facts_that_cannot_be_read_again_stay_as_they_are() -> None:
    discovery, venue, _, registry = a_discovery()
    await discovery.discover()
    before, venue.listed = registry.instrument(ADA), None

    reread = await discovery.reread_facts([ADA])

    assert (reread.changes, reread.failure) == ((), "instruments: instruments")
    assert registry.instrument(ADA) == before


def test_the_smallest_order_is_on_the_step_and_not_below_the_minimum() -> None:
    facts = an_instrument()

    assert replace(facts, size_step=D("0.001"), size_min=Qty(D("0.0015"))).size_unit == D("0.002")
    assert replace(facts, size_step=D("1000"), size_min=Qty(D("1"))).size_unit == D("1000")
