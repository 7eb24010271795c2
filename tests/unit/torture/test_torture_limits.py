"""The checkers of caps, losses, orders of unknown fate and clean stops: each passes a good log and catches its bad one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from torture_builders import EN, POSITION, TP, Bench, D, OpenWorld, at, planned

from sim_builders import START_MS
from trading_system.domain.events import JournalEvent, OrderEnded, OrderPlaced, OrderUnknown, PositionQuarantined
from trading_system.domain.modes import Mode
from trading_system.domain.orders import ClientOrderId, PositionId, Qty, VenueOrderId
from trading_system.domain.positions import EndReason
from trading_system.torture.case import Case, busy_settings, cap_limits, draw_case
from trading_system.torture.check_caps import CapChecker, CapLimits
from trading_system.torture.check_fates import FateChecker
from trading_system.torture.check_losses import LossChecker
from trading_system.torture.check_modes import ModeChecker, ModeSeen
from trading_system.torture.check_orders import EvidenceChecker
from trading_system.torture.check_pace import PaceChecker
from trading_system.torture.mortal import DeathKind
from trading_system.torture.venue_log import Actor

KEY = ClientOrderId(EN)
LIMITS = cap_limits(busy_settings())

# --- P6 ---------------------------------------------------------------------------------------------------------------


def a_cap_bench(limits: CapLimits = LIMITS, equity: str = "10000") -> Bench:
    bench = Bench()
    bench.checker = CapChecker(bench.exchange.watch, limits, lambda symbol: bench.exchange.quote(symbol).mark, lambda: D(equity))
    return bench.journal(*planned())


def test_an_entry_within_every_cap_is_fine() -> None:
    assert a_cap_bench().enter().rules == []


@pytest.mark.parametrize(
    "limits",
    [
        replace(LIMITS, notional_usd=lambda tier: D(700)),
        replace(LIMITS, single=D("0.01")),
        replace(LIMITS, open_notional_usd=D(700)),
        replace(LIMITS, utilization=D("0.01")),
        replace(LIMITS, opens_per_hour=0),
        replace(LIMITS, opens_per_day=0),
        replace(LIMITS, positions=0),
    ],
    ids=["tier", "single", "open notional", "utilisation", "hour", "day", "positions"],
)
def test_an_entry_beyond_a_cap_is_told(limits: CapLimits) -> None:
    """0.01 at 80,000 USD on 10,000 USD of equity."""
    assert set(a_cap_bench(limits).enter().rules) == {"P6"}


def test_what_other_hands_hold_counts_once_every_reading_must_have_shown_it() -> None:
    one = replace(LIMITS, open_notional_usd=D(1_200))
    soon, late = a_cap_bench(one), a_cap_bench(one)
    for bench, seconds in ((soon, 10), (late, 130)):
        bench.by(Actor.HUMAN).send("mkt", "buy", "0.02", None, reduce_only=False)
        bench.by(Actor.DAEMON).seconds(seconds).enter()

    assert (soon.rules, late.rules) == ([], ["P6"])


# --- P11 --------------------------------------------------------------------------------------------------------------


def a_loss_bench() -> tuple[Bench, Callable[[str], None]]:
    money = [D(10_000)]
    bench = Bench()
    bench.checker = LossChecker(lambda: money[0], D("0.05"))

    def equity_is(usd: str) -> None:
        money[0] = Decimal(usd)

    bench.seconds(1)
    return bench, equity_is


def test_an_entry_accepted_after_the_days_loss_passed_its_limit_is_told() -> None:
    bench, equity_is = a_loss_bench()
    equity_is("9480")
    bench.seconds(10).enter()

    assert bench.rules == ["P11"]


@pytest.mark.parametrize(("equity", "seconds"), [("9520", 60), ("9480", 4)])
def test_below_the_limit_and_within_five_seconds_entries_are_fine(equity: str, seconds: int) -> None:
    bench, equity_is = a_loss_bench()
    equity_is(equity)
    bench.seconds(seconds).enter()

    assert bench.rules == []


def test_money_that_was_taken_out_is_no_loss_and_a_deposit_hides_none() -> None:
    drawn, filled = a_loss_bench(), a_loss_bench()
    for (bench, equity_is), moved, left in ((drawn, "-600", "9400"), (filled, "600", "10080")):
        bench.exchange.deposit(D(moved))
        equity_is(left)
        bench.seconds(10).enter()

    assert (drawn[0].rules, filled[0].rules) == ([], ["P11"])


def test_a_new_day_begins_with_nothing_lost() -> None:
    bench, equity_is = a_loss_bench()
    equity_is("9000")
    bench.seconds(2)
    bench.violations += bench.checker.on_second(START_MS + 86_400_000)

    assert bench.enter().rules == []


# --- L5 and P9 --------------------------------------------------------------------------------------------------------


def a_fate_bench(world: OpenWorld | None = None) -> tuple[Bench, FateChecker]:
    bench, checker = Bench(), FateChecker(world or OpenWorld())
    bench.checker = checker
    checker.on_process(START_MS, is_up=True)
    bench.journal(*planned())
    return bench, checker


UNKNOWN = OrderUnknown(at(1), KEY, "timeout")
PLACED = OrderPlaced(at(2), KEY, VenueOrderId("v1"), None, "listed")


def test_an_order_of_unknown_fate_that_nobody_hears_of_is_told_after_ten_minutes_and_once() -> None:
    bench, _ = a_fate_bench()
    bench.journal(UNKNOWN).seconds(650)
    assert bench.rules == []

    assert bench.seconds(300).rules == ["L5"]


@pytest.mark.parametrize("end", [PLACED, OrderEnded(at(3), KEY, EndReason.NOT_PLACED, Qty(D(0)), "no trace")])
def test_an_order_whose_fate_became_known_is_fine_whatever_came_first(end: JournalEvent) -> None:
    after, before = a_fate_bench()[0], a_fate_bench()[0]

    assert after.journal(UNKNOWN, end).seconds(700).rules == []
    assert before.journal(end, UNKNOWN).seconds(700).rules == []


def test_a_person_who_was_told_and_time_without_the_venue_stop_the_count() -> None:
    told, checker = a_fate_bench()
    told.journal(UNKNOWN).seconds(500)
    checker.on_alert(f"nobody has known for ten minutes whether the venue has it: {KEY}")
    away = OpenWorld()
    away.reachable = False

    assert told.seconds(400).rules == []
    assert a_fate_bench(away)[0].journal(UNKNOWN).seconds(900).rules == []


def test_a_clean_stop_leaves_no_order_open_in_the_books_and_no_position_it_could_have_covered() -> None:
    _, hanging = a_fate_bench()
    bench, settled = a_fate_bench()
    bench.journal(UNKNOWN)

    assert [v.rule for v in hanging.left(START_MS, {})] == ["P9"]
    assert [v.rule for v in settled.left(START_MS, {"PF_XBTUSD": 2.0})] == []
    assert [v.symbol for v in settled.left(START_MS, {"PF_XBTUSD": 9.0})] == ["PF_XBTUSD"]


# --- P7 ---------------------------------------------------------------------------------------------------------------


def test_a_position_is_taken_for_turned_only_when_the_venue_held_the_other_side_since_it_was_planned() -> None:
    quarantined = PositionQuarantined(at(9), PositionId(POSITION), "venue lists short 0.01")
    never, turned = Bench(), Bench()
    for bench in (never, turned):
        bench.checker = EvidenceChecker()
        bench.journal(*planned()).enter()
    turned.by(Actor.HUMAN).send("mkt", "sell", "0.02", None, reduce_only=False)

    assert never.journal(quarantined).rules == ["P7"]
    assert turned.journal(quarantined).rules == []


# --- P19 and the case -------------------------------------------------------------------------------------------------


def test_a_spoilt_halt_state_must_be_read_as_a_halt() -> None:
    checker = ModeChecker()
    checker.must_halt()
    assert [v.rule for v in checker.see(ModeSeen(0, Mode.NORMAL))] == ["P19"]

    checker.must_halt()
    assert [*checker.see(ModeSeen(1, Mode.HALTED)), *checker.see(ModeSeen(2, Mode.HALTED))] == []


def test_the_swarm_stops_in_order_spoils_halt_files_and_lowers_the_cap_of_positions_in_some_seeds() -> None:
    cases: list[Case] = [draw_case(seed, 4.0) for seed in range(60)]
    deaths = [death for case in cases for death in case.deaths]

    assert {case.positions_max for case in cases} == {3, 8}
    assert {death.kind for death in deaths} == set(DeathKind)
    assert {death.spoils for death in deaths} == {True, False}
    assert all(case.deaths == tuple(sorted(case.deaths, key=lambda death: death.at_s)) for case in cases)


def test_an_exit_is_no_open_and_takes_no_room() -> None:
    bench = a_cap_bench(replace(LIMITS, positions=1, opens_per_hour=1))
    bench.enter()
    bench.send("lmt", "sell", "0.01", TP, price=81_000)

    assert bench.rules == []
    assert bench.exchange.watch.held() == ("PF_XBTUSD",)
    assert POSITION in EN


# --- L6 ---------------------------------------------------------------------------------------------------------------


def test_an_order_every_two_seconds_is_no_flood_and_two_a_second_are_told_once() -> None:
    for seconds, rules in (((2, 2), []), ((1, 0), ["L6"])):
        bench = Bench()
        bench.checker = PaceChecker()
        bench.enter()
        for number in range(80):
            bench.seconds(seconds[number % 2]).send("ioc", "sell", "0.01", f"ts-{POSITION}-cl-{number}", price=90_000)
        assert bench.rules == rules


def test_what_a_human_or_the_network_sends_is_no_flood_of_ours() -> None:
    bench = Bench()
    bench.checker = PaceChecker()
    bench.by(Actor.NETWORK)
    for number in range(80):
        bench.send("ioc", "sell", "0.01", f"ts-{POSITION}-cl-{number}", price=90_000)

    assert bench.rules == []
