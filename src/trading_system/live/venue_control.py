"""What the daemon needs of the venue's edge besides the ports: closing the write gate, the skew of clocks, the budget that is left."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol


class VenueControl(Protocol):
    """Implemented by the wiring for each kind of venue."""

    def close_entries(self, cause: str) -> None:
        """From now on no entry and no take-profit leaves, until `reopen(cause)`; stops and exits still do."""
        ...

    def reopen(self, cause: str) -> None: ...

    def clock_skew_s(self) -> Decimal | None:
        """Our market clock against the venue's, absolute, in process seconds, less the measurement's own doubt; None = never measured."""
        ...

    def budget_points(self) -> int | None:
        """Points left of the venue's trading budget; None where there is none."""
        ...

    def is_entry_rate_tripped(self) -> bool:
        """True while the entry-rate breaker waits for a human."""
        ...

    def reset_entry_rate(self) -> None:
        """A human said go on: the breaker counts anew."""
        ...


class InProcessControl:
    """For an exchange in this process: one clock, no budget; the gate is honoured by whoever asks."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self.entry_rate_tripped = False
        """Set by whoever plays a venue whose gate counts."""

    def close_entries(self, cause: str) -> None:
        self.closed.add(cause)

    def reopen(self, cause: str) -> None:
        self.closed.discard(cause)

    def clock_skew_s(self) -> Decimal | None:
        return Decimal(0)

    def budget_points(self) -> int | None:
        return None

    def is_entry_rate_tripped(self) -> bool:
        return self.entry_rate_tripped

    def reset_entry_rate(self) -> None:
        self.entry_rate_tripped = False
