"""Faults strike the requests they were asked for, and only those."""

import msgspec
import pytest

from trading_system.sim.kraken_server.envelope import Answer
from trading_system.sim.kraken_server.fault_answers import distorted
from trading_system.sim.kraken_server.faults import Fault, FaultKind, Faults, fault_of
from trading_system.sim.kraken_server.feed_faults import FeedFaults

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
        (FaultKind.TRUNCATED, 200, b'{"result":"success","sendStatus"'),
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
        ("word", "", "text"),
        ("http", 600, "599"),
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


def test_a_cut_body_is_no_json() -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(distorted(FaultKind.TRUNCATED, PLACED).body)


@pytest.mark.parametrize("kind", ["refused", "error"])
def test_a_refusal_needs_its_word(kind: str) -> None:
    with pytest.raises(ValueError, match="needs word"):
        fault_of({"kind": kind})


def said(row: dict[str, object], times: tuple[float, ...] = (0.0, 0.1, 0.2, 5.0)) -> list[str]:
    """What listeners of `book` get when a, b, c, d are sent at these times, and of `ticker` the letters in capitals."""
    faults = Faults()
    faults.add(fault_of(row))
    feeds = FeedFaults(faults)
    return [
        one
        for text, at in zip("abcd", times, strict=True)
        for feed in ("book", "ticker")
        for one in feeds.struck(feed, text if feed == "book" else text.upper(), at)
    ]


@pytest.mark.parametrize(
    ("row", "heard"),
    [
        ({"kind": "feed_gap", "path": "book", "skip": 1}, "aABcCdD"),
        ({"kind": "feed_duplicated", "path": "book"}, "aaAbBcCdD"),
        ({"kind": "feed_reordered", "path": "book"}, "AbaBcCdD"),
        ({"kind": "feed_silent", "path": "book", "delay_s": 2, "skip": 1}, "aABCdD"),
        ({"kind": "feed_gap", "path": "ticker", "count": None}, "abcd"),
        ({"kind": "answer_lost", "path": "book", "count": None}, "aAbBcCdD"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["kind"],
)
def test_a_fault_of_a_feed_strikes_its_messages_and_no_others(row: dict[str, object], heard: str) -> None:
    assert "".join(said(row)) == heard


def test_requests_know_nothing_of_faults_of_feeds() -> None:
    faults = Faults()
    faults.add(Fault(FaultKind.FEED_GAP, count=None))

    assert faults.take("/v3/sendorder") is None
