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


class FillHistory:
    """A contiguous run of the newest fills: every fill at or after `low` that the venue listed is in it.

    Use: `start(page)` with the newest page, then while `next_before(since)` is not None fetch that older page and `add` it,
    then `since_covered(since)`. A read that is broken off leaves the run usable: the next one continues where it joins.
    """

    def __init__(self) -> None:
        self._run: dict[FillId, Fill] = {}
        self._low: datetime | None = None
        self._begin: datetime | None = None
        self._reached_end = False

    def start(self, page: tuple[Fill, ...]) -> None:
        """Take the newest page. It continues the old run when they share a fill; else the old run is set aside."""
        self._reached_end = not page
        ids = {fill.fill_id for fill in page}
        if self._run.keys().isdisjoint(ids):
            if page:
                self._run, self._low = {}, min(fill.at for fill in page)
        elif self._low is not None:
            self._low = min(self._low, *(fill.at for fill in page))
        self._run.update((fill.fill_id, fill) for fill in page)

    def next_before(self, since: datetime) -> datetime | None:
        """The time before which an older page is wanted, or None when `since` is covered."""
        if self._low is None or self._reached_end or self._low < since or (self._begin is not None and self._low <= self._begin):
            return None
        # one millisecond of overlap: fills that share a timestamp may be cut apart by the page's edge
        return self._low + timedelta(milliseconds=1)

    def add(self, page: tuple[Fill, ...]) -> None:
        """Take the older page that `next_before` asked for. ReadFailed when paging cannot get past one moment."""
        fresh = [fill for fill in page if fill.fill_id not in self._run]
        if fresh:
            self._run.update((fill.fill_id, fill) for fill in fresh)
            self._low = min(self._low or fresh[0].at, *(fill.at for fill in fresh))
            return
        if len(page) >= _FULL_PAGE:
            raise ReadFailed(f"fills: more than a page of them at {self._low}, the older ones cannot be read")
        self._reached_end = True
        if page:
            # the overlap came back and nothing before it: here the history begins. An empty page alone is not believed for ever
            self._begin = self._low

    def since_covered(self, since: datetime) -> tuple[Fill, ...]:
        """Every known fill at or after `since`, oldest first; forgets older ones."""
        kept = sorted((fill for fill in self._run.values() if fill.at >= since), key=lambda fill: (fill.at, fill.fill_id))
        self._run = {fill.fill_id: fill for fill in kept}
        if self._low is not None and self._low < since:
            self._low = since
        return tuple(kept)
