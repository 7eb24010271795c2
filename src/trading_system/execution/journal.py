"""The write-ahead journal: what is not written here did not happen, what is written here can be replayed.

`record` checks an event against the state, makes it durable, and only then lets the state change. When the medium fails,
entries stop (JournalFailed), but protection goes on: such events change the state in memory and are written as soon as the
medium works again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from trading_system.domain.errors import InvariantViolation, TradingError
from trading_system.domain.events import JournalCompacted, JournalEvent, SessionStarted
from trading_system.domain.protocols import JournalMedium
from trading_system.execution.codec import GENESIS, JournalCorrupt, chain_hash, decode_event, encode_event
from trading_system.execution.journal_memory import EventMemory
from trading_system.execution.ledger import LedgerState
from trading_system.execution.ledger_rules import apply, changes_of

GROUP_MAX: Final = 256
"""Records that may wait for the next durable one before they are written on their own."""


class JournalFailed(TradingError):
    """The medium refused the record: nothing was applied, so nothing may be sent. Entries stop until it writes again."""


@dataclass(frozen=True, slots=True)
class JournalIdentity:
    """To whom a journal belongs. A paper journal never opens as live, nor the reverse."""

    mode: str
    venue: str
    account: str


def before_first(seq: int, payload: bytes) -> tuple[int, bytes]:
    """(number, chain hash) of the record that the first record of a compacted journal follows; JournalCorrupt when it is no such one."""
    event = decode_event(seq, payload)
    if not isinstance(event, JournalCompacted) or event.archived_seq != seq - 1:
        raise JournalCorrupt(seq, "is the first one here: everything before it is missing")
    try:
        return event.archived_seq, bytes.fromhex(event.archived_chain)
    except ValueError as error:
        raise JournalCorrupt(seq, f"names no archive ({error})") from error


class Journal:
    """One writer. `state` is the fold of everything recorded; read it freely, change it only through `record`."""

    def __init__(self, medium: JournalMedium | EventMemory) -> None:
        """Read and verify everything on `medium`; JournalCorrupt when the chain or a record does not hold."""
        self._medium = medium
        self._events = medium if isinstance(medium, EventMemory) else None
        self.observer: Callable[[JournalEvent], None] | None = None
        """Told every event after it was applied (the log's story of a position). Must be quick and must not raise."""
        self._pending: list[tuple[int, bytes, bytes]] = []
        self._failure: str | None = None
        self._failures = 0
        self._state = LedgerState()
        self._seq = 0
        self._hash = GENESIS
        for event in self._read():
            self._fold(event)
        self._durable_seq, self._durable_hash = self._seq, self._hash

    def _read(self) -> Iterable[JournalEvent]:
        if isinstance(self._medium, EventMemory):
            for event in self._medium.read_events():
                self._seq += 1
                yield event
            return
        for seq, payload, stored in self._medium.read(1):
            if self._seq == 0 and seq > 1:
                self._seq, self._hash = before_first(seq, payload)
            if seq != self._seq + 1:
                raise JournalCorrupt(seq, f"follows record {self._seq}: records are missing")
            expected = chain_hash(self._hash, payload)
            if stored != expected:
                raise JournalCorrupt(seq, "does not fit its chain: it was changed, or one before it was")
            self._seq, self._hash = seq, expected
            yield decode_event(seq, payload)

    def _fold(self, event: JournalEvent) -> None:
        try:
            apply(self._state, event)
        except InvariantViolation as error:
            raise JournalCorrupt(self._seq, f"is not possible here ({error})") from error

    @property
    def state(self) -> LedgerState:
        return self._state

    @property
    def seq(self) -> int:
        """Number of the newest record, durable or not."""
        return self._seq

    @property
    def durable_seq(self) -> int:
        """Number of the newest record that is known to be durable."""
        return self._durable_seq

    @property
    def durable_chain(self) -> bytes:
        """Chain hash of the newest record that is known to be durable."""
        return self._durable_hash

    @property
    def failure(self) -> str | None:
        """Why the medium refuses to write, or None while it works. Not None = no entries, urgent alert."""
        return self._failure

    @property
    def failures(self) -> int:
        """How often the medium refused, so that a failure that is over before anybody looked is seen all the same."""
        return self._failures

    @property
    def epoch(self) -> int:
        """Which process this is in the life of the journal; 0 before `begin_session`."""
        return 0 if self._state.session is None else self._state.session.epoch

    def begin_session(self, session: SessionStarted) -> SessionStarted:
        """Write that this process took over, with the next epoch; InvariantViolation when the journal belongs to something else."""
        started = replace(session, epoch=self.epoch + 1)
        self.record(started)
        return started

    def record(self, event: JournalEvent, *, durable: bool = True, protective: bool = False) -> bool:
        """Write `event` and apply it; False when it was already known (nothing is written then).

        durable: return only once it is safe, and everything before it; else it is group-committed with the next durable one.
        protective: go on in memory when the medium fails, instead of raising JournalFailed.
        InvariantViolation: it is illegal now, and nothing changed.
        """
        changes = changes_of(self._state, event)
        if changes is None:
            return False
        if self._events is not None:
            self._events.append_event(event)
            self._seq += 1
            self._durable_seq = self._seq
        else:
            self._write(event, durable=durable, protective=protective)
        self._state.commit(changes)
        if self.observer is not None:
            self.observer(event)
        return True

    def _write(self, event: JournalEvent, *, durable: bool, protective: bool) -> None:
        payload = encode_event(event)
        link = chain_hash(self._hash, payload)
        self._pending.append((self._seq + 1, payload, link))
        if durable or len(self._pending) >= GROUP_MAX:
            try:
                self._commit()
            except JournalFailed:
                if durable and not protective:
                    self._pending.pop()
                    raise
        self._seq, self._hash = self._seq + 1, link

    def _commit(self) -> None:
        if not self._pending or isinstance(self._medium, EventMemory):
            return
        try:
            self._medium.append(self._pending)
        except (OSError, sqlite3.Error) as error:
            self._failure = f"{type(error).__name__}: {error}"
            self._failures += 1
            raise JournalFailed(self._failure) from error
        self._failure = None
        self._durable_seq, _, self._durable_hash = self._pending[-1]
        self._pending.clear()

    def flush(self) -> bool:
        """Make everything recorded durable; False when the medium (still) refuses. Call it every second or so."""
        try:
            self._commit()
        except JournalFailed:
            return False
        return True

    def close(self) -> None:
        """Flush and close the medium."""
        self.flush()
        if not isinstance(self._medium, EventMemory):
            self._medium.close()
