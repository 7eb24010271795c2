"""Positions that wait for a human, through the running daemon: what hands them back, what is refused, what is never left alone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from daemon_driver import play
from scenario_ending import Ending
from scenario_parts import BTC, START_MS, At, Scenario, by_hand, close_by_hand, operator
from scripted_wire import Read

from execution_builders import a_fill, a_plan, an_order, booked, placed
from trading_system.domain import events as ev
from trading_system.domain.orders import Direction, OrderPurpose, Side
from trading_system.domain.positions import CloseReason, Lineage, PositionState
from trading_system.domain.units import Price, from_ms
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel
from trading_system.wiring.control_protocol import ResumeOrder

D = Decimal
FLAT = {BTC: {0: 80_000.0}}
RELEASE = operator(ResumeOrder("looked at it", release="BTC"))
NO_FILLS = Read("fills", 0, 10_000, hides=True)


def a_long_of_the_past() -> DiskModel:
    """The books of an earlier life: long 0.05 BTC at 80,000 behind a stop at 79,200, an hour before the scenario begins."""
    before = from_ms(START_MS - 3_600_000)
    plan = a_plan("0.05", reference_price=Price(D(80_000)), stop_price=Price(D(79_200)), limit_price=Price(D(80_100)), planned_at=before)
    entry = an_order(OrderPurpose.ENTRY, qty="0.05", limit_price=Price(D(80_100)), intended_at=before)
    stop = an_order(OrderPurpose.STOP, qty="0.05", trigger_price=Price(D(79_200)), intended_at=before)
    disk = DiskModel()
    journal = Journal(disk)
    for event in (
        ev.EntryPlanned(before, plan),
        ev.OrderIntended(before, entry),
        placed(OrderPurpose.ENTRY),
        booked(replace(a_fill("f1", "0.05", price="80000"), at=before)),
        ev.OrderIntended(before, stop),
        placed(OrderPurpose.STOP),
    ):
        journal.record(event)
    return disk


def ended(*acts: At, until_s: float = 200, settings: object = None) -> Ending:
    """The venue's account has none of it, and its list of fills explains nothing."""
    return play(
        Scenario(
            prices=FLAT,
            wishes=(),
            journal=a_long_of_the_past(),
            acts=acts,
            reads=(NO_FILLS,),
            feed_mute=((0, 10_000),),
            start_s=5,
            until_s=until_s,
            in_peace=False,
            settings={} if settings is None else settings,  # type: ignore[arg-type]
            # the list of fills lies in these scenarios: books and venue cannot agree
            tolerates=("P3",),
        )
    )


def old(end: Ending) -> PositionState:
    return end.positions[0].state


def test_an_orphan_waits_for_a_human_and_is_written_off_when_one_has_looked() -> None:
    waiting = ended()
    end = ended(At(150, RELEASE))

    assert old(waiting) is PositionState.ORPHANED
    assert end.answers == ("",)
    assert old(end) is PositionState.CLOSED
    closure = end.positions[0].closure
    assert closure is not None
    assert closure.reason is CloseReason.WRITTEN_OFF
    assert "looked at it" in closure.evidence
    assert "the venue lists nothing" in closure.evidence
    assert [note.kind for note in end.of(ev.DecisionNoted) if note.kind.startswith("operator")] == ["operator_release"]


def test_a_position_on_the_wrong_side_is_quarantined_told_at_once_and_taken_in_anew_when_released() -> None:
    short = At(1, by_hand(Side.SELL, "0.02"))
    waiting = ended(short)
    end = ended(short, At(150, RELEASE), until_s=260)

    assert old(waiting) is PositionState.QUARANTINED
    assert any(told.kind == "EXCEPTION" and "resume --release" in told.text and told.urgent for told in waiting.alarms)
    assert end.answers == ("",)
    assert old(end) is PositionState.CLOSED
    adopted = end.positions[1]
    assert (adopted.plan.lineage, adopted.direction, adopted.state) == (Lineage.ADOPTED, Direction.SHORT, PositionState.PROTECTED)
    assert end.position() == D("-0.02")


def test_exposure_that_nobody_would_manage_is_not_let_go() -> None:
    alert_only = {"execution": {"reconcile": {"phantom_policy": "alert_only"}}}

    end = ended(At(1, by_hand(Side.SELL, "0.02")), At(150, RELEASE), settings=alert_only)

    assert "would be left alone" in end.answers[0]
    assert old(end) is PositionState.QUARANTINED


def test_a_quarantined_position_that_the_venue_lists_as_the_books_do_is_managed_again() -> None:
    end = ended(
        At(1, by_hand(Side.SELL, "0.02")),
        At(100, close_by_hand()),
        At(101, by_hand(Side.BUY, "0.05")),
        At(130, RELEASE),
    )

    assert end.answers == ("",)
    assert [event.position_id for event in end.of(ev.PositionReleased)] == [end.positions[0].position_id]
    assert old(end) in (PositionState.PROTECTED, PositionState.OPEN)
    assert end.position() == D("0.05")
    assert sum(size for size, _ in end.stops()) >= D("0.05")


def test_what_is_managed_or_unknown_is_refused_and_a_reason_is_needed() -> None:
    end = play(
        Scenario(
            prices=FLAT,
            acts=(
                At(60, RELEASE),
                At(61, operator(ResumeOrder("x", release="ETH-202601010000"))),
                At(62, operator(ResumeOrder(" ", release="BTC"))),
            ),
        )
    )

    managed, unknown, no_reason = end.answers
    assert "there is nothing to release" in managed
    assert "no open position is called" in unknown
    assert "a reason is required" in no_reason


def test_nothing_is_released_while_the_venue_cannot_be_read() -> None:
    blind = Read("positions", 140, 160, fails=True)
    end = play(
        Scenario(
            prices=FLAT,
            wishes=(),
            journal=a_long_of_the_past(),
            acts=(At(150, RELEASE),),
            reads=(NO_FILLS, blind),
            start_s=5,
            until_s=155,
            in_peace=False,
        )
    )

    assert "could not be read completely" in end.answers[0]
    assert old(end) is PositionState.ORPHANED
