"""P1: a position is never without its stop for longer than the promise. Time is counted only where the daemon could act.

The clock of a market stands still while the venue refuses stops or cannot be reached, while no reading would show the
exposure, and while the process is dead; a fault that hits the stop's own request gives the daemon the promised time again. A close
that a fault hits on its way was sent, though the venue's log cannot show it: the daemon has the slack of a close again for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading_system.domain.units import ZERO
from trading_system.torture.checker import Checker, Openness, Violation
from trading_system.torture.venue_log import Actor, Cancelled, Edited, Executed, Sent, Standing, VenueLog, VenueRecord

_LIQUIDATION_LOOK_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class NakedLimits:
    """Process seconds. start_s: instead of naked_s for positions that were naked when the process started."""

    naked_s: float = 15.0
    start_s: float = 90.0
    hard_s: float = 60.0
    hard_slack_s: float = 15.0


@dataclass(slots=True)
class _Episode:
    since_ms: int
    counted_ms: int = 0
    total_ms: int = 0
    hard_ms: int = 0
    at_start: bool = False
    close_seen: bool = False
    is_told: bool = False
    is_told_hard: bool = False
    disturbed_ms: int | None = None
    exit_disturbed_ms: int | None = None
    worst: Decimal = ZERO


class NakedChecker(Checker):
    """Integrates naked time per market. `worst_s`, `samples_s`: counted seconds of the episodes that ended.

    Those of a start, which have a limit of their own, are in `worst_start_s` alone.
    """

    def __init__(
        self,
        log: VenueLog,
        openness: Openness,
        size_steps: Mapping[str, Decimal],
        limits: NakedLimits,
        liquidation_of: Callable[[str], Decimal | None] = lambda symbol: None,
    ) -> None:
        """size_steps: by venue symbol. liquidation_of: mark at which the venue would liquidate, None = never."""
        self._log = log
        self._openness = openness
        self._steps = size_steps
        self._limits = limits
        self._liquidation_of = liquidation_of
        self._liquidation: dict[str, tuple[int, Decimal, Decimal | None]] = {}
        self._episodes: dict[str, _Episode] = {}
        self._own: dict[str, bool] = {}
        self._is_up = False
        self._last_ms: int | None = None
        self._started_ms = 0
        self.samples_s: list[float] = []
        self.worst_s = 0.0
        self.worst_start_s = 0.0

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        match record:
            case Executed():
                self._note_owner(record)
            case Sent():
                episode = self._episodes.get(record.request.symbol)
                if episode is not None and record.actor is Actor.DAEMON and _closes(record):
                    episode.close_seen = True
            case Edited() | Cancelled():
                pass
            case _:
                pass
        return ()

    def _note_owner(self, record: Executed) -> None:
        """Own = the position was opened from flat by an entry of the daemon and by nobody else since."""
        symbol, fill = record.fill.symbol, record.fill
        ours = fill.cli_ord_id is not None and fill.cli_ord_id.startswith("ts-")
        if not record.before:
            self._own[symbol] = ours
        elif not record.after:
            self._own.pop(symbol, None)
        elif abs(record.after) > abs(record.before) and not ours:
            self._own[symbol] = False

    def on_process(self, at_ms: int, *, is_up: bool) -> Iterable[Violation]:
        self._is_up = is_up
        if is_up:
            self._started_ms = at_ms
            for episode in self._episodes.values():
                episode.at_start = True
                episode.counted_ms = episode.hard_ms = 0
                episode.close_seen = False
        return ()

    def on_second(self, at_ms: int) -> Iterable[Violation]:
        elapsed = 0 if self._last_ms is None else at_ms - self._last_ms
        self._last_ms = at_ms
        symbols = dict.fromkeys((*self._log.held(), *self._episodes))
        for symbol in symbols:
            yield from self._look(symbol, at_ms, elapsed)

    def _look(self, symbol: str, at_ms: int, elapsed: int) -> Iterable[Violation]:
        naked = self._naked(symbol, at_ms)
        episode = self._episodes.get(symbol)
        if naked <= self._steps[symbol]:
            if episode is not None:
                self._end(self._episodes.pop(symbol))
            return
        if episode is None:
            in_grace = self._is_up and at_ms - self._started_ms < self._limits.start_s * 1000
            self._episodes[symbol] = _Episode(at_ms, at_start=in_grace, worst=naked)
            return
        episode.worst = max(episode.worst, naked)
        episode.total_ms += elapsed
        disturbed = self._openness.disturbed_ms(symbol)
        if disturbed is not None and disturbed != episode.disturbed_ms and disturbed > episode.since_ms:
            episode.disturbed_ms = disturbed
            episode.counted_ms = min(episode.counted_ms, 0)
        exit_disturbed = self._openness.exit_disturbed_ms(symbol)
        if exit_disturbed is not None and exit_disturbed != episode.exit_disturbed_ms and exit_disturbed > episode.since_ms:
            episode.exit_disturbed_ms = exit_disturbed
            episode.hard_ms = min(episode.hard_ms, round(self._hard_s(episode) * 1000))
        if not self._is_up or not self._openness.would_show(symbol, episode.since_ms):
            return
        if self._openness.accepts_stops(symbol):
            episode.counted_ms += elapsed
        if self._openness.executes(symbol):
            episode.hard_ms += elapsed
        yield from self._judge(symbol, episode, at_ms)

    def _judge(self, symbol: str, episode: _Episode, at_ms: int) -> Iterable[Violation]:
        limits = self._limits
        limit_s = limits.start_s if episode.at_start else limits.naked_s
        if episode.counted_ms > limit_s * 1000 and not episode.is_told:
            episode.is_told = True
            text = f"{episode.worst} without a stop for {episode.counted_ms / 1000:g} s (limit {limit_s:g} s), {self._log.standing(symbol)}"
            yield Violation("P1", at_ms, symbol, text)
        hard_s = self._hard_s(episode) + limits.hard_slack_s
        is_late = episode.hard_ms > hard_s * 1000 and not episode.close_seen and not episode.is_told_hard
        if is_late and self._own.get(symbol, False):
            episode.is_told_hard = True
            yield Violation("P1", at_ms, symbol, f"no close was sent after {episode.hard_ms / 1000:g} s without a stop")

    def _hard_s(self, episode: _Episode) -> float:
        return self._limits.hard_s + (self._limits.start_s if episode.at_start else 0.0)

    def _naked(self, symbol: str, at_ms: int) -> Decimal:
        standing = self._log.standing(symbol)
        if not standing.position:
            return ZERO
        liquidation = self._liquidation_mark(symbol, standing.position, at_ms) if standing.stops else None
        if liquidation is None:
            return standing.naked
        sign = 1 if standing.position > 0 else -1
        useful = tuple(s for s in standing.stops if s.stop_price is not None and (s.stop_price - liquidation) * sign > 0)
        return Standing(standing.position, useful).naked

    def _liquidation_mark(self, symbol: str, position: Decimal, at_ms: int) -> Decimal | None:
        """Looked up now and then, and whenever the position is another one."""
        known = self._liquidation.get(symbol)
        if known is None or known[1] != position or at_ms - known[0] >= _LIQUIDATION_LOOK_MS:
            known = self._liquidation[symbol] = (at_ms, position, self._liquidation_of(symbol))
        return known[2]

    def _end(self, episode: _Episode) -> None:
        counted_s = episode.counted_ms / 1000
        if episode.at_start:
            self.worst_start_s = max(self.worst_start_s, counted_s)
            return
        self.samples_s.append(counted_s)
        self.worst_s = max(self.worst_s, counted_s)

    def uncovered_s(self) -> dict[str, float]:
        """By market: for how long a position that is naked now could have been covered."""
        return {symbol: episode.counted_ms / 1000 for symbol, episode in self._episodes.items()}

    def at_end(self, at_ms: int) -> Iterable[Violation]:
        """L1: every position is covered once the faults have been gone for long enough."""
        for symbol in self._log.held():
            naked = self._naked(symbol, at_ms)
            if naked > self._steps[symbol]:
                yield Violation("L1", at_ms, symbol, f"{naked} of {self._log.positions[symbol]} without a stop after the quiet phase")


def _closes(record: Sent) -> bool:
    """An exit of the daemon: reduce-only and not a trigger."""
    return record.request.reduce_only and record.request.order_type not in ("stp", "take_profit")
