"""What the adapter tells its owner besides answers: calls made, odd payloads, a tripped breaker. Never carries secrets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WireIssue:
    """Something in an answer that we did not expect. The rest of the answer was used."""

    where: str
    """Which list and element, e.g. `fills[3]`."""
    detail: str
    is_lost: bool = False
    """True when the element could not be kept at all; False when it was kept in a reduced form."""


@dataclass(frozen=True, slots=True)
class CallReport:
    """One finished call. `seconds` are process seconds; `problem` is None when a well-formed success came back."""

    endpoint: str
    seconds: float
    problem: str | None


class VenueObserver(Protocol):
    """Called in line: must be quick and must not raise."""

    def call_finished(self, report: CallReport) -> None: ...

    def wire_issue(self, issue: WireIssue) -> None: ...

    def breaker_tripped(self, why: str) -> None: ...


class CountingObserver:
    """Counts everything and keeps the first issues of each kind. The default when nobody listens."""

    def __init__(self, keep: int = 50) -> None:
        self._keep = keep
        self.calls: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.issues_count = 0
        self.issues: list[WireIssue] = []
        self.trips: list[str] = []

    def call_finished(self, report: CallReport) -> None:
        self.calls[report.endpoint] += 1
        if report.problem is not None:
            self.problems[report.endpoint] += 1

    def wire_issue(self, issue: WireIssue) -> None:
        self.issues_count += 1
        if len(self.issues) < self._keep and issue not in self.issues:
            self.issues.append(issue)

    def breaker_tripped(self, why: str) -> None:
        if len(self.trips) < self._keep:
            self.trips.append(why)
