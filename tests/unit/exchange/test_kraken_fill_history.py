"""Fills are paged back until the moment asked for is covered, whatever the page size; none is lost, none is read twice."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_builders import AT, a_fill

from trading_system.domain.errors import ReadFailed
from trading_system.domain.orders import Fill
from trading_system.exchange.kraken_futures.fill_history import FillHistory


class Listing:
    """The venue's listing: newest first, pages of `size`, older pages strictly before a time."""

    def __init__(self, fills: list[Fill], size: int = 100) -> None:
        self.fills, self.size, self.asked = fills, size, 0

    def page(self, before: datetime | None = None) -> tuple[Fill, ...]:
        self.asked += 1
        if before is not None:
            # the wire knows milliseconds only
            before = before.replace(microsecond=before.microsecond // 1000 * 1000)
        rows = [fill for fill in self.fills if before is None or fill.at < before]
        return tuple(sorted(rows, key=lambda fill: fill.at, reverse=True)[: self.size])


def read(history: FillHistory, listing: Listing, since: datetime) -> list[str]:
    history.start(listing.page())
    while (before := history.next_before(since)) is not None:
        history.add(listing.page(before))
    return [fill.fill_id for fill in history.since_covered(since)]


def fills_at(seconds: list[int]) -> list[Fill]:
    return [a_fill(number, AT + timedelta(seconds=at)) for number, at in enumerate(seconds)]


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(7, 20), st.integers(-10, 410))
def test_every_fill_since_the_moment_is_found(seconds: list[int], size: int, since_s: int) -> None:
    # at most `size - 1` fills share a second, as otherwise no page could get past it
    seconds = [at for index, at in enumerate(sorted(seconds)) if sorted(seconds)[:index].count(at) < size - 1]
    fills, since = fills_at(seconds), AT + timedelta(seconds=since_s)
    history = FillHistory()

    for _ in range(2):
        found = read(history, Listing(fills, size), since)
        assert set(found) == {fill.fill_id for fill in fills if fill.at >= since}
        assert len(found) == len(set(found))


def test_one_page_is_enough_when_it_reaches_back_far_enough() -> None:
    listing = Listing(fills_at(list(range(50))), size=20)

    assert len(read(FillHistory(), listing, AT + timedelta(seconds=35))) == 15
    assert listing.asked == 1


def test_a_short_history_costs_its_second_page_only_once() -> None:
    listing, history = Listing(fills_at([1, 2, 3])), FillHistory()

    assert len(read(history, listing, AT)) == 3
    assert listing.asked == 2
    assert len(read(history, listing, AT)) == 3
    assert listing.asked == 3


def test_a_read_that_was_broken_off_continues_where_it_stopped() -> None:
    listing, history = Listing(fills_at(list(range(300))), size=20), FillHistory()
    history.start(listing.page())
    for _ in range(10):
        before = history.next_before(AT)
        assert before is not None
        history.add(listing.page(before))

    listing.asked = 0
    assert len(read(history, listing, AT)) == 300
    assert listing.asked <= 8  # instead of 16


def test_a_fill_once_seen_stays_known_when_the_listing_lags() -> None:
    fills, history = fills_at([1, 2]), FillHistory()
    read(history, Listing(fills), AT)

    assert read(history, Listing([]), AT) == ["f0", "f1"]
    assert read(history, Listing(fills[:1]), AT) == ["f0", "f1"]


def test_more_than_a_page_at_one_moment_fails_rather_than_losing_fills() -> None:
    with pytest.raises(ReadFailed, match="older ones cannot be read"):
        read(FillHistory(), Listing(fills_at([5] * 150)), AT)
