"""Which alerts go out. Pure: one per type *and symbol* per window, urgent ones always, a failed send gives its slot back.

The trap it avoids: a send that failed used up the window, and the alert that mattered was "already sent".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

KEYS_MAX: Final = 2_000


class AlertKey(NamedTuple):
    kind: str
    symbol: str | None


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send it. `suppressed`: how many of the same key were held back since the last one that went out."""

    suppressed: int


@dataclass(frozen=True, slots=True)
class HoldBack:
    """The same key went out `age_s` process seconds ago."""

    age_s: float


AlertDecision: TypeAlias = Deliver | HoldBack


@dataclass(frozen=True, slots=True)
class _Slot:
    taken_at_s: float
    suppressed: int = 0


@dataclass(slots=True)
class AlertBook:
    """Remembers when each key last went out. Bounded: the oldest keys are forgotten."""

    window_s: float
    _slots: dict[AlertKey, _Slot] = field(default_factory=dict)

    def decide(self, key: AlertKey, now_s: float, *, is_urgent: bool) -> AlertDecision:
        """Judge one alert at process time `now_s` and take its slot when it may go out."""
        slot = self._slots.get(key)
        if slot is not None and not is_urgent and 0 <= now_s - slot.taken_at_s < self.window_s:
            self._slots[key] = _Slot(slot.taken_at_s, slot.suppressed + 1)
            return HoldBack(now_s - slot.taken_at_s)
        self._slots.pop(key, None)
        while len(self._slots) >= KEYS_MAX:
            self._slots.pop(next(iter(self._slots)))
        self._slots[key] = _Slot(now_s)
        return Deliver(slot.suppressed if slot else 0)

    def release(self, key: AlertKey) -> None:
        """The send failed: the next alert of this key may go out at once."""
        self._slots.pop(key, None)
