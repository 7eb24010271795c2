"""Runs the SMC engine bar by bar and writes down what it made known at each, with the moment it became known.

Nothing is looked up afterwards: an object enters the record at the bar at which the engine first shows it, and its end at the
bar at which the engine no longer does. So the picture as of a moment is the record up to that moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from trading_system.backtest.chart.feed import FedBar
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision, Signal
from trading_system.domain.symbols import Symbol
from trading_system.strategy.inspection import BrokenSwing, SeenBar, SeenBreak, SeenSweep, SeenSwing, SeenZone, StructureWatch, closed_ms
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.smc_engine import SymbolEngine

BreakKey = tuple[int, int]
"""(sign, open time of the break bar)."""


@dataclass(slots=True)
class KnownSwing:
    seen: SeenSwing
    known_ms: int


@dataclass(slots=True)
class KnownSweep:
    """`open_ms` is of the bar whose wick swept."""

    seen: SeenSweep
    open_ms: int
    known_ms: int


@dataclass(slots=True)
class KnownZone:
    """A zone of one leg; each end is None while the engine still held it when the record ended."""

    seen: SeenZone
    mitigated_ms: int | None = None
    used_ms: int | None = None


@dataclass(slots=True)
class KnownBreak:
    seen: SeenBreak
    broken: BrokenSwing | None
    known_ms: int
    ended_ms: int | None = None
    zones: dict[str, KnownZone] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuledRange:
    """From `known_ms` on this break ruled with this dealing range; None = no break ruled."""

    known_ms: int
    ruling: BreakKey | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class KnownSignal:
    """is_acted_on: False within the cooldown of the one before."""

    signal: Signal
    is_acted_on: bool


@dataclass(slots=True)
class Record:
    """What was known when. `quarters` and `decisions` belong together; `four_hours` begins earlier, for the past of the picture."""

    symbol: Symbol
    parameters: SmcParameters
    start_ms: int
    quarters: list[Bar] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    four_hours: list[Bar] = field(default_factory=list)
    swings: list[KnownSwing] = field(default_factory=list)
    sweeps: list[KnownSweep] = field(default_factory=list)
    breaks: dict[BreakKey, KnownBreak] = field(default_factory=dict)
    ranges: list[RuledRange] = field(default_factory=list)
    signals: list[KnownSignal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ChartPlan:
    """What to record: decisions from `start_ms` on, structure and 4h bars from `past_ms` before it."""

    symbol: Symbol
    parameters: SmcParameters
    costs: StrategyCosts
    start_ms: int
    past_ms: int
    cooldown_ms: int


def record(plan: ChartPlan, feed: Iterable[FedBar]) -> Record:
    """Feed everything, ask at every 15m close, act on signals as live does (cooldown from emission)."""
    engine = SymbolEngine(plan.symbol, plan.parameters)
    watch = StructureWatch(engine.state.four_hours.structure)
    found = Record(plan.symbol, plan.parameters, plan.start_ms)
    shown_from_ms = plan.start_ms - plan.past_ms
    unasked: tuple[int, Bar] | None = None
    emitted_ms: int | None = None
    for fed in feed:
        if unasked is not None and fed.close_ms > unasked[0]:
            emitted_ms = _ask(plan, engine, found, *unasked, emitted_ms)
            unasked = None
        if not engine.update(fed.timeframe, fed.bar):
            continue
        if fed.timeframe is Timeframe.H4:
            seen = watch.look()
            if seen.open_ms >= shown_from_ms:
                found.four_hours.append(fed.bar)
                _note(found, seen)
        elif fed.timeframe is Timeframe.M15:
            unasked = (fed.close_ms, fed.bar)
    if unasked is not None:
        _ask(plan, engine, found, *unasked, emitted_ms)
    return found


def _note(found: Record, seen: SeenBar) -> None:
    known_ms = closed_ms(seen)
    found.swings += [KnownSwing(swing, known_ms) for swing in seen.swings]
    found.sweeps += [KnownSweep(sweep, seen.open_ms, known_ms) for sweep in seen.sweeps]
    valid: set[BreakKey] = set()
    for one in seen.breaks:
        key = (one.sign, one.open_ms)
        valid.add(key)
        if key not in found.breaks:
            # breaks from before the picture have no swing of their own here
            found.breaks[key] = KnownBreak(one, seen.broken if one.open_ms == seen.open_ms else None, known_ms)
        held = found.breaks[key]
        for zone in one.zones:
            held.zones.setdefault(zone.zone_id, KnownZone(zone)).mitigated_ms = zone.mitigated_ms
    for key, held in found.breaks.items():
        if held.ended_ms is None and key not in valid:
            held.ended_ms = known_ms
    if seen.breaks:
        ruling = seen.breaks[-1]
        now = RuledRange(known_ms, (ruling.sign, ruling.open_ms), ruling.low, ruling.high)
    else:
        now = RuledRange(known_ms, None, 0.0, 0.0)
    last = found.ranges[-1] if found.ranges else None
    if last is None or (last.ruling, last.low, last.high) != (now.ruling, now.low, now.high):
        found.ranges.append(now)


def _ask(plan: ChartPlan, engine: SymbolEngine, found: Record, close_ms: int, bar: Bar, emitted_ms: int | None) -> int | None:
    """Judge one bar; return when the last signal was acted on."""
    decision = engine.decide(close_ms, plan.costs)
    is_shown = bar.open_ms >= plan.start_ms
    if is_shown:
        found.quarters.append(bar)
        found.decisions.append(decision)
    if not isinstance(decision, Signal):
        return emitted_ms
    is_acted_on = emitted_ms is None or close_ms - emitted_ms >= plan.cooldown_ms
    if is_shown:
        found.signals.append(KnownSignal(decision, is_acted_on))
    if not is_acted_on:
        return emitted_ms
    engine.mark_emitted(decision)
    for held in found.breaks.values():
        for name in decision.zone_ids:
            if name in held.zones and held.zones[name].used_ms is None:
                held.zones[name].used_ms = close_ms
    return close_ms
