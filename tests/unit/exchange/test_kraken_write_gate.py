"""The last place where an order can be stopped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_builders import ManualClock

from trading_system.exchange.kraken_futures.write_gate import BreakerRule, GateScope, WriteGate, WriteKind, WriteMode

SEND = {"orderType": "lmt", "reduceOnly": "true"}
ENTRY = {"orderType": "lmt"}


def wire_of(kind: WriteKind) -> dict[str, str]:
    return ENTRY if kind is WriteKind.ENTRY else {} if kind is WriteKind.CANCEL else SEND


def a_gate(mode: WriteMode = WriteMode.LIVE) -> WriteGate:
    return WriteGate(ManualClock(), mode)


@pytest.mark.parametrize("kind", list(WriteKind))
def test_read_only_refuses_every_write(kind: WriteKind) -> None:
    assert a_gate(WriteMode.READ_ONLY).refusal(kind, wire_of(kind)) == "read_only"


@pytest.mark.parametrize(
    ("scope", "open_kinds"),
    [
        (GateScope.ENTRIES, {WriteKind.TAKE_PROFIT, WriteKind.PROTECTIVE, WriteKind.CANCEL}),
        (GateScope.ENTRIES_AND_TAKE_PROFITS, {WriteKind.PROTECTIVE, WriteKind.CANCEL}),
        (GateScope.EVERYTHING, set()),
    ],
)
def test_a_closure_stops_exactly_its_scope(scope: GateScope, open_kinds: set[WriteKind]) -> None:
    gate = a_gate()
    gate.close("kill_switch", scope)

    assert {kind for kind in WriteKind if gate.refusal(kind, wire_of(kind)) is None} == open_kinds
    assert gate.refusal(WriteKind.ENTRY, ENTRY) == "closed by kill_switch"


def test_causes_do_not_lift_each_other() -> None:
    gate = a_gate()
    gate.close("kill_switch", GateScope.ENTRIES)
    gate.close("lock_lost", GateScope.EVERYTHING)

    gate.reopen("lock_lost")
    gate.reopen("never closed")

    assert gate.refusal(WriteKind.ENTRY, ENTRY) == "closed by kill_switch"
    assert gate.refusal(WriteKind.PROTECTIVE, SEND) is None


@given(st.sampled_from([WriteKind.TAKE_PROFIT, WriteKind.PROTECTIVE]), st.sampled_from([None, "false", "True", "1", ""]))
def test_nothing_but_an_entry_is_ever_sent_without_reduce_only(kind: WriteKind, flag: str | None) -> None:
    wire = {"orderType": "mkt"} | ({} if flag is None else {"reduceOnly": flag})

    assert "reduce-only" in (a_gate().refusal(kind, wire) or "")


def test_the_breaker_stops_the_eleventh_entry_in_ten_seconds_and_reports_once() -> None:
    clock, told = ManualClock(), []
    gate = WriteGate(clock, WriteMode.LIVE, on_breaker=told.append)

    answers = [gate.refusal(WriteKind.ENTRY, ENTRY) for _ in range(13)]

    assert answers[:10] == [None] * 10
    assert answers[10:] == ["entry-rate breaker: 10 entry requests in 10 s"] * 3
    assert told == ["entry-rate breaker: 10 entry requests in 10 s"]
    assert all(gate.refusal(kind, wire_of(kind)) is None for kind in WriteKind if kind is not WriteKind.ENTRY)


def test_the_breaker_keeps_every_rule_it_is_given() -> None:
    clock, told = ManualClock(), []
    gate = WriteGate(clock, WriteMode.LIVE, on_breaker=told.append, rules=(BreakerRule(12, 60.0), BreakerRule(10, 10.0)))
    passed = 0
    for _ in range(20):
        passed += gate.refusal(WriteKind.ENTRY, ENTRY) is None
        clock.seconds += 2.0

    assert passed == 12
    assert told == ["entry-rate breaker: 12 entry requests in 60 s"]
    clock.seconds += 60.0
    assert gate.refusal(WriteKind.ENTRY, ENTRY) is None


def test_asking_for_the_standing_answer_does_not_count() -> None:
    gate = a_gate()
    for _ in range(100):
        assert gate.standing_refusal(WriteKind.ENTRY, ENTRY) is None
    assert gate.refusal(WriteKind.ENTRY, ENTRY) is None


def test_a_reset_breaker_counts_anew_and_reports_the_next_trip() -> None:
    told: list[str] = []
    gate = WriteGate(ManualClock(), WriteMode.LIVE, on_breaker=told.append)
    for _ in range(11):
        gate.refusal(WriteKind.ENTRY, ENTRY)

    gate.reset_breaker()
    answers = [gate.refusal(WriteKind.ENTRY, ENTRY) for _ in range(11)]

    assert answers[:10] == [None] * 10
    assert answers[10] is not None
    assert len(told) == 2
