"""Does what the engine said ever depend on bars that came later? Checked at every Nth bar of stored candles.

Three runs over the same market:
- *whole*: all bars, one engine. Every statement (what each 4h bar made known, the decision with its ladder at each 15m close)
  is kept as a digest, and the whole state at every Nth close.
- *prefixes*: at every Nth close the files are cut there, their bars read and merged anew, and an engine restored from the
  bytes of the prefix before is fed what the cut files hold beyond it. It must say the same and end in the same state, bit for
  bit. By induction over the cuts each prefix equals the whole run's beginning.
- *scratch*: at a few of the cuts a new engine is fed the cut files from their first bar: the induction does not stand on the
  snapshots alone.

A bar of a longer timeframe that is known before its close, or that lacks a part, makes prefix and whole differ at that cut.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import msgspec

from trading_system.backtest.chart.feed import FedBar, feed_of
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Signal
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import from_ms
from trading_system.sim.bars import BarColumns
from trading_system.sim.candle_files import CandleSeries
from trading_system.strategy.inspection import StructureWatch
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.smc_engine import SymbolEngine

DIFFERENCES_KEPT: Final = 5

Feed = Callable[[CandleSeries, int], Iterator[FedBar]]
"""Bars in the order in which a strategy gets them, closed by a moment."""


@dataclass(frozen=True, slots=True)
class PrefixPlan:
    """every: 15m bars between cuts. scratch: cuts checked from the first bar as well, spread over the market."""

    parameters: SmcParameters
    costs: StrategyCosts
    cooldown_ms: int
    every: int = 50
    scratch: int = 2


@dataclass(frozen=True, slots=True)
class PrefixReport:
    """`statements`: how many were compared with those of a prefix; `differences`: the first that were not equal, in words."""

    symbol: Symbol
    bars: int
    cuts: int
    scratch_cuts: int
    statements: int
    differences: tuple[str, ...]
    difference_count: int

    @property
    def holds(self) -> bool:
        return self.difference_count == 0


class _Speaker:
    """An engine that is fed and asked as live does it; everything it says comes out as (moment, digest)."""

    def __init__(self, plan: PrefixPlan, symbol: Symbol, state: bytes | None = None, emitted_ms: int | None = None) -> None:
        self._plan = plan
        engine = SymbolEngine(symbol, plan.parameters) if state is None else SymbolEngine.restore(state, symbol, plan.parameters)
        if engine is None:
            raise ValueError(f"{symbol}: a snapshot that was just taken cannot be read")
        self.engine = engine
        self._watch = StructureWatch(engine.state.four_hours.structure)
        self.emitted_ms = emitted_ms

    def hear(self, feed: Iterable[FedBar]) -> Iterator[tuple[int, int]]:
        """Bars the engine knows already are passed over in silence."""
        unasked: int | None = None
        for fed in feed:
            if unasked is not None and fed.close_ms > unasked:
                yield self._ask(unasked)
                unasked = None
            if not self.engine.update(fed.timeframe, fed.bar):
                continue
            if fed.timeframe is Timeframe.H4:
                yield fed.close_ms, _digest(self._watch.look())
            elif fed.timeframe is Timeframe.M15:
                unasked = fed.close_ms
        if unasked is not None:
            yield self._ask(unasked)

    def _ask(self, closed_ms: int) -> tuple[int, int]:
        decision = self.engine.decide(closed_ms, self._plan.costs)
        said = closed_ms, _digest(decision)
        is_due = self.emitted_ms is None or closed_ms - self.emitted_ms >= self._plan.cooldown_ms
        if isinstance(decision, Signal) and is_due:
            self.engine.mark_emitted(decision)
            self.emitted_ms = closed_ms
        return said

    def state(self) -> int:
        return int.from_bytes(blake2b(self.engine.snapshot(), digest_size=8).digest(), "big")


def _digest(said: object) -> int:
    return int.from_bytes(blake2b(msgspec.msgpack.encode(said), digest_size=8).digest(), "big")


class _Said:
    """The statements of the whole run, and its state at each cut."""

    def __init__(self) -> None:
        self.moments, self.digests = array("q"), array("Q")
        self.states: dict[int, int] = {}

    def between(self, after_ms: int, until_ms: int) -> list[tuple[int, int]]:
        low, high = bisect_right(self.moments, after_ms), bisect_right(self.moments, until_ms)
        return list(zip(self.moments[low:high], self.digests[low:high], strict=True))


def check_prefixes(series: CandleSeries, plan: PrefixPlan, feed: Feed = feed_of) -> PrefixReport:
    """Check one market. O(bars), with about four times the work of a plain run. feed: how files become bars in order."""
    closes = [open_ms + Timeframe.M15.ms for open_ms in series.quarters.open_ms]
    cuts = closes[plan.every - 1 :: plan.every]
    differences: list[str] = []
    said = _whole_run(feed(series, closes[-1] if closes else 0), plan, series.symbol, cuts)
    compared = 0
    speaker, before = _Speaker(plan, series.symbol), -1
    for cut_ms in cuts:
        window = cut(series, cut_ms, since_ms=before)
        heard = list(speaker.hear(feed(window, cut_ms)))
        compared += len(heard)
        _compare(differences, series.symbol, "prefix", cut_ms, said.between(before, cut_ms), heard)
        if speaker.state() != said.states.get(cut_ms):
            differences.append(f"{series.symbol}: the state of the prefix that ends {from_ms(cut_ms):%Y-%m-%d %H:%M} differs")
        # on from bytes: nothing that lived in memory is carried over
        speaker, before = _Speaker(plan, series.symbol, speaker.engine.snapshot(), speaker.emitted_ms), cut_ms
    chosen = [cuts[(number + 1) * len(cuts) // (plan.scratch + 1)] for number in range(plan.scratch)] if len(cuts) > plan.scratch else []
    for cut_ms in chosen:
        fresh = _Speaker(plan, series.symbol)
        heard = list(fresh.hear(feed(cut(series, cut_ms), cut_ms)))
        compared += len(heard)
        _compare(differences, series.symbol, "scratch", cut_ms, said.between(-1, cut_ms), heard)
        if fresh.state() != said.states.get(cut_ms):
            differences.append(f"{series.symbol}: a new engine fed until {from_ms(cut_ms):%Y-%m-%d %H:%M} ends in another state")
    kept = tuple(differences[:DIFFERENCES_KEPT])
    return PrefixReport(series.symbol, len(closes), len(cuts), len(chosen), compared, kept, len(differences))


def _whole_run(feed: Iterable[FedBar], plan: PrefixPlan, symbol: Symbol, cuts: list[int]) -> _Said:
    said, speaker = _Said(), _Speaker(plan, symbol)
    wanted = set(cuts)
    for moment, digest in speaker.hear(feed):
        said.moments.append(moment)
        said.digests.append(digest)
        # the decision is the last statement of its close; a 4h bar that closes with it was told before
        if moment in wanted:
            said.states[moment] = speaker.state()
    return said


def cut(series: CandleSeries, until_ms: int, *, since_ms: int = -1) -> CandleSeries:
    """The files as they were at `until_ms`: no bar that opens later. `since_ms`: whole days before it may be left out.

    Days are left out only up to one whose first bar is stored, so that no longer bar begins in the middle.
    """
    opens = series.quarters.open_ms
    first_ms = 0
    if since_ms >= 0:
        day_ms = Timeframe.D1.open_of(since_ms)
        while day_ms > opens[0]:
            at = bisect_left(opens, day_ms)
            if at < len(opens) and opens[at] == day_ms:
                first_ms = day_ms
                break
            day_ms -= Timeframe.D1.ms
    hours = series.hours.between(0, until_ms - 1) if first_ms == 0 else []
    return CandleSeries(series.symbol, _columns(series.quarters.between(first_ms, until_ms - 1)), _columns(hours))


def _columns(bars: list[Bar]) -> BarColumns:
    columns = BarColumns(max(1, len(bars)))
    columns.extend(bars)
    return columns


def _compare(
    differences: list[str], symbol: Symbol, kind: str, cut_ms: int, whole: list[tuple[int, int]], heard: list[tuple[int, int]]
) -> None:
    """Changed, removed and added statements, each told once."""
    if whole == heard:
        return
    first = next((moment for (moment, digest), other in zip(whole, heard, strict=False) if (moment, digest) != other), cut_ms)
    differences.append(
        f"{symbol}: {kind} until {from_ms(cut_ms):%Y-%m-%d %H:%M} said {len(heard)} things where the whole run said {len(whole)}; "
        f"the first difference is at {from_ms(first):%Y-%m-%d %H:%M}"
    )
