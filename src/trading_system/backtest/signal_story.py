"""What became of every signal of a run, read off the events the daemon tells: no signal may vanish without a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading_system.domain import log_events as ev
from trading_system.domain.orders import PositionId
from trading_system.domain.positions import Position, PositionState

CAUSES_KEPT: Final = 20
NOT_SENT: Final = "ENTRY_NOT_SENT"
UNDECIDED: Final = "NO_DECISION"
"""A candidate that no auction took up: the account was not known freshly enough."""

_REFUSALS: Final = frozenset((ev.SIGNAL_REJECTED, ev.QUOTE_REFUSED, ev.SIGNAL_REJECTED_SPREAD, ev.ENTRY_REFUSED, ev.LIVE_EXPOSURE_BLOCKING))
_MODES: Final = frozenset((ev.DEGRADED, ev.HALTED, ev.KILL_SWITCH_ACTIVATED))


@dataclass(frozen=True, slots=True)
class Funnel:
    """signals = sum of refused + never_filled + still_open + trades. `refused` by reason."""

    signals: int
    refused: Mapping[str, int]
    never_filled: int
    still_open: int
    trades: int


class SignalStory:
    """Fed with log events; a signal is known by the name its position would have."""

    def __init__(self) -> None:
        self._last_word: dict[str, str] = {}
        self.cycles: Counter[str] = Counter()
        """Cycles by the mode they ended in."""
        self.causes: list[str] = []
        """Why entries were switched off, in order."""

    def note(self, event: str, fields: Mapping[str, Any]) -> None:
        if event == ev.CYCLE_SUMMARY:
            self.cycles[str(fields["system_state"])] += 1
        elif event == ev.SIGNAL:
            self._last_word[fields["position_id"]] = UNDECIDED
        elif event in _REFUSALS:
            self._last_word[fields["position_id"]] = str(fields["reason"])
        elif event == ev.EXECUTION_FAILED:
            self._last_word[fields["position_id"]] = NOT_SENT
        elif event in _MODES and len(self.causes) < CAUSES_KEPT:
            self.causes.append(f"{event}: {'; '.join(fields.get('causes', ())) or fields.get('reason', '')}")

    def funnel(self, position_of: Callable[[PositionId], Position | None]) -> Funnel:
        """Every signal told so far and where it ended."""
        refused: Counter[str] = Counter()
        ends: Counter[str] = Counter()
        for name, word in self._last_word.items():
            position = position_of(PositionId(name))
            if position is None:
                refused[word] += 1
            elif position.state is PositionState.CANCELLED:
                ends["never_filled"] += 1
            elif position.state.is_active:
                ends["still_open"] += 1
            else:
                ends["trades"] += 1
        by_count = dict(sorted(refused.items(), key=lambda item: (-item[1], item[0])))
        return Funnel(len(self._last_word), by_count, ends["never_filled"], ends["still_open"], ends["trades"])
