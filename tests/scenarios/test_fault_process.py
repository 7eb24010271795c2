"""Fault cases E (modes at a restart) and G (process, disk, concurrency) through the running daemon."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterable
from decimal import Decimal

import pytest
from daemon_driver import play
from scenario_parts import (
    BTC,
    ETH,
    At,
    Scenario,
    Wish,
    crash,
    disk_fails,
    drop_stops,
    journal_is_an_older_copy,
    operator,
    restart,
    touch,
)
from scripted_wire import AnswerLost, On, Read, SlowAnswer

from trading_system.domain import events as ev
from trading_system.domain.account import FeedEvent, FeedFill
from trading_system.domain.modes import Mode
from trading_system.domain.positions import PositionState
from trading_system.wiring.control_protocol import ResumeOrder

D = Decimal
QUIET_LIFE = ["entry placed", "entry filled", "stop placed", "tp1 placed", "tp2 placed"]
MUTE = ((0, 10_000),)
TWO = {BTC: {0: 80_000.0}, ETH: {0: 3_000.0}}
DISK_FULL = OSError(errno.ENOSPC, "No space left on device")


# --- E ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["halt_state.json", "kill_switch_state.json"])
@pytest.mark.parametrize("content", ["", '{"version": 1, "mode": "KILL_SW', "\x00\x00\x00\x00", "[]"])
def test_fault_e08_a_halt_state_that_cannot_be_read_halts_and_keeps_the_stop(name: str, content: str) -> None:
    end = play(
        Scenario(
            prices=TWO,
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            acts=(At(60, crash(down_s=10)), At(65, touch(name, content))),
            until_s=1000,
        )
    )

    assert end.modes[-1].is_halted
    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert not end.sent("close")
    assert not end.sent("entry", ETH)


def test_fault_e08_after_a_look_a_human_can_go_on_from_an_unreadable_halt_state() -> None:
    end = play(
        Scenario(
            prices=TWO,
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            acts=(
                At(60, crash(down_s=10)),
                At(65, touch("halt_state.json", "{")),
                At(200, operator(ResumeOrder("the disk was full, it is checked"))),
                At(300, restart()),
            ),
            until_s=1000,
        )
    )

    assert end.answers == ("",)
    assert end.modes[-1] is Mode.NORMAL
    assert len(end.sent("entry", ETH)) == 1


# --- G: the journal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [1, 4, 6, 8])
def test_fault_g01_an_older_copy_of_the_journal_is_brought_up_to_date_from_the_venue(keep: int) -> None:
    """Somebody copied the database without its newest part. What the journal has forgotten is on the venue, and is protected."""
    end = play(
        Scenario(
            acts=(At(60, crash(down_s=20)), At(70, journal_is_an_older_copy(keep))),
            until_s=400,
            tolerates=("P2", "P3"),  # the checkers remember the records that were thrown away
        )
    )

    assert end.position() == D("0.1250")
    assert len(end.sent("entry")) == 1
    assert not end.sent("close")
    assert sum(size for size, _ in end.stops()) >= D("0.1250")
    assert [p.qty for p in end.positions if p.state.is_active] == [D("0.1250")]


def test_fault_g03_a_full_disk_stops_entries_at_once_and_protection_goes_on() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 920: 80_900.0}, ETH: {0: 3_000.0}},
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            acts=(At(60, disk_fails(DISK_FULL)), At(300, drop_stops())),
            until_s=1_100,
            tolerates=("P3", "P8"),  # nothing can be written down any more
            in_peace=False,
        )
    )

    assert not end.sent("entry", ETH)
    assert "stop placed" in end.words()[5:], "placed again from memory"
    assert end.naked_s() <= 10
    assert end.words()[-1] == "stop moved", "it goes on toward profit"
    assert end.modes[-1].is_halted
    assert [alarm for alarm in end.alarms if alarm.urgent], "somebody is told"


def test_fault_g03_when_the_disk_works_again_nothing_is_missing_in_the_journal() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 120: 80_900.0}},
            acts=(At(60, disk_fails(DISK_FULL)), At(200, disk_fails(None)), At(260, crash())),
            until_s=500,
        )
    )

    assert [p.tally.tp1_filled for p in end.positions] == [D("0.0625")]
    assert end.modes[-1].is_halted, "until a human has looked at the disk"
    assert len(end.stops()) == 1


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("database is locked"), OSError(errno.EIO, "Input/output error")], ids=["G04 locked", "G05 I/O error"]
)
def test_fault_g04_g05_an_entry_whose_intent_cannot_be_written_is_never_sent(error: Exception) -> None:
    end = play(
        Scenario(
            prices=TWO,
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            acts=(At(880, disk_fails(error)), At(930, disk_fails(None))),
            until_s=1_200,
        )
    )

    assert not end.sent("entry", ETH)
    assert end.words(BTC) == [*QUIET_LIFE, "tp1 cancelled", "tp2 cancelled"], "halted: the stop stays"
    assert end.modes[-1].is_halted
    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]


# --- G: tasks -------------------------------------------------------------------------------------------------------------


def a_feed_that_breaks() -> object:
    """Raises at the first fill, then works."""
    seen: list[FeedEvent] = []

    def edit(event: FeedEvent) -> Iterable[FeedEvent]:
        if isinstance(event, FeedFill) and not seen:
            seen.append(event)
            raise RuntimeError("throttle queue is over maxCapacity")
        return (event,)

    return edit


def test_fault_g07_a_task_that_dies_is_told_and_runs_again() -> None:
    end = play(Scenario(feed_edit=a_feed_that_breaks(), until_s=100))  # type: ignore[arg-type]

    assert end.words() == QUIET_LIFE
    assert end.naked_s() <= 4, "the poll is the backstop"
    assert [line.fields["task"] for line in end.logged("TASK_FAILED")] == ["private feed"]
    assert [alarm.kind for alarm in end.alarms if "private feed" in alarm.text] == ["EXCEPTION"]
    assert [note.subject for note in end.of(ev.DecisionNoted) if note.kind == "exception"] == ["task private feed"]


@pytest.mark.parametrize("what", ["entry", "stop", "tp1"])
def test_fault_g11_a_stop_command_between_send_and_answer_leaves_nothing_naked(what: str) -> None:
    """SIGTERM while the answer is on its way: the answer is read, what it means is done, then the process ends."""
    end = play(Scenario(wire=(On(what, SlowAnswer(8)),), acts=(At(2, restart(down_s=60)),), feed_mute=MUTE, until_s=40))

    assert end.lives == 1, "it is down when the scenario ends"
    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert not [order for order in end.journal.state.orders.values() if order.is_uncertain]
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]


def test_fault_g11_what_a_stop_command_could_not_resolve_is_resolved_by_the_next_start() -> None:
    end = play(
        Scenario(
            wire=(On("entry", AnswerLost()),),
            reads=(Read("all", 1, 50, fails=True),),
            feed_mute=MUTE,
            acts=(At(2, restart(down_s=5)),),
            until_s=200,
        )
    )

    assert end.words() == QUIET_LIFE
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]


# --- G: the venue at a start ----------------------------------------------------------------------------------------------


def test_fault_g12_a_start_into_maintenance_waits_and_protects_when_the_venue_is_back() -> None:
    end = play(
        Scenario(
            prices=TWO,
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            acts=(At(60, crash(down_s=30)), At(70, drop_stops())),
            reads=(Read("all", 80, 700, fails=True),),
            feed_mute=((80, 700),),
            until_s=1_100,
        )
    )

    assert end.lives == 2, "it never gives up and is never started again"
    assert 10 <= len(end.logged("VENUE_UNREACHABLE")) <= 20, "told at once, then once a minute"
    assert end.words(BTC)[5:7] == ["stop cancelled", "stop placed"]
    placed = end.sent("stop", BTC)[1]
    assert (placed.at_ms - end.sent("stop", BTC)[0].at_ms) / 1000 <= 700 + 12
    assert len(end.sent("entry", ETH)) == 1, "and it trades again"


@pytest.mark.parametrize("kind", ["tickers", "instruments"])
def test_fault_g12_a_start_protects_while_the_venue_tells_no_quotes_or_no_list_of_markets(kind: str) -> None:
    """The start waited for the list of markets, which is of no use to a position whose stop is gone."""
    end = play(
        Scenario(
            prices=TWO,
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            acts=(At(60, crash(down_s=30)), At(70, drop_stops())),
            reads=(Read(kind, 80, 700, fails=True),),
            until_s=1_100,
        )
    )

    assert end.lives == 2
    assert end.words(BTC)[5:7] == ["stop cancelled", "stop placed"]
    assert (end.sent("stop", BTC)[1].at_ms - end.sent("stop", BTC)[0].at_ms) / 1000 <= 90 + 15
    assert len(end.sent("entry", ETH)) == 1, "and it trades again once they are told"


def test_fault_g12_nothing_is_opened_before_the_first_complete_look() -> None:
    end = play(Scenario(reads=(Read("fills", 0, 200, fails=True),), until_s=400))

    assert end.sent("entry")
    assert (end.sent("entry")[0].at_ms - end.journal.state.session.at.timestamp() * 1000) / 1000 >= 200  # type: ignore[union-attr]


def test_a_latched_halt_places_no_take_profit_in_the_first_moments_of_a_start() -> None:
    """The stop had vanished while the daemon was away: its first act, before the halt was enforced, brought the take-profits back."""
    end = play(
        Scenario(acts=(At(60, touch("KILL_SWITCH")), At(90, crash(down_s=30)), At(100, drop_stops())), until_s=300),
    )

    assert end.words()[-4:] == ["tp1 cancelled", "tp2 cancelled", "stop cancelled", "stop placed"]
