"""What a crash left behind and what was done about it, in few words. Pure: from the venue's log and journal records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trading_system.domain.events import (
    AmendConfirmed,
    AmendIntended,
    CancelRequested,
    CloseRequested,
    EntryAbandoned,
    EntryDisplaced,
    EntryPlanned,
    FillBooked,
    JournalEvent,
    OrderEnded,
    OrderIntended,
    OrderPlaced,
    OrderUnknown,
    PositionAdopted,
    PositionClosed,
    PositionOrphaned,
    QuantityAdjusted,
    StopAdopted,
)
from trading_system.domain.orders import OrderPurpose
from trading_system.execution.order_ids import parse_client_order_id
from trading_system.torture.crash_boundaries import tail_of
from trading_system.torture.crash_story import VENUE_SYMBOL
from trading_system.torture.venue_log import VenueLog


def venue_words(log: VenueLog) -> str:
    """Position and resting orders at this moment."""
    standing = log.standing(VENUE_SYMBOL)
    orders = sorted(tail_of(row.cli_ord_id) for row in log.resting.values())
    if not standing.position:
        return "flat" + (f"; still rests: {', '.join(orders)}" if orders else "")
    cover = "whole stop" if not standing.naked else "NO stop" if not standing.covered else f"stop for {standing.covered} only"
    others = [name for name in orders if not name.startswith("sl-")]
    return f"position {abs(standing.position)}, {cover}" + (f", {', '.join(others)}" if others else "")


def answer_words(events: Iterable[JournalEvent]) -> str:
    """The records of the next process, in order, as a sentence; equal neighbours once."""
    words: list[str] = []
    for event in events:
        word = _answer_word(event)
        if word is not None and word not in words:
            words.append(word)
    return "; ".join(words) if words else "nothing to do: books and venue agreed"


def _answer_word(event: JournalEvent) -> str | None:
    match event:
        case OrderUnknown():
            return f"{tail_of(event.client_order_id)} of unknown fate: looked up"
        case OrderPlaced() if event.evidence != "answer":
            return f"found {tail_of(event.client_order_id)} alive"
        case OrderEnded():
            return f"{tail_of(event.client_order_id)} ended: {event.reason.value}"
        case FillBooked():
            return f"booked fills of {event.purpose.value if event.purpose is not None else 'others'}"
        case EntryPlanned():
            return "planned the entry"
        case OrderIntended():
            return f"sent {tail_of(event.order.client_order_id)}"
        case AmendIntended():
            return f"moves {tail_of(event.client_order_id)}"
        case AmendConfirmed() if event.evidence != "answer":
            return f"saw {tail_of(event.client_order_id)} moved"
        case CancelRequested():
            return f"cancelled {tail_of(event.client_order_id)}"
        case EntryAbandoned():
            return "gave the entry up"
        case EntryDisplaced():
            return "gave the entry's place to what is held"
        case CloseRequested():
            return f"closes the position ({event.reason.value})"
        case PositionClosed():
            return f"booked the end ({event.reason.value})"
        case PositionAdopted() | StopAdopted() | PositionOrphaned() | QuantityAdjusted():
            return f"{type(event).__name__.upper()}"
        case _:
            return None


def ending_words(events: Sequence[JournalEvent], log: VenueLog) -> str:
    """How the trade stood when the story was over."""
    entries = len({event.order.client_order_id for event in events if isinstance(event, OrderIntended) and _is_entry(event)})
    reasons = [event.reason.value for event in events if isinstance(event, PositionClosed)]
    venue = venue_words(log)
    what = f"closed by {', '.join(reasons)}" if reasons else "no position was opened" if venue == "flat" else "still open"
    return f"{entries} {'entry' if entries == 1 else 'entries'}; {what}" + ("" if venue == "flat" else f"; venue: {venue}")


def _is_entry(event: OrderIntended) -> bool:
    name = parse_client_order_id(event.order.client_order_id)
    return name is not None and name.purpose is OrderPurpose.ENTRY
