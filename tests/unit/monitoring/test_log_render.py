"""Lines and JSON objects: plain numbers, masked secrets, no character that could forge a line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_system.monitoring.log_render import EventMessage, Redactor, cap, escape, render_json, render_line, render_traceback


class Colour(Enum):
    RED = "red"


def test_a_line_has_the_event_first_and_the_fields_in_the_given_order() -> None:
    line = render_line("CYCLE_SUMMARY", {"cycle": 5, "duration_ms": 812, "system_state": "NORMAL", "equity": Decimal("345.75")})

    assert line == "CYCLE_SUMMARY cycle=5 duration_ms=812 system_state=NORMAL equity=345.75"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("64250.50"), "64250.5"),
        (Decimal("1E+5"), "100000"),
        (Decimal("0.00000012"), "0.00000012"),
        (Decimal("NaN"), "NaN"),
        (0.1, "0.1"),
        (2.0, "2"),
        (True, "true"),
        (None, "none"),
        (Colour.RED, "red"),
        ("", '""'),
        ("two words", '"two words"'),
        ('say "x"', "\"say 'x'\""),
        ("a=b", '"a=b"'),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00.000Z"),
        (timedelta(minutes=2), "120"),
        (("BTC/USD", Decimal("1.50")), "[BTC/USD,1.5]"),
        ({"a": 1}, "{a:1}"),
        (ValueError("bad"), '"ValueError: bad"'),
    ],
)
def test_values_print_plainly(value: Any, text: str) -> None:
    assert render_line("E", {"v": value}) == f"E v={text}"


@pytest.mark.parametrize(
    "key", ["api_key", "apiKey", "API-SECRET".replace("-", "_"), "token", "Authorization", "password", "authent", "database_url"]
)
def test_fields_named_like_secrets_are_masked_in_both_forms(key: str) -> None:
    assert "canary" not in render_line("E", {key: "canary"})
    assert "canary" not in render_json("E", {"nested": {key: "canary"}, key: "canary"}, {})


def test_secrets_are_masked_by_value_wherever_they_are() -> None:
    redact = Redactor(["s3cr3t/key+v="])

    for text in ("x s3cr3t/key+v= y", "https://h/?k=s3cr3t%2Fkey%2Bv%3D", "https://h/?k=s3cr3t/key%2Bv%3D"):
        assert "s3cr3t" not in redact(text)


def test_half_a_secret_does_not_survive_the_length_cap() -> None:
    redact = Redactor(["canary-canary-canary"])

    for padding in range(980, 1010):
        line = render_line("E", {"text": "x" * padding + "canary-canary-canary" + "y" * 3000}, redact)
        assert "canar" not in line
        assert "anary" not in line


def test_quotes_inside_a_secret_do_not_save_it_from_the_mask() -> None:
    redact = Redactor(['can"ary value'])

    assert "ary" not in render_line("E", {"text": 'x can"ary value y'}, redact)
    assert "ary" not in redact(render_json("E", {"text": 'x can"ary value y'}, {}, redact))


def test_control_and_direction_characters_become_visible() -> None:
    assert escape("a\nb\x1b[31m\u202e\u2028\x00\x7f\x9b") == "a\\nb\\x1b[31m\\u202e\\u2028\\x00\\x7f\\x9b"
    assert escape("Grüße 30 €") == "Grüße 30 €"


def test_a_long_value_is_cut_in_the_middle() -> None:
    text = cap("a" * 5000 + "b" * 5000)

    assert len(text) < 2100
    assert "8000 characters cut" in text


def test_a_traceback_cannot_pose_as_an_event() -> None:
    text = render_traceback("Traceback\nValueError: x\nKILL SWITCH ACTIVATED\x1b[0m\n")

    assert all(line.startswith("  | ") for line in text.split("\n"))
    assert "\x1b" not in text


def test_fields_cannot_replace_the_facts_of_a_json_line() -> None:
    found = json.loads(render_json("REAL", {"event": "FORGED", "level": "x"}, {"level": "info", "at": "now"}))

    assert found == {"level": "info", "at": "now", "event": "REAL", "event_": "FORGED", "level_": "x"}


def test_json_keeps_decimals_exact_as_text_and_survives_odd_floats() -> None:
    found = json.loads(render_json("E", {"p": Decimal("0.1234567890123456789"), "n": float("nan"), "i": 7, "l": [1, Decimal("2.50")]}, {}))

    assert found == {"event": "E", "p": "0.1234567890123456789", "n": "nan", "i": 7, "l": [1, "2.5"]}


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.floats() | st.none(), max_size=4))
def test_whatever_is_logged_a_line_stays_one_printable_line(event: str, fields: dict[str, Any]) -> None:
    line = render_line(event, fields)
    text = render_json(event, fields, {"at": "now"})

    for rendered in (line, text):
        assert len(rendered.splitlines()) <= 1
        assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in rendered)
        rendered.encode()
    assert isinstance(json.loads(text), dict)


def test_a_message_reads_well_in_any_plain_handler() -> None:
    assert str(EventMessage("STOP_PLACED", {"symbol": "BTC/USD"})) == "STOP_PLACED symbol=BTC/USD"
