"""The three lagging listings: each as it was its own delay ago, while status, account and feeds are of now."""

from __future__ import annotations

import asyncio

import pytest

from sim_builders import BTC, START_MS, D, Venue
from trading_system.domain.units import from_ms
from trading_system.sim.ports import SimVenue
from trading_system.sim.read_models import LaggingReads, ReadDelays


def counts(reads: LaggingReads) -> tuple[int, int, int]:
    return len(reads.open_orders()), len(reads.positions()), len(reads.fills())


def test_each_listing_lags_by_its_own_delay() -> None:
    venue = Venue()
    reads = LaggingReads(venue.exchange, ReadDelays(orders_ms=1_000, positions_ms=2_000, fills_ms=3_000))
    venue.exchange.advance_to(START_MS + 10_000)
    venue.send("lmt", "buy", "0.01", limit_price="79000", cli_ord_id="a")
    venue.send("mkt", "buy", "0.01")

    seen = []
    for ms in (0, 1_000, 2_000, 3_000):
        venue.exchange.advance_to(START_MS + 10_000 + ms)
        seen.append(counts(reads))

    assert seen == [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1)]
    assert len(venue.exchange.order_status(cli_ord_ids=["a"])) == 1


def test_what_is_gone_is_still_listed_for_a_while() -> None:
    venue = Venue()
    reads = LaggingReads(venue.exchange, ReadDelays(orders_ms=1_000))
    venue.send("lmt", "buy", "0.01", limit_price="79000")
    venue.exchange.advance_to(START_MS + 5_000)
    venue.exchange.cancel_all()

    assert len(reads.open_orders()) == 1
    venue.exchange.advance_to(START_MS + 6_000)
    assert reads.open_orders() == ()


def test_without_delays_everything_is_of_now() -> None:
    venue = Venue()
    reads = LaggingReads(venue.exchange)
    venue.send("mkt", "buy", "0.01")

    assert reads.positions() == venue.exchange.positions()
    assert list(reads.newest_fills()) == list(venue.exchange.fills())


def test_delays_can_be_counted_by_another_watch() -> None:
    venue, watch = Venue(), [0]
    reads = LaggingReads(venue.exchange, ReadDelays(positions_ms=500), now_ms=lambda: watch[0])
    watch[0] = 1_000
    venue.send("mkt", "buy", "0.01")
    venue.exchange.advance_to(START_MS + 3_600_000)

    assert reads.positions() == ()
    watch[0] = 1_500
    assert len(reads.positions()) == 1


def test_fills_page_by_time_among_those_that_are_listed() -> None:
    venue = Venue()
    reads = LaggingReads(venue.exchange, ReadDelays(fills_ms=1_000))
    for _ in range(3):
        venue.price(80_000.0)
        venue.send("mkt", "buy", "0.0001")

    newest = reads.fills(limit=1)
    assert [fill.seq for fill in newest] == [2]
    assert [fill.seq for fill in reads.fills(before_ms=newest[0].at_ms)] == [1]


def test_the_daemons_ports_list_from_them() -> None:
    venue = Venue()
    port = SimVenue(venue.exchange, reads=LaggingReads(venue.exchange, ReadDelays(1_000, 1_000, 1_000)))
    venue.send("lmt", "buy", "0.01", limit_price="79000")
    venue.send("mkt", "buy", "0.01")

    async def listed() -> list[int]:
        rows = (await port.open_orders(), await port.positions(), await port.fills(from_ms(START_MS)))
        return [len(row) for row in rows]

    assert asyncio.run(listed()) == [0, 0, 0]
    venue.exchange.advance_to(START_MS + 1_000)
    assert asyncio.run(listed()) == [1, 1, 1]


def test_a_delay_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="60000"):
        ReadDelays(orders_ms=60_001)


def test_order_status_forgets_by_process_time_when_it_was_given_such_a_watch() -> None:
    venue, watch = Venue(), [0]
    venue.exchange.keep_finished_by(lambda: watch[0], 5_000)
    venue.send("ioc", "buy", "0.01", limit_price="80500", cli_ord_id="a")
    venue.exchange.advance_to(START_MS + 3_600_000)

    assert [row.order.symbol for row in venue.exchange.order_status(cli_ord_ids=["a"])] == [BTC]
    watch[0] = 5_001
    assert venue.exchange.order_status(cli_ord_ids=["a"]) == ()
    assert venue.position() == D("0.01")
