"""The life of a position as one table. Every pair outside it raises and changes nothing.

The trap it avoids: a state that is set from many places by comparing strings. Here the journal's fold names what happened,
the table names where that leads, and `render_transitions()` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from trading_system.domain.errors import InvariantViolation
from trading_system.domain.positions import PositionState as S


class PositionEvent(Enum):
    """What happened to a position, as far as its state is concerned."""

    ENTRY_FILLED = "entry filled"
    ENTRY_DEAD = "entry ended unfilled"
    DISPLACED = "the venue holds the other side"
    CANCEL_REQUESTED = "cancel of the entry requested"
    STOP_CONFIRMED = "stops cover the quantity"
    STOP_CONFIRMED_AFTER_TP1 = "stops cover the quantity, first target already filled"
    STOP_LOST = "stops do not cover the quantity"
    TP1_FILLED = "first target filled"
    CLOSE_REQUESTED = "close requested"
    CLOSED = "everything is out"
    ORPHANED = "gone from the venue, unexplained"
    REAPPEARED = "listed by the venue again"
    QUARANTINED = "the venue contradicts the journal"
    RELEASED = "a human handed it back"


E = PositionEvent

TRANSITIONS: Final[Mapping[tuple[S, E], S]] = MappingProxyType(
    {
        (S.PENDING, E.ENTRY_FILLED): S.OPEN,
        (S.PENDING, E.CANCEL_REQUESTED): S.CANCEL_PENDING,
        (S.PENDING, E.ENTRY_DEAD): S.CANCELLED,
        (S.PENDING, E.DISPLACED): S.CANCELLED,
        (S.PENDING, E.QUARANTINED): S.QUARANTINED,
        (S.CANCEL_PENDING, E.ENTRY_FILLED): S.OPEN,  # the cancel lost the race
        (S.CANCEL_PENDING, E.ENTRY_DEAD): S.CANCELLED,
        (S.CANCEL_PENDING, E.DISPLACED): S.CANCELLED,
        (S.CANCEL_PENDING, E.QUARANTINED): S.QUARANTINED,
        (S.CANCELLED, E.ENTRY_FILLED): S.OPEN,  # it was there after all: adopted through its own id
        (S.OPEN, E.STOP_CONFIRMED): S.PROTECTED,
        (S.OPEN, E.STOP_CONFIRMED_AFTER_TP1): S.PARTIAL,
        (S.OPEN, E.CLOSE_REQUESTED): S.CLOSING,
        (S.OPEN, E.CLOSED): S.CLOSED,
        (S.OPEN, E.ORPHANED): S.ORPHANED,
        (S.OPEN, E.QUARANTINED): S.QUARANTINED,
        (S.PROTECTED, E.STOP_LOST): S.OPEN,  # dropped by the venue, or the position grew: naked again
        (S.PROTECTED, E.TP1_FILLED): S.PARTIAL,
        (S.PROTECTED, E.CLOSE_REQUESTED): S.CLOSING,
        (S.PROTECTED, E.CLOSED): S.CLOSED,
        (S.PROTECTED, E.ORPHANED): S.ORPHANED,
        (S.PROTECTED, E.QUARANTINED): S.QUARANTINED,
        (S.PARTIAL, E.STOP_LOST): S.OPEN,
        (S.PARTIAL, E.CLOSE_REQUESTED): S.CLOSING,
        (S.PARTIAL, E.CLOSED): S.CLOSED,
        (S.PARTIAL, E.ORPHANED): S.ORPHANED,
        (S.PARTIAL, E.QUARANTINED): S.QUARANTINED,
        (S.CLOSING, E.CLOSED): S.CLOSED,
        (S.CLOSING, E.ORPHANED): S.ORPHANED,
        (S.CLOSING, E.QUARANTINED): S.QUARANTINED,
        (S.ORPHANED, E.REAPPEARED): S.OPEN,
        (S.ORPHANED, E.CLOSED): S.CLOSED,
        (S.ORPHANED, E.QUARANTINED): S.QUARANTINED,
        (S.QUARANTINED, E.RELEASED): S.OPEN,
        (S.QUARANTINED, E.CLOSED): S.CLOSED,
    }
)


def next_state(state: S, event: E) -> S:
    """Where `event` leads from `state`; InvariantViolation when the table has no such move."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise InvariantViolation(f"a {state.value} position cannot take the event {event.value!r}")
    return following


def render_transitions() -> str:
    """The table as a mermaid state diagram, one edge per line, in table order."""
    lines = ["stateDiagram-v2", "    [*] --> PENDING", "    [*] --> OPEN: adopted"]
    lines += [f"    {before.value} --> {after.value}: {event.value}" for (before, event), after in TRANSITIONS.items()]
    lines += ["    CLOSED --> [*]", "    CANCELLED --> [*]"]
    return "\n".join(lines) + "\n"
