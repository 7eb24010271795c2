"""All checkers of one run side by side, and the one place where their violations are collected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from trading_system.torture.check_books import FillChecker
from trading_system.torture.check_modes import ModeChecker, ModeSeen
from trading_system.torture.check_naked import NakedChecker, NakedLimits
from trading_system.torture.check_orders import EntryChecker, EvidenceChecker, ExitChecker, SeatBeltChecker
from trading_system.torture.check_pace import PaceChecker
from trading_system.torture.checker import Checker, Journaled, Openness, Violation
from trading_system.torture.trace import Trace
from trading_system.torture.venue_log import VenueLog, VenueRecord


class Checkers:
    """Told everything once; keeps what was broken. `violations` grows in order of time."""

    def __init__(
        self,
        log: VenueLog,
        openness: Openness,
        size_steps: Mapping[str, Decimal],
        liquidation_of: Callable[[str], Decimal | None],
        limits: NakedLimits | None = None,
        more: tuple[Checker, ...] = (),
    ) -> None:
        """more: checkers that need to know more than the log and the journal (limits, equity)."""
        self.naked = NakedChecker(log, openness, size_steps, limits or NakedLimits(), liquidation_of)
        self.entries = EntryChecker()
        self.seat_belt = SeatBeltChecker(log)
        self.fills = FillChecker()
        self.modes = ModeChecker()
        self.trace = Trace()
        self._all: tuple[Checker, ...] = (
            self.trace, self.naked, self.entries, self.seat_belt, EvidenceChecker(), ExitChecker(), PaceChecker(), self.fills,
            self.modes, *more,
        )  # fmt: skip
        self.violations: list[Violation] = []

    def note(self, violations: Iterable[Violation]) -> None:
        self.violations += violations

    def on_venue(self, record: VenueRecord) -> None:
        for checker in self._all:
            self.note(checker.on_venue(record))

    def on_journal(self, record: Journaled) -> None:
        for checker in self._all:
            self.note(checker.on_journal(record))

    def on_process(self, at_ms: int, *, is_up: bool) -> None:
        for checker in self._all:
            self.note(checker.on_process(at_ms, is_up=is_up))

    def on_second(self, at_ms: int) -> None:
        for checker in self._all:
            self.note(checker.on_second(at_ms))

    def see_mode(self, seen: ModeSeen) -> None:
        self.seat_belt.mode = seen.mode
        self.note(self.modes.see(seen))

    def at_end(self, at_ms: int) -> None:
        for checker in self._all:
            self.note(checker.at_end(at_ms))
