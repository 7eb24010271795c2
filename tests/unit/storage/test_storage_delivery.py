"""One round of the writer at a time, with a clock that only moves when told."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from storage_builders import NOON, StorageClock, a_database, an_entry
from structlog.testing import capture_logs

from trading_system.storage.delivery import DeliveryPump, WriterParameters
from trading_system.storage.migrate import upgrade
from trading_system.storage.models import Event
from trading_system.storage.outbox import Outbox
from trading_system.storage.repository import Repository


def a_pump(folder: Path, engine: Engine, clock: StorageClock | None = None, **parameters: int) -> DeliveryPump:
    return DeliveryPump(engine, folder / "outbox.db", clock or StorageClock(), WriterParameters(**parameters))


def event_payloads(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(sa.select(Event.payload).order_by(Event.event_id)))


def test_what_is_recorded_arrives_in_order_and_in_batches(tmp_path: Path) -> None:
    engine = a_database(tmp_path)
    pump = a_pump(tmp_path, engine, batch_rows=3)

    assert pump.take([an_entry(n=i) for i in range(10)]) == ()
    pump.deliver()

    assert event_payloads(engine) == [f'{{"n":{i}}}' for i in range(10)]
    assert (pump.status().delivered, pump.status().pending, pump.is_done) == (10, 0, True)


def test_a_database_without_its_schema_delays_history_until_it_is_migrated(tmp_path: Path) -> None:
    engine, clock = a_database(tmp_path, migrated=False), StorageClock()
    pump = a_pump(tmp_path, engine, clock)
    pump.take([an_entry(n=1)])

    assert pump.deliver() == 1.0
    assert (pump.status().is_database_down, pump.status().pending) == (True, 1)
    upgrade(engine)
    clock.process_s = 1.0
    pump.deliver()

    assert event_payloads(engine) == ['{"n":1}']
    assert (pump.status().is_database_down, pump.status().last_error) == (False, None)


def test_the_back_off_doubles_up_to_a_minute_and_the_log_speaks_once_a_minute(tmp_path: Path) -> None:
    clock = StorageClock()
    pump = a_pump(tmp_path, a_database(tmp_path, migrated=False), clock)
    pump.take([an_entry(n=1)])

    waits = []
    with capture_logs() as lines:
        for _ in range(9):
            waits.append(pump.deliver())
            clock.process_s += waits[-1]

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert clock.process_s == 243
    assert [line["event"] for line in lines] == ["HISTORY_DELAYED"] * 4  # at 0, 63, 123 and 183 s


def test_nothing_is_tried_before_its_time(tmp_path: Path) -> None:
    engine, clock = a_database(tmp_path, migrated=False), StorageClock()
    pump = a_pump(tmp_path, engine, clock)
    pump.take([an_entry(n=1)])
    pump.deliver()
    upgrade(engine)
    clock.process_s = 0.4

    assert pump.deliver() == 0.6
    assert event_payloads(engine) == []


def test_a_row_the_database_will_never_take_is_put_aside_and_blocks_nothing(tmp_path: Path) -> None:
    engine = a_database(tmp_path)
    pump = a_pump(tmp_path, engine)

    pump.take([an_entry(n=1), an_entry("equity", equity_usd=Decimal("1e30")), an_entry(n=2)])
    with capture_logs() as lines:
        pump.deliver()

    assert event_payloads(engine) == ['{"n":1}', '{"n":2}']
    assert (pump.status().refused, pump.status().delivered, pump.status().pending) == (1, 2, 0)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["HISTORY_REFUSED"]


def test_a_crash_between_commit_and_settling_delivers_nothing_twice(tmp_path: Path) -> None:
    engine = a_database(tmp_path)
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.append([an_entry(n=1), an_entry(n=2)])
    Repository(engine).deliver(outbox.source, outbox.batch(10))  # ... and here the process died
    outbox.append([an_entry(n=3)])
    outbox.close()

    a_pump(tmp_path, engine).take([])
    pump = a_pump(tmp_path, engine)
    pump.take([])
    pump.deliver()

    assert event_payloads(engine) == ['{"n":1}', '{"n":2}', '{"n":3}']
    assert pump.is_done


def test_a_damaged_outbox_is_kept_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"garbage " * 1_000)
    engine = a_database(tmp_path)
    pump = a_pump(tmp_path, engine)

    with capture_logs() as lines:
        pump.take([an_entry(n=1)])
        pump.deliver()

    assert event_payloads(engine) == ['{"n":1}']
    assert (tmp_path / "outbox.db.damaged-1").read_bytes().startswith(b"garbage")
    assert "OUTBOX_SET_ASIDE" in [line["event"] for line in lines]


def test_an_outbox_that_cannot_be_opened_gives_the_entries_back(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    pump = DeliveryPump(a_database(tmp_path), tmp_path / "file" / "outbox.db", StorageClock(), WriterParameters())
    entries = [an_entry(n=1)]

    assert pump.take(entries) == entries
    assert pump.status().is_database_down


def test_old_history_goes_once_a_day(tmp_path: Path) -> None:
    engine, clock = a_database(tmp_path), StorageClock()
    pump = a_pump(tmp_path, engine, clock)
    old = {"symbol": "BTC/USD", "timeframe": "15m", "bars": [[0, 1.0, 1.0, 1.0, 1.0, 1.0]]}

    def candles() -> int | None:
        with engine.connect() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM candles").scalar()

    for hours, expected in ((0, 0), (23, 1), (24, 0)):
        clock.moment = NOON.replace(day=2 + hours // 24, hour=(12 + hours) % 24) if hours != 23 else NOON.replace(day=3, hour=11)
        pump.take([an_entry("candles", **old)])
        pump.deliver()
        assert candles() == expected
