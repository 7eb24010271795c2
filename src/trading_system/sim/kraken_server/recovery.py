"""Brings an exchange back to where its state file left it, and keeps the file short."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeAlias

from trading_system.domain.protocols import Clock
from trading_system.sim.exchange import SimExchange
from trading_system.sim.kraken_server.desk import Preferences
from trading_system.sim.kraken_server.state_file import StateFile

CommitHook: TypeAlias = Callable[[Mapping[str, Any]], None]

COMPACT_BYTES: Final = 4_000_000
COMPACT_S: Final = 600.0
_PAUSE_PER_WORK: Final = 500
"""A compaction that took t seconds is not repeated within 500 t: a long history must not eat the time to serve."""


def resumed(make: Callable[[CommitHook], SimExchange], state: StateFile) -> SimExchange:
    """Build the exchange with `make(on_commit)` and restore snapshot, later commands and market time.

    Market time continues where it stood: the time while the exchange was down did not pass.
    ValueError when the snapshot does not fit the exchange that `make` builds.
    """
    exchange = make(state.append)
    remembered = state.remembered
    if remembered.snapshot is not None:
        exchange.restore_state(remembered.snapshot)
    for record in remembered.commits:
        exchange.apply_commit(record)
    if remembered.market_ms is not None:
        exchange.advance_to(remembered.market_ms)
    state.sync()
    return exchange


def restored_preferences(state: StateFile | None) -> Preferences:
    preferences = Preferences()
    if state is not None and state.remembered.preferences is not None:
        preferences.restore(state.remembered.preferences)
    return preferences


class Keeper:
    """Makes what happened durable and compacts the state file now and then. Without a state file it does nothing.

    A compaction in the middle of business is written in a thread, so that requests go on being answered.
    """

    def __init__(self, exchange: SimExchange, state: StateFile | None, clock: Clock) -> None:
        self._exchange = exchange
        self._state = state
        self._clock = clock
        self._compacted_s = self._started_s = clock.monotonic()
        self._took_s = 0.0
        self._writing: Future[None] | None = None
        self._writer: Final = ThreadPoolExecutor(1, thread_name_prefix="exchange state")

    def sync(self) -> None:
        """Call before anything that happened is told to anyone."""
        if self._state is not None:
            self._state.sync()
            self._state.mark_time(self._exchange.now_ms)

    def compact_when_due(self) -> None:
        """Replaces the file when it grew long, or when a restart would have a long path to replay. OSError when it cannot."""
        if self._state is None:
            return
        if self._writing is not None:
            if self._writing.done():
                self._finish(self._state, self._writing)
            return
        rested_s = self._clock.monotonic() - self._compacted_s
        is_long = self._state.bytes_since_snapshot >= COMPACT_BYTES
        if rested_s >= self._took_s * _PAUSE_PER_WORK and (is_long or rested_s >= COMPACT_S):
            self._started_s = self._clock.monotonic()
            self._writing = self._writer.submit(self._state.begin_compaction(self._exchange.snapshot_state(is_raw=True)))

    def _finish(self, state: StateFile, writing: Future[None]) -> None:
        self._writing = None
        writing.result()  # raises what went wrong in the thread
        state.finish_compaction()
        self._compacted_s = self._clock.monotonic()
        self._took_s = self._compacted_s - self._started_s

    def compact(self) -> None:
        """Compact now and wait for it: the last word of an orderly end."""
        if self._state is not None:
            self.wait()
            self._state.compact(self._exchange.snapshot_state(is_raw=True))

    def wait(self) -> None:
        """Let a compaction in the thread come to its end; its file is not taken over."""
        self._writer.shutdown()
        self._writing = None
