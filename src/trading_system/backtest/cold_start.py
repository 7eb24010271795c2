"""How often an engine that was warmed up from the kept bars decides otherwise than one that never stopped.

The daemon keeps so many bars per timeframe (`data/candle_schedule.CAPACITY`). An engine that is fed these alone has forgotten what
lies before: Wilder means and the EMA carry other remainders, structure older than the window is unknown. Here one engine sees all
of a market, and at each of many moments another one is fed the window, given the marks of the zones used so far (the journal knows
them), and asked beside the first at each 15m close from then on.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from trading_system.backtest.chart.feed import FedBar
from trading_system.data.candle_schedule import CAPACITY
from trading_system.domain.market import Timeframe
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision, Emission, Signal
from trading_system.domain.symbols import Symbol
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.smc_engine import SymbolEngine

DAY_MS: Final = Timeframe.D1.ms
LEVEL_FRACTION: Final = 1e-4
"""Two signals are the same when entry, stop and target lie within a hundredth of a percent."""

Outcome: TypeAlias = tuple[str, str, float, float, float]
"""(SIGNAL or reason code, direction and regime, entry, stop, target)."""


@dataclass(frozen=True, slots=True)
class ColdStartPlan:
    """every_days: between two restarts. follow_days: how long each restarted engine is compared."""

    parameters: SmcParameters
    costs: StrategyCosts
    cooldown_ms: int
    every_days: int = 10
    follow_days: int = 30
    capacity: Mapping[Timeframe, int] = field(default_factory=lambda: CAPACITY)


@dataclass(slots=True)
class ColdStarts:
    """Counts over all restarts. `asked` and `other` by whole days since the restart; `other_codes`: (whole run, restarted)."""

    restarts: int = 0
    identical: int = 0
    """Restarts after which nothing was ever decided otherwise."""
    asked: Counter[int] = field(default_factory=Counter)
    other: Counter[int] = field(default_factory=Counter)
    signals: int = 0
    """Of the engines that never stopped, while compared."""
    lost: int = 0
    """Signals that the restarted engine did not give at that bar."""
    extra: int = 0
    """Signals that only the restarted engine gave at that bar."""
    moved: int = 0
    """Both gave a signal, with other levels or the other direction."""
    other_codes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, more: ColdStarts) -> None:
        """Take the counts of another market."""
        for name in ("restarts", "identical", "signals", "lost", "extra", "moved"):
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.asked.update(more.asked)
        self.other.update(more.other)
        self.other_codes.update(more.other_codes)

    def share(self, first_day: int, before_day: int) -> float | None:
        """Share of decisions that differ on the days [first_day, before_day) after a restart; None when none was compared."""
        asked = sum(count for day, count in self.asked.items() if first_day <= day < before_day)
        other = sum(count for day, count in self.other.items() if first_day <= day < before_day)
        return other / asked if asked else None


class _Life:
    """An engine that is asked at every 15m close, and what it acted on."""

    def __init__(self, symbol: Symbol, plan: ColdStartPlan, marks: Iterable[Emission] = ()) -> None:
        self.engine = SymbolEngine(symbol, plan.parameters)
        self._plan = plan
        self.emitted = list(marks)

    def go_on(self, feed: Iterable[FedBar]) -> Iterable[tuple[int, Outcome]]:
        unasked: int | None = None
        for close_ms, _, timeframe, bar in feed:
            if unasked is not None and close_ms > unasked:
                yield unasked, self._ask(unasked)
                unasked = None
            if self.engine.update(timeframe, bar) and timeframe is Timeframe.M15:
                unasked = close_ms
        if unasked is not None:
            yield unasked, self._ask(unasked)

    def _ask(self, at_ms: int) -> Outcome:
        decision = self.engine.decide(at_ms, self._plan.costs)
        last = self.emitted[-1].at_ms if self.emitted else None
        if isinstance(decision, Signal) and (last is None or at_ms - last >= self._plan.cooldown_ms):
            self.engine.mark_emitted(decision)
            self.emitted.append(Emission(decision.symbol, decision.at_ms, decision.zone_ids))
        return outcome_of(decision)


def outcome_of(decision: Decision) -> Outcome:
    """What counts of a decision."""
    if isinstance(decision, Signal):
        kind = f"{decision.direction.value} {decision.regime.value}"
        return "SIGNAL", kind, decision.entry_price, decision.stop_price, decision.target_price
    return decision.reason_code, "", 0.0, 0.0, 0.0


def are_same(one: Outcome, other: Outcome) -> bool:
    """Same code, direction and regime, and levels within LEVEL_FRACTION of the entry."""
    return one[:2] == other[:2] and all(abs(a - b) <= LEVEL_FRACTION * one[2] for a, b in zip(one[2:], other[2:], strict=True))


def measure_cold_starts(symbol: Symbol, feed: Sequence[FedBar], plan: ColdStartPlan) -> ColdStarts:
    """Restart at every `every_days` days from the moment the longest window but 1d is full. feed: all bars, in order."""
    counts = ColdStarts()
    whole = _Life(symbol, plan)
    said = dict(whole.go_on(feed))
    closes = [fed.close_ms for fed in feed]
    by_timeframe = {t: [fed for fed in feed if fed.timeframe is t] for t in Timeframe}
    quarters = by_timeframe[Timeframe.M15]
    if len(quarters) <= plan.capacity[Timeframe.M15] or len(by_timeframe[Timeframe.H4]) <= plan.capacity[Timeframe.H4]:
        return counts
    # before, window and history are the same bars and a restart changes nothing
    first_ms = max(quarters[plan.capacity[Timeframe.M15]].close_ms, by_timeframe[Timeframe.H4][plan.capacity[Timeframe.H4]].close_ms)
    at_ms = first_ms - first_ms % DAY_MS + DAY_MS
    while at_ms + DAY_MS <= closes[-1]:
        # another time of the day at each restart
        moment = at_ms + counts.restarts * 37 % 96 * Timeframe.M15.ms
        _restart(counts, symbol, plan, by_timeframe, feed, closes, moment, whole.emitted, said)
        at_ms += plan.every_days * DAY_MS
    return counts


def _restart(
    counts: ColdStarts,
    symbol: Symbol,
    plan: ColdStartPlan,
    by_timeframe: Mapping[Timeframe, Sequence[FedBar]],
    feed: Sequence[FedBar],
    closes: Sequence[int],
    at_ms: int,
    emitted: Sequence[Emission],
    said: Mapping[int, Outcome],
) -> None:
    marks = [one for one in emitted if one.at_ms <= at_ms]
    cold = _Life(symbol, plan, marks)
    for timeframe, fed in by_timeframe.items():
        end = bisect_right(fed, at_ms, key=lambda one: one.close_ms)
        for one in fed[max(0, end - plan.capacity[timeframe]) : end]:
            cold.engine.update(timeframe, one.bar)
    for mark in marks:
        cold.engine.mark_emitted(mark)
    later = feed[bisect_right(closes, at_ms) : bisect_left(closes, at_ms + plan.follow_days * DAY_MS)]
    counts.restarts += 1
    differed = False
    for moment, outcome in cold.go_on(later):
        day, before = (moment - at_ms) // DAY_MS, said[moment]
        counts.asked[day] += 1
        counts.signals += before[0] == "SIGNAL"
        if are_same(before, outcome):
            continue
        differed = True
        counts.other[day] += 1
        counts.other_codes[before[0], outcome[0]] += 1
        was, is_now = before[0] == "SIGNAL", outcome[0] == "SIGNAL"
        counts.lost += was and not is_now
        counts.extra += is_now and not was
        counts.moved += was and is_now
    counts.identical += not differed
