"""The newest quote of every market: a mark that is no price is no mark."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from trading_system.data.tick_guard import TickGuard
from trading_system.domain.market import Ticker
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price
from trading_system.live.quotes import QuoteBook

BTC = Symbol("BTC/USD")
QUOTE = Ticker(BTC, datetime(2026, 3, 1, 12, tzinfo=UTC), None, None, None, Price(Decimal(100)), Price(Decimal(100)), Decimal(0))


@pytest.mark.parametrize("mark", ["0", "-1", "NaN", "Infinity"])
def test_a_mark_that_is_no_price_is_no_mark(mark: str) -> None:
    """A position was adopted while the mark was told as zero: its stop came to lie below zero and was refused for ever."""
    quotes = QuoteBook(TickGuard(), SimpleNamespace(atr_4h=lambda s: None), SimpleNamespace(volume_ratio=lambda s, n=96: None))

    quotes.update([replace(QUOTE, mark=Price(Decimal(mark)))])
    assert quotes.mark(BTC) is None
    quotes.update([QUOTE])
    assert quotes.mark(BTC) == 100
