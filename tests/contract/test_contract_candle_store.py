"""The CandleStore port, on both databases: saving returns at once, what was saved is loaded, a correction wins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.storage.candle_store import DatabaseCandleStore
from trading_system.storage.db import make_engine
from trading_system.storage.migrate import upgrade
from trading_system.storage.models import Base
from trading_system.storage.writer import HistoryWriter
from trading_system.wiring.clock import WallClock

BTC, ETH = Symbol("BTC/USD"), Symbol("ETH/USD")
QUARTER = Timeframe.M15.ms


def bar(number: int, close: float = 2.0) -> Bar:
    return Bar(number * QUARTER, 1.0, 3.0, 0.5, close, 10.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path}/app.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    engine = make_engine(url)
    upgrade(engine)
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(sa.delete(table))
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: Engine, tmp_path: Path) -> Iterator[HistoryWriter]:
    writer = HistoryWriter(engine, tmp_path / "outbox.db", WallClock())
    writer.start()
    yield writer
    writer.stop()


async def test_an_empty_store_is_explicitly_empty(engine: Engine, writer: HistoryWriter) -> None:
    assert await DatabaseCandleStore(engine, writer).load(BTC, {Timeframe.M15: 0}) == {Timeframe.M15: ()}


async def test_saved_bars_are_loaded_ascending_of_their_symbol_and_only_since_the_moment(engine: Engine, writer: HistoryWriter) -> None:
    store = DatabaseCandleStore(engine, writer)
    store.save(BTC, Timeframe.M15, [bar(3), bar(1), bar(2)])
    store.save(ETH, Timeframe.M15, [bar(3)])
    store.save(BTC, Timeframe.H1, [bar(4)])
    await asyncio.to_thread(writer.stop)

    since = {Timeframe.M15: 2 * QUARTER, Timeframe.H1: 0}
    assert await store.load(BTC, since) == {Timeframe.M15: (bar(2), bar(3)), Timeframe.H1: (bar(4),)}
    assert await store.load(ETH, since) == {Timeframe.M15: (bar(3),), Timeframe.H1: ()}


async def test_the_same_bar_again_changes_nothing_and_a_corrected_one_replaces_it(engine: Engine, writer: HistoryWriter) -> None:
    store = DatabaseCandleStore(engine, writer)
    store.save(BTC, Timeframe.M15, [bar(1), bar(2)])
    store.save(BTC, Timeframe.M15, [bar(2)])
    store.save(BTC, Timeframe.M15, [bar(1, close=1.5)])
    await asyncio.to_thread(writer.stop)

    assert await store.load(BTC, {Timeframe.M15: 0}) == {Timeframe.M15: (bar(1, close=1.5), bar(2))}


async def test_a_store_that_does_not_answer_has_failed_and_is_not_empty(tmp_path: Path) -> None:
    broken = make_engine(f"sqlite:///{tmp_path}")  # a folder is no database
    store = DatabaseCandleStore(broken, HistoryWriter(broken, tmp_path / "outbox.db", WallClock()))

    with pytest.raises(ReadFailed):
        await store.load(BTC, {Timeframe.M15: 0})
