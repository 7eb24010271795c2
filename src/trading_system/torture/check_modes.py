"""P19: the mode tightens by itself and loosens only by rule; a halt survives every restart.

While halted nothing is opened and no take-profit is placed: what the journal intends between two looks at a halted daemon counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from trading_system.domain.events import OrderIntended
from trading_system.domain.modes import Mode
from trading_system.torture.checker import Checker, Journaled, Violation

_RECOVERY_AGE_MS: Final = 5 * 60_000
_RECOVERIES_MAX: Final = 2
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class ModeSeen:
    """The mode as it was seen from outside. is_margin: the halt (if any) is about margin; utilization: the venue's, as a fraction."""

    at_ms: int
    mode: Mode
    is_margin: bool = False
    utilization: float | None = None


class ModeChecker(Checker):
    """Fed by `see` whenever the mode may have changed and `acknowledge` when a human resumed."""

    def __init__(self, recovery_below: float = 0.85) -> None:
        self._below = recovery_below
        self._last: ModeSeen | None = None
        self._halted_ms: int | None = None
        self._was_margin = False
        self._acknowledged = False
        self._must_halt = False
        self._recoveries: list[int] = []
        self._intended: list[Journaled] = []
        """Entries and take-profits since the last look, which saw a halt."""

    def acknowledge(self) -> None:
        """A human said go on: the next loosening is allowed."""
        self._acknowledged = True

    def must_halt(self) -> None:
        """The latch files were spoilt while nothing ran: what starts next is halted."""
        self._must_halt = True

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        if self._halted_ms is not None and isinstance(record.event, OrderIntended):
            purpose = record.event.order.purpose
            if purpose.is_entry or purpose.is_take_profit:
                self._intended.append(record)
        return ()

    def see(self, now: ModeSeen) -> Iterable[Violation]:
        intended, self._intended = self._intended, []
        if now.mode.is_halted and self._halted_ms is not None and not self._acknowledged:
            for record in intended:
                yield Violation("P19", record.at_ms, "", f"halted since {self._halted_ms}, and yet: {record.event}")
        if self._must_halt and not now.mode.is_halted:
            yield Violation("P19", now.at_ms, "", f"the halt state is unreadable, and the mode is {now.mode.value}")
        self._must_halt = False
        before, self._last = self._last, now
        if before is not None and before.mode.is_halted and now.mode.severity < before.mode.severity:
            yield from self._judge_loosening(before, now)
        if now.mode.is_halted:
            if self._halted_ms is None:
                self._halted_ms = now.at_ms
            self._was_margin = now.is_margin
        else:
            self._halted_ms = None

    def _judge_loosening(self, before: ModeSeen, now: ModeSeen) -> Iterable[Violation]:
        if self._acknowledged:
            self._acknowledged = False
            return
        since = self._halted_ms if self._halted_ms is not None else now.at_ms
        recent = [at for at in self._recoveries if now.at_ms - at < _DAY_MS]
        allowed = (
            self._was_margin
            and now.at_ms - since >= _RECOVERY_AGE_MS
            and (now.utilization is None or now.utilization < self._below)
            and len(recent) < _RECOVERIES_MAX
        )
        self._recoveries = [*recent, now.at_ms]
        if not allowed:
            age = f"age {(now.at_ms - since) // 1000} s, about margin: {self._was_margin}"
            text = f"{before.mode.value} became {now.mode.value} without a human ({age})"
            yield Violation("P19", now.at_ms, "", text)
