"""The commit every order waits for, beside what the disk and SQLite alone would take for the same bytes.

The three are interleaved, so that a disk that is slow for a moment is slow for all of them. Files lie in a temporary
folder under `data/` (the disk the daemon will write to), or in the working directory where there is no `data/`.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Final

from trading_system.app.bench.readings import Outcome, Unmeasured, reading_of
from trading_system.domain.events import EntryAbandoned, EntryPlanned, OrderEnded, OrderIntended, SessionStarted
from trading_system.domain.orders import Direction, EntryStyle, OrderPurpose, Side
from trading_system.domain.positions import EndReason, EntryPlan, Lineage, OwnOrder
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty
from trading_system.execution.codec import GENESIS, encode_event
from trading_system.execution.journal import Journal
from trading_system.execution.journal_sqlite import SqliteMedium
from trading_system.execution.order_ids import client_order_id, position_id_of

BLOCKS: Final = 5
PER_BLOCK: Final = 60
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
    try:
        for number in range(BLOCKS * PER_BLOCK):
            at = _START + timedelta(minutes=15 * number)
            plan, order = _an_entry(at)
            journal.record(EntryPlanned(at, plan))
            intent = OrderIntended(at, order)
            payload = encode_event(intent)
            samples.intent.append(_seconds_of_intent(journal, intent))
            samples.disk.append(_seconds_of_write(disk, payload + GENESIS))
            samples.sqlite.append(_seconds_of_commit(raw, number, payload))
            # the entry ends unfilled, so that the state stays as small as a daemon's
            journal.record(OrderEnded(at, order.client_order_id, EndReason.CANCELLED, Qty(Decimal(0)), "bench"))
            journal.record(EntryAbandoned(at, plan.position_id, "bench"))
    finally:
        os.close(disk)
        raw.close()
        journal.close()


def _an_entry(at: datetime) -> tuple[EntryPlan, OwnOrder]:
    """A plan and its first order, with every field an ordinary entry fills in."""
    position = position_id_of(_SYMBOL, int(at.timestamp() * 1000))
    qty, limit, stop = Qty(Decimal("0.0125")), Price(Decimal("80040.5")), Price(Decimal("78900.0"))
    plan = EntryPlan(position, _SYMBOL, Direction.LONG, Lineage.INTENT, at, qty, Price(Decimal("80000.0")), stop, limit)
    name = client_order_id(position, OrderPurpose.ENTRY, 1)
    deadline = at + timedelta(seconds=5)
    order = OwnOrder(
        name, position, _SYMBOL, OrderPurpose.ENTRY, 1, Side.BUY, qty, at, limit_price=limit, style=EntryStyle.IOC, deadline=deadline
    )
    return plan, order


def _seconds_of_intent(journal: Journal, intent: OrderIntended) -> float:
    begun = perf_counter()
    journal.record(intent)
    return perf_counter() - begun


def _seconds_of_write(disk: int, content: bytes) -> float:
    begun = perf_counter()
    os.write(disk, content)
    os.fdatasync(disk)
    return perf_counter() - begun


def _seconds_of_commit(connection: sqlite3.Connection, number: int, payload: bytes) -> float:
    begun = perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO journal (seq, payload, chain) VALUES (?, ?, ?)", (number + 1, payload, GENESIS))
    connection.execute("COMMIT")
    return perf_counter() - begun


def _raw_sqlite(path: Path) -> sqlite3.Connection:
    """The same table with the same guarantees, and nothing of ours around it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL, chain BLOB NOT NULL)")
    return connection
