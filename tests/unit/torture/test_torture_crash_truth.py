"""The judge of the crash harness: fed with rows as the exchange's own pages give them, it finds each kind of damage."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import msgspec
from torture_builders import EN, SL, booked, planned

from fakes.kraken_server_rig import KEYS, an_exchange
from trading_system.domain.events import JournalEvent
from trading_system.sim.kraken_server.auth import sign_request
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.event_log import EventLog
from trading_system.sim.kraken_server.rate_budget import RateBudget
from trading_system.sim.kraken_server.request_log import RequestLog
from trading_system.sim.kraken_server.routes import Api, ApiRequest
from trading_system.torture.crash_truth import Episode, Life, Truth, judge_naked, naked_seconds
from trading_system.wiring.clock import WallClock

V3 = "/derivatives/api/v3/"


class HandClock(WallClock):
    """Process time moved by hand."""

    at_s = 100.0

    def monotonic(self) -> float:
        return self.at_s


class Venue:
    """The exchange's front without a network, its two logs, and a judge that reads them."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.exchange = an_exchange()
        self.events, self.requests = EventLog(self.clock), RequestLog()
        self.exchange.subscribe(self.events.on_event)
        self._api = Api(Desk(self.exchange, "account"), KEYS, RateBudget())
        self.truth = Truth()
        self._journaled = 0

    def post(self, name: str, **params: object) -> None:
        self.clock.at_s += 0.5
        body = urlencode(params)
        request = ApiRequest("POST", V3 + name, "", body, KEYS.key, sign_request(KEYS.secret_bytes, body, "", V3 + name))
        answer = self._api.answer(request, self.clock.at_s)
        self.requests.note(request, answer, self.exchange.now_ms, self.clock.at_s)

    def enter(self, key: str = EN, size: str = "0.01", *, reduce_only: bool = False) -> None:
        self.post(
            "sendorder",
            orderType="ioc",
            symbol="PF_XBTUSD",
            side="buy",
            size=size,
            limitPrice="80500",
            cliOrdId=key,
            reduceOnly=reduce_only,
        )

    def stop(self, key: str = SL, size: str = "0.01", *, is_reduce_only: bool = True) -> None:
        self.post(
            "sendorder", orderType="stp", symbol="PF_XBTUSD", side="sell", size=size, stopPrice="79000", triggerSignal="mark", cliOrdId=key,
            reduceOnly=is_reduce_only,
        )  # fmt: skip

    def booked_fills(self) -> tuple[JournalEvent, ...]:
        return tuple(booked(fill) for fill in self.exchange.executions())

    def judged(self, *journal: JournalEvent) -> Truth:
        """The judge, after it has read everything, through JSON as over the wire."""
        rows = [msgspec.json.decode(msgspec.json.encode(row)) for row in self.events.rows(self.truth.events_seq)]
        asked = [msgspec.json.decode(msgspec.json.encode(row)) for row in self.requests.rows(self.truth.requests_seq)]
        numbered = list(enumerate(journal, self._journaled + 1))
        self._journaled += len(journal)
        self.truth.take(asked, numbered, rows, self.clock.at_s + 1)
        return self.truth

    @property
    def rules(self) -> list[str]:
        return [violation.rule for violation in self.truth.violations]


def test_an_entry_with_its_stop_and_its_fills_in_the_journal_is_in_order() -> None:
    venue = Venue()
    venue.enter()
    venue.stop()

    truth = venue.judged(*planned(), *venue.booked_fills())

    assert truth.violations == []
    assert truth.entries_accepted == 1
    assert truth.unbooked(1e9) == ()
    assert [(episode.symbol, episode.start_s, episode.end_s) for episode in truth.episodes] == [("PF_XBTUSD", 100.5, 101.0)]


def test_the_same_entry_sent_again_after_a_restart_is_found() -> None:
    venue = Venue()
    venue.enter()
    venue.stop()
    venue.judged(*planned(), *venue.booked_fills())
    second = EN.replace("en-1", "en-2")
    venue.enter(second)

    truth = venue.judged(planned(key=second)[1])

    assert "P2" in venue.rules
    assert truth.entries.duplicates == 1


def test_an_entry_whose_intent_is_not_in_the_journal_is_found() -> None:
    venue = Venue()
    venue.enter()
    venue.judged()

    assert "P2" in venue.rules


def test_a_fill_the_journal_lacks_is_named_once_it_is_old_enough() -> None:
    venue = Venue()
    venue.enter()
    truth = venue.judged(*planned())

    assert len(truth.unbooked(before_s=101.0)) == 1
    assert truth.unbooked(before_s=100.0) == ()


def test_a_fill_booked_twice_is_found() -> None:
    venue = Venue()
    venue.enter()
    venue.judged(*planned(), *venue.booked_fills(), *venue.booked_fills())

    assert venue.rules == ["P3"]


def test_a_fill_the_venue_never_made_is_found() -> None:
    venue, other = Venue(), Venue()
    venue.enter()
    other.enter(key=EN.replace("en-1", "en-2"))
    other.enter()
    venue.judged(*planned(), *other.booked_fills()[-1:])

    assert venue.rules == ["P3"]


def test_a_fill_booked_at_another_price_is_found() -> None:
    venue = Venue()
    venue.enter()
    row = next(iter(venue.exchange.executions()))
    venue.judged(*planned(), booked(replace(row, price=row.price + 1)))

    assert venue.rules == ["P3"]


def test_a_stop_cancelled_while_the_position_is_there_is_found() -> None:
    venue = Venue()
    venue.enter()
    venue.stop()
    venue.post("cancelorder", cliOrdId=SL)

    truth = venue.judged(*planned(), *venue.booked_fills())

    assert "P5" in venue.rules
    assert [episode.symbol for episode in truth.naked_now()] == ["PF_XBTUSD"]


def test_a_stop_replaced_by_one_that_rests_first_is_in_order() -> None:
    venue = Venue()
    venue.enter()
    venue.stop()
    venue.stop(SL.replace("sl-1", "sl-2"))
    venue.post("cancelorder", cliOrdId=SL)

    venue.judged(*planned(), *venue.booked_fills())

    assert venue.rules == []


def test_a_stop_that_is_not_reduce_only_is_found() -> None:
    venue = Venue()
    venue.enter()
    venue.stop(is_reduce_only=False)
    venue.judged(*planned(), *venue.booked_fills())

    assert "P15" in venue.rules


def test_what_is_newer_than_the_reading_waits_for_the_next_one() -> None:
    venue = Venue()
    venue.enter()
    rows, asked = venue.events.rows(), venue.requests.rows()

    venue.truth.take(asked, (), rows, until_s=100.2)

    assert venue.truth.violations == []
    assert venue.truth.log.held() == ()


def test_naked_seconds_belong_to_the_life_in_which_they_passed() -> None:
    lives = (Life(0.0, 10.0, 2.0), Life(30.0, 35.0, 31.0), Life(40.0, None, 41.0))
    opened_and_killed = Episode("PF_XBTUSD", 9.0, 33.0)
    quick = Episode("PF_ETHUSD", 41.0, 41.5)

    seconds = naked_seconds((opened_and_killed, quick), lives, now_s=50.0)

    assert (seconds.in_life, seconds.from_start, seconds.wall) == ([1.0, 0.5], [3.0], [24.0, 0.5])
    assert seconds.worst_in_life == "PF_XBTUSD for 1.00 s, 9.00 s after a spawn"


def test_an_entry_of_a_dead_process_that_arrives_during_the_next_start_belongs_to_that_start() -> None:
    lives = (Life(0.0, 10.0, 2.0), Life(10.0, None, 35.0))

    seconds = naked_seconds((Episode("PF_XBTUSD", 10.1, 35.5),), lives, now_s=50.0)

    assert (seconds.in_life, [round(one, 3) for one in seconds.from_start]) == ([], [25.4])


def test_naked_time_beyond_the_promise_is_a_violation() -> None:
    living = naked_seconds((Episode("PF_XBTUSD", 1.0, None),), (Life(0.0, None, 0.5),), now_s=16.5)
    starting = naked_seconds((Episode("PF_XBTUSD", 1.0, None),), (Life(2.0, None, 3.0),), now_s=92.5)
    fine = naked_seconds((Episode("PF_XBTUSD", 1.0, 15.5),), (Life(0.0, None, 0.5),), now_s=99.0)

    assert [[one.rule for one in judge_naked(seconds, 0)] for seconds in (living, starting, fine)] == [["P1"], ["P1"], []]
