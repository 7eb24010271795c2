"""The auction: who wins, who makes room, and that nobody is closed without a rival."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from risk_builders import LIMITS as RISK_LIMITS
from risk_builders import NOW, a_market, a_signal, a_situation, an_intent, an_item
from trading_system.domain.errors import ConfigError
from trading_system.domain.exposure import ExposureItem, ExposureKind
from trading_system.domain.intents import EntryDecision, EntryIntent, RefusalReason, Refused
from trading_system.domain.orders import Direction, PositionId
from trading_system.domain.symbols import Symbol
from trading_system.portfolio.auction_allocator import AuctionPlan, LossReason, allocate
from trading_system.portfolio.candidate import AuctionLimits, Candidate, Holding
from trading_system.risk.risk_manager import dry_judge

LIMITS = AuctionLimits()


def a_candidate(symbol: str, score: float = 80.0, cluster: str = "", **signal: Any) -> Candidate:
    return Candidate(an_intent(a_signal(symbol, score=score, **signal)), cluster or symbol)


def a_holding(symbol: str, score: str = "60", **changes: Any) -> Holding:
    plain = Holding(
        position_id=PositionId(f"{symbol}-1"),
        symbol=Symbol(symbol),
        direction=Direction.LONG,
        cluster=symbol,
        entry_score=D(score),
        open_r=D(0),
        opened_at=NOW - timedelta(hours=1),
        planned_margin=an_item().planned_margin,
        is_protected=True,
    )
    return replace(plain, **changes)


def item_of(holding: Holding, qty: str = "1") -> ExposureItem:
    # a stop past break-even: the holding takes margin and a place, but no open risk
    return an_item(str(holding.symbol), holding.direction, qty=qty, mark="100", entry="99", stop="99.5")


def auction(
    candidates: list[Candidate],
    holdings: list[Holding] | None = None,
    *,
    items: list[ExposureItem] | None = None,
    limits: AuctionLimits = LIMITS,
    judge: Any = None,
    equity: str = "10000",
) -> AuctionPlan:
    holdings = holdings or []
    asked = dry_judge(lambda symbol: replace(a_situation(equity), market=a_market(str(symbol))), RISK_LIMITS)
    return allocate(
        candidates,
        holdings,
        [item_of(h) for h in holdings] if items is None else items,
        equity=D(equity),
        judge=judge or asked,
        limits=limits,
        now=NOW,
    )


def winners(plan: AuctionPlan) -> list[str]:
    return [str(winner.candidate.symbol) for winner in plan.winners]


def losers(plan: AuctionPlan) -> list[tuple[str, LossReason]]:
    return [(str(loser.candidate.symbol), loser.reason) for loser in plan.losers]


def full_house(weakest: str = "60", **of_weakest: Any) -> list[Holding]:
    return [a_holding("WEAK/USD", weakest, **of_weakest), *(a_holding(f"H{i}/USD", "75") for i in range(7))]


def test_with_room_everyone_who_passes_wins_the_best_first() -> None:
    plan = auction([a_candidate("B/USD", 70), a_candidate("A/USD", 90)])

    assert (winners(plan), plan.losers, plan.closes) == (["A/USD", "B/USD"], (), ())
    assert plan.winners[0].value == 88


def test_equals_are_ordered_by_age_then_symbol() -> None:
    older = a_candidate("Z/USD", at_ms=1_741_175_000_000)

    assert winners(auction([a_candidate("B/USD"), a_candidate("A/USD"), older])) == ["Z/USD", "A/USD", "B/USD"]


def test_a_better_rival_replaces_the_weakest_when_all_places_are_taken() -> None:
    plan = auction([a_candidate("NEW/USD", 90)], full_house())

    assert winners(plan) == ["NEW/USD"]
    assert plan.winners[0].replaces == full_house()[0]
    assert [(close.holding.symbol, close.rival.symbol, close.advantage) for close in plan.closes] == [("WEAK/USD", "NEW/USD", D(30))]


@pytest.mark.parametrize(("score", "replaced"), [(70.0, True), (69.99, False)])
def test_a_rival_needs_an_advantage_of_ten_after_costs(score: float, replaced: bool) -> None:
    plan = auction([a_candidate("NEW/USD", score)], full_house())

    assert bool(plan.closes) is replaced
    if not replaced:
        assert losers(plan) == [("NEW/USD", LossReason.POSITIONS_MAX)]
        assert plan.losers[0].best_advantage == D("9.99")


@pytest.mark.parametrize(
    "locked",
    [
        {"opened_at": NOW - timedelta(minutes=14, seconds=59)},
        {"is_protected": False},
        {"is_closing": True},
        {"is_adopted": True},
        {"open_r": D("1.01"), "entry_score": D("40")},
    ],
    ids=["young", "unprotected", "closing", "adopted", "winner beyond 1 R"],
)
def test_a_locked_position_is_never_closed_for_a_rival(locked: dict[str, Any]) -> None:
    plan = auction([a_candidate("NEW/USD", 84)], full_house(**{"weakest": "60", **locked} if "entry_score" not in locked else locked))

    assert plan.closes == ()
    assert losers(plan) == [("NEW/USD", LossReason.POSITIONS_MAX)]


def test_a_winner_may_be_replaced_only_when_configured() -> None:
    house = full_house(open_r=D("1.5"), entry_score=D("40"))
    allowed = replace(LIMITS, may_replace_winners=True)

    assert auction([a_candidate("NEW/USD", 84)], house).closes == ()
    assert [close.holding.symbol for close in auction([a_candidate("NEW/USD", 84)], house, limits=allowed).closes] == ["WEAK/USD"]


@pytest.mark.parametrize(
    "candidates", [[], [a_candidate("NEW/USD", 69)], [a_candidate("H1/USD", 99)]], ids=["none", "too weak", "same market"]
)
def test_without_a_winning_rival_nothing_is_closed_however_weak_it_is(candidates: list[Candidate]) -> None:
    house = full_house("-50") if not candidates or candidates[0].symbol == "H1/USD" else full_house()

    assert auction(candidates, house).closes == ()


def test_a_market_that_is_held_in_flight_or_of_unknown_fate_is_taken() -> None:
    plan = auction(
        [a_candidate("A/USD"), a_candidate("B/USD"), a_candidate("C/USD")],
        [a_holding("A/USD")],
        items=[item_of(a_holding("A/USD")), an_item("B/USD", kind=ExposureKind.UNKNOWN), an_item("C/USD", kind=ExposureKind.IN_FLIGHT)],
    )

    assert losers(plan) == [(symbol, LossReason.SYMBOL_TAKEN) for symbol in ("A/USD", "B/USD", "C/USD")]


def test_two_candidates_of_one_market_cannot_both_win() -> None:
    plan = auction([a_candidate("A/USD", 80), a_candidate("A/USD", 90, direction=Direction.SHORT)])

    assert (winners(plan), losers(plan)) == (["A/USD"], [("A/USD", LossReason.SYMBOL_TAKEN)])
    assert plan.winners[0].candidate.direction is Direction.SHORT


def test_at_most_four_of_a_cluster_go_the_same_way() -> None:
    held = [a_holding(f"H{i}/USD", "75", cluster="BTC/USD") for i in range(4)]

    plan = auction(
        [a_candidate("L/USD", 80, "BTC/USD"), a_candidate("S/USD", 80, "BTC/USD", direction=Direction.SHORT), a_candidate("O/USD", 80)],
        held,
    )

    assert (sorted(winners(plan)), losers(plan)) == (["O/USD", "S/USD"], [("L/USD", LossReason.CLUSTER_MAX)])


def test_a_full_cluster_is_relieved_only_by_one_of_its_own() -> None:
    held = [a_holding("OUT/USD", "10"), *(a_holding(f"H{i}/USD", "60", cluster="BTC/USD") for i in range(4))]

    plan = auction([a_candidate("L/USD", 80, "BTC/USD")], held)

    assert [close.holding.symbol for close in plan.closes] == ["H0/USD"]


def test_no_more_than_five_trades_in_a_cycle() -> None:
    plan = auction([a_candidate(f"N{i}/USD", 80 + i) for i in range(6)], equity="100000")

    assert winners(plan) == ["N5/USD", "N4/USD", "N3/USD", "N2/USD"]  # 1 % risk each: the fifth has no open risk left
    assert [reason for _, reason in losers(plan)] == [LossReason.RISK_REFUSED, LossReason.RISK_REFUSED]


def test_the_limits_per_cycle_bind() -> None:
    two = replace(LIMITS, opens_max=2)
    three = replace(LIMITS, trades_max=3)
    rivals = [a_candidate(f"N{i}/USD", 95) for i in range(3)]

    assert losers(auction(rivals, limits=two)) == [("N2/USD", LossReason.OPENS_PER_CYCLE)]
    swapped = auction(rivals, [a_holding(f"W{i}/USD", "10") for i in range(8)], limits=three)
    assert (len(swapped.winners), len(swapped.closes)) == (1, 1)
    assert [reason for _, reason in losers(swapped)] == [LossReason.POSITIONS_MAX, LossReason.POSITIONS_MAX]


def test_a_candidate_the_risk_manager_refuses_for_itself_does_not_compete() -> None:
    refused = Refused(RefusalReason.SYMBOL_PAUSED, D(0), D(60))

    def judge(intent: EntryIntent, items: tuple[ExposureItem, ...], opens_before: int) -> EntryDecision:
        return refused

    plan = auction([a_candidate("NEW/USD", 99)], full_house("0"), judge=judge, limits=replace(LIMITS, positions_max=20))

    assert (losers(plan), plan.losers[0].refused, plan.closes) == ([("NEW/USD", LossReason.RISK_REFUSED)], refused, ())


def test_margin_is_planned_with_the_winners_already_accepted() -> None:
    limits = replace(LIMITS, planned_utilization_max=D("0.10"))

    plan = auction([a_candidate("A/USD", 90), a_candidate("B/USD", 80)], limits=limits)  # each plans about 7 % of equity

    assert (winners(plan), losers(plan)) == (["A/USD"], [("B/USD", LossReason.MARGIN)])


@pytest.mark.parametrize("build", [lambda: AuctionLimits(positions_max=0), lambda: AuctionLimits(advantage_min=D(-1))])
def test_senseless_limits_are_refused(build: Any) -> None:
    with pytest.raises(ConfigError, match="auction"):
        build()
