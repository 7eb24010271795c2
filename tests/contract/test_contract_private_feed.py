"""The PrivateFeed port, on every adapter: what it tells agrees with the listings, which stay the authority."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from decimal import Decimal

import pytest

from fakes.scripted_market import START_MS
from fakes.venue_under_test import ADAPTERS, BTC, VenueUnderTest, a_stop, a_venue_under_test
from trading_system.domain.account import FeedEvent, FeedFill, FeedOrder, FeedPositions, FeedReset
from trading_system.domain.orders import EntryStyle, Placed, VenueOrderId
from trading_system.domain.units import from_ms

D = Decimal


class Listener:
    def __init__(self, venue: VenueUnderTest) -> None:
        self.events: list[FeedEvent] = []
        self._task = asyncio.ensure_future(self._listen(venue))

    async def _listen(self, venue: VenueUnderTest) -> None:
        async with aclosing(venue.feed.events()) as stream:  # type: ignore[type-var]
            async for event in stream:
                self.events.append(event)

    async def until(self, is_heard: Callable[[FeedEvent], object]) -> None:
        async with asyncio.timeout(5):
            while not any(is_heard(event) for event in self.events):
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture(params=ADAPTERS)
async def venue(request: pytest.FixtureRequest) -> AsyncIterator[VenueUnderTest]:
    async with a_venue_under_test(request.param, {"PF_XBTUSD": {0: 80_000.0, 60: 77_500.0}, "PF_DOGEUSD": {0: 0.2}}) as venue:
        yield venue


@pytest.fixture
async def listener(venue: VenueUnderTest) -> AsyncIterator[Listener]:
    listener = Listener(venue)
    await listener.until(lambda event: isinstance(event, FeedReset))
    yield listener
    await listener.stop()


def gone(order: VenueOrderId) -> Callable[[FeedEvent], object]:
    return lambda event: isinstance(event, FeedOrder) and event.venue_order_id == order and event.gone_reason


async def test_it_begins_by_asking_for_everything_to_be_read(listener: Listener) -> None:
    assert listener.events[0] == FeedReset("connected")


async def test_a_fill_is_told_with_its_fee_and_equals_the_listed_one(venue: VenueUnderTest, listener: Listener) -> None:
    await venue.orders.submit(venue.entry())
    await listener.until(lambda event: isinstance(event, FeedFill))
    (told,) = [event.fill for event in listener.events if isinstance(event, FeedFill)]
    (listed,) = await venue.account.fills(from_ms(START_MS))

    assert told.fee_usd == D("0.40001")
    assert (told.fill_id, told.venue_order_id, told.client_order_id, told.symbol, told.side, told.qty, told.price, told.at, told.kind) == (
        listed.fill_id,
        listed.venue_order_id,
        listed.client_order_id,
        listed.symbol,
        listed.side,
        listed.qty,
        listed.price,
        listed.at,
        listed.kind,
    )


async def test_an_order_is_told_when_it_appears_and_when_it_leaves(venue: VenueUnderTest, listener: Listener) -> None:
    outcome = await venue.orders.submit(venue.entry("79000", style=EntryStyle.LIMIT))
    assert isinstance(outcome, Placed)
    await listener.until(lambda event: isinstance(event, FeedOrder) and event.venue_order_id == outcome.venue_order_id)
    await venue.orders.cancel(BTC, None, outcome.venue_order_id)
    await listener.until(gone(outcome.venue_order_id))

    told = [event for event in listener.events if isinstance(event, FeedOrder)]
    assert [event.gone_reason for event in told] == [None, "cancelled_by_user"]
    assert told[0].client_order_id == "en-1"


async def test_a_stop_that_fires_is_told_with_its_fill_and_an_empty_position_list(venue: VenueUnderTest, listener: Listener) -> None:
    await venue.orders.submit(venue.entry())
    stop = await venue.orders.submit(a_stop())
    assert isinstance(stop, Placed)
    await listener.until(lambda event: isinstance(event, FeedPositions) and event.positions)
    venue.advance_to(START_MS + 65_000)
    await listener.until(gone(stop.venue_order_id))
    await listener.until(lambda event: isinstance(event, FeedPositions) and listener.events.index(event) and not event.positions)

    assert [event.fill.client_order_id for event in listener.events if isinstance(event, FeedFill)] == ["en-1", "sl-1"]
    last = [event for event in listener.events if isinstance(event, FeedPositions)][-1]
    assert last == FeedPositions(())
