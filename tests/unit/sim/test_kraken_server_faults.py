"""Faults strike the requests they were asked for, and only those."""

import pytest

from trading_system.sim.kraken_server.envelope import Answer
from trading_system.sim.kraken_server.faults import Fault, FaultKind, Faults, distorted, fault_of

PLACED = Answer(200, {"result": "success", "sendStatus": {"status": "placed", "order_id": "o1", "orderEvents": [{"type": "PLACE"}]}})


def test_a_fault_waits_for_its_path_lets_some_pass_and_strikes_its_count() -> None:
    faults = Faults()
    faults.add(Fault(FaultKind.ANSWER_LOST, "sendorder", count=2, skip=1))

    struck = [faults.take(path) is not None for path in ("/v3/fills", *["/v3/sendorder"] * 5)]

    assert struck == [False, False, True, True, False, False]
    assert faults.struck == {"answer_lost": 2}


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        (FaultKind.EVENTS_EMPTY, 200, b'"status":"placed","order_id":"o1","orderEvents":[]'),
        (FaultKind.UNKNOWN_WORD, 200, b'"status":"somethingUnheardOf"'),
        (FaultKind.STATUS_MISSING, 200, b'{"result":"success"}'),
        (FaultKind.SERVER_ERROR, 200, b'"error":"Server Error"'),
        (FaultKind.EMPTY_BODY, 200, b""),
        (FaultKind.BAD_GATEWAY, 502, b"<html>"),
        (FaultKind.DELAYED, 200, b'"order_id":"o1"'),
    ],
)
def test_an_accepted_order_is_answered_in_each_broken_way(kind: FaultKind, status: int, text: bytes) -> None:
    raw = distorted(kind, PLACED)

    assert raw.status == status
    assert text in raw.body
    assert not kind.is_before


def test_a_read_loses_its_list_but_stays_a_success() -> None:
    raw = distorted(FaultKind.LIST_MISSING, Answer(200, {"result": "success", "openPositions": [1], "serverTime": "t"}))

    assert raw.body == b'{"result":"success","serverTime":"t"}'


@pytest.mark.parametrize(("row", "why"), [({"kind": "rain"}, "unknown kind 'rain'"), ({"kind": "delayed", "when": 1}, "unknown fields")])
def test_a_fault_that_does_not_exist_is_refused_with_what_does(row: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fault_of(row)


@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("count", 0, "from 1"),
        ("count", True, "from 1"),
        ("count", 1.5, "from 1"),
        ("skip", -1, "from 0"),
        ("probability", 0, "above 0"),
        ("probability", 1.1, "at most 1"),
        ("probability", "often", "at most 1"),
        ("delay_s", -1, "seconds"),
        ("seed", "x", "whole number"),
        ("path", 5, "text"),
    ],
)
def test_a_figure_that_makes_no_sense_is_refused_with_what_would(field: str, value: object, right: str) -> None:
    with pytest.raises(ValueError, match=rf"{field} .*{right}"):
        fault_of({"kind": "delayed", field: value})


def test_a_fault_with_a_probability_strikes_the_same_requests_for_the_same_seed() -> None:
    def struck(seed: int) -> list[bool]:
        faults = Faults()
        faults.add(fault_of({"kind": "unavailable", "path": "fills", "probability": 0.25, "count": None, "seed": seed}))
        return [faults.take("/v3/fills") is not None for _ in range(400)]

    assert struck(1) == struck(1) != struck(2)
    assert 70 <= sum(struck(1)) <= 130
