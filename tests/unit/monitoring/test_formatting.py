"""Texts for people."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from trading_system.monitoring.formatting import duration, multiple_of_r, percent, price, quantity, table, usd

D = Decimal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (usd(D("1234.5")), "$1,234.50"),
        (usd(D("-3")), "-$3.00"),
        (usd(D("3"), signed=True), "+$3.00"),
        (usd(D("-0.001")), "$0.00"),
        (usd(None), "-"),
        (percent(D("0.1234")), "12.3 %"),
        (percent(D("0.05"), signed=True, digits=0), "+5 %"),
        (percent(float("nan")), "-"),
        (price(D("64250.50")), "64,250.5"),
        (price(D("0.00001230")), "0.0000123"),
        (price(D("1E+4")), "10,000"),
        (quantity(D("0.0500")), "0.05"),
        (multiple_of_r(D("1.5")), "+1.50 R"),
        (duration(45), "45 s"),
        (duration(timedelta(minutes=3, seconds=5)), "3 min 5 s"),
        (duration(7_800), "2 h 10 min"),
        (duration(timedelta(days=4, hours=6, minutes=50)), "4 d 6 h"),
        (duration(3_605), "1 h"),
        (duration(0.2), "0 s"),
        (duration(-60), "-1 min"),
    ],
)
def test_numbers_and_durations_read_well(text: str, expected: str) -> None:
    assert text == expected


def test_a_table_aligns_and_escapes() -> None:
    assert table(["symbol", "pnl"], [["BTC/USD", "+$3.00"], ["ETH\x1b", "-"]], ["<", ">"]) == (
        "symbol      pnl\n-------  ------\nBTC/USD  +$3.00\nETH\\x1b       -"
    )


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="as many cells"):
        table(["a", "b"], [["1"]])
