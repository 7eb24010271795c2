"""A log that keeps what must not be lost in a run nobody watches: errors, what became of signals, how often each event was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from trading_system.backtest.signal_story import SignalStory

KEPT_MAX: Final = 200


class QuietLog:
    """Counts everything, keeps the first errors whole, and reads the story of the signals."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.errors: list[tuple[str, dict[str, Any]]] = []
        self.story = SignalStory()

    def debug(self, event: str, **fields: Any) -> None:
        self.counts[event] += 1
        self.story.note(event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self.counts[event] += 1
        self.story.note(event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self.counts[event] += 1
        self.story.note(event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self.counts[event] += 1
        self.story.note(event, fields)
        if len(self.errors) < KEPT_MAX:
            self.errors.append((event, fields))

    critical = error


class NoHistory:
    """An EventRecorder that keeps nothing: a backtest writes into no database (incident: a replay wrote into production)."""

    def record(self, kind: str, at: datetime, payload: Mapping[str, object]) -> None:
        del kind, at, payload


class NoAlerts:
    """An Alerter that counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def alert(self, kind: str, text: str, *, symbol: str | None = None, urgent: bool = False) -> None:
        del text, symbol, urgent
        self.counts[kind] += 1
