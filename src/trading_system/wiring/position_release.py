"""A human hands back a position the daemon would not touch: QUARANTINED or ORPHANED. A fresh look at the venue decides what that means.

Never does it leave exposure without anybody: what the venue still shows is either this position again, or is adopted next.
"""

from __future__ import annotations

from dataclasses import dataclass

from trading_system.domain import events as je
from trading_system.domain.account import VenuePosition
from trading_system.domain.errors import InvariantViolation
from trading_system.domain.positions import CloseReason, Position, PositionState
from trading_system.domain.symbols import normalise
from trading_system.execution.bookkeeping import closed_event
from trading_system.execution.journal import JournalFailed
from trading_system.live.live_trading import LiveTrading


@dataclass(frozen=True, slots=True)
class Release:
    """refusal "" = done, and `text` says what it became."""

    text: str = ""
    refusal: str = ""


async def release_position(live: LiveTrading, name: str, who: str) -> Release:
    """name: id or symbol. who: the human and the reason, "" = no reason was given."""
    if not who:
        return Release(refusal="a reason is required: resume --release POSITION --reason TEXT")
    if _find(live, name) is None:
        return Release(refusal=f"no open position is called {name!r}: `positions` shows them")
    asked_s = live.clock.monotonic()
    await live.look()
    reads, position = live.account_view.reads, _find(live, name)
    if position is None:
        return Release(text="it ended while the venue was read: nothing to release")
    if reads is None or reads.positions is None or not reads.is_complete or reads.started_s < asked_s:
        return Release(refusal="the venue could not be read completely just now: try again, nothing was changed")
    if not position.state.needs_human:
        return Release(refusal=f"{position.position_id} is {position.state.value}: it is managed, there is nothing to release")
    return _judge(live, position, next((row for row in reads.positions if row.symbol == position.symbol), None), who)


def _find(live: LiveTrading, name: str) -> Position | None:
    for position in live.positions.active():
        if position.position_id == name:
            return position
    try:
        return live.positions.by_symbol(normalise(name))
    except ValueError:
        return None


def _judge(live: LiveTrading, position: Position, listed: VenuePosition | None, who: str) -> Release:
    """Back to work, or out of the books."""
    key, now = position.position_id, live.clock.now()
    shown = "the venue lists nothing" if listed is None else f"the venue lists {listed.direction.value} {listed.qty}"
    if listed is not None and listed.direction is position.direction:
        if position.state is PositionState.ORPHANED:
            return Release(refusal=f"{key}: {shown}: it is taken back by itself within two looks, there is nothing to release")
        return _write(live, key, who, shown, je.PositionReleased(now, key, who), f"{key}: {shown}: it is OPEN and managed again")
    if listed is not None and not live.books.adopts_phantoms:
        why = "and what only the venue knows is not adopted (execution.reconcile.phantom_policy): it would be left alone"
        return Release(refusal=f"{key}: {shown}, {why}. Close it at the venue first")
    gone = closed_event(position, CloseReason.WRITTEN_OFF, f"{shown}; {who}", now)
    then = "" if listed is None else "; what the venue lists is adopted and protected next"
    return _write(live, key, who, shown, gone, f"{key}: {shown}: written off in the books{then}")


def _write(live: LiveTrading, key: str, who: str, shown: str, event: je.JournalEvent, text: str) -> Release:
    note = je.DecisionNoted(live.clock.now(), "operator_release", key, f"{who}; {shown}")
    try:
        live.journal.record(note)
        live.journal.record(event)
    except JournalFailed as error:
        return Release(refusal=f"the journal cannot be written ({error}): nothing is released")
    except InvariantViolation as error:
        return Release(refusal=f"not possible now: {error}")
    return Release(text=text)
