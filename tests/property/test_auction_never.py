"""What the auction never does, over random rooms full of candidates and holdings."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st

from risk_builders import LIMITS as RISK_LIMITS
from risk_builders import NOW, a_market, a_signal, a_situation, an_intent, an_item
from trading_system.domain.exposure import ExposureItem, ExposureKind, total_planned_margin
from trading_system.domain.orders import Direction, PositionId
from trading_system.domain.symbols import Symbol
from trading_system.portfolio.auction_allocator import AuctionPlan, allocate
from trading_system.portfolio.candidate import AuctionLimits, Candidate, Holding
from trading_system.risk.risk_manager import dry_judge

LIMITS = AuctionLimits()
NAMES = [Symbol(f"{name}/USD") for name in "ABCDEFGHIJKLMN"]
EQUITY = D("10000")


@st.composite
def rooms(draw: st.DrawFn) -> tuple[list[Candidate], list[Holding], list[ExposureItem]]:
    fewest = draw(st.sampled_from([0, 4, 8]))  # a full house is where replacements happen
    held = draw(st.lists(st.sampled_from(NAMES), min_size=fewest, max_size=9, unique=True))
    holdings, items = [], []
    for name in held:
        direction = draw(st.sampled_from(Direction))
        item = an_item(
            str(name),
            direction,
            qty=str(draw(st.sampled_from([1, 5, 60]))),
            entry=str(100 - direction.sign),
            stop=str(100 - direction.sign * draw(st.sampled_from([D("0.5"), D("1.5")]))),
        )
        items.append(item)
        holdings.append(
            Holding(
                position_id=PositionId(f"{name}-1"),
                symbol=name,
                direction=direction,
                cluster=draw(st.sampled_from("XXY")),
                entry_score=D(draw(st.integers(60, 100))),
                open_r=draw(st.decimals("-1", "3", places=1)),
                opened_at=NOW - timedelta(minutes=draw(st.sampled_from([14, 15, 60, 600]))),
                planned_margin=item.planned_margin,
                is_protected=draw(st.sampled_from([True, True, True, False])),
                is_closing=draw(st.sampled_from([False, False, False, True])),
                is_adopted=draw(st.sampled_from([False, False, False, True])),
            )
        )
    free = [name for name in NAMES if name not in held]
    if free and draw(st.booleans()):
        items.append(an_item(str(free[0]), qty="5", kind=ExposureKind.UNKNOWN))
    candidates = [
        Candidate(
            an_intent(
                a_signal(
                    str(draw(st.sampled_from(NAMES))),
                    draw(st.sampled_from(Direction)),
                    score=float(draw(st.integers(60, 100))),
                    at_ms=draw(st.sampled_from([1, 2])),
                )
            ),
            draw(st.sampled_from("XY")),
        )
        for _ in range(draw(st.integers(0, 7)))
    ]
    return candidates, holdings, items


def run(candidates: list[Candidate], holdings: list[Holding], items: list[ExposureItem]) -> AuctionPlan:
    judge = dry_judge(lambda symbol: replace(a_situation(str(EQUITY)), market=a_market(str(symbol))), RISK_LIMITS)
    return allocate(candidates, holdings, items, equity=EQUITY, judge=judge, limits=LIMITS, now=NOW)


@settings(max_examples=200, deadline=None)
@given(rooms())
def test_the_plan_stays_within_every_limit_and_closes_only_for_a_named_rival(
    room: tuple[list[Candidate], list[Holding], list[ExposureItem]],
) -> None:
    candidates, holdings, items = room
    plan = run(candidates, holdings, items)
    closed = {close.holding.symbol for close in plan.closes}
    left = [item for item in items if item.symbol not in closed]
    opened = [winner.decision.exposure for winner in plan.winners]

    # closes: one winner each, clearly better, never a locked one
    assert [(close.holding, close.rival) for close in plan.closes] == [(w.replaces, w.candidate) for w in plan.winners if w.replaces]
    for close in plan.closes:
        assert close.rival.value(LIMITS) - close.holding.value(LIMITS) == close.advantage >= 10
        assert close.holding.is_protected
        assert not close.holding.is_closing
        assert not close.holding.is_adopted
        assert NOW - close.holding.opened_at >= timedelta(minutes=15)
        assert close.holding.open_r <= 1
    # opens: free markets, within all numbers
    assert not {item.symbol for item in opened} & ({item.symbol for item in items})
    assert len({item.symbol for item in opened}) == len(opened) <= 5
    assert len(opened) + len(closed) <= 5
    if opened:
        assert len({item.symbol for item in (*left, *opened)}) <= 8
        assert total_planned_margin((*left, *opened)) <= D("0.90") * EQUITY
        after = [(h.cluster, h.direction) for h in holdings if h.symbol not in closed]
        after += [(w.candidate.cluster, w.candidate.direction) for w in plan.winners]
        for winner in plan.winners:
            assert after.count((winner.candidate.cluster, winner.candidate.direction)) <= 4
    # everyone is accounted for
    assert len(plan.winners) + len(plan.losers) == len(candidates)


@settings(max_examples=60, deadline=None)
@given(rooms(), st.integers(0, 1000))
def test_the_plan_does_not_depend_on_the_order_of_its_inputs(
    room: tuple[list[Candidate], list[Holding], list[ExposureItem]], seed: int
) -> None:
    candidates, holdings, items = room
    # identical twins have no order of their own
    candidates = list({(c.symbol, c.direction, c.intent.signal.score, c.intent.signal.at_ms, c.cluster): c for c in candidates}.values())
    shuffle = random.Random(seed).sample

    first = run(candidates, holdings, items)
    second = run(shuffle(candidates, len(candidates)), shuffle(holdings, len(holdings)), shuffle(items, len(items)))

    assert first == second
