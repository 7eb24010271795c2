"""The commit every order waits for, beside what the disk and SQLite alone would take for the same bytes.

The three are interleaved, so that a disk that is slow for a moment is slow for all of them. Files lie in a temporary
folder under `data/` (the disk the daemon will write to), or in the working directory where there is no `data/`.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Final

from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of
from trading_system.domain.events import EntryAbandoned, EntryPlanned, JournalEvent, OrderEnded, OrderIntended, SessionStarted
from trading_system.domain.orders import Direction, EntryStyle, OrderPurpose, Side
from trading_system.domain.positions import EndReason, EntryPlan, Lineage, OwnOrder
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO, Price, Qty, to_ms
from trading_system.execution.codec import GENESIS, encode_event
from trading_system.execution.journal import Journal
from trading_system.execution.journal_sqlite import SqliteMedium
from trading_system.execution.order_ids import client_order_id, position_id_of

BLOCKS: Final = 5
PER_BLOCK: Final = 60
UNTIMED: Final = 30
"""Commits before the first timed one: files grow, caches fill."""
_START: Final = datetime(2025, 1, 6, tzinfo=UTC)
_SYMBOL: Final = Symbol("BTC/USD")


@dataclass(slots=True)
class Samples:
    """Seconds per commit, in order."""

    intent: list[float] = field(default_factory=list)
    disk: list[float] = field(default_factory=list)
    sqlite: list[float] = field(default_factory=list)


def measure() -> dict[str, Outcome]:
    """BLOCKS x PER_BLOCK intents; unmeasured when the disk refuses."""
    place = Path("data") if Path("data").is_dir() else Path()
    samples = Samples()
    try:
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=place) as folder:
            _run(Path(folder), samples)
    except OSError as error:
        why = Unmeasured(f"cannot write in {place.resolve()}: {error.strerror or error}")
        return {"intent_p50_ms": why, "fdatasync_p50_ms": why, "journal_ratio": why}
    blocks = [slice(n * PER_BLOCK, (n + 1) * PER_BLOCK) for n in range(BLOCKS)]
    ratios = [sum(samples.sqlite[block]) / sum(samples.intent[block]) for block in blocks]
    return {
        "intent_p50_ms": reading_of([1e3 * x for x in samples.intent], f"on the disk of {place.resolve().name or '/'}/"),
        "fdatasync_p50_ms": reading_of([1e3 * x for x in samples.disk]),
        "journal_ratio": reading_of(ratios, f"n blocks of {PER_BLOCK} commits each, one row per commit on both sides"),
    }


def _run(folder: Path, samples: Samples) -> None:
    journal = Journal(SqliteMedium(folder / "journal.db"))
    journal.begin_session(SessionStarted(_START, "paper", "sim", "bench", "0", "0", 0))
    raw = _raw_sqlite(folder / "raw.db")
    disk = os.open(folder / "raw.bin", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def record(event: JournalEvent) -> float:
        return _seconds(lambda: journal.record(event))

    def commit(event: JournalEvent) -> float:
        payload = encode_event(event)
        return _seconds(lambda: _commit(raw, payload))

    try:
        for number in range(-UNTIMED, BLOCKS * PER_BLOCK):
            before, intent, after = _an_entry(_START + timedelta(minutes=15 * (number + UNTIMED)))
            # both files take the same rows, so that both -wal files grow, wrap and checkpoint alike; who goes first alternates
            for event in before:
                record(event)
                commit(event)
            first, second = (record, commit) if number % 2 else (commit, record)
            times = {first: first(intent), second: second(intent)}
            content = encode_event(intent) + GENESIS
            written = _seconds(lambda content=content: _write(disk, content))  # type: ignore[misc]
            for event in after:
                record(event)
                commit(event)
            if number >= 0:
                samples.intent.append(times[record])
                samples.sqlite.append(times[commit])
                samples.disk.append(written)
    finally:
        os.close(disk)
        raw.close()
        journal.close()


def _an_entry(at: datetime) -> tuple[tuple[JournalEvent, ...], OrderIntended, tuple[JournalEvent, ...]]:
    """What comes before an intent, the intent with every field an ordinary entry fills in, and its end without a fill.

    It ends, so that the state stays as small as a daemon's.
    """
    position = position_id_of(_SYMBOL, to_ms(at))
    qty, limit, stop = Qty(Decimal("0.0125")), Price(Decimal("80040.5")), Price(Decimal("78900.0"))
    plan = EntryPlan(position, _SYMBOL, Direction.LONG, Lineage.INTENT, at, qty, Price(Decimal("80000.0")), stop, limit)
    name = client_order_id(position, OrderPurpose.ENTRY, 1)
    deadline = at + timedelta(seconds=5)
    order = OwnOrder(
        name, position, _SYMBOL, OrderPurpose.ENTRY, 1, Side.BUY, qty, at, limit_price=limit, style=EntryStyle.IOC, deadline=deadline
    )
    ended = OrderEnded(at, name, EndReason.CANCELLED, Qty(ZERO), "bench")
    return (EntryPlanned(at, plan),), OrderIntended(at, order), (ended, EntryAbandoned(at, position, "bench"))


def _seconds(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


def _write(disk: int, content: bytes) -> None:
    os.write(disk, content)
    os.fdatasync(disk)


def _commit(connection: sqlite3.Connection, payload: bytes) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO journal (payload, chain) VALUES (?, ?)", (payload, GENESIS))
    connection.execute("COMMIT")


def _raw_sqlite(path: Path) -> sqlite3.Connection:
    """The same table with the same guarantees, and nothing of ours around it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL, chain BLOB NOT NULL)")
    return connection
