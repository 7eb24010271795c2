"""What the writer thread does in one round: queue → outbox → main database, with back-off. No thread of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from trading_system.domain import log_events
from trading_system.domain.protocols import Clock
from trading_system.storage.outbox import Entry, Outbox, OutboxRow
from trading_system.storage.pruning import CANDLE_AGE_MAX, CandleAges, prune
from trading_system.storage.repository import Repository

_log = structlog.get_logger("trading_system.storage")


@dataclass(frozen=True, slots=True)
class WriterParameters:
    """Times in process seconds."""

    queue_max: int = 50_000
    outbox_rows_max: int = 200_000
    batch_rows: int = 200
    idle_wait_s: float = 1.0
    backoff_first_s: float = 1.0
    backoff_max_s: float = 60.0
    log_every_s: float = 60.0
    prune_every: timedelta = timedelta(hours=24)
    """Market time between prunings; the first follows the first delivery."""
    candle_ages: CandleAges = field(default_factory=lambda: CANDLE_AGE_MAX)
    stop_slack_s: float = 10.0
    """What one statement in flight may still take beyond the deadline of `stop`."""


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """`pending` rows wait in the outbox, `queued` before it. `lost` fell to a bound, `refused` were put aside."""

    pending: int
    queued: int
    delivered: int
    refused: int
    lost: int
    is_database_down: bool
    last_error: str | None


class DeliveryPump:
    """One round at a time, always on the same thread. The outbox is opened by the first round that needs it."""

    def __init__(self, engine: Engine, outbox_path: Path, clock: Clock, parameters: WriterParameters) -> None:
        self._repository = Repository(engine)
        self._outbox_path = outbox_path
        self._clock = clock
        self._parameters = parameters
        self._outbox: Outbox | None = None
        self._failures = 0
        self._next_try_s = float("-inf")
        self._last_log_s = float("-inf")
        self._deadline_s: float | None = None
        self._pruned_at: datetime | None = None
        self._delivered = 0
        self._refused = 0
        self._last_error: str | None = None

    @property
    def is_done(self) -> bool:
        """True when the outbox is open and empty."""
        return self._outbox is not None and self._outbox.pending == 0

    def hurry(self, deadline_s: float) -> None:
        """The process is stopping: deliver until `deadline_s` (process time) and try a waiting database once more, now."""
        self._next_try_s = float("-inf")
        self._deadline_s = deadline_s

    def take(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Move entries into the outbox. Returns those that could not be taken (all, when its disk fails)."""
        try:
            outbox = self._open()
            lost_before = outbox.dropped
            outbox.append(entries)
        except (sqlite3.Error, OSError) as error:
            self._note_failure(log_events.OUTBOX_BROKEN, error, len(entries))
            return entries
        if outbox.dropped > lost_before:
            _log.warning(log_events.HISTORY_LOST, rows=outbox.dropped - lost_before, rows_max=self._parameters.outbox_rows_max)
        return ()

    def deliver(self) -> float:
        """Deliver batches while the database takes them. Returns the process seconds to wait before the next round."""
        outbox = self._outbox
        if outbox is None:
            return self._parameters.backoff_first_s
        now_s = self._clock.monotonic()
        if now_s < self._next_try_s:
            return self._next_try_s - now_s
        try:
            while rows := outbox.batch(self._parameters.batch_rows):
                self._deliver_batch(outbox, rows)
                if self._deadline_s is not None and self._clock.monotonic() >= self._deadline_s:
                    return 0.0
            self._prune_when_due()
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            return self._note_failure(log_events.HISTORY_DELAYED, error, outbox.pending)
        return self._parameters.idle_wait_s

    def status(self, *, queued: int = 0, lost: int = 0) -> WriterStatus:
        outbox = self._outbox
        return WriterStatus(
            pending=outbox.pending if outbox else 0,
            queued=queued,
            delivered=self._delivered,
            refused=self._refused,
            lost=lost + (outbox.dropped if outbox else 0),
            is_database_down=self._failures > 0,
            last_error=self._last_error,
        )

    def close(self) -> None:
        if self._outbox is not None:
            self._outbox.close()

    def _deliver_batch(self, outbox: Outbox, rows: list[OutboxRow]) -> None:
        try:
            self._repository.deliver(outbox.source, rows)
        except (DataError, IntegrityError) as error:
            self._deliver_one_by_one(outbox, rows, error)
        except DBAPIError:
            raise  # the database, not the row
        except (StatementError, ValueError, TypeError) as error:
            self._deliver_one_by_one(outbox, rows, error)
        else:
            outbox.settle(row.outbox_id for row in rows)
            self._delivered += len(rows)
        self._note_success(outbox.pending)

    def _deliver_one_by_one(self, outbox: Outbox, rows: list[OutboxRow], error: Exception) -> None:
        """Some row of a batch is impossible: find it, put it aside, deliver the others."""
        if len(rows) > 1:
            for row in rows:
                self._deliver_batch(outbox, [row])
            return
        outbox.refuse(rows[0], f"{type(error).__name__}: {str(error)[:500]}")
        self._refused += 1
        _log.error(log_events.HISTORY_REFUSED, kind=rows[0].kind, outbox_id=rows[0].outbox_id, error=type(error).__name__)

    def _open(self) -> Outbox:
        if self._outbox is None:
            try:
                self._outbox = Outbox(self._outbox_path, rows_max=self._parameters.outbox_rows_max)
            except sqlite3.OperationalError:
                raise  # locked, or the disk is full: the file itself may be sound
            except sqlite3.DatabaseError as error:
                aside = set_aside(self._outbox_path)
                _log.error(log_events.OUTBOX_SET_ASIDE, path=str(aside), error=str(error))
                self._outbox = Outbox(self._outbox_path, rows_max=self._parameters.outbox_rows_max)
        return self._outbox

    def _prune_when_due(self) -> None:
        now = self._clock.now()
        if self._pruned_at is not None and now - self._pruned_at < self._parameters.prune_every:
            return
        deleted = prune(self._repository, now, self._parameters.candle_ages)
        self._pruned_at = now
        if deleted:
            _log.info(log_events.HISTORY_PRUNED, rows=deleted)

    def _note_failure(self, event: str, error: Exception, waiting: int) -> float:
        p = self._parameters
        self._failures += 1
        self._last_error = type(error).__name__
        now_s = self._clock.monotonic()
        wait_s: float = min(p.backoff_max_s, p.backoff_first_s * 2 ** min(self._failures - 1, 10))
        self._next_try_s = now_s + wait_s
        if now_s - self._last_log_s >= p.log_every_s:
            self._last_log_s = now_s
            # the type only: a driver's text can carry host and user
            _log.warning(event, error=type(error).__name__, pending=waiting, failures=self._failures, retry_s=wait_s)
        return wait_s

    def _note_success(self, pending: int) -> None:
        if self._failures:
            _log.info(log_events.HISTORY_RECOVERED, failures=self._failures, pending=pending)
        self._failures = 0
        self._last_error = None


def set_aside(path: Path) -> Path:
    """Rename a damaged file (and its -wal, -shm) so that it is kept for a look; returns the new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    return aside
