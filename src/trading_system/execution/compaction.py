"""Which events a compacted journal keeps, and the proof that nothing that matters was left out. Pure.

Kept is a subset of the old events in their old order, so the same fold reads it and the story of every open position stays whole.
Left out: positions that were over before a cut, with their orders and fills, and what was only said about them. What still
counts of them (their net result) is one number in the first record.
The trap it avoids: a snapshot of the state that is written by other rules than it is read by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from trading_system.domain import events as ev
from trading_system.domain.orders import ClientOrderId, FillId, PositionId, VenueOrderId
from trading_system.domain.positions import Position
from trading_system.domain.units import ZERO
from trading_system.execution.ledger import LedgerState

KEEP: Final = timedelta(days=14)
"""Twice the longest look back of anything that reads the past: a week of losses, zones of 50 bars of 4 h, 200 closed positions' flows."""
RECORDS_MIN: Final = 20_000
"""A shorter journal is read in well under a second and left as it is."""
SHARE_MAX: Final = 0.5
"""A rewrite that would keep more than this of the records is not worth its risk."""
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class CompactionRules:
    """keep: market time; records_min: records in the file; share_max: of them that may be kept."""

    keep: timedelta = KEEP
    records_min: int = RECORDS_MIN
    share_max: float = SHARE_MAX


def kept_positions(state: LedgerState, cut: datetime) -> frozenset[PositionId]:
    """Positions that are not over, have open orders, or ended (or were cancelled) after `cut`."""
    return frozenset(
        position_id
        for position_id, position in state.positions.items()
        if position.state.is_active or position_id in state.open_orders_of or _ended_at(position) >= cut
    )


def _ended_at(position: Position) -> datetime:
    return position.plan.planned_at if position.closure is None else position.closure.at


def booked_by(state: LedgerState, left_out: Iterable[PositionId]) -> Decimal:
    """Net results of the closed positions among `left_out`, and of what earlier compactions left out."""
    before = ZERO if state.compacted is None else state.compacted.booked
    return before + sum((state.positions[key].net for key in left_out if state.positions[key].closure is not None), ZERO)


class Sieve:
    """Says of each event, in order, whether it is kept. One pass, one use."""

    def __init__(self, state: LedgerState, cut: datetime) -> None:
        """state: the fold of all events that will be shown."""
        self._state = state
        self._cut = cut
        self.positions = kept_positions(state, cut)
        self._owner: dict[ClientOrderId, PositionId] = {}
        """A foreign stop may have protected one position after the other."""
        self._by_venue_id: dict[VenueOrderId, PositionId] = {}
        self._fills: set[FillId] = set()

    def keeps(self, event: ev.JournalEvent) -> bool:
        match event:
            case ev.JournalCompacted():
                return False
            case ev.SessionStarted():
                return event == self._state.session
            case ev.EntryPlanned() | ev.PositionAdopted():
                return event.plan.position_id in self.positions
            case ev.OrderIntended() | ev.StopAdopted():
                self._owner[event.order.client_order_id] = event.order.position_id
                return event.order.position_id in self.positions
            case ev.FillBooked():
                return self._keeps_fill(event)
            case ev.FeeBooked():
                return event.fill_id in self._fills
            case ev.FundingBooked():
                return event.at >= self._cut if event.position_id is None else event.position_id in self.positions
            case ev.FlowBooked() | ev.SignalEmitted():
                return event.at >= self._cut
            case ev.StateNoted():
                return self._state.notes.get(event.key) == event.json
            case ev.DecisionNoted() | ev.DestructiveActionJustified():
                return event.at >= self._cut or event.subject in self.positions
            case ev.OrderPlaced():
                owner = self._owner.get(event.client_order_id)
                if owner is not None:
                    self._by_venue_id.setdefault(event.venue_order_id, owner)
                return owner in self.positions
            case (
                ev.OrderRejected()
                | ev.OrderUnknown()
                | ev.AmendIntended()
                | ev.AmendConfirmed()
                | ev.AmendRefused()
                | ev.CancelRequested()
                | ev.OrderEnded()
            ):
                return self._owner.get(event.client_order_id) in self.positions
            case _:
                return event.position_id in self.positions

    def _keeps_fill(self, event: ev.FillBooked) -> bool:
        key = event.fill.client_order_id
        of_order = (self._owner.get(key) if key is not None else None) or self._by_venue_id.get(event.fill.venue_order_id)
        if event.position_id is None:
            kept = event.fill.at >= self._cut or of_order in self.positions
        else:
            kept = event.position_id in self.positions
        if kept:
            self._fills.add(event.fill.fill_id)
        return kept


def differences(old: LedgerState, new: LedgerState, kept: Set[PositionId], cut: datetime) -> tuple[str, ...]:
    """What the compacted journal tells otherwise than the whole one, of what still matters; empty = nothing."""
    of_kept = {key: order for key, order in old.orders.items() if order.position_id in kept}
    pairs: list[tuple[str, object, object]] = [
        ("session", old.session, new.session),
        ("positions", {key: old.positions[key] for key in old.positions if key in kept}, new.positions),
        ("active positions", list(old.active_by_symbol.items()), list(new.active_by_symbol.items())),
        ("closed positions", [key for key in old.closed if key in kept], new.closed),
        ("orders", of_kept, new.orders),
        ("open orders", old.open_orders_of, new.open_orders_of),
        ("attempts", {key: n for key, n in old.attempts.items() if key[0] in kept}, new.attempts),
        ("venue ids", {vid: key for vid, key in old.by_venue_id.items() if key in of_kept}, new.by_venue_id),
        ("fills by position", {fid: key for fid, key in old.fill_position.items() if key in kept}, new.fill_position),
        ("fills", _restricted(old.fills, new.fills), new.fills),
        ("purposes of fills", _restricted(old.fill_purpose, new.fills), new.fill_purpose),
        ("last exits", {key: fid for key, fid in old.last_exit.items() if key in kept}, new.last_exit),
        ("missing fees", _restricted(old.fees_missing, new.fills), new.fees_missing),
        ("adjustments", {key: pid for key, pid in old.adjustments.items() if pid in kept}, new.adjustments),
        ("flows", _restricted(old.flows, new.flows), new.flows),
        ("notes", old.notes, new.notes),
        ("recent signals", _recent(old.signals, cut), _recent(new.signals, cut)),
        ("newest fills", _recent(old.newest_fill_at, cut), _recent(new.newest_fill_at, cut)),
        ("recent fills", {fid for fid, fill in old.fills.items() if _matters(old, fid, fill.at, kept, cut)} - new.fills.keys(), set()),
        ("result", _result(old), _result(new)),
    ]
    return tuple(name for name, before, after in pairs if before != after)


def _restricted(values: Mapping[K, V], to: Mapping[K, object]) -> dict[K, V]:
    return {key: value for key, value in values.items() if key in to}


def _recent(values: Mapping[K, datetime], cut: datetime) -> dict[K, datetime]:
    return {key: at for key, at in values.items() if at >= cut}


def _matters(old: LedgerState, fill_id: FillId, at: datetime, kept: Set[PositionId], cut: datetime) -> bool:
    holder = old.fill_position.get(fill_id)
    return at >= cut if holder is None else holder in kept


def _result(state: LedgerState) -> Decimal:
    """Everything ever booked on closed positions, USD."""
    return booked_by(state, state.closed)
