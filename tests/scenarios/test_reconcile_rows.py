"""Every row of the reconciliation table, the takeover at a start and the rules of late take-profits, with the evidence they act on."""

from __future__ import annotations

from decimal import Decimal

import pytest
from daemon_driver import play
from scenario_parts import (
    BTC,
    DOGE,
    ETH,
    START_MS,
    At,
    Scenario,
    Wish,
    by_hand,
    close_by_hand,
    crash,
    drop_stops,
    limit_by_hand,
    operator,
    stop_by_hand,
)
from scripted_wire import AnswerLost, On, Read, Refused, RequestLost

from trading_system.domain import events as ev
from trading_system.domain.modes import Mode
from trading_system.domain.orders import Direction, Side
from trading_system.domain.positions import CloseReason, EndReason, Lineage, PositionState
from trading_system.torture.venue_log import Cancelled
from trading_system.wiring.control_protocol import HaltOrder, ResumeOrder

D = Decimal
QUIET_LIFE = ["entry placed", "entry filled", "stop placed", "tp1 placed", "tp2 placed"]
MUTE = ((0, 10_000),)
FLAT = {BTC: {0: 80_000.0}, ETH: {0: 3_000.0}}
NO_WISH: tuple[Wish, ...] = ()


# --- PHANTOM ------------------------------------------------------------------------------------------------------------


def test_phantom_is_adopted_with_what_was_read_and_gets_a_stop_two_percent_away() -> None:
    end = play(Scenario(wishes=NO_WISH, acts=(At(30, by_hand(Side.BUY, "0.05")),), feed_mute=MUTE, until_s=100))

    (adopted,) = end.of(ev.PositionAdopted)
    assert adopted.plan.lineage is Lineage.ADOPTED
    assert "venue lists long 0.05" in adopted.evidence
    assert end.stops() == [(D("0.05"), D(78_400))]
    assert end.naked_s() <= 8
    assert [told.symbol for told in end.told("RECONCILE_ADOPTED")] == [BTC]


def test_phantom_under_alert_only_is_told_and_left_alone() -> None:
    end = play(
        Scenario(
            wishes=NO_WISH,
            acts=(At(30, by_hand(Side.BUY, "0.05")),),
            settings={"execution": {"reconcile": {"phantom_policy": "alert_only"}}},
            until_s=80,
            in_peace=False,
            tolerates=("P1",),  # the owner said that his positions are his business
        )
    )

    assert end.words() == ["foreign placed", "foreign filled"]
    assert not end.positions
    assert end.told("PHANTOM") or end.told("RECONCILE_ADOPTED") or end.logged("PHANTOM")


def test_an_adopted_position_counts_in_the_caps() -> None:
    """One position is allowed, and the owner's is the one."""
    end = play(
        Scenario(
            prices=FLAT,
            wishes=(Wish(ETH, at_s=900),),
            acts=(At(30, by_hand(Side.BUY, "0.05")),),
            settings={"auction": {"positions_max": 1}},
            until_s=1_000,
        )
    )

    assert not end.sent("entry", ETH)
    assert [p.plan.lineage for p in end.positions] == [Lineage.ADOPTED]


# --- ORPHANED -----------------------------------------------------------------------------------------------------------


def test_orphaned_is_only_what_no_fill_explains_and_it_waits_for_a_human() -> None:
    end = play(
        Scenario(
            acts=(At(60, close_by_hand()),),
            reads=(Read("fills", 55, 1_000, hides=True),),
            feed_mute=MUTE,
            until_s=200,
            in_peace=False,
        )
    )

    (orphaned,) = end.of(ev.PositionOrphaned)
    assert "no fill explains it" in orphaned.evidence
    assert (orphaned.at.timestamp() - end.records[0].at_ms / 1000) >= 60 + 20, "fills were given their time"
    assert [p.state for p in end.positions] == [PositionState.ORPHANED]
    assert not end.sent("close")
    assert end.logged("ORPHAN")
    assert ["ORPHAN" in told.text for told in end.alarms if told.urgent] == [True]


def test_an_orphan_keeps_nobody_from_protecting_what_its_owner_opens_in_its_place() -> None:
    """The books still held the orphan, so the owner's new position on its market was handed to a human, and lost its stop unseen."""
    end = play(
        Scenario(
            acts=(At(60, close_by_hand()), At(200, by_hand(Side.SELL, "0.05"))),
            reads=(Read("fills", 55, 1_000, hides=True),),
            feed_mute=MUTE,
            until_s=300,
            in_peace=False,
        )
    )

    orphan, owners = end.positions
    assert (orphan.state, orphan.closure.reason if orphan.closure else None) == (PositionState.CLOSED, CloseReason.WRITTEN_OFF)
    assert (owners.plan.lineage, owners.direction, owners.state) == (Lineage.ADOPTED, Direction.SHORT, PositionState.PROTECTED)
    assert D("0.05") in [qty for qty, _ in end.stops()]
    assert not end.of(ev.PositionQuarantined)


def test_orphaned_is_closed_with_its_real_exit_when_the_fills_come() -> None:
    end = play(Scenario(acts=(At(60, close_by_hand()),), reads=(Read("fills", 55, 150, hides=True),), feed_mute=MUTE, until_s=300))

    (position,) = end.positions
    assert position.closure is not None
    assert (position.state, position.closure.exit_price) == (PositionState.CLOSED, D(79_998))
    assert not end.exchange.open_orders()


# --- PENDING ------------------------------------------------------------------------------------------------------------


def test_pending_adopted_counts_the_fill_that_comes_later_only_once() -> None:
    end = play(Scenario(wire=(On("entry", AnswerLost()),), reads=(Read("fills", 0, 60, lag_s=100),), feed_mute=MUTE, until_s=200))

    (adjusted,) = end.of(ev.QuantityAdjusted)
    assert adjusted.delta == D("0.125")
    assert "venue lists long 0.125" in adjusted.evidence
    assert [(p.qty, p.tally.entered, p.tally.adjusted) for p in end.positions] == [(D("0.125"), D("0.125"), D(0))]
    assert end.words() == QUIET_LIFE


def test_pending_zero_is_an_order_in_flight_and_is_resolved_not_archived() -> None:
    """Nothing on the venue, nothing filled: it keeps its symbol until the order is proven absent."""
    end = play(
        Scenario(
            wishes=(Wish(), Wish(at_s=900)),
            wire=(On("entry", RequestLost()),),
            start_s=880,
            settings={"strategy": {"signal_cooldown_hours": "0.01"}},
            reads=(Read("fills", 903, 990, fails=True),),
            until_s=1_100,
        )
    )

    first = end.positions[0]
    (ended,) = end.of(ev.OrderEnded)[:1]
    assert ended.reason is EndReason.NOT_PLACED
    assert (ended.at - first.plan.planned_at).total_seconds() >= 940 - 880, "not before fills, orders and positions were all read"
    assert first.state is PositionState.CANCELLED


# --- QTY_DIFF -----------------------------------------------------------------------------------------------------------


def test_qty_diff_asks_the_fills_first_and_needs_no_adjustment_when_they_tell() -> None:
    end = play(Scenario(acts=(At(60, by_hand(Side.SELL, "0.05")),), feed_mute=MUTE, until_s=200))

    assert not end.of(ev.QuantityAdjusted)
    assert [p.qty for p in end.positions] == [D("0.075")]
    assert end.stops() == [(D("0.075"), D(79_200))]


def test_qty_diff_without_fills_is_adjusted_once_under_a_name_made_of_the_facts_and_the_stop_follows() -> None:
    scenario = Scenario(
        acts=(At(60, by_hand(Side.BUY, "0.05")), At(100, crash())),
        reads=(Read("fills", 55, 1_000, hides=True),),
        feed_mute=MUTE,
        until_s=200,
        in_peace=False,
    )
    once, again = play(scenario), play(scenario)

    (adjusted,) = once.of(ev.QuantityAdjusted)
    assert adjusted.delta == D("0.05")
    assert [e.adjustment_id for e in again.of(ev.QuantityAdjusted)] == [adjusted.adjustment_id], "no chance in the name"
    assert once.stops() == [(D("0.175"), D(79_200))]
    assert once.naked_s() <= 12
    assert once.logged("QTY_DIFF")


def test_fault_c06_a_history_shorter_than_the_position_ends_in_one_adjustment_that_is_no_trade() -> None:
    """The fills that reduced it are older than what the venue still tells: quantity from the venue, no invented result."""
    end = play(
        Scenario(
            acts=(At(40, crash(down_s=900)), At(60, by_hand(Side.SELL, "0.04"))),
            reads=(Read("fills", 50, 10_000, hides=True),),
            feed_mute=MUTE,
            until_s=1_100,
            in_peace=False,
        )
    )

    (adjusted,) = end.of(ev.QuantityAdjusted)
    (position,) = end.positions
    assert (adjusted.delta, position.qty) == (D("-0.04"), D("0.085"))
    assert position.tally.exited == 0, "an adjustment is no exit"
    assert end.stops()[0][0] == D("0.085")
    assert not end.of(ev.PositionClosed)


def test_a_snapshot_older_than_our_newest_fill_is_ignored() -> None:
    """Positions as they were before the entry, for twenty seconds after it: neither gone nor a difference."""
    end = play(Scenario(reads=(Read("positions", 0, 25, lag_s=30),), until_s=100))

    assert end.words() == QUIET_LIFE
    assert not end.of(ev.QuantityAdjusted)
    assert not end.of(ev.PositionOrphaned)


# --- takeover at a start ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stops", "word"),
    [
        ((stop_by_hand(Side.SELL, "0.05", "79000"),), "A: its stop is taken over"),
        ((), "B: it gets one"),
        ((stop_by_hand(Side.SELL, "0.02", "79500"), stop_by_hand(Side.SELL, "0.05", "79000")), "C: several"),
        ((stop_by_hand(Side.BUY, "0.05", "81000"),), "C: the wrong side"),
    ],
    ids=["A protected", "B naked", "C several", "C wrong side"],
)
def test_takeover_at_a_start_leaves_every_position_covered_before_any_entry(stops: tuple[object, ...], word: str) -> None:
    end = play(
        Scenario(
            prices=FLAT,
            wishes=(Wish(ETH),),
            acts=(At(1, by_hand(Side.BUY, "0.05")), *(At(2, stop) for stop in stops)),  # type: ignore[arg-type]
            start_s=10,
            until_s=200,
        )
    )

    covering = [size for size, trigger in end.stops() if trigger is not None and trigger < 80_000]
    assert sum(covering) >= D("0.05"), word
    ours = end.sent("stop", BTC)
    assert len(ours) == (0 if any("79000" in str(s) for s in stops) or word.startswith(("A", "C: several")) else 1)
    assert "foreign cancelled" not in end.words(), "what the owner placed is his"
    entries = end.sent("entry", ETH)
    assert len(entries) == 1
    assert all(stop.at_ms <= entries[0].at_ms for stop in ours), "protected first"
    assert end.naked_s() <= 15


def test_takeover_d_what_is_known_is_verified_and_nothing_is_sent() -> None:
    end = play(Scenario(acts=(At(60, crash()),), until_s=150))

    assert end.words() == QUIET_LIFE
    assert end.lives == 2


def test_takeover_of_our_own_position_with_its_stop_and_a_second_one_leaves_one_of_ours() -> None:
    end = play(
        Scenario(
            wire=(On("amend", Refused("orderForEditNotFound"), times=3), On("cancel stop", RequestLost(), times=1)),
            prices={BTC: {0: 80_000.0, 100: 80_900.0}},
            acts=(At(123, crash()),),
            until_s=400,
        )
    )

    assert len(end.stops()) == 1
    assert end.stops()[0][0] == D("0.0625")
    assert end.naked_s() == 0


# --- late take-profits --------------------------------------------------------------------------------------------------


def test_missing_take_profits_come_thirty_seconds_after_the_entry_each_on_its_own() -> None:
    end = play(Scenario(wire=(On("tp1", Refused("tooManyOrders")), On("tp2", Refused("tooManyOrders"))), until_s=900))

    kinds = [kind for kind, _, _ in end.limits()]
    assert kinds == ["tp1", "tp2"], end.tale()
    second = [sent for sent in end.sent("tp1") if sent.is_accepted]
    assert (second[0].at_ms - end.sent("entry")[0].at_ms) / 1000 >= 30


def test_a_level_that_was_passed_meanwhile_is_not_placed_late() -> None:
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 20: 80_900.0}},
            wire=(On("tp1", Refused("tooManyOrders"), times=None), On("tp2", Refused("tooManyOrders"))),
            until_s=900,
        )
    )

    assert [kind for kind, _, _ in end.limits()] == ["tp2"]
    assert end.position() == D("0.125")


def test_late_take_profits_ignore_their_pause_once_after_a_resume() -> None:
    end = play(Scenario(acts=(At(60, operator(HaltOrder("drill"))), At(90, operator(ResumeOrder("drill over")))), until_s=160))

    assert [kind for kind, _, _ in end.limits()] == ["tp1", "tp2"]
    placed_s = [(sent.at_ms - end.sent("entry")[0].at_ms) / 1000 for sent in end.sent("tp1")]
    assert len(placed_s) == 2
    assert 90 <= placed_s[1] <= 95, "not after the ten minutes between two tries"


def test_fault_c09_while_a_stop_is_changed_both_halves_are_one_order() -> None:
    """A list from before the change and one from after it: nothing is placed beside it."""
    end = play(
        Scenario(
            prices={BTC: {0: 80_000.0, 100: 80_900.0}},
            reads=(Read("orders", 120, 180, lag_s=20),),
            feed_mute=MUTE,
            until_s=300,
        )
    )

    assert end.words().count("stop placed") == 1, end.tale()
    assert len(end.stops()) == 1
    assert end.naked_s() <= 4


def test_fault_c11_each_symbol_of_a_round_is_acted_on_alone() -> None:
    """The stop of one goes without an answer; the others get theirs in the same round."""
    end = play(
        Scenario(
            prices={**FLAT, DOGE: {0: 0.2}},
            wishes=(Wish(BTC), Wish(ETH, direction=Direction.SHORT), Wish(DOGE)),
            wire=(On("stop", RequestLost(), symbol=BTC, times=2),),
            feed_mute=MUTE,
            until_s=200,
        )
    )

    assert all(len(end.stops(symbol)) == 1 for symbol in (BTC, ETH, DOGE))
    assert end.naked_s(ETH) <= 4
    assert end.naked_s(DOGE) <= 4


def test_leftovers_of_ours_go_only_after_two_complete_looks_without_the_position() -> None:
    end = play(
        Scenario(
            acts=(At(60, close_by_hand()), At(60, limit_by_hand(Side.BUY, "0.01", "70000"))),
            reads=(Read("positions", 58, 120, fails=True),),
            feed_mute=MUTE,
            until_s=200,
        )
    )

    cancelled = [(record.at_ms - START_MS) / 1000 for record in end.records if isinstance(record, Cancelled)]
    assert len(cancelled) == 1, "the stop; the venue ends reduce-only limits itself"
    assert 123 <= cancelled[0] <= 130
    assert not end.stops()
    assert [kind for kind, _, _ in end.limits()] == ["foreign"]
    assert Mode.KILL_SWITCH not in end.modes


def test_a_lost_stop_of_a_position_that_is_adopted_comes_back_too() -> None:
    end = play(Scenario(wishes=NO_WISH, acts=(At(30, by_hand(Side.SELL, "0.05")), At(60, drop_stops())), feed_mute=MUTE, until_s=120))

    assert end.stops() == [(D("0.05"), D(81_600))]
    assert end.naked_s() <= 12
