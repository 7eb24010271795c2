"""The writer thread: recording returns at once, stopping drains."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from storage_builders import NOON, a_database

from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.storage.candle_store import DatabaseCandleStore
from trading_system.storage.db import make_engine
from trading_system.storage.delivery import WriterParameters
from trading_system.storage.repository import Repository
from trading_system.storage.writer import HistoryWriter
from trading_system.wiring.clock import WallClock

BTC = Symbol("BTC/USD")


def test_what_was_recorded_is_in_the_database_after_stop(tmp_path: Path) -> None:
    engine = a_database(tmp_path)
    writer = HistoryWriter(engine, tmp_path / "outbox.db", WallClock())
    writer.start()

    for n in range(500):
        writer.record("note", NOON, {"n": n})

    assert writer.stop(5.0)
    assert [e.payload for e in Repository(engine).events("note", limit=1_000)] == [f'{{"n":{n}}}' for n in reversed(range(500))]
    assert writer.status().pending == writer.status().queued == 0


def test_stop_with_a_dead_database_ends_in_time_and_the_next_start_delivers_once(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    broken = make_engine(f"sqlite:///{blocked}")  # a folder cannot be opened as a database
    writer = HistoryWriter(broken, tmp_path / "outbox.db", WallClock())
    writer.start()
    writer.record("note", NOON, {"n": 1})

    assert writer.stop(2.0) is False
    assert writer.status().pending == 1

    engine = a_database(tmp_path)
    again = HistoryWriter(engine, tmp_path / "outbox.db", WallClock())
    again.start()
    assert again.stop(5.0)
    assert [e.payload for e in Repository(engine).events()] == ['{"n":1}']


def test_a_full_queue_loses_the_oldest_and_says_so(tmp_path: Path) -> None:
    writer = HistoryWriter(a_database(tmp_path), tmp_path / "outbox.db", WallClock(), WriterParameters(queue_max=3))

    for n in range(5):
        writer.record("note", NOON, {"n": n})

    assert (writer.status().queued, writer.status().lost) == (3, 2)


def test_a_naive_moment_is_refused_at_the_door(tmp_path: Path) -> None:
    writer = HistoryWriter(a_database(tmp_path), tmp_path / "outbox.db", WallClock())

    with pytest.raises(ValueError, match="time zone"):
        writer.record("note", datetime(2025, 6, 2), {})


def test_stopping_a_writer_that_never_started_does_not_hang(tmp_path: Path) -> None:
    assert HistoryWriter(a_database(tmp_path), tmp_path / "outbox.db", WallClock()).stop(1.0)


async def test_saved_bars_come_back_by_symbol_and_saving_again_replaces(tmp_path: Path) -> None:
    engine = a_database(tmp_path)
    writer = HistoryWriter(engine, tmp_path / "outbox.db", WallClock())
    store = DatabaseCandleStore(engine, writer)
    writer.start()
    # recent bars: old ones would be pruned at once
    first = int(datetime.now(UTC).timestamp()) // 900 * 900_000 - 2_000 * 900_000
    bars = [Bar(first + n * 900_000, 1.0, 2.0, 0.5, 1.1 + n, 3.0) for n in range(1_200)]

    store.save(BTC, Timeframe.M15, bars)
    store.save(BTC, Timeframe.M15, [bars[5]._replace(close=1.9)])
    assert await asyncio.to_thread(writer.stop, 10.0)

    loaded = await store.load(BTC, {Timeframe.M15: bars[1].open_ms, Timeframe.H1: 0})
    assert list(loaded[Timeframe.M15]) == [*bars[1:5], bars[5]._replace(close=1.9), *bars[6:]]
    assert loaded[Timeframe.H1] == ()


async def test_a_store_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    engine = a_database(tmp_path, migrated=False)
    store = DatabaseCandleStore(engine, HistoryWriter(engine, tmp_path / "outbox.db", WallClock()))

    with pytest.raises(ReadFailed, match=f"stored bars of {BTC}"):
        await store.load(BTC, {Timeframe.M15: 0})
