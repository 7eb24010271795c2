"""What must come to an end: L5 orders of unknown fate, P9 what a clean stop leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from trading_system.domain.events import FillBooked, OrderEnded, OrderIntended, OrderPlaced, OrderRejected, OrderUnknown
from trading_system.torture.checker import Checker, Journaled, Openness, Violation

_UNKNOWN_MS: Final = 600_000
_SLACK_MS: Final = 60_000
_UNCOVERED_S: Final = 6.0
"""Two polls: a position that could have been covered for so long before the exit is one that was left."""


class FateChecker(Checker):
    """Reads the journal for orders without an outcome, and hears what people were told."""

    def __init__(self, openness: Openness) -> None:
        self._openness = openness
        self._sent: set[str] = set()
        self._settled: set[str] = set()
        self._unknown_ms: dict[str, int] = {}
        self._last_ms: int | None = None
        self._is_up = False

    def on_process(self, at_ms: int, *, is_up: bool) -> Iterable[Violation]:
        self._is_up = is_up
        return ()

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        match record.event:
            case OrderIntended():
                self._sent.add(record.event.order.client_order_id)
            case OrderUnknown():
                self._sent.discard(record.event.client_order_id)
                if record.event.client_order_id not in self._settled:
                    self._unknown_ms.setdefault(record.event.client_order_id, 0)
            case OrderPlaced() | OrderRejected() | OrderEnded():
                self._settle(record.event.client_order_id)
            case FillBooked():
                self._settle(record.event.fill.client_order_id or "")
            case _:
                pass
        return ()

    def _settle(self, key: str) -> None:
        """The order is known; a feed may tell of it before its answer is given up."""
        self._settled.add(key)
        self._sent.discard(key)
        self._unknown_ms.pop(key, None)

    def on_alert(self, text: str) -> None:
        """A person was told: the order named is a human's matter now."""
        for key in [key for key in self._unknown_ms if key in text]:
            del self._unknown_ms[key]

    def on_second(self, at_ms: int) -> Iterable[Violation]:
        elapsed = 0 if self._last_ms is None else at_ms - self._last_ms
        self._last_ms = at_ms
        if not self._is_up or not self._openness.is_reachable():
            return
        for key, waited in list(self._unknown_ms.items()):
            self._unknown_ms[key] = waited + elapsed
            if waited + elapsed > _UNKNOWN_MS + _SLACK_MS:
                del self._unknown_ms[key]
                yield Violation(
                    "L5", at_ms, "", f"nobody was told of {key}, whose fate has been unknown for {(waited + elapsed) // 1000} s"
                )

    def left(self, at_ms: int, uncovered_s: Mapping[str, float]) -> Iterable[Violation]:
        """The process ended because it was asked to. uncovered_s: by market, how long it could have been covered and was not."""
        for key in sorted(self._sent):
            yield Violation("P9", at_ms, "", f"the process ended with {key} neither resolved nor marked unknown")
        self._sent.clear()
        for symbol, seconds in uncovered_s.items():
            if seconds >= _UNCOVERED_S:
                yield Violation("P9", at_ms, symbol, f"the process ended with the position without a stop for {seconds:g} s")
