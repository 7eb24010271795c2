"""Paging backwards through the fill listing until a moment is covered, remembering what was read.

The trap it avoids: the listing is one short page of the newest fills. Busy minutes push older ones off it, and a client that
reads only the first page loses executions for ever. Pure: it says which page it needs next, others fetch it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from trading_system.domain.errors import ReadFailed
from trading_system.domain.orders import Fill, FillId

_FULL_PAGE: Final = 100
"""Rows of a full page, as far as known; only used to tell "stuck" from "the end"."""
_JUST_AFTER: Final = timedelta(microseconds=1)


class FillHistory:
    """A contiguous run of the newest fills: every listed fill at or after `covered_from` is in it.

    Use: `start(page)` with the newest page, then while `next_before(since)` is not None fetch that older page and `add` it,
    then `since_covered(since)`. A read that is broken off leaves the run usable: the next one continues where it joins.
    """

    def __init__(self) -> None:
        self._run: dict[FillId, Fill] = {}
        self._covered_from: datetime | None = None
        self._begin: datetime | None = None
        self._reached_end = False

    def start(self, page: tuple[Fill, ...]) -> None:
        """Take the newest page. It continues the old run when they share a fill; else the old run is set aside."""
        self._reached_end = not page
        if page and self._run.keys().isdisjoint(fill.fill_id for fill in page):
            self._run, self._covered_from = {}, None
        self._take(page)

    def next_before(self, since: datetime) -> datetime | None:
        """The time before which an older page is wanted, or None when `since` is covered."""
        if self._covered_from is None or self._reached_end or self._covered_from <= since:
            return None
        if self._begin is not None and self._covered_from <= self._begin:
            return None
        # one millisecond of overlap: fills that share a timestamp may be cut apart by the page's edge
        return self._covered_from + timedelta(milliseconds=1)

    def add(self, page: tuple[Fill, ...]) -> None:
        """Take the older page that `next_before` asked for. ReadFailed when paging cannot get past one moment."""
        if any(fill.fill_id not in self._run for fill in page):
            self._take(page)
            return
        if len(page) >= _FULL_PAGE:
            raise ReadFailed(f"fills: more than a page of them at {page[0].at}, the older ones cannot be read")
        self._reached_end = True
        if page:
            # the overlap came back and nothing before it: here the history begins. An empty page alone is not believed for ever
            self._begin = self._covered_from

    def since_covered(self, since: datetime) -> tuple[Fill, ...]:
        """Every known fill at or after `since`, oldest first; forgets older ones."""
        kept = sorted((fill for fill in self._run.values() if fill.at >= since), key=lambda fill: (fill.at, fill.fill_id))
        self._run = {fill.fill_id: fill for fill in kept}
        if self._covered_from is not None:
            self._covered_from = max(self._covered_from, since)
        return tuple(kept)

    def _take(self, page: tuple[Fill, ...]) -> None:
        for fill in page:
            self._run[fill.fill_id] = fill
            # of the oldest moment on a page some fills may be cut off: it is covered only just after it
            covered = fill.at + _JUST_AFTER
            self._covered_from = covered if self._covered_from is None else min(self._covered_from, covered)
