"""Fault case F05 through the running daemon: the venue changed a contract's step, and what is cached is four hours old at most."""

from __future__ import annotations

from decimal import Decimal

from daemon_driver import play
from scenario_parts import At, Scenario, Wish, drop_stops, operator, step_becomes

from trading_system.domain import events as ev
from trading_system.wiring.control_protocol import FlattenOrder

D = Decimal


def test_fault_f05_an_entry_refused_for_its_size_is_dropped_and_the_next_signal_has_the_new_step() -> None:
    end = play(
        Scenario(
            wishes=(Wish(at_s=900, stop=0.0097), Wish(at_s=1_800, stop=0.0097)),
            acts=(At(600, step_becomes("0.01")),),
            settings={"strategy": {"signal_cooldown_hours": "0.01"}},
            until_s=1_900,
        )
    )

    assert end.words()[:3] == ["entry invalidSize", "entry placed", "entry filled"], end.tale()
    assert end.position() == D("0.12")


def test_fault_f05_a_stop_refused_for_its_size_is_placed_with_the_new_step_in_time() -> None:
    end = play(Scenario(acts=(At(60, step_becomes("0.01")), At(61, drop_stops())), until_s=200))

    assert end.stops() == [(D("0.12"), D(79_200))], end.tale()
    assert end.naked_s() <= 15
    assert not end.sent("close")
    assert len(end.logged("INSTRUMENT_CHANGED")) == 1
    assert [p.qty for p in end.positions] == [D("0.1250")], "less than a step cannot be covered by any order"


def test_fault_f05_what_is_left_below_the_new_step_is_told_once_and_not_tried_for_ever() -> None:
    end = play(
        Scenario(
            acts=(At(60, step_becomes("0.01")), At(100, operator(FlattenOrder("FLATTEN 1 POSITION")))),
            until_s=600,
        )
    )

    assert end.position() == D("0.005")
    assert len(end.sent("close")) <= 3
    assert [note.subject for note in end.of(ev.DecisionNoted) if note.kind == "dust"] == [end.positions[0].position_id]
    assert len([told for told in end.alarms if "dust" in told.text]) == 1
