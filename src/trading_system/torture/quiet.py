"""Sinks for a run that nobody watches: they count, and they keep what should never have happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any


class CountingLog:
    """Counts events; an error with a traceback is an exception that nobody expected, and is passed on."""

    def __init__(self, unexpected: Callable[[str, BaseException], None]) -> None:
        self._unexpected = unexpected
        self.counts: Counter[str] = Counter()

    def debug(self, event: str, **fields: Any) -> None:
        self.counts[event] += 1

    def info(self, event: str, **fields: Any) -> None:
        self.counts[event] += 1

    def warning(self, event: str, **fields: Any) -> None:
        self.counts[event] += 1

    def error(self, event: str, **fields: Any) -> None:
        self.counts[event] += 1
        error = fields.get("exc_info")
        if isinstance(error, Exception):
            self._unexpected(event, error)

    critical = error


class NoHistory:
    """An EventRecorder that keeps nothing."""

    def record(self, kind: str, at: datetime, payload: Mapping[str, object]) -> None:
        """Forget it."""


class CountingAlerts:
    """An Alerter that counts by kind and passes the texts on."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear
        self.counts: Counter[str] = Counter()

    def alert(self, kind: str, text: str, *, symbol: str | None = None, urgent: bool = False) -> None:
        self.counts[kind] += 1
        self._hear(text)
