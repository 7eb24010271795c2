"""The durable outbox: order, bound, survival."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trading_system.storage.outbox import Entry, Outbox

AT = datetime(2025, 6, 2, 12, 0, 0, 123456, UTC)


def an_entry(n: int, *, is_expendable: bool = False) -> Entry:
    return Entry("candles" if is_expendable else "trade", AT, f'{{"n":{n}}}', is_expendable)


def payloads(outbox: Outbox) -> list[str]:
    return [row.payload for row in outbox.batch(1_000)]


def test_rows_wait_in_order_and_survive_a_restart(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.db")
    first.append([an_entry(1), an_entry(2)])
    first.close()

    again = Outbox(tmp_path / "outbox.db")

    assert payloads(again) == ['{"n":1}', '{"n":2}']
    assert (again.pending, again.source) == (2, first.source)
    assert again.batch(1)[0].at == AT


def test_a_batch_is_bounded_in_rows_and_in_text_but_never_empty(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.append([an_entry(n) for n in range(9)])

    assert len(outbox.batch(4)) == 4
    assert len(outbox.batch(9, characters_max=14)) == 2
    assert len(outbox.batch(9, characters_max=1)) == 1


def test_an_id_is_never_used_twice(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.append([an_entry(1), an_entry(2)])
    outbox.settle(row.outbox_id for row in outbox.batch(10))
    outbox.close()

    again = Outbox(tmp_path / "outbox.db")
    again.append([an_entry(3)])

    assert [row.outbox_id for row in again.batch(10)] == [3]
    assert again.pending == 1


def test_two_outboxes_are_two_sources(tmp_path: Path) -> None:
    assert Outbox(tmp_path / "a.db").source != Outbox(tmp_path / "b.db").source


def test_a_full_outbox_loses_the_oldest_expendable_rows_first_and_counts_them(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", rows_max=20)
    outbox.append([an_entry(0)])
    outbox.append([an_entry(n, is_expendable=True) for n in range(1, 20)])

    outbox.append([an_entry(20), an_entry(21)])

    assert (outbox.pending, outbox.dropped) == (19, 3)
    assert payloads(outbox)[:3] == ['{"n":0}', '{"n":4}', '{"n":5}']


def test_when_nothing_is_expendable_the_oldest_go(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", rows_max=20)

    outbox.append([an_entry(n) for n in range(50)])

    assert outbox.pending <= 20
    assert payloads(outbox)[-1] == '{"n":49}'
    assert outbox.dropped == 50 - outbox.pending


def test_a_refused_row_is_kept_aside_with_its_reason(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.append([an_entry(1), an_entry(2)])

    outbox.refuse(outbox.batch(1)[0], "DataError: out of range")

    assert outbox.refused() == [(1, "trade", "DataError: out of range")]
    assert (payloads(outbox), outbox.pending) == (['{"n":2}'], 1)


def test_a_failed_append_takes_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.append([an_entry(1)])

    with pytest.raises(sqlite3.Error):
        outbox.append([an_entry(2), Entry("trade", AT, None, False)])  # type: ignore[arg-type]

    assert (outbox.pending, payloads(outbox)) == (1, ['{"n":1}'])
    outbox.append([an_entry(3)])
    assert outbox.pending == 2


def test_the_outbox_is_fully_synchronous(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")

    assert outbox._connection.execute("PRAGMA synchronous").fetchone() == (2,)
