"""Journal media without a disk: plain events for backtests, and a byte model of a disk that fails, tears and loses writes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from trading_system.domain.events import JournalEvent
from trading_system.execution.codec import GENESIS, chain_hash, encode_event

_HEADER: Final = struct.Struct(">QI32s")
"""Sequence number, payload length, chain hash."""


class EventMemory:
    """Keeps the event objects and encodes nothing until asked: for backtests, where the journal costs next to nothing."""

    def __init__(self, events: Iterable[JournalEvent] = ()) -> None:
        self._events: list[JournalEvent] = list(events)

    def append_event(self, event: JournalEvent) -> None:
        self._events.append(event)

    def read_events(self) -> tuple[JournalEvent, ...]:
        """Everything recorded, oldest first."""
        return tuple(self._events)

    def rows(self) -> Iterable[tuple[int, bytes, bytes]]:
        """The same journal as it would be on a disk."""
        link = GENESIS
        for seq, event in enumerate(self._events, start=1):
            payload = encode_event(event)
            link = chain_hash(link, payload)
            yield seq, payload, link


class DiskModel:
    """A JournalMedium in memory with the faults of a disk.

    fault: asked before each append with its number (from 1); an exception it returns is raised, and nothing of that append is
    kept. `crash(at_byte)` gives the medium as the next start would find it, cut off at any byte.
    """

    def __init__(self, content: bytes = b"", fault: Callable[[int], Exception | None] | None = None) -> None:
        self._content = bytearray(content)
        self._fault = fault
        self.appends = 0

    def append(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Keep the rows as one unit, or raise what the fault says."""
        self.appends += 1
        error = None if self._fault is None else self._fault(self.appends)
        if error is not None:
            raise error
        for seq, payload, link in rows:
            self._content += _HEADER.pack(seq, len(payload), link) + payload

    def read(self, from_seq: int) -> Iterable[tuple[int, bytes, bytes]]:
        """Every whole row from `from_seq` on; a torn last one is not there."""
        position = 0
        while position + _HEADER.size <= len(self._content):
            seq, length, link = _HEADER.unpack_from(self._content, position)
            end = position + _HEADER.size + length
            if end > len(self._content):
                return
            if seq >= from_seq:
                yield seq, bytes(self._content[position + _HEADER.size : end]), link
            position = end

    def close(self) -> None:
        """Nothing to release."""

    @property
    def size(self) -> int:
        """Bytes written."""
        return len(self._content)

    def crash(self, at_byte: int | None = None) -> DiskModel:
        """A fresh medium with the first `at_byte` bytes (all of them by default) and no faults."""
        return DiskModel(bytes(self._content if at_byte is None else self._content[:at_byte]))
