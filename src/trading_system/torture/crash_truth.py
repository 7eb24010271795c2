"""Judges the lives of a real daemon by the venue's own record and the journal file; the daemon itself is never asked.

The venue tells what was asked (`/_sim/log`) and what came of it (`/_sim/events`), both on the machine's monotonic clock, so that
naked seconds and the times of spawns and deaths lie on one axis. Rows are fed as they came over the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trading_system.domain.events import FillBooked, JournalEvent
from trading_system.domain.units import ZERO, to_ms
from trading_system.sim.kraken_server.event_log import event_of
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.model import FillFeed, LogFeed, OrderFeed, SendRequest, SimFill
from trading_system.torture.check_orders import EntryChecker, EvidenceChecker, ExitChecker
from trading_system.torture.checker import Checker, Journaled, Violation
from trading_system.torture.venue_log import Actor, Sent, Standing, VenueLog, VenueRecord

NAKED_S: Final = 15.0
"""P1 for a position that became naked while the daemon lived."""
START_S: Final = 90.0
"""P1 for one that was naked when it started, or became so before it said PROTECTING (a dead process's request may still arrive)."""
_BY_USER: Final = ("cancelled_by_user", "edited_by_user")


@dataclass(slots=True)
class Life:
    """One process of the daemon, on the machine's monotonic clock. protecting_s None: it never said PROTECTING."""

    spawn_s: float
    end_s: float | None = None
    protecting_s: float | None = None

    def is_protecting(self, at_s: float) -> bool:
        """True once it had taken over."""
        return self.protecting_s is not None and at_s >= self.protecting_s


@dataclass(frozen=True, slots=True)
class Episode:
    """A market whose position was not wholly covered. end_s None = it still is not."""

    symbol: str
    start_s: float
    end_s: float | None


@dataclass(slots=True)
class NakedSeconds:
    """in_life: began under a protecting daemon, counted while that one lived. from_start: there before it protected, counted from its
    spawn. wall: with the time the daemon was dead."""

    in_life: list[float] = field(default_factory=list)
    from_start: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    worst_in_life: str = ""
    """Where the longest of `in_life` was: market, and how long after the spawn it began."""


class Truth:
    """Everything that happened on one exchange so far."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.log = VenueLog(self._on_record)
        self.entries = EntryChecker()
        # the journal is read in lumps here, so how long a position had been held when it was given up is not known
        self._ordered: tuple[Checker, ...] = (self.entries, ExitChecker(), EvidenceChecker(lag_ms=10**12))
        self._waiting: list[tuple[float, int, Mapping[str, Any]]] = []
        self._fills: dict[str, tuple[float, SimFill]] = {}
        self._booked: set[str] = set()
        self._open_since: dict[str, float] = {}
        self.episodes: list[Episode] = []
        self.events_seq = 0
        self.requests_seq = 0
        self.journal_seq = 0
        self.entries_accepted = 0

    # --- feeding ----------------------------------------------------------------------------------------------------

    def take(self, requests: Sequence[Mapping[str, Any]], journal: Iterable[tuple[int, JournalEvent]], events: Sequence[Mapping[str, Any]],
             until_s: float) -> None:  # fmt: skip
        """Requests asked for at `until_s`, then the journal read, then the events asked for: in this order nothing seems missing.

        Requests and events are judged together, in order of time, up to `until_s`; what is newer waits for the next call.
        """
        for row in events:
            self.events_seq = max(self.events_seq, int(row["seq"]))
            self._waiting.append((float(row["process_s"]), 1, row))
            event = event_of(dict(row))
            if isinstance(event, FillFeed):
                self._fills[event.fill.fill_id] = (float(row["process_s"]), event.fill)
        for row in requests:
            self.requests_seq = max(self.requests_seq, int(row["seq"]))
            self._waiting.append((float(row["process_s"]), 0, row))
        for seq, entry in journal:
            self.journal_seq = max(self.journal_seq, seq)
            if isinstance(entry, FillBooked):
                self._note_booked(seq, entry)
            self._note(checker.on_journal(Journaled(seq, to_ms(entry.at), entry)) for checker in self._ordered)
        # a request is stamped before it acts, what comes of it afterwards
        self._waiting.sort(key=lambda item: (item[0], item[1], item[2]["seq"]))
        due = [item for item in self._waiting if item[0] <= until_s]
        self._waiting = self._waiting[len(due) :]
        for at_s, kind, row in due:
            if kind == 1:
                self._take_event(at_s, row)
            else:
                self._take_request(row)

    def _note_booked(self, seq: int, entry: FillBooked) -> None:
        """P3: each fill once, and as the venue has it."""
        ours = entry.fill
        fill_id = str(ours.fill_id)
        known = self._fills.get(fill_id)
        problem = None
        if fill_id in self._booked:
            problem = "was booked twice"
        elif known is None:
            problem = "was booked; the venue has none such"
        elif (ours.qty, ours.price, ours.side) != (known[1].size, known[1].price, known[1].side):
            problem = (
                f"was booked as {ours.side.value} {ours.qty} @ {ours.price}, was {known[1].side.value} {known[1].size} @ {known[1].price}"
            )
        if problem is not None:
            self.violations.append(Violation("P3", to_ms(entry.at), ours.symbol, f"fill {fill_id} {problem} (record {seq})"))
        self._booked.add(fill_id)

    def _take_event(self, at_s: float, row: Mapping[str, Any]) -> None:
        event = event_of(dict(row))
        if isinstance(event, LogFeed):
            return
        symbol = event.fill.symbol if isinstance(event, FillFeed) else event.order.symbol
        before = self.log.standing(symbol)
        self.log.take(event)
        after = self.log.standing(symbol)
        if isinstance(event, OrderFeed) and event.reason in _BY_USER and after.position:
            self._judge_cover(event, before, after)
        self._clock_naked(symbol, at_s, after)

    def _judge_cover(self, event: OrderFeed, before: Standing, after: Standing) -> None:
        """P5: no cancel and no amendment takes cover away while the position is there."""
        if after.covered < min(before.covered, abs(after.position)):
            text = f"{event.reason} took cover from {before.covered} to {after.covered} at a position of {after.position}"
            self.violations.append(Violation("P5", event.at_ms, event.order.symbol, text))

    def _clock_naked(self, symbol: str, at_s: float, standing: Standing) -> None:
        since_s = self._open_since.get(symbol)
        if standing.naked and since_s is None:
            self._open_since[symbol] = at_s
        elif not standing.naked and since_s is not None:
            del self._open_since[symbol]
            if at_s > since_s:
                self.episodes.append(Episode(symbol, since_s, at_s))

    def _take_request(self, row: Mapping[str, Any]) -> None:
        if not str(row["path"]).endswith("/sendorder"):
            return
        sent = sent_of(row)
        if sent is None:
            return
        self.entries_accepted += sent.is_accepted and sent.is_entry
        self._note(checker.on_venue(sent) for checker in self._ordered)

    def _on_record(self, record: VenueRecord) -> None:
        self._note(checker.on_venue(record) for checker in self._ordered)

    def _note(self, found: Iterable[Iterable[Violation]]) -> None:
        for violations in found:
            self.violations += violations

    # --- asking -----------------------------------------------------------------------------------------------------

    def unbooked(self, before_s: float) -> tuple[str, ...]:
        """Fills of the venue older than that moment which the journal does not have."""
        return tuple(fill_id for fill_id, (at_s, _) in self._fills.items() if at_s < before_s and fill_id not in self._booked)

    @property
    def fills_count(self) -> int:
        return len(self._fills)

    def naked_now(self) -> tuple[Episode, ...]:
        """The markets that are not wholly covered."""
        return tuple(Episode(symbol, since_s, None) for symbol, since_s in self._open_since.items())

    def covered_again_s(self, life: Life) -> float:
        """When the last position that was naked at the life's spawn was covered (or gone); the spawn when there was none."""
        ends = [episode.end_s for episode in self.episodes if episode.start_s < life.spawn_s and (episode.end_s or 0.0) > life.spawn_s]
        return max((end for end in ends if end is not None), default=life.spawn_s)


def naked_seconds(episodes: Iterable[Episode], lives: Sequence[Life], now_s: float) -> NakedSeconds:
    """Naked time by whose it was. Pure."""
    result = NakedSeconds()
    for episode in episodes:
        end_s = now_s if episode.end_s is None else episode.end_s
        result.wall.append(end_s - episode.start_s)
        for life in lives:
            life_end_s = now_s if life.end_s is None else life.end_s
            overlap = min(end_s, life_end_s) - max(episode.start_s, life.spawn_s)
            if overlap <= 0:
                continue
            if not life.is_protecting(episode.start_s):
                result.from_start.append(overlap)
                continue
            if overlap > max(result.in_life, default=0.0):
                result.worst_in_life = f"{episode.symbol} for {overlap:.2f} s, {episode.start_s - life.spawn_s:.2f} s after a spawn"
            result.in_life.append(overlap)
    return result


def judge_naked(seconds: NakedSeconds, at_ms: int) -> tuple[Violation, ...]:
    """P1 over the lives of the daemon."""
    worst = max(seconds.in_life, default=0.0)
    worst_start = max(seconds.from_start, default=0.0)
    found = []
    if worst > NAKED_S:
        found.append(Violation("P1", at_ms, "", f"a position was naked for {worst:.1f} s under a living daemon (limit {NAKED_S:g} s)"))
    if worst_start > START_S:
        text = f"a position found naked at a start stayed so for {worst_start:.1f} s (limit {START_S:g} s)"
        found.append(Violation("P1", at_ms, "", text))
    return tuple(found)


def sent_of(row: Mapping[str, Any]) -> Sent | None:
    """A `sendorder` of the request log as the checkers know it; None when it was refused as a request (nothing reached the book)."""
    status = row.get("sendStatus")
    if not isinstance(status, Mapping):
        return None
    asked = Params.of_request(str(row["query"]), str(row["body"]))
    request = SendRequest(
        symbol=(asked.text("symbol") or "").upper(),
        order_type=asked.text("orderType") or "",
        side=asked.text("side") or "",
        size=asked.number("size") or ZERO,
        reduce_only=asked.flag("reduceOnly") or False,
        cli_ord_id=asked.text("cliOrdId"),
    )
    nothing = Standing()
    return Sent(int(row["market_ms"]), Actor.DAEMON, request, str(status.get("status")), status.get("order_id"), nothing, nothing)
