"""P20: the same seed gives the same run. Everything that happened, in order, as one hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from trading_system.torture.checker import Checker, Journaled, Violation
from trading_system.torture.venue_log import VenueRecord


class Trace(Checker):
    """Hashes every record; `digest` names the run."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.records = 0

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        return self._add(repr(record))

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        return self._add(repr(record))

    def on_process(self, at_ms: int, *, is_up: bool) -> Iterable[Violation]:
        return self._add(f"process {at_ms} {is_up}")

    def _add(self, text: str) -> Iterable[Violation]:
        self.records += 1
        self._hash.update(text.encode())
        return ()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
