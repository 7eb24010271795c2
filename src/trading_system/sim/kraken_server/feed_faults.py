"""Faults of the feeds: messages that never come, come twice or too late, and silence on a connection that lives."""

from __future__ import annotations

from trading_system.sim.kraken_server.faults import FaultKind, Faults


class FeedFaults:
    """Stands between what happened and those who listen. First messages of a subscription and replies pass untouched."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._late: dict[str, str] = {}
        self._silent_until_s: dict[str, float] = {}

    def struck(self, feed: str, text: str, now_s: float) -> list[str]:
        """What is sent instead of one message. now_s: process seconds."""
        if now_s < self._silent_until_s.get(feed, now_s):
            return []
        fault = self._faults.take_of_feed(feed)
        if fault is not None and fault.kind is FaultKind.FEED_REORDERED and feed not in self._late:
            self._late[feed] = text
            return []
        late = [self._late.pop(feed)] if feed in self._late else []
        match fault.kind if fault is not None else None:
            case FaultKind.FEED_GAP:
                return late
            case FaultKind.FEED_DUPLICATED:
                return [text, *late, text]
            case FaultKind.FEED_SILENT:
                assert fault is not None
                self._silent_until_s[feed] = now_s + fault.delay_s
                return []
            case _:
                return [text, *late]
