"""The words of the control socket: strict, bounded, and the same on both ends."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_system.wiring.control_protocol import (
    Answer,
    FlattenOrder,
    HaltOrder,
    PlaceStopsOrder,
    PositionsQuery,
    Request,
    ResumeOrder,
    StatusQuery,
    UniverseQuery,
    WhyQuery,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)


@pytest.mark.parametrize(
    "request_",
    [
        StatusQuery(),
        PositionsQuery(),
        WhyQuery(),
        WhyQuery("BTC/USD"),
        UniverseQuery(),
        HaltOrder("drill\nwith a second line"),
        ResumeOrder("ok", rebase_high_water=True),
        FlattenOrder("FLATTEN 2 POSITIONS"),
        PlaceStopsOrder(dry_run=True),
    ],
)
def test_a_request_arrives_as_it_was_sent_on_one_line(request_: Request) -> None:
    line = encode_request(request_)

    assert line.count(b"\n") == 1
    assert decode_request(line) == request_


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"status\n", "not a JSON object"),
        (b"[1]\n", "not a JSON object"),
        (b"[" * 5000 + b"\n", "not a JSON object"),
        (b'{"command":"withdraw"}\n', "unknown command"),
        (b'{"command":"status","verbose":true}\n', "unknown field 'verbose'"),
        (b'{"command":"halt"}\n', "missing field 'reason'"),
        (b'{"command":"halt","reason":7}\n', "reason must be a text"),
        (b'{"command":"resume","reason":"x","rebase_high_water":"yes"}\n', "rebase_high_water must be true or false"),
        (json.dumps({"command": "halt", "reason": "x" * 501}).encode(), "longer than 500"),
    ],
)
def test_what_is_no_request_is_refused_with_a_sentence(line: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode_request(line)


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_a_request_or_a_refusal(line: bytes) -> None:
    try:
        decode_request(line)
    except ValueError:
        return


def test_a_refusal_never_reads_as_done() -> None:
    assert decode_answer(encode_answer(Answer("no"))) == Answer("no")
    assert not decode_answer(b'{"ok":false,"error":"","facts":{}}\n').is_ok
    assert decode_answer(encode_answer(Answer(facts={"state": "NORMAL"}))).is_ok
