"""The CandleStore port on the main database: read once at the start, written behind by the history writer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.storage.repository import Repository
from trading_system.storage.writer import HistoryWriter

_JUDGED_S_MAX: Final = 10.0


class DatabaseCandleStore:
    """Saving the same bar again changes nothing; a corrected bar replaces the old one."""

    def __init__(self, engine: Engine, writer: HistoryWriter, judged: asyncio.Event | None = None) -> None:
        """judged: set once the schema was looked at, and made where it could be; reading waits for it, a bounded time."""
        self._judged = judged
        self._repository = Repository(engine)
        self._writer = writer

    async def load(self, symbol: Symbol, since_ms: Mapping[Timeframe, int]) -> Mapping[Timeframe, tuple[Bar, ...]]:
        """Stored bars of a symbol from the given moments (market ms) on, off the loop; ReadFailed when the database does not answer."""
        if self._judged is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_JUDGED_S_MAX):
                    await self._judged.wait()
        try:
            return await asyncio.to_thread(self._repository.candles, symbol, since_ms)
        except SQLAlchemyError as error:
            raise ReadFailed(f"stored bars of {symbol}: {type(error).__name__}") from error

    def save(self, symbol: Symbol, timeframe: Timeframe, bars: Iterable[Bar]) -> None:
        """Queue closed bars for the writer; returns at once."""
        self._writer.record_candles(symbol, timeframe, bars)
