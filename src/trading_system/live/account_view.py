"""What the venue last said about the account, and how old that is. One per process; every reader sees the same."""

from __future__ import annotations

from datetime import datetime

from trading_system.domain.account import AccountSnapshot
from trading_system.live.private_reads import PrivateReads

SNAPSHOT_AGE_MAX_S = 180.0
"""Process seconds after which a wallet reading may carry no decision."""


class AccountView:
    """Newest value of each private read. A failed read leaves the older value, which ages."""

    def __init__(self) -> None:
        self.snapshot: AccountSnapshot | None = None
        self.reads: PrivateReads | None = None
        """The newest reads, complete or not."""
        self.last_complete_at: datetime | None = None
        """Market time at which the newest complete look began."""
        self.flows_read_s: float | None = None
        self.flows_read_at: datetime | None = None
        self._snapshot_s = float("-inf")
        self._newest_s = float("-inf")

    def take(self, reads: PrivateReads) -> bool:
        """Adopt what was read; False when a look that began later was taken already, and this one says nothing about now.

        The wallet has an order of its own: only the tick reads it, and the looks in between that overtake a slow tick do not.
        """
        if reads.snapshot is not None and reads.started_s > self._snapshot_s:
            self.snapshot = reads.snapshot
            self._snapshot_s = reads.started_s
        if reads.started_s < self._newest_s:
            return False
        self._newest_s = reads.started_s
        self.reads = reads
        if reads.is_complete:
            self.last_complete_at = reads.at
        return True

    def is_fresh(self, now_s: float, age_max_s: float = SNAPSHOT_AGE_MAX_S) -> bool:
        """True while the wallet reading is young enough to decide on."""
        return self.snapshot is not None and now_s - self._snapshot_s <= age_max_s
