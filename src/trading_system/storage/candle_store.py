"""The CandleStore port on the main database: read once at the start, written behind by the history writer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.storage.repository import Repository
from trading_system.storage.writer import HistoryWriter


class DatabaseCandleStore:
    """Saving the same bar again changes nothing; a corrected bar replaces the old one."""

    def __init__(self, engine: Engine, writer: HistoryWriter) -> None:
        self._repository = Repository(engine)
        self._writer = writer

    async def load(self, symbol: Symbol, since_ms: Mapping[Timeframe, int]) -> Mapping[Timeframe, tuple[Bar, ...]]:
        """Stored bars of a symbol from the given moments (market ms) on, off the loop; ReadFailed when the database does not answer."""
        try:
            return await asyncio.to_thread(self._repository.candles, symbol, since_ms)
        except SQLAlchemyError as error:
            raise ReadFailed(f"stored bars of {symbol}: {type(error).__name__}") from error

    def save(self, symbol: Symbol, timeframe: Timeframe, bars: Iterable[Bar]) -> None:
        """Queue closed bars for the writer; returns at once."""
        self._writer.record_candles(symbol, timeframe, bars)
