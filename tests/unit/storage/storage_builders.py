"""Builders for the storage room."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import Engine

from trading_system.storage.db import make_engine
from trading_system.storage.migrate import upgrade
from trading_system.storage.outbox import Entry
from trading_system.storage.records import EXPENDABLE, encode_payload

NOON = datetime(2025, 6, 2, 12, tzinfo=UTC)


@dataclass
class StorageClock:
    """Both times move only when told."""

    moment: datetime = field(default=NOON)
    process_s: float = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.process_s

    def market_in(self, process_seconds: float) -> datetime:
        return self.moment + timedelta(seconds=process_seconds)

    async def sleep(self, seconds: float) -> None:
        self.process_s += seconds

    async def sleep_until(self, moment: datetime) -> None:
        self.moment = max(self.moment, moment)


def an_entry(kind: str = "note", at: datetime = NOON, **payload: object) -> Entry:
    return Entry(kind, at, encode_payload(payload), kind in EXPENDABLE)


def a_database(folder: Path, *, migrated: bool = True) -> Engine:
    engine = make_engine(f"sqlite:///{folder}/app.db")
    if migrated:
        upgrade(engine)
    return engine
