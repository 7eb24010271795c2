"""Incidents 1, 2, 9, 11, 13 and 20 through the running daemon: limits that fought each other, were never fed, or nobody read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from daemon_driver import play
from scenario_ending import Ending
from scenario_parts import (
    BTC,
    DOGE,
    ETH,
    START_MS,
    At,
    Scenario,
    Wish,
    a_market,
    by_hand,
    crash,
    drop_stops,
    money_moves,
    operator,
    restart,
)
from scripted_wire import AnswerLost, On, Read

from fakes.command_line import CommandLine
from trading_system.domain import events as ev
from trading_system.domain.modes import Mode
from trading_system.domain.orders import Side
from trading_system.domain.symbols import Symbol, normalise
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel
from trading_system.live.losses import LOSS_STATE_KEY
from trading_system.sim.margin_schedule import MarginClass
from trading_system.torture.venue_log import Sent
from trading_system.wiring.control_protocol import ResumeOrder

D = Decimal
EQUITY = D(10_000)


def coins(count: int, price: float = 100.0) -> dict[Symbol, Mapping[int, float]]:
    """So many liquid markets that all stand at one price."""
    bases = ("BTC", "ETH", "SOL", "DOGE", "BNB", "XRP", "LINK", "UNI", "ARB", "ADA", "DOT", "LTC")
    return {normalise(f"{base}/USD"): {0: price} for base in bases[:count]}


def listed(prices: Mapping[Symbol, Any], margin: MarginClass = MarginClass.A) -> dict[Symbol, Any]:
    """Their contracts, with a fine step."""
    names = {s: f"PF_{'XBT' if s == BTC else s.partition('/')[0]}USD" for s in prices}
    return {s: replace(a_market(name, tick="0.01", step="0.01", depth_usd=5e7), margin_class=margin) for s, name in names.items()}


def second_of(sent: Sent) -> float:
    """When it reached the exchange, in seconds from the start."""
    return (sent.at_ms - START_MS) / 1000


def notional_sent(end: Ending) -> Decimal:
    """USD of every entry the exchange took, at its limit."""
    return sum((s.request.size * (s.request.limit_price or D(0)) for s in end.sent("entry") if s.is_accepted), D(0))


# --- 1 ----------------------------------------------------------------------------------------------------------------


def test_incident_1_an_auction_that_fills_its_whole_budget_does_not_fire_the_kill_switch() -> None:
    """The margin halt lay below the budget the auction was allowed to use: each time it was used, everything was halted."""
    prices = coins(6)
    end = play(
        Scenario(
            prices=prices,
            specs=listed(prices, MarginClass.E),  # the venue's own margin is nearest to the planned one here
            wishes=tuple(Wish(symbol, stop=0.02) for symbol in prices),
            settings={"risk": {"max_open_risk": "0.05", "risk_per_trade": "0.04", "max_leverage": 1, "single_position": "0.90"}},
            until_s=300,
        )
    )

    margin = sum((position.plan.planned_margin for position in end.positions), D(0))
    assert D("0.80") * EQUITY <= margin <= D("0.90") * EQUITY, "it did use what it may use"
    assert not {Mode.KILL_SWITCH, Mode.HALTED} & set(end.modes)
    assert all(end.stops(position.symbol) for position in end.positions)


def test_incident_1_a_margin_halt_below_the_auctions_budget_never_starts(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("safety:\n  margin_utilization_halt: 0.85\n  margin_utilization_degraded: 0.80\n")

    answer = CommandLine(tmp_path)("run", "--once", "-c", "bad.yaml")

    assert answer.code == 78
    assert "the auction may plan 0.9 of equity and the margin halt fires at 0.85" in answer.err
    assert not list(tmp_path.glob("**/positions.db"))


# --- 2 and 9 ------------------------------------------------------------------------------------------------------------


def test_incident_2_the_single_position_cap_shrinks_the_order_before_it_leaves() -> None:
    """The 25 % limit was looked at after the trade; positions of 70 to 120 % were opened and then halted."""
    end = play(Scenario(wishes=(Wish(stop=0.002),), settings={"risk": {"exposure_basis": "notional"}}, until_s=60))

    assert D("0.24") * EQUITY < notional_sent(end) <= D("0.25") * EQUITY
    assert end.modes == [Mode.NORMAL]


CAPS: tuple[tuple[str, dict[str, Any], Decimal], ...] = (
    ("single position, on margin", {"risk": {"single_position": "0.05", "max_leverage": 2}}, D(1_000)),
    ("aggregate", {"risk": {"aggregate": "0.04", "exposure_basis": "notional", "single_position": "0.04"}}, D(400)),
    ("open notional", {"risk": {"open_notional_usd_max": "1500"}}, D(1_500)),
    ("planned utilisation", {"risk": {"planned_utilization_max": "0.05", "max_leverage": 2}}, D(1_000)),
    ("tier", {"risk": {"tiers": {"a": {"max_leverage": "10", "notional_usd_max": "700", "slippage_max": "0.001"}}}}, D(700)),
    ("small account, one position", {"risk": {"position_notional": {"equity_share": "0.05", "floor_usd": "25"}}}, D(500)),
    ("small account, all positions", {"risk": {"total_notional": {"equity_share": "0.06", "floor_usd": "75"}}}, D(600)),
    ("open risk", {"risk": {"max_open_risk": "0.01", "risk_per_trade": "0.01"}}, D(10_000)),
)


@pytest.mark.parametrize(("settings", "usd_max"), [case[1:] for case in CAPS], ids=[case[0] for case in CAPS])
def test_incident_9_every_cap_of_the_configuration_binds_what_is_sent(settings: dict[str, Any], usd_max: Decimal) -> None:
    """A field name that did not exist silently switched a cap off. Two signals: the cap holds for one and for both."""
    end = play(Scenario(prices=coins(2), specs=listed(coins(2)), wishes=(Wish(BTC), Wish(ETH)), settings=settings, until_s=60))

    per_order = [s.request.size * (s.request.limit_price or D(0)) for s in end.sent("entry")]
    assert per_order, "a cap shrinks; it does not have to stop everything"
    bound = usd_max if len(per_order) == 1 or "aggregate" in str(settings) or "total" in str(settings) or "open" in str(settings) else None
    assert max(per_order) <= usd_max
    if bound is not None:
        assert sum(per_order) <= bound


COUNTS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("positions", {"auction": {"positions_max": 1}}, 1),
    ("one cluster and direction", {"auction": {"cluster_positions_max": 2}}, 2),
    ("opens per cycle", {"auction": {"opens_per_cycle_max": 2}}, 2),
    ("trades per cycle", {"auction": {"trades_per_cycle_max": 1}}, 1),
    ("opens per hour", {"risk": {"opens_per_hour_max": 2}}, 2),
    ("opens per day", {"risk": {"opens_per_day_max": 1, "opens_per_hour_max": 1}}, 1),
)


@pytest.mark.parametrize(("settings", "count"), [case[1:] for case in COUNTS], ids=[case[0] for case in COUNTS])
def test_incident_9_every_count_of_the_configuration_binds_what_is_sent(settings: dict[str, Any], count: int) -> None:
    prices = coins(4)
    end = play(
        Scenario(
            prices=prices,
            specs=listed(prices),
            wishes=tuple(Wish(symbol) for symbol in prices),
            settings={**settings, "risk": {"risk_per_trade": "0.002", **settings.get("risk", {})}},
            until_s=60,
        )
    )

    assert len(end.sent("entry")) == count


def test_incident_9_a_misspelled_cap_never_starts_and_the_right_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "typo.yaml").write_text("risk:\n  single_positon: 0.10\n")

    answer = CommandLine(tmp_path)("run", "--once", "-c", "typo.yaml")

    assert answer.code == 78
    assert "single_positon" in answer.err
    assert "single_position" in answer.err.replace("single_positon", "")


def test_fault_e01_an_order_nobody_knows_of_counts_in_every_cap() -> None:
    """A cap that counts only what is known to be filled is a cap with a hole."""
    end = play(
        Scenario(
            prices=coins(3),
            specs=listed(coins(3)),
            wishes=(Wish(BTC, score=95), Wish(ETH, score=90), Wish(DOGE, score=85)),
            wire=(On("entry", AnswerLost()),),
            reads=(Read("fills", 0, 40, lag_s=60), Read("positions", 0, 40, lag_s=60), Read("status", 0, 40, hides=True)),
            feed_mute=((0, 40),),
            settings={"risk": {"open_notional_usd_max": "15000"}},
            until_s=60,
        )
    )

    assert notional_sent(end) <= 15_000, end.tale()
    assert len(end.sent("entry")) == 2


# --- 11 -----------------------------------------------------------------------------------------------------------------


def a_losing_day(**more: Any) -> Scenario:
    """A position of one and a half times the equity, taken over with its distant stop, falls 4 % in five steps: about 6 % are lost."""
    fall = {0: 80_000.0, 60: 79_400.0, 120: 78_800.0, 180: 78_600.0, 240: 76_600.0}
    return Scenario(
        prices={BTC: fall, ETH: {0: 3_000.0}},
        wishes=(Wish(ETH, at_s=900), Wish(ETH, at_s=1800)),
        acts=(At(1, by_hand(Side.BUY, "0.19")), *more.pop("acts", ())),
        start_s=5,
        settings={"execution": {"reconcile": {"adopted_stop_distance": "0.08"}}, **more.pop("settings", {})},
        until_s=more.pop("until_s", 2000),
        **more,
    )


def test_incident_11_the_daily_loss_limit_is_fed_and_stops_entries() -> None:
    """The limit existed in the configuration and nothing ever fed it."""
    end = play(a_losing_day())

    assert not end.sent("entry")
    assert {line.fields["reason"] for line in end.logged("ENTRY_REFUSED")} == {"DAILY_LOSS"}
    assert len(end.logged("Daily stop loss hit")) == 1
    assert [alarm.urgent for alarm in end.told("DAILY_STOP")] == [True]
    assert end.told("DAILY_LOSS_WARNING")
    assert len(end.stops()) == 1, "what is open stays protected"
    assert not end.sent("close")


def test_incident_11_the_loss_of_the_day_survives_a_crash() -> None:
    end = play(a_losing_day(acts=(At(500, crash(20)),)))

    assert end.lives == 2
    assert not end.sent("entry")
    assert "DAILY_LOSS" in {line.fields["reason"] for line in end.logged("ENTRY_REFUSED")}


def two_losing_days(*acts: At) -> Scenario:
    """Less than 4 % of the equity on the Monday evening and less than 4 % after midnight: each day keeps its limit of 5 %."""
    monday, tuesday = 85_000, 86_400
    fall = {monday + 60: 79_400.0, monday + 120: 78_800.0, monday + 180: 78_000.0}
    fall |= {tuesday + 60: 77_400.0, tuesday + 120: 76_800.0, tuesday + 180: 76_200.0}
    return Scenario(
        prices={BTC: {0: 80_000.0} | fall, ETH: {0: 3_000.0}},
        wishes=(Wish(ETH, at_s=tuesday + 900),),
        acts=(At(monday, by_hand(Side.BUY, "0.19")), *acts),
        start_s=monday + 4,
        settings={"execution": {"reconcile": {"adopted_stop_distance": "0.08"}}},
        until_s=tuesday + 1_000,
    )


@pytest.mark.parametrize("acts", [(), (At(86_400 + 300, crash(20)),)])
def test_fault_e02_the_losses_of_two_days_stop_entries_for_the_week_also_after_a_crash(acts: tuple[At, ...]) -> None:
    end = play(two_losing_days(*acts))

    assert end.lives == 1 + len(acts)
    assert not end.sent("entry")
    assert {line.fields["reason"] for line in end.logged("ENTRY_REFUSED")} == {"WEEKLY_LOSS"}
    assert not end.logged("Daily stop loss hit")
    assert [alarm.urgent for alarm in end.told("WEEKLY_STOP")] == [True]
    assert len(end.stops()) == 1, "what is open stays protected"
    assert not end.sent("close")


def test_incident_11_a_withdrawal_is_no_loss() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0}, ETH: {0: 3_000.0}},
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            acts=(At(300, money_moves("-2000")),),
            until_s=1000,
        )
    )

    assert not end.logged("Daily stop loss hit")
    assert len(end.sent("entry", ETH)) == 1
    assert end.modes[-1] is Mode.NORMAL


def test_incident_11_a_drawdown_of_15_percent_fires_the_kill_switch_and_keeps_the_stop() -> None:
    fall = {0: 80_000.0} | {60 * step: 80_000.0 - 800 * step for step in range(1, 10)}
    end = play(
        Scenario(
            prices={BTC: fall},
            wishes=(),
            acts=(At(1, by_hand(Side.BUY, "0.24")), At(900, operator(ResumeOrder("go on")))),
            start_s=5,
            settings={"execution": {"reconcile": {"adopted_stop_distance": "0.25"}}},
            until_s=1000,
        )
    )

    assert end.modes[-1] is Mode.KILL_SWITCH
    assert end.position() == D("0.24")
    assert len(end.stops()) == 1
    assert end.told("MAX_DRAWDOWN") or end.told("KILL_SWITCH")
    assert end.answers[0], "a drawdown is not resumed without rebasing the high-water mark"


# --- 13 -----------------------------------------------------------------------------------------------------------------


def with_high_water(content: DiskModel, usd: str) -> DiskModel:
    """The same journal, in which the highest equity ever seen is another one."""
    changed = content.crash()
    journal = Journal(changed)
    state = json.loads(journal.state.notes[LOSS_STATE_KEY])
    state["high_water"][0] = usd
    assert journal.state.session is not None
    journal.record(ev.StateNoted(journal.state.session.at, LOSS_STATE_KEY, json.dumps(state)))
    return changed


def test_incident_13_a_high_water_mark_that_fits_no_trade_asks_a_human_and_halts_nothing() -> None:
    """A stale mark read as a drawdown of 97 %."""
    before = play(Scenario(wishes=(), until_s=130))
    end = play(
        Scenario(
            journal=with_high_water(before.content, "350000"),
            wishes=(Wish(), Wish(at_s=900)),
            acts=(At(200, operator(ResumeOrder("go on"))), At(400, operator(ResumeOrder("old mark", rebase_high_water=True)))),
            until_s=1000,
        )
    )

    degraded = end.logged("DEGRADED")
    assert "high_water" in str(degraded[0].fields["causes"])
    assert not {Mode.KILL_SWITCH, Mode.HALTED} & set(end.modes)
    assert end.modes[-1] is Mode.NORMAL, "a human rebased it"
    assert [second_of(sent) > 400 for sent in end.sent("entry")] == [True]


def test_incident_13_a_journal_of_another_life_of_the_account_asks_too() -> None:
    before = play(Scenario(deposit="350000", wishes=(), until_s=130))
    end = play(Scenario(deposit="10000", wishes=(Wish(),), journal=before.content, until_s=400))

    assert end.modes[-1] is Mode.DEGRADED
    assert not {Mode.KILL_SWITCH, Mode.HALTED} & set(end.modes)
    assert not end.sent("entry"), "until somebody said what happened"


# --- 20 -----------------------------------------------------------------------------------------------------------------


def test_incident_20_degraded_opens_nothing_manages_everything_and_clears_by_itself() -> None:
    """A DEGRADED state was computed, logged, and read by nobody."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0}, ETH: {0: 3_000.0, 960: 3_045.0}},
            wishes=(Wish(ETH), Wish(BTC, at_s=900)),
            reads=(Read("snapshot", 830, 960, fails=True), Read("fills", 830, 960, fails=True)),
            until_s=1200,
        )
    )

    assert end.modes == [Mode.NORMAL, Mode.DEGRADED, Mode.NORMAL]
    degraded_s, normal_s = end.mode_changes[1][0], end.mode_changes[2][0]
    assert degraded_s <= 903
    assert normal_s >= 960 + 60, "every cause was clear for a minute"
    assert [second_of(s) >= normal_s - 1 for s in end.sent("entry", BTC)] == [True], "its bar is looked at again when entries are on"
    assert "tp1 filled" in end.words(ETH)
    assert len(end.stops(ETH)) == 1


def test_incident_20_degraded_survives_a_restart_while_its_cause_lasts() -> None:
    end = play(
        Scenario(
            wishes=(Wish(at_s=900),),
            reads=(Read("snapshot", 100, 2000, fails=True),),
            acts=(At(850, restart()),),
            until_s=1000,
            in_peace=True,
        )
    )

    assert not end.sent("entry")


def test_a_wallet_that_could_not_be_read_right_after_a_restart_keeps_entries_off_for_no_longer_than_that() -> None:
    """No drawdown could be computed in the first cycle, and "drawdown" asked for a human for the rest of the day."""
    end = play(Scenario(wishes=(Wish(at_s=900),), acts=(At(400, crash()),), reads=(Read("snapshot", 401, 500, fails=True),), until_s=1_000))

    assert end.modes == [Mode.NORMAL, Mode.DEGRADED, Mode.NORMAL]
    assert end.mode_changes[2][0] >= 500 + 60
    assert len(end.sent("entry")) == 1


def test_a_withdrawal_of_just_below_one_percent_asks_nobody_and_entries_go_on() -> None:
    """Absorbed as too small before the account log told of it, it then counted as a step the other way, for ever."""
    end = play(Scenario(wishes=(Wish(at_s=900),), acts=(At(250, money_moves("-99.6")),), until_s=1_000))

    assert end.modes == [Mode.NORMAL]
    assert len(end.sent("entry")) == 1


def test_a_withdrawal_while_the_wallet_cannot_be_read_asks_nobody_and_entries_go_on() -> None:
    """The old reading, judged again beside a log that told of it, seemed to have gained the money, and the next one to lose it."""
    fees = (At(400, by_hand(Side.BUY, "0.01")), At(400.5, by_hand(Side.SELL, "0.01")))  # a little of what nothing explains
    end = play(
        Scenario(
            wishes=(Wish(at_s=900),),
            acts=(At(310, money_moves("-99.6")), *fees),
            reads=(Read("snapshot", 300, 380, fails=True),),
            until_s=1_000,
        )
    )

    assert end.modes[-1] is Mode.NORMAL
    assert len(end.sent("entry")) == 1


def test_a_withdrawal_told_before_a_crash_is_no_step_for_the_next_process() -> None:
    """Its row of the account log was booked, and the process died before it could read a wallet that contains it."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0}, ETH: {0: 3_000.0}},
            wishes=(Wish(), Wish(ETH, at_s=1_800)),
            # the stop that is placed again is durable, and with it what was booked before
            acts=(At(310, money_moves("-300")), At(365, drop_stops()), At(370, crash(15))),
            reads=(Read("snapshot", 300, 380, fails=True),),
            until_s=1_900,
        )
    )

    assert end.modes[-1] is Mode.NORMAL
    assert len(end.sent("entry", ETH)) == 1
