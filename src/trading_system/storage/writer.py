"""The history writer: one thread between everybody's `record` and the main database.

`record` costs the caller microseconds and never fails for a database: entries go through a bounded queue into the durable
outbox and from there, in batches, into the main database. A dead database delays history and says so once a minute.
The trap it avoids: a bot that logs the same error every few milliseconds for a weekend, or dies of its bookkeeping.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Engine

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import Clock
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import from_ms
from trading_system.storage.delivery import DeliveryPump, WriterParameters, WriterStatus
from trading_system.storage.outbox import Entry
from trading_system.storage.records import CANDLES, EXPENDABLE, candle_payload, encode_payload

_BARS_PER_RECORD = 500


class HistoryWriter:
    """Implements the EventRecorder port. `start` once, `stop` once; `record` from any thread at any time."""

    def __init__(self, engine: Engine, outbox_path: Path, clock: Clock, parameters: WriterParameters | None = None) -> None:
        self._parameters = parameters or WriterParameters()
        self._clock = clock
        self._queue: deque[Entry] = deque()
        self._wake = threading.Condition()
        self._is_stopping = False
        self._lost = 0
        self._pump = DeliveryPump(engine, outbox_path, clock, self._parameters)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the writer thread. Nothing is opened before, so a dead database never delays a start."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="history-writer", daemon=True)
            self._thread.start()

    def record(self, kind: str, at: datetime, payload: Mapping[str, object]) -> None:
        """Queue one record and return at once. `at` must be aware (ValueError). A full queue loses the oldest, counted."""
        if at.tzinfo is None:
            raise ValueError(f"a moment must know its time zone, was {at!r}")
        # encoded here: the caller may change the payload's objects afterwards
        entry = Entry(kind, at, encode_payload(payload), kind in EXPENDABLE)
        with self._wake:
            if len(self._queue) >= self._parameters.queue_max:
                self._queue.popleft()
                self._lost += 1
            self._queue.append(entry)
            self._wake.notify()

    def record_candles(self, symbol: Symbol, timeframe: Timeframe, bars: Iterable[Bar]) -> None:
        """Queue closed bars, in records of at most 500."""
        kept = list(bars)
        for start in range(0, len(kept), _BARS_PER_RECORD):
            part = kept[start : start + _BARS_PER_RECORD]
            self.record(CANDLES, from_ms(part[-1].open_ms), candle_payload(symbol, timeframe, part))

    def stop(self, deadline_s: float = 5.0) -> bool:
        """Deliver what is there for at most `deadline_s` process seconds, then end. True when nothing is left behind.

        What could not be delivered lies in the outbox and goes out after the next start. Blocks: call it off the loop.
        """
        self._pump.hurry(self._clock.monotonic() + deadline_s)
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        if self._thread is None:
            return not self._queue
        self._thread.join(deadline_s + self._parameters.stop_slack_s)
        return not self._thread.is_alive() and self._pump.status().pending == 0 and not self._queue

    def status(self) -> WriterStatus:
        """How far behind the history is, for health and metrics."""
        return self._pump.status(queued=len(self._queue), lost=self._lost)

    def _run(self) -> None:
        while True:
            with self._wake:
                entries = list(self._queue)
                self._queue.clear()
                is_last = self._is_stopping
            left = self._pump.take(entries)
            wait_s = self._pump.deliver()
            with self._wake:
                self._queue.extendleft(reversed(left))
                if is_last:
                    break
                # a stop that came during this round has notified nobody: go round once more at once
                if (left or not self._queue) and is_last == self._is_stopping:
                    self._wake.wait(wait_s)
        self._pump.close()
