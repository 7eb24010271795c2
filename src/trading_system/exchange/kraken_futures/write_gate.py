"""The one gate in front of every state-changing request, at the wire: mode, closures, reduce-only rule, entry-rate breaker.

It checks again what others checked before, because this is the last place where an order can be stopped. A refusal means
that nothing was sent. Cancels and protective orders are only stopped by read-only mode and by a closure of everything
(the instance lock was lost: another process owns the account).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

from trading_system.domain.protocols import Clock


class WriteMode(Enum):
    """LIVE may write; READ_ONLY refuses every state-changing request (also used for paper trading on live public data)."""

    LIVE = "live"
    READ_ONLY = "read_only"


class GateScope(Enum):
    """What a closure stops. A kill switch closes ENTRIES_AND_TAKE_PROFITS; a lost instance lock closes EVERYTHING."""

    ENTRIES = "entries"
    ENTRIES_AND_TAKE_PROFITS = "entries_and_take_profits"
    EVERYTHING = "everything"


class WriteKind(Enum):
    """What a request does, decided by the type of the order and not by what its author calls it."""

    ENTRY = "entry"
    """May increase a position: new entries and amendments of entries."""
    TAKE_PROFIT = "take_profit"
    PROTECTIVE = "protective"
    """Stops, moves of stops, closes."""
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """At most `count` entry sends and amendments in any `window_s` process seconds."""

    count: int
    window_s: float


ENTRY_RULES: Final = (BreakerRule(60, 60.0), BreakerRule(10, 10.0))


class EntryBreaker:
    """Counts entry sends. Independent of strategy and risk: it knows only how many. Pure: time is an argument."""

    def __init__(self, rules: tuple[BreakerRule, ...] = ENTRY_RULES) -> None:
        self._rules = rules
        self._sent: deque[float] = deque()

    def admit(self, now_s: float) -> BreakerRule | None:
        """Count one send at `now_s` and return None, or return the rule it would break (then it is not counted)."""
        horizon = now_s - max(rule.window_s for rule in self._rules)
        while self._sent and self._sent[0] <= horizon:
            self._sent.popleft()
        for rule in self._rules:
            if sum(at > now_s - rule.window_s for at in self._sent) >= rule.count:
                return rule
        self._sent.append(now_s)
        return None

    def forget(self) -> None:
        """Count from nothing."""
        self._sent.clear()


class WriteGate:
    """Shared by everything that may write to one account; safety code closes and reopens it by named cause.

    on_breaker: told once per trip, with the text for the log and the alert. The gate itself never latches: the caller
    degrades, and a window later entries would pass again.
    """

    def __init__(
        self,
        clock: Clock,
        mode: WriteMode,
        *,
        on_breaker: Callable[[str], None] = lambda why: None,
        rules: tuple[BreakerRule, ...] = ENTRY_RULES,
    ) -> None:
        self.mode: Final = mode
        self._clock = clock
        self._on_breaker = on_breaker
        self._breaker = EntryBreaker(rules)
        self._is_tripped = False
        self._closures: dict[str, GateScope] = {}

    def close(self, cause: str, scope: GateScope) -> None:
        """Close for `cause` (e.g. "kill_switch"). The same cause again replaces its scope; causes do not lift each other."""
        self._closures[cause] = scope

    def reopen(self, cause: str) -> None:
        """Lift the closure of `cause`; unknown causes are ignored."""
        self._closures.pop(cause, None)

    def reset_breaker(self) -> None:
        """A human looked at why so many entries were sent: counting begins anew."""
        self._breaker.forget()
        self._is_tripped = False

    @property
    def closures(self) -> Mapping[str, GateScope]:
        return dict(self._closures)

    def refusal(self, kind: WriteKind, wire: Mapping[str, str]) -> str | None:
        """Why this request may not be sent (`wire` = its parameters as they would leave), or None: send it now.

        Asking counts towards the entry rate: call it once, immediately before the send.
        """
        standing = self.standing_refusal(kind, wire)
        if standing is not None or kind is not WriteKind.ENTRY:
            return standing
        return self._breaker_refusal()

    def standing_refusal(self, kind: WriteKind, wire: Mapping[str, str]) -> str | None:
        """The part of `refusal` that does not count: mode, closures, reduce-only rule."""
        if self.mode is WriteMode.READ_ONLY:
            return "read_only"
        for cause, scope in self._closures.items():
            if _is_stopped(kind, scope):
                return f"closed by {cause}"
        if kind in (WriteKind.TAKE_PROFIT, WriteKind.PROTECTIVE) and "orderType" in wire and wire.get("reduceOnly") != "true":
            return "reduce-only rule: only an entry may be sent without reduceOnly"
        return None

    def _breaker_refusal(self) -> str | None:
        broken = self._breaker.admit(self._clock.monotonic())
        if broken is None:
            self._is_tripped = False
            return None
        why = f"entry-rate breaker: {broken.count} entry requests in {broken.window_s:g} s"
        if not self._is_tripped:
            self._is_tripped = True
            self._on_breaker(why)
        return why


def _is_stopped(kind: WriteKind, scope: GateScope) -> bool:
    match scope:
        case GateScope.EVERYTHING:
            return True
        case GateScope.ENTRIES_AND_TAKE_PROFITS:
            return kind in (WriteKind.ENTRY, WriteKind.TAKE_PROFIT)
        case GateScope.ENTRIES:
            return kind is WriteKind.ENTRY
        case _:
            assert_never(scope)
