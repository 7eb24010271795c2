"""The SMC strategy: one streaming engine per symbol, judged by the table of gates.

`decide` changes nothing: it is a function of the bars fed, of the zones marked as used, and of its arguments. A zone is
used once: whoever acts on a signal says so with `mark_emitted`. A mark counts for later bars only, so the question about
one bar keeps its answer; it names zones and a time, not engine state, so marks may be replayed before, between or after
bars (after a restart: from the journal), and live, backtest and a prefix of either agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.orders import Direction
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision, Emitted, GateResult, GateState, Ladder, NoSignal, Regime, Signal
from trading_system.domain.symbols import Symbol
from trading_system.domain.tuples import maker_of
from trading_system.strategy.bars import is_sound
from trading_system.strategy.gate_texts import GateTexts, write_gate_texts
from trading_system.strategy.gates import SHORT_GATES, Case, check_data
from trading_system.strategy.long_frames import LongFrames
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.series import NEVER, Days, FourHours, Hours, Quarters, SymbolState
from trading_system.strategy.snapshot import decode_state, encode_state

_no_signal: Final = maker_of(NoSignal)
_ladder: Final = maker_of(Ladder)
_QUARTER: Final = Timeframe.M15
_QUARTER_MS: Final = _QUARTER.ms
_HOUR: Final = Timeframe.H1
_FOUR_HOURS: Final = Timeframe.H4
_FAILED: Final = GateState.FAILED
_USED_MAX: Final = 256
"""Marks kept per symbol. A break lives 50 bars and has a handful of zones, so the oldest of these are long dead."""


class SymbolEngine:
    """The streaming state of one symbol. Timeframes are independent: only the order within one matters."""

    __slots__ = ("_long", "parameters", "state", "symbol", "texts")

    def __init__(
        self, symbol: Symbol, parameters: SmcParameters, *, texts: GateTexts | None = None, state: SymbolState | None = None
    ) -> None:
        self.symbol = symbol
        self.parameters = parameters
        self.texts = write_gate_texts(parameters) if texts is None else texts
        self.state = SymbolState.empty(parameters) if state is None else state
        self._long: LongFrames | None = None  # made of the state, so no part of it

    @property
    def rejected_bars(self) -> int:
        """Bars refused as unsound since the engine began."""
        return self.state.rejected_bars

    def update(self, timeframe: Timeframe, bar: Bar) -> bool:
        """Feed one closed bar; True when it was taken. Unsound bars are refused and counted, duplicates and older ones ignored.

        A correction of a bar that was already taken cannot be undone here: rebuild from bars (`fresh`).
        """
        if not is_sound(bar, timeframe):
            self.state.rejected_bars += 1
            return False
        return self.ingest(timeframe, bar)

    def ingest(self, timeframe: Timeframe, bar: Bar) -> bool:
        """`update` for a bar that is known to be sound. Prices may have either sign here: mirrored markets use this door."""
        series = self._series(timeframe)
        if bar.open_ms <= series.last_open_ms:
            return False
        if isinstance(series, FourHours):
            series.update(bar, self.parameters)
        else:
            series.update(bar)
        return True

    def _series(self, timeframe: Timeframe) -> Quarters | Hours | FourHours | Days:
        state = self.state
        if timeframe is _QUARTER:
            return state.quarters
        if timeframe is _HOUR:
            return state.hours
        return state.four_hours if timeframe is _FOUR_HOURS else state.days

    def last_open_ms(self, timeframe: Timeframe) -> int | None:
        """Open time of the newest bar taken, or None: where feeding goes on after a snapshot was restored."""
        last = self._series(timeframe).last_open_ms
        return None if last == NEVER else last

    def bar_count(self, timeframe: Timeframe) -> int:
        """Bars taken since the engine began."""
        return self._series(timeframe).count

    def decide(self, at_ms: int, costs: StrategyCosts) -> Decision:
        """Judge the newest closed 15m bar. `at_ms` is market time now and serves only to tell stale data.

        Feed every timeframe that closed together before asking. The decision carries the close of the bar it judged, or
        `at_ms` when there is none.
        """
        state, texts = self.state, self.texts
        data = check_data(state, self.parameters, texts, at_ms)
        if data.state is _FAILED:
            return self._refusal(at_ms, [data], data)
        long = self._long
        if long is None or not long.is_current(state):
            long = self._long = LongFrames(state, self.parameters, texts)
        results = [data, *long.results]
        if long.blocking is not None:
            return self._refusal(at_ms, results, long.blocking)
        case = Case(state, self.parameters, texts, costs, long)
        for check in SHORT_GATES:
            result = check(case)
            results.append(result)
            if result.state is _FAILED:
                return self._refusal(at_ms, results, result)
        return self._signal(case, tuple(results))

    def _refusal(self, at_ms: int, results: list[GateResult], failed: GateResult) -> NoSignal:
        quarters, symbol = self.state.quarters, self.symbol
        gates = (*results, *self.texts.tails[len(results) - 1])
        reason_code = failed.reason_code or failed.name
        if quarters.count:
            closed_ms = quarters.last_open_ms + _QUARTER_MS
            return _no_signal((symbol, closed_ms, reason_code, _ladder((symbol, closed_ms, quarters.close, gates))))
        return NoSignal(symbol, at_ms, reason_code, Ladder(symbol, at_ms, None, gates))

    def _signal(self, case: Case, gates: tuple[GateResult, ...]) -> Signal:
        long, sign, at_ms = case.long, case.long.sign, self.state.quarters.last_open_ms + _QUARTER_MS
        return Signal(
            symbol=self.symbol,
            at_ms=at_ms,
            direction=Direction.LONG if sign > 0 else Direction.SHORT,
            regime=long.regime,
            entry_price=sign * case.price,
            stop_price=sign * case.stop,
            target_price=sign * case.target,
            score=case.score,
            reward_risk=case.reward_risk,
            atr_15m=case.atr_15m,
            atr_4h=long.atr_4h,
            cost_bps=case.cost_bps,
            setup=_setup_label(case),
            ladder=Ladder(self.symbol, at_ms, sign * case.price, gates),
            zone_ids=case.entry_zone.zone_ids,
            premise_price=sign * long.broken.protected_low,
        )

    def mark_emitted(self, signal: Emitted) -> None:
        """The signal was acted on: its zones give no signal on later bars. Idempotent; the earliest mark of a zone stays."""
        used = self.state.used
        for name in signal.zone_ids:
            used[name] = min(used.get(name, signal.at_ms), signal.at_ms)
        while len(used) > _USED_MAX:
            del used[min(used, key=lambda name: (used[name], name))]

    def fresh(self) -> SymbolEngine:
        """An engine without bars that remembers the used zones: feed it all stored bars to rebuild after a correction."""
        engine = SymbolEngine(self.symbol, self.parameters, texts=self.texts)
        engine.state.used = dict(self.state.used)
        return engine

    def snapshot(self) -> bytes:
        """The whole state; continuing from it is bit-equal to never having stopped."""
        return encode_state(self.state, self.symbol, self.parameters)

    @classmethod
    def restore(cls, snapshot: bytes, symbol: Symbol, parameters: SmcParameters, *, texts: GateTexts | None = None) -> SymbolEngine | None:
        """The engine of a snapshot, or None when it is damaged or of another version, symbol or parameter set."""
        state = decode_state(snapshot, symbol, parameters)
        return None if state is None else cls(symbol, parameters, texts=texts, state=state)


def _setup_label(case: Case) -> str:
    kinds = "wide"
    if case.long.regime is Regime.TIGHT_SMC:
        kinds = "+".join(name.partition("+" if case.long.sign > 0 else "-")[0] for name in case.entry_zone.zone_ids)
    return f"{kinds} {case.long.broken.kind.value}"


class SmcStrategy:
    """Implements the `Strategy` port for any number of symbols; an engine comes into being with the first bar of its symbol."""

    def __init__(self, parameters: SmcParameters | None = None) -> None:
        self._parameters = SmcParameters() if parameters is None else parameters
        self._texts = write_gate_texts(self._parameters)
        self._engines: dict[Symbol, SymbolEngine] = {}

    def engine(self, symbol: Symbol) -> SymbolEngine:
        """The engine of a symbol, made when it is new."""
        engine = self._engines.get(symbol)
        if engine is None:
            engine = self._engines[symbol] = SymbolEngine(symbol, self._parameters, texts=self._texts)
        return engine

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        """Feed one closed bar, in order of time within its timeframe."""
        (self._engines.get(symbol) or self.engine(symbol)).update(timeframe, bar)

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        """Judge the newest closed 15m bar of a symbol (see `SymbolEngine.decide`). Changes nothing."""
        return (self._engines.get(symbol) or self.engine(symbol)).decide(at_ms, costs)

    def mark_emitted(self, signal: Emitted) -> None:
        """The signal was acted on (see `SymbolEngine.mark_emitted`)."""
        self.engine(signal.symbol).mark_emitted(signal)

    def rejected_bars(self) -> Mapping[Symbol, int]:
        """Unsound bars refused so far, of symbols that have any."""
        return {symbol: engine.rejected_bars for symbol, engine in self._engines.items() if engine.rejected_bars}

    def rebuild(self, symbol: Symbol, bars: Mapping[Timeframe, Iterable[Bar]]) -> None:
        """Start a symbol over from stored bars (a bar was corrected); used zones stay used."""
        engine = self.engine(symbol).fresh()
        for timeframe, series in bars.items():
            for bar in series:
                engine.update(timeframe, bar)
        self._engines[symbol] = engine

    def forget(self, symbol: Symbol) -> None:
        """Drop all state of a symbol that left the universe."""
        self._engines.pop(symbol, None)

    def snapshot(self, symbol: Symbol) -> bytes:
        """State of one symbol."""
        return self.engine(symbol).snapshot()

    def restore(self, symbol: Symbol, snapshot: bytes) -> bool:
        """Continue a symbol from a snapshot; False (and nothing changes) when it does not fit: warm up from bars instead."""
        engine = SymbolEngine.restore(snapshot, symbol, self._parameters, texts=self._texts)
        if engine is None:
            return False
        self._engines[symbol] = engine
        return True
