"""From a recorded payload to its row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum

from hypothesis import given
from hypothesis import strategies as st

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.storage.records import candle_payload, decode_payload, encode_payload, rows_of

AT = datetime(2025, 6, 2, tzinfo=UTC)


class Word(Enum):
    SAID = "said"


@dataclass(frozen=True, slots=True)
class Detail:
    limit: Decimal
    word: Word


def test_a_payload_travels_with_exact_amounts() -> None:
    text = encode_payload({"detail": Detail(Decimal("0.1234567890123456789"), Word.SAID), "at": AT, "symbols": ("BTC/USD",)})

    assert decode_payload(text) == {
        "detail": {"limit": "0.1234567890123456789", "word": "said"},
        "at": "2025-06-02T00:00:00Z",
        "symbols": ["BTC/USD"],
    }


def test_recording_never_fails_for_what_it_is_given() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

    circle: dict[str, object] = {}
    circle["me"] = circle

    assert decode_payload(encode_payload({"x": Odd(), "y": float("nan")})) == {"x": "odd", "y": None}
    assert "unencodable" in decode_payload(encode_payload(circle))


def test_a_trade_becomes_a_trade_row_with_decimals_and_moments() -> None:
    payload = {"trade_id": "T1", "symbol": "BTC/USD", "qty": Decimal("0.5"), "net_pnl_usd": Decimal("-1.25"), "opened_at": AT, "extra": 7}

    (row,) = rows_of("trade", AT, encode_payload(payload))

    assert row.table == "trades"
    assert (row.values["qty"], row.values["net_pnl_usd"], row.values["opened_at"]) == (Decimal("0.5"), Decimal("-1.25"), AT)
    assert (row.values["closed_at"], row.values["fees_usd"]) == (AT, None)
    assert decode_payload(row.values["payload"])["extra"] == 7


def test_a_payload_without_what_its_table_needs_becomes_an_event_with_all_it_carried() -> None:
    for kind, payload in [("trade", {"symbol": "BTC/USD"}), ("equity", {"equity_usd": "much"}), ("candles", {"timeframe": "7m"})]:
        (row,) = rows_of(kind, AT, encode_payload(payload))
        assert (row.table, row.values["kind"], decode_payload(row.values["payload"])) == ("events", kind, payload)


def test_an_unknown_kind_is_an_event() -> None:
    (row,) = rows_of("kill_switch", AT, '{"symbol":"BTC/USD"}')

    assert (row.table, row.values["symbol"]) == ("events", "BTC/USD")


@given(
    st.lists(
        st.tuples(st.integers(0, 2**40), *[st.floats(min_value=1e-12, max_value=1e12) for _ in range(5)]),
        max_size=5,
        unique_by=lambda b: b[0],
    )
)
def test_bars_travel_bit_for_bit(values: list[tuple[int, float, float, float, float, float]]) -> None:
    bars = [Bar(*v) for v in values]

    rows = rows_of("candles", AT, encode_payload(candle_payload(Symbol("BTC/USD"), Timeframe.H4, bars)))

    assert [Bar(*(row.values[name] for name in Bar._fields)) for row in rows] == bars
