"""The MarketData port, on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from fakes.scripted_market import START_MS
from fakes.venue_under_test import ADAPTERS, BTC, DOGE, VenueUnderTest, a_venue_under_test
from trading_system.domain.market import Timeframe, TradingStatus
from trading_system.domain.orders import EntryStyle
from trading_system.sim.model import MarketMode

D = Decimal


@pytest.fixture(params=ADAPTERS)
async def venue(request: pytest.FixtureRequest) -> AsyncIterator[VenueUnderTest]:
    async with a_venue_under_test(request.param) as venue:
        yield venue


async def test_instruments_carry_the_fixed_facts_exactly(venue: VenueUnderTest) -> None:
    found = {instrument.symbol: instrument for instrument in await venue.market_data.instruments()}

    assert set(found) == {BTC, DOGE}
    assert (found[BTC].venue_symbol, found[BTC].tick, found[BTC].size_step, found[BTC].size_min) == (
        "PF_XBTUSD",
        1,
        D("0.0001"),
        D("0.0001"),
    )
    assert (found[DOGE].tick, found[DOGE].size_step, found[DOGE].position_size_max) == (D("0.00001"), 1, 70_000_000)
    assert found[BTC].margin_levels[0].initial == D("0.02")
    assert found[BTC].margin_level(D(1_500_000)).maintenance == D("0.02")


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        (MarketMode.ONLINE, TradingStatus.OPEN),
        (MarketMode.POST_ONLY, TradingStatus.POST_ONLY),
        (MarketMode.SUSPENDED, TradingStatus.SUSPENDED),
    ],
)
async def test_what_a_market_accepts_shows_in_its_quote(venue: VenueUnderTest, mode: MarketMode, status: TradingStatus) -> None:
    venue.exchange.set_mode("PF_XBTUSD", mode)

    (quote,) = [quote for quote in await venue.market_data.tickers() if quote.symbol == BTC]

    assert quote.status is status


async def test_quotes_are_two_sided_and_as_old_as_the_request(venue: VenueUnderTest) -> None:
    quotes = {quote.symbol: quote for quote in await venue.market_data.tickers()}

    btc = quotes[BTC]
    assert set(quotes) == {BTC, DOGE}
    assert (btc.bid, btc.ask, btc.last, btc.mark, btc.index) == (79_998, 80_002, 80_000, 80_000, 80_000)
    assert abs((btc.at - venue.now).total_seconds()) < 1
    assert btc.spread == D(4) * 2 / D(160_000)
    assert btc.volume_quote_24h > 0


async def test_the_book_is_best_first_and_holds_our_own_orders(venue: VenueUnderTest) -> None:
    await venue.orders.submit(venue.entry("79999", "0.5", style=EntryStyle.POST_ONLY))

    book = await venue.market_data.order_book(BTC)

    bids, asks = ([level.price for level in side] for side in (book.bids, book.asks))
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert (book.bids[0].price, book.bids[0].qty, book.asks[0].price) == (79_999, D("0.5"), 80_002)


@pytest.mark.parametrize("timeframe", list(Timeframe))
async def test_candles_cover_exactly_what_was_asked_both_ends_included(venue: VenueUnderTest, timeframe: Timeframe) -> None:
    first, last = START_MS - 20 * timeframe.ms, START_MS - timeframe.ms

    bars = await venue.market_data.candles(BTC, timeframe, first, last)

    assert [bar.open_ms for bar in bars] == list(range(first, last + 1, timeframe.ms))
    assert (bars[0].open, bars[0].high, bars[0].low, bars[0].close) == pytest.approx((80_000.0, 80_080.0, 79_920.0, 80_000.0))


async def test_candles_between_two_openings_are_explicitly_none(venue: VenueUnderTest) -> None:
    assert await venue.market_data.candles(BTC, Timeframe.H1, START_MS - 1_800_000, START_MS - 1_000) == ()


async def test_more_candles_than_a_page_come_whole_with_the_running_one_last(venue: VenueUnderTest) -> None:
    bars = await venue.market_data.candles(BTC, Timeframe.M15, START_MS - 2_500 * Timeframe.M15.ms, START_MS + Timeframe.M15.ms)

    assert [bar.open_ms for bar in bars] == list(range(START_MS - 2_500 * Timeframe.M15.ms, START_MS + 1, Timeframe.M15.ms))
