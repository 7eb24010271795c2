"""Every checker passes a good log and catches its planted bad one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torture_builders import CL, POSITION, SL, SL2, TP, Bench, D, OpenWorld, at, booked, justified, planned

from sim_builders import BTC, START_MS
from trading_system.domain.events import CancelRequested, FeeBooked, SessionStarted
from trading_system.domain.modes import Mode
from trading_system.domain.orders import ClientOrderId, FillId
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel
from trading_system.sim.model import EditRequest
from trading_system.torture.check_books import FillChecker, check_fold
from trading_system.torture.check_modes import ModeChecker, ModeSeen
from trading_system.torture.check_naked import NakedChecker, NakedLimits
from trading_system.torture.check_orders import EntryChecker, EvidenceChecker, ExitChecker, SeatBeltChecker
from trading_system.torture.checker import Journaled, Violation
from trading_system.torture.trace import Trace
from trading_system.torture.venue_log import Actor, Executed


def a_naked_bench(world: OpenWorld | None = None) -> tuple[Bench, NakedChecker]:
    bench = Bench()
    checker = NakedChecker(bench.exchange.watch, world or OpenWorld(), {BTC: D("0.0001")}, NakedLimits())
    bench.checker = checker
    checker.on_process(START_MS - 1_000_000, is_up=True)
    return bench, checker


# --- P1 ---------------------------------------------------------------------------------------------------------------


def test_a_position_that_gets_its_stop_in_time_is_fine_and_measured() -> None:
    bench, checker = a_naked_bench()
    bench.seconds(1).enter().seconds(10).stop().seconds(30)

    assert bench.end() == []
    assert 8 <= checker.worst_s <= 10


def test_a_position_without_a_stop_breaks_the_promise_after_fifteen_seconds_and_once() -> None:
    bench, _ = a_naked_bench()
    bench.seconds(1).enter().seconds(40)

    assert bench.rules == ["P1"]
    assert bench.end() == ["P1", "L1"]


def test_a_stop_that_covers_only_a_part_does_not_count() -> None:
    bench, _ = a_naked_bench()
    bench.seconds(1).enter("0.02").stop("0.01").seconds(20)

    assert bench.rules == ["P1"]


@pytest.mark.parametrize("closed", ["takes", "shows"])
def test_the_clock_stands_still_while_the_daemon_could_not_act(closed: str) -> None:
    world = OpenWorld()
    setattr(world, closed, False)
    bench, checker = a_naked_bench(world)
    bench.seconds(1).enter().seconds(50)
    setattr(world, closed, True)
    bench.seconds(10).stop().seconds(2)

    assert bench.rules == []
    assert 9 <= checker.worst_s <= 11


def test_no_close_after_the_hard_limit_is_a_violation_even_while_stops_are_refused() -> None:
    world = OpenWorld()
    world.takes = False
    bench, _ = a_naked_bench(world)
    bench.seconds(1).enter().seconds(80)

    assert bench.rules == ["P1"]
    assert "no close" in bench.violations[0].text


def test_a_position_of_a_human_needs_no_close_by_us() -> None:
    world = OpenWorld()
    world.takes = False
    bench, _ = a_naked_bench(world)
    bench.seconds(1).by(Actor.HUMAN).enter(key=None).seconds(120)

    assert bench.rules == []


def test_a_fault_on_the_stop_request_itself_gives_the_promised_time_again() -> None:
    world = OpenWorld()
    bench, _ = a_naked_bench(world)
    bench.seconds(1).enter().seconds(10)
    world.disturbed = bench.exchange.now_ms
    bench.seconds(14)
    assert bench.rules == []
    bench.seconds(3)
    assert bench.rules == ["P1"]


def test_a_close_that_a_fault_hit_on_its_way_was_sent_and_the_next_one_has_the_slack_again() -> None:
    world = OpenWorld()
    world.takes = False
    bench, _ = a_naked_bench(world)
    bench.seconds(1).enter().seconds(70)
    world.exit_disturbed = bench.exchange.now_ms
    bench.seconds(14)
    assert bench.rules == []
    bench.seconds(3)
    assert bench.rules == ["P1"]


def test_after_a_start_there_is_a_longer_grace_and_then_none() -> None:
    bench, checker = a_naked_bench()
    bench.seconds(1)
    checker.on_process(bench.exchange.now_ms, is_up=False)
    bench.enter().seconds(300)
    checker.on_process(bench.exchange.now_ms, is_up=True)
    bench.seconds(88)
    assert bench.rules == []
    bench.seconds(5)
    assert bench.rules == ["P1"]


def test_a_stop_behind_the_liquidation_price_is_no_stop() -> None:
    bench, _ = a_naked_bench()
    bench.checker = checker = NakedChecker(
        bench.exchange.watch, OpenWorld(), {BTC: D("0.0001")}, NakedLimits(), liquidation_of=lambda symbol: D(79_500)
    )
    checker.on_process(START_MS - 1_000_000, is_up=True)
    bench.seconds(1).enter().stop(price=79_000).seconds(20)

    assert bench.rules == ["P1"]


def test_the_liquidation_price_of_another_position_is_not_used() -> None:
    bench, _ = a_naked_bench()
    bench.checker = checker = NakedChecker(
        bench.exchange.watch,
        OpenWorld(),
        {BTC: D("0.0001")},
        NakedLimits(),
        liquidation_of=lambda symbol: D(70_000) if bench.exchange.watch.positions[symbol] > 0 else D(90_000),
    )
    checker.on_process(START_MS - 1_000_000, is_up=True)
    bench.seconds(1).send("mkt", "sell", "0.01", None, reduce_only=False)
    bench.send("stp", "buy", "0.01", "mine", price=81_000)
    bench.seconds(2).enter("0.02").stop(price=79_000).seconds(20)

    assert bench.rules == []


# --- P2 ---------------------------------------------------------------------------------------------------------------


def with_checker(checker: object) -> Bench:
    bench = Bench()
    bench.checker = checker  # type: ignore[assignment]
    return bench


def test_an_entry_after_its_durable_intent_is_fine() -> None:
    assert with_checker(EntryChecker()).journal(*planned()).enter().rules == []


def test_an_entry_whose_intent_was_not_durable_is_caught() -> None:
    assert with_checker(EntryChecker()).enter().rules == ["P2"]


def test_the_same_id_accepted_twice_is_caught_unless_the_network_repeated_it() -> None:
    bench = with_checker(EntryChecker()).journal(*planned()).enter()
    assert bench.by(Actor.NETWORK).enter().rules == []
    assert bench.by(Actor.DAEMON).enter().rules == ["P2", "P2"]
    assert isinstance(bench.checker, EntryChecker)
    assert bench.checker.duplicates == 2


def test_a_second_attempt_that_would_exceed_the_plan_is_caught() -> None:
    again = f"ts-{POSITION}-en-2"
    bench = with_checker(EntryChecker()).journal(*planned(), planned(key=again)[1]).enter().enter(key=again)

    assert bench.rules == ["P2"]


def test_an_order_that_raises_the_position_without_one_of_our_ids_is_caught() -> None:
    assert with_checker(EntryChecker()).enter(key=None).rules == ["P2"]


# --- P4, P5 -----------------------------------------------------------------------------------------------------------


def test_a_replaced_stop_may_go() -> None:
    bench = with_checker(SeatBeltChecker()).enter().stop().stop(key=SL2).cancel(SL)

    assert bench.rules == []


def test_a_stop_cancelled_before_its_replacement_rests_is_caught_twice_over() -> None:
    bench = with_checker(SeatBeltChecker()).enter().stop().cancel(SL)

    assert bench.rules == ["P4", "P5"]


def test_a_stop_taken_by_a_human_is_not_the_daemons_doing() -> None:
    assert with_checker(SeatBeltChecker()).enter().stop().by(Actor.HUMAN).cancel(SL).rules == []


def asked(key: str) -> CancelRequested:
    return CancelRequested(at(), ClientOrderId(key), "one stop is enough", "the other rests")


def two_stops() -> Bench:
    bench = Bench()
    bench.checker = SeatBeltChecker(bench.exchange.watch)
    return bench.enter().stop().stop(key=SL2)


def test_a_cancel_on_its_way_cannot_know_that_somebody_takes_the_other_stop_meanwhile() -> None:
    bench = two_stops().journal(asked(SL)).by(Actor.VENUE).cancel(SL2).by(Actor.DAEMON).cancel(SL)

    assert bench.rules == []


def test_a_cancel_asked_for_after_the_other_stop_was_taken_is_caught() -> None:
    bench = two_stops().by(Actor.VENUE).cancel(SL2).by(Actor.DAEMON).journal(asked(SL)).cancel(SL)

    assert bench.rules == ["P4", "P5"]


def test_two_cancels_on_their_way_that_count_on_each_other_are_caught() -> None:
    bench = two_stops().journal(asked(SL), asked(SL2)).cancel(SL).cancel(SL2)

    assert bench.rules == ["P4", "P5"]


def test_a_cancel_that_leaves_a_position_grown_meanwhile_without_cover_is_caught() -> None:
    bench = two_stops().journal(asked(SL)).enter(key=None).cancel(SL)

    assert bench.rules == ["P4", "P5"]


def test_an_amendment_that_shrinks_the_cover_below_the_position_is_caught() -> None:
    bench = with_checker(SeatBeltChecker()).enter().stop()
    assert bench.resize(SL, "0.02").resize(SL, "0.01").rules == []
    assert bench.resize(SL, "0.005").rules == ["P5"]


def test_an_amended_stop_that_fires_at_once_into_an_empty_book_was_not_taken_away_by_the_daemon() -> None:
    bench = Bench()
    bench.checker = SeatBeltChecker()
    bench.enter().stop("0.01")
    bench.exchange.set_depth(BTC, D(0))
    bench.exchange.edit(EditRequest(cli_ord_id=SL, stop_price=D(81_000)))

    assert not bench.exchange.watch.standing(BTC).stops
    assert bench.rules == []


def test_the_kill_switch_may_not_touch_a_stop_even_beside_another() -> None:
    checker = SeatBeltChecker()
    bench = with_checker(checker).enter().stop().stop(key=SL2)
    checker.mode = Mode.KILL_SWITCH
    bench.journal(CancelRequested(at(), ClientOrderId(SL), "kill switch", "open orders")).cancel(SL)

    assert bench.rules == ["P4"]


# --- P7, P15 ----------------------------------------------------------------------------------------------------------


def test_a_close_needs_its_evidence_first() -> None:
    bench = with_checker(EvidenceChecker()).enter()
    bench.send("mkt", "sell", "0.005", CL)
    assert bench.rules == ["P7"]
    bench.journal(justified(POSITION)).send("mkt", "sell", "0.005", CL)
    assert bench.rules == ["P7"]


@pytest.mark.parametrize("evidence", ["", "  ", "None", "failed to read positions"])
def test_absence_is_no_evidence(evidence: str) -> None:
    bench = with_checker(EvidenceChecker()).enter().journal(justified(POSITION, evidence))
    bench.send("mkt", "sell", "0.005", CL)

    assert bench.rules == ["P7"]


def test_cancelling_what_is_not_ours_is_caught() -> None:
    bench = with_checker(EvidenceChecker())
    bench.by(Actor.HUMAN).send("lmt", "buy", "0.01", "mine", price=70_000, reduce_only=False)
    bench.by(Actor.DAEMON).cancel("mine")

    assert bench.rules == ["P7"]


def test_exits_that_only_reduce_are_fine() -> None:
    bench = with_checker(ExitChecker()).enter("0.02")
    bench.send("mkt", "sell", "0.01", CL)

    assert bench.rules == []


def test_an_exit_without_reduce_only_is_caught_and_so_is_the_position_it_turns() -> None:
    bench = with_checker(ExitChecker()).enter("0.01")
    bench.send("mkt", "sell", "0.02", CL, reduce_only=False)

    assert "P15" in bench.rules
    assert any("took the position" in violation.text for violation in bench.violations)


def test_a_take_profit_that_raises_a_position_is_caught() -> None:
    bench = with_checker(ExitChecker()).enter("0.01")
    bench.send("lmt", "buy", "0.01", TP, price=80_500, reduce_only=False)

    assert bench.rules.count("P15") >= 2


# --- P3, P8 -----------------------------------------------------------------------------------------------------------


def fills_of(bench: Bench) -> list[Executed]:
    return [record for record in bench.records if isinstance(record, Executed)]


def test_books_that_hold_every_fill_once_are_fine() -> None:
    bench = with_checker(FillChecker(0, 0)).enter("0.02")
    bench.journal(*(booked(record.fill) for record in fills_of(bench)))

    assert bench.end() == []


def test_a_fill_that_was_never_booked_is_caught() -> None:
    assert with_checker(FillChecker(0, 0)).enter().end() == ["P3"]


def test_a_fill_booked_twice_or_invented_is_caught() -> None:
    bench = with_checker(FillChecker(0, 0)).enter()
    fill = fills_of(bench)[0].fill
    bench.journal(booked(fill), booked(fill), booked(replace(fill, fill_id="invented")))

    assert bench.end() == ["P3", "P3"]


def test_a_wrong_size_or_a_missing_fee_is_caught_and_a_late_fee_is_not() -> None:
    bench = with_checker(FillChecker(0, 0)).enter()
    fill = fills_of(bench)[0].fill
    bench.journal(booked(replace(fill, size=fill.size * 2), fee=False))
    assert bench.end() == ["P3", "P3"]

    bench = with_checker(FillChecker(0, 0)).enter()
    fill = fills_of(bench)[0].fill
    bench.journal(booked(fill, fee=False), FeeBooked(at(), FillId(fill.fill_id), fill.fee_paid))
    assert bench.end() == []


def test_a_state_that_is_not_the_fold_of_its_journal_is_caught() -> None:
    disk = DiskModel()
    journal = Journal(disk)
    journal.begin_session(SessionStarted(at(), "paper", "sim", "one", "0", "", 0))
    journal.record(planned()[0])
    assert check_fold(disk, journal.state, START_MS) == ()

    journal.state.positions.clear()

    (violation,) = check_fold(disk, journal.state, START_MS)
    assert violation.rule == "P8"
    assert "positions" in violation.text


def test_a_changed_journal_is_caught() -> None:
    disk = DiskModel()
    Journal(disk).begin_session(SessionStarted(at(), "paper", "sim", "one", "0", "", 0))
    torn = disk.crash()
    torn._content[-1] ^= 1

    assert [violation.rule for violation in check_fold(torn, None, START_MS)] == ["P8"]


# --- P19, P20 ---------------------------------------------------------------------------------------------------------

MINUTE = 60_000


def modes(*steps: ModeSeen, acknowledge_before: int | None = None) -> list[str]:
    checker = ModeChecker()
    rules: list[str] = []
    for number, step in enumerate(steps):
        if number == acknowledge_before:
            checker.acknowledge()
        rules += [violation.rule for violation in checker.see(step)]
    return rules


def test_degraded_may_clear_by_itself_and_a_halt_only_by_a_human() -> None:
    assert modes(ModeSeen(0, Mode.NORMAL), ModeSeen(1, Mode.DEGRADED), ModeSeen(2, Mode.NORMAL), ModeSeen(3, Mode.HALTED)) == []
    assert modes(ModeSeen(0, Mode.HALTED), ModeSeen(1, Mode.NORMAL)) == ["P19"]
    assert modes(ModeSeen(0, Mode.KILL_SWITCH), ModeSeen(1, Mode.HALTED)) == ["P19"]
    assert modes(ModeSeen(0, Mode.HALTED), ModeSeen(1, Mode.NORMAL), acknowledge_before=1) == []


def test_nothing_is_opened_and_no_target_placed_between_two_looks_at_a_halted_daemon() -> None:
    intended = Journaled(2, 1, planned()[1])
    halted, on = ModeSeen(0, Mode.HALTED), ModeSeen(2, Mode.NORMAL)

    def rules(*steps: ModeSeen | Journaled, acknowledged: bool = False) -> list[str]:
        checker = ModeChecker()
        found: list[Violation] = []
        for step in steps:
            if isinstance(step, ModeSeen) and step is on and acknowledged:
                checker.acknowledge()
            found += checker.see(step) if isinstance(step, ModeSeen) else checker.on_journal(step)
        return [violation.rule for violation in found]

    assert rules(halted, intended, replace(halted, at_ms=2)) == ["P19"]
    assert rules(halted, intended, on, acknowledged=True) == [], "a human said go on"
    assert rules(intended, halted) == [], "it was intended before the halt"
    assert rules(halted, Journaled(2, 1, SessionStarted(at(), "paper", "sim", "test", "", "", 0)), replace(halted, at_ms=2)) == []


def test_the_one_allowed_recovery_is_about_margin_old_enough_and_at_most_twice_a_day() -> None:
    def cycle(start: int, minutes: int, utilization: float = 0.5) -> tuple[ModeSeen, ModeSeen]:
        return ModeSeen(start, Mode.HALTED, is_margin=True), ModeSeen(start + minutes * MINUTE, Mode.NORMAL, utilization=utilization)

    assert modes(*cycle(0, 6), *cycle(10 * MINUTE, 6)) == []
    assert modes(*cycle(0, 6), *cycle(10 * MINUTE, 6), *cycle(20 * MINUTE, 6)) == ["P19"]
    assert modes(*cycle(0, 4)) == ["P19"]
    assert modes(*cycle(0, 6, 0.9)) == ["P19"]


@given(st.lists(st.sampled_from(Mode), max_size=12))
def test_a_sequence_without_a_human_passes_only_if_no_halt_ever_loosens(sequence: list[Mode]) -> None:
    rules = modes(*(ModeSeen(number * MINUTE, mode) for number, mode in enumerate(sequence)))
    loosened = sum(a.is_halted and b.severity < a.severity for a, b in pairwise(sequence))

    assert rules == ["P19"] * loosened


def test_two_runs_have_one_hash_only_if_they_are_the_same() -> None:
    hashes = []
    for size in ("0.01", "0.01", "0.02"):
        trace = Trace()
        with_checker(trace).journal(*planned()).enter(size)
        hashes.append(trace.digest)

    assert hashes[0] == hashes[1] != hashes[2]


# --- never ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["place", "place and cancel old", "grow", "wait"]), max_size=8))
def test_place_first_and_cancel_after_never_troubles_the_seat_belt_checkers(steps: list[str]) -> None:
    bench = with_checker(SeatBeltChecker()).enter().stop(key=SL)
    newest = SL
    for number, step in enumerate(steps):
        if step == "wait":
            bench.seconds(1)
        elif step == "grow":
            bench.resize(newest, "0.02").resize(newest, "0.01")
        else:
            key = f"ts-{POSITION}-sl-{number + 10}"
            bench.stop(key=key)
            if step == "place and cancel old":
                bench.cancel(newest)
            newest = key

    assert bench.rules == []
