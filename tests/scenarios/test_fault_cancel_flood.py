"""An entry that was cancelled with nothing filled stays open in the books for a minute, in case a fill shows up late.

Once ten seconds had passed without proof, the daemon asked for the cancel again at every round, ten times a second, and ate the
venue's whole request budget.
"""

from __future__ import annotations

from itertools import pairwise

from trading_system.domain.events import CancelRequested, EntryAbandoned, OrderEnded
from trading_system.domain.units import from_ms
from trading_system.torture.case import START_MS
from trading_system.torture.crash_matrix import play
from trading_system.torture.crash_story import UNFILLED


def test_a_cancel_whose_proof_takes_a_minute_is_asked_for_every_ten_seconds_at_most() -> None:
    stage = play(UNFILLED)

    asked = [event.at for event in stage.events() if isinstance(event, CancelRequested)]
    ended = [event for event in stage.events() if isinstance(event, OrderEnded | EntryAbandoned)]
    assert (asked[0] - from_ms(START_MS)).total_seconds() == 120
    assert all((later - earlier).total_seconds() >= 10 for earlier, later in pairwise(asked))
    assert 2 <= len(asked) <= 7
    assert [type(event) for event in ended] == [OrderEnded, EntryAbandoned]
    assert stage.checkers.violations == []
