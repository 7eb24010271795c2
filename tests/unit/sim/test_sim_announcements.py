"""Announced maintenance and delisting: told in advance, performed on time, remembered over a restart."""

from __future__ import annotations

import json

import pytest

from sim_builders import BTC, DOGE, START_MS, ScriptedPath, Venue
from trading_system.sim.exchange import SimExchange
from trading_system.sim.model import CancelRequest, MarketMode, NoticeFeed
from trading_system.sim.variants import ExchangeVariants

MINUTE = 60_000


def test_maintenance_is_told_first_then_down_then_post_only_then_open() -> None:
    venue = Venue()
    notice = venue.exchange.announce_maintenance(START_MS + 10 * MINUTE, 5, 3)
    modes = [venue.exchange.mode(BTC)]
    for minute in (10, 15, 18):
        venue.exchange.advance_to(START_MS + minute * MINUTE)
        modes.append(venue.exchange.mode(BTC))

    assert modes == [MarketMode.ONLINE, MarketMode.MAINTENANCE, MarketMode.POST_ONLY, MarketMode.ONLINE]
    assert (notice.kind, notice.effective_ms, notice.downtime_minutes) == ("maintenance", START_MS + 10 * MINUTE, 5)
    assert [event.notice for event in venue.events if isinstance(event, NoticeFeed)] == [notice]


def test_during_maintenance_nothing_is_accepted_and_resting_orders_stay() -> None:
    venue = Venue()
    resting = venue.send("lmt", "buy", "0.01", limit_price="70000")
    venue.exchange.announce_maintenance(START_MS, 5)
    venue.exchange.advance_to(START_MS + MINUTE)

    assert venue.exchange.is_down
    assert venue.send("lmt", "buy", "0.01", limit_price="70000").status == "marketSuspended"
    assert venue.exchange.cancel(CancelRequest(resting.order_id)).status == "marketSuspended"
    assert venue.exchange.cancel_all().status == "noOrdersToCancel"
    assert len(venue.exchange.open_orders()) == 1


def test_a_mode_from_before_the_maintenance_returns_afterwards() -> None:
    venue = Venue()
    venue.exchange.set_mode(DOGE, MarketMode.CANCEL_ONLY)
    venue.exchange.announce_maintenance(START_MS, 1, 0)

    venue.exchange.advance_to(START_MS + 2 * MINUTE)

    assert (venue.exchange.mode(BTC), venue.exchange.mode(DOGE)) == (MarketMode.ONLINE, MarketMode.CANCEL_ONLY)


def test_an_announced_delisting_settles_on_time_and_stays_delisted_through_maintenance() -> None:
    venue = Venue()
    venue.send("mkt", "buy", "100", symbol=DOGE)
    notice = venue.exchange.announce_delisting(DOGE, START_MS + 5 * MINUTE)
    venue.exchange.advance_to(START_MS + 4 * MINUTE)
    held = venue.position(DOGE)
    venue.exchange.advance_to(START_MS + 5 * MINUTE)
    venue.exchange.announce_maintenance(START_MS, 1, 0)
    venue.exchange.advance_to(START_MS + 9 * MINUTE)

    assert notice.kind == "settlement"
    assert (held, venue.position(DOGE)) == (100, 0)
    assert venue.exchange.mode(DOGE) is MarketMode.DELISTED


@pytest.mark.parametrize("minute", [1, 11, 16])
def test_a_restart_before_within_and_after_maintenance_goes_the_same_way(minute: int) -> None:
    venue = Venue()
    venue.exchange.announce_maintenance(START_MS + 10 * MINUTE, 5, 3)
    venue.exchange.advance_to(START_MS + minute * MINUTE)
    restored, replayed = SimExchange(ScriptedPath()), SimExchange(ScriptedPath())
    restored.restore_state(json.loads(json.dumps(venue.exchange.snapshot_state())))
    for record in venue.commits:
        replayed.apply_commit(record)
    replayed.advance_to(venue.exchange.now_ms)

    ways = []
    for exchange in (venue.exchange, restored, replayed):
        modes = []
        for later in (12, 17, 19):
            exchange.advance_to(START_MS + later * MINUTE)
            modes.append((exchange.mode(BTC), exchange.is_down))
        ways.append((modes, exchange.notices()))

    assert ways[0] == ways[1] == ways[2]
    assert ways[0][0][-1] == (MarketMode.ONLINE, False)


def test_maintenance_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="at least a minute"):
        Venue().exchange.announce_maintenance(START_MS, 0)


def test_a_dead_mans_switch_spares_triggers_only_where_the_venue_does() -> None:
    left = []
    for spares in (False, True):
        venue = Venue(variants=ExchangeVariants(dead_man_spares_triggers=spares))
        venue.send("lmt", "buy", "0.01", limit_price="70000")
        venue.send("stp", "sell", "0.01", stop_price="70000", reduce_only=True)
        venue.exchange.cancel_all_after(60)
        venue.exchange.advance_to(START_MS + 2 * MINUTE)
        left.append([order.is_trigger for order in venue.exchange.open_orders()])

    assert left == [[], [True]]
