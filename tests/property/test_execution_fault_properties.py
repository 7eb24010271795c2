"""Whatever the venue's answers are: one entry per intent, protection without gaps, books equal to the venue in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from execution_builders import BTC, an_approved
from fakes.execution_rig import Rig
from fakes.execution_venue import FakeVenue, ManualClock
from trading_system.domain.orders import EntryOrder, EntryStyle, OrderRequest, StopAmendment
from trading_system.domain.positions import PositionState

WORDS = ("ok", "ok", "reject:insufficientAvailableFunds", "lost", "late", "raise", "share:0.4")


def check(rig: Rig) -> None:
    """P1, P2, P3, P5 and P8 on the venue's own log."""
    venue, state = rig.venue, rig.journal.state
    assert sum(isinstance(request, EntryOrder) for request in venue.requests) <= 1
    assert set(state.fills) == {fill.fill_id for fill in venue.fills_log}
    held = abs(venue.net.get(BTC, Decimal(0)))
    assert sum((position.qty for position in state.positions.values() if position.state.is_active), Decimal(0)) == held
    assert venue.covered(BTC) >= held
    assert all(order.side.sign * venue.net.get(BTC, Decimal(0)) <= 0 for order in venue.accepted[1:])
    before_covered, before_held = Decimal(0), Decimal(0)
    for what, covered, now_held in venue.coverage:
        if now_held >= before_held:
            assert covered >= min(before_covered, now_held), what
        before_covered, before_held = covered, now_held
    assert rig.restart().journal.state.positions == state.positions


def scripted(words: list[str]) -> Iterator[str]:
    yield from words
    while True:
        yield "ok"


async def run(words: list[str], cancels: list[str], marks: list[int], style: EntryStyle, share: str) -> Rig:
    venue = FakeVenue(ManualClock())
    answers, cancel_answers = scripted(words), scripted(cancels)

    def verdict(request: OrderRequest | StopAmendment) -> str:
        word = next(answers)
        return "ok" if word.startswith("share") and not isinstance(request, EntryOrder) else word

    venue.verdict = verdict
    venue.cancel_verdict = lambda resting: next(cancel_answers)
    rig = Rig(venue)
    await rig.gateway.open_entry(an_approved(style=style))
    for index, mark in enumerate(marks):
        venue.mark = Decimal(mark)
        resting = [key for key, known in venue.resting.items() if known.order.client_order_id and "-en-" in known.order.client_order_id]
        if resting and index % 2:
            venue.fill_resting(str(venue.resting[resting[0]].order.client_order_id), share)
        takes = [o.order for o in venue.resting.values() if o.order.client_order_id and "-tp" in o.order.client_order_id]
        for order in takes:
            if order.limit_price is not None and order.limit_price <= mark:
                venue.fill_resting(str(order.client_order_id))
        await rig.step()
    venue.mark = Decimal(max(97, marks[-1]))
    # the entry's time, six lost cancels ten seconds apart, and the minute an entry that ended empty is waited for
    await rig.steps(100)
    return rig


@given(
    st.lists(st.sampled_from(WORDS), max_size=12),
    st.lists(st.sampled_from(("ok", "lost", "gone")), max_size=6),
    st.lists(st.integers(97, 130), min_size=1, max_size=15),
    st.sampled_from(EntryStyle),
    st.sampled_from(("1", "0.5")),
)
@settings(max_examples=120, deadline=None)
def test_whatever_the_venue_answers_books_and_venue_agree_and_nothing_is_sent_twice(
    words: list[str], cancels: list[str], marks: list[int], style: EntryStyle, share: str
) -> None:
    rig = asyncio.run(run(words, cancels, marks, style, share))
    check(rig)
    for position in rig.journal.state.positions.values():
        assert position.state in (PositionState.PROTECTED, PositionState.PARTIAL, PositionState.CLOSED, PositionState.CANCELLED)
