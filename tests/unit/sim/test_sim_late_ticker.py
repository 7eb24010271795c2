"""Quotes that are worked out when somebody reads them: the same figures, as of their own moment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim_builders import BTC, D, Venue
from trading_system.domain.market import Ticker
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price
from trading_system.sim.late_ticker import LateTicker
from trading_system.sim.model import SendRequest
from trading_system.sim.ports import SimVenue


async def quote_of(venue: SimVenue) -> Ticker:
    return next(ticker for ticker in await venue.tickers() if ticker.symbol == Symbol("BTC/USD"))


async def test_every_field_is_what_the_exchange_tells() -> None:
    world = Venue()
    ticker, row, full = await quote_of(SimVenue(world.exchange)), world.exchange.top(BTC), world.exchange.quote(BTC)

    assert isinstance(ticker, LateTicker)
    assert ticker.has_spread
    assert (ticker.bid, ticker.ask, ticker.last, ticker.mark, ticker.index) == (row.bid, row.ask, row.last, row.mark, row.index_price)
    assert (full.bid, full.ask, full.last, full.mark, full.index) == (row.bid, row.ask, row.last, row.mark, row.index_price)
    assert (ticker.volume_quote_24h, ticker.open_interest) == (row.volume_quote_24h, row.open_interest)
    assert ticker.funding_rate_hourly == row.relative_funding_rate
    with pytest.raises(AttributeError):
        _ = ticker.no_such_field  # type: ignore[attr-defined]


async def test_a_quote_that_is_read_later_is_still_of_its_own_moment() -> None:
    world = Venue()
    venue = SimVenue(world.exchange)
    early, last = await quote_of(venue), world.exchange.top(BTC).last
    world.price(70_000.0)

    assert early.last == last != (await quote_of(venue)).last


async def test_a_quote_that_did_not_change_is_good_at_a_later_moment() -> None:
    world = Venue()
    venue = SimVenue(world.exchange)
    early = await quote_of(venue)
    world.exchange.advance_to(world.exchange.now_ms + 1)
    later = await quote_of(venue)

    assert later.at > early.at
    assert (later.bid, later.ask, later.mark) == (early.bid, early.ask, early.mark)


async def test_an_order_of_ours_in_the_book_is_in_the_quote_at_once() -> None:
    world = Venue()
    venue = SimVenue(world.exchange)
    ask = (await quote_of(venue)).ask
    assert ask is not None
    better = ask - world.exchange.spec(BTC).tick
    world.exchange.send(SendRequest(BTC, "post", "sell", D("0.01"), limit_price=better))

    assert (await quote_of(venue)).ask == better


async def test_a_changed_copy_is_judged_by_what_it_says() -> None:
    ticker = await quote_of(SimVenue(Venue().exchange))

    assert ticker.has_sound_mark
    assert not replace(ticker, bid=None).has_spread
    assert not replace(ticker, mark=Price(D(0))).has_sound_mark
    assert replace(ticker, mark=None).has_sound_mark
