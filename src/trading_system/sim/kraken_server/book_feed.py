"""The book feed of one market: a snapshot, then one message per changed level, `seq` contiguous."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from trading_system.domain.orders import Side
from trading_system.sim.kraken_server.rows_feed import book_delta_message, book_snapshot_message
from trading_system.sim.model import BookRows

_GONE: Final = Decimal("0.0")


class BookFeed:
    """Remembers what subscribers were told last."""

    def __init__(self, book: BookRows) -> None:
        self._book = book
        self._seq = 1

    @property
    def seq(self) -> int:
        return self._seq

    def snapshot(self) -> dict[str, Any]:
        """What a new subscriber gets; deltas continue at the next seq."""
        return book_snapshot_message(self._book, self._seq)

    def advance(self, book: BookRows) -> list[dict[str, Any]]:
        """The messages that lead from the last book to this one."""
        messages = []
        for side, old, new in ((Side.BUY, self._book.bids, book.bids), (Side.SELL, self._book.asks, book.asks)):
            for price, qty in _changes(old, new):
                self._seq += 1
                messages.append(book_delta_message(book.symbol, side, self._seq, price, qty, book.at_ms))
        self._book = book
        return messages


def _changes(old: tuple[tuple[Decimal, Decimal], ...], new: tuple[tuple[Decimal, Decimal], ...]) -> Iterator[tuple[Decimal, Decimal]]:
    """Removed levels first, so that a client's book never crosses in between."""
    before, after = dict(old), dict(new)
    for price in before:
        if price not in after:
            yield price, _GONE
    for price, qty in new:
        if before.get(price) != qty:
            yield price, qty
