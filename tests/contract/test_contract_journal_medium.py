"""The JournalMedium port, on every medium: rows come back as they were, in order, and a unit is kept whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading_system.domain.protocols import JournalMedium
from trading_system.execution.journal_memory import DiskModel
from trading_system.execution.journal_sqlite import SqliteMedium

Row = tuple[int, bytes, bytes]


class Media:
    """One journal's medium, and the same journal as a next start finds it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind, self._path = kind, folder / "positions.db"
        self._opened: list[JournalMedium] = []

    def open(self) -> JournalMedium:
        if self._kind == "sqlite":
            medium: JournalMedium = SqliteMedium(self._path)
        else:
            last = self._opened[-1] if self._opened else DiskModel()
            assert isinstance(last, DiskModel)
            medium = last.crash()
        self._opened.append(medium)
        return medium

    def close(self) -> None:
        for medium in self._opened:
            medium.close()


def rows(first: int, count: int, size: int = 20) -> list[Row]:
    return [(seq, bytes([seq % 256]) * size, hashlib.sha256(str(seq).encode()).digest()) for seq in range(first, first + count)]


@pytest.fixture(params=["sqlite", "memory"])
def media(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Media]:
    media = Media(request.param, tmp_path)
    yield media
    media.close()


def test_a_new_journal_is_explicitly_empty(media: Media) -> None:
    assert list(media.open().read(0)) == []


def test_rows_come_back_byte_for_byte_in_order_and_from_any_place(media: Media) -> None:
    medium, written = media.open(), rows(1, 300)
    for at in range(0, 300, 7):
        medium.append(written[at : at + 7])

    assert list(medium.read(0)) == written
    assert list(medium.read(250)) == written[249:]
    assert list(medium.read(301)) == []


def test_an_append_of_nothing_changes_nothing(media: Media) -> None:
    medium = media.open()
    medium.append([])

    assert list(medium.read(0)) == []


def test_what_was_appended_is_there_at_the_next_start_and_goes_on_from_there(media: Media) -> None:
    first = media.open()
    first.append(rows(1, 3))
    first.close()
    second = media.open()
    second.append(rows(4, 2))
    second.close()

    assert list(media.open().read(1)) == rows(1, 5)


def test_large_and_empty_payloads_are_kept(media: Media) -> None:
    medium = media.open()
    medium.append([(1, b"", b"\0" * 32), (2, bytes(range(256)) * 4_000, b"\xff" * 32)])

    assert [len(payload) for _, payload, _ in medium.read(1)] == [0, 1_024_000]


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(min_value=0, max_value=9), max_size=6))
def test_however_it_was_grouped_the_journal_is_the_same(kind: str, sizes: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    media = Media(kind, tmp_path_factory.mktemp("journal"))
    medium, seq = media.open(), 1
    for size in sizes:
        medium.append(rows(seq, size))
        seq += size
    read: Callable[[int], object] = medium.read

    assert list(read(1)) == rows(1, seq - 1)  # type: ignore[call-overload]
    media.close()
