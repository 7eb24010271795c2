"""Bars into the engines, each once and in order of time; their states kept over a restart.

A state is kept together with what the series looked like (`data/series_marks.py`) and with what made it (code and numbers of the
strategy). At a start it is continued only when the bars kept now are the bars it has seen; then only the later ones are fed, and
the result is the state of a daemon that never stopped, to the last bit. Anything else is a warm-up from all stored bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, Protocol

import msgspec

from trading_system.data.candle_manager import CandleManager
from trading_system.data.candle_updates import BarUpdates
from trading_system.data.series_marks import SeriesMark, find_difference, mark_series
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Timeframe
from trading_system.domain.protocols import Clock, EngineStore, SnapshotStrategy, Strategy
from trading_system.domain.signals import Emission
from trading_system.domain.symbols import Symbol
from trading_system.live.quotes import QuoteBook
from trading_system.live.volatility import VolatilityBook

BARS_PER_STEP: Final = 1_000
"""Bars of a warm-up between two breaths of the loop: a few milliseconds."""
SAVE_CYCLES: Final = 15
"""Every engine is saved once in so many cycles, some in each: an old state only means more bars to feed after it."""


class EmissionReader(Protocol):
    """What the journal remembers of emitted signals."""

    def emissions(self, symbol: Symbol) -> tuple[Emission, ...]: ...


class DecisionMemory(Protocol):
    def forget(self, symbol: Symbol) -> None: ...


class FeedHost(Protocol):
    """What feeding and keeping engines needs."""

    @property
    def clock(self) -> Clock: ...
    @property
    def candles(self) -> CandleManager: ...
    @property
    def strategy(self) -> Strategy: ...
    @property
    def volatility(self) -> VolatilityBook: ...
    @property
    def cooldowns(self) -> EmissionReader: ...
    @property
    def decisions(self) -> DecisionMemory: ...
    @property
    def quotes(self) -> QuoteBook: ...
    @property
    def engines(self) -> EngineBook: ...


class EngineState(msgspec.Struct, frozen=True):
    """One symbol. maker: what made it. marks: by timeframe word, of every series that had bars."""

    maker: str
    strategy: bytes
    volatility: bytes
    marks: dict[str, SeriesMark]


class EngineBook:
    """What is known of the engines besides their own state. `store` None: nothing is kept (backtest, torture).

    maker: names code and numbers of the strategy; a state of another maker is never continued.
    """

    def __init__(self, store: EngineStore | None = None, maker: str = "") -> None:
        self.store = store
        self.maker = maker
        self.under_way: BarUpdates | None = None
        """What is being fed. Still there at the next feed: it broke off, and who was fed what is not known."""
        self.tried: set[Symbol] = set()
        """Symbols that were fed once in this process: their kept state is older than what they have."""
        self.restored = 0
        self.bars_fed = 0
        """Of symbols that were restored or warmed up since the last `take_story`."""
        self.cold: dict[str, list[Symbol]] = {}
        self.turn = 0

    def take_story(self) -> EngineStory | None:
        """What became of the engines since last asked; None when nothing did."""
        if not self.restored and not self.cold:
            return None
        story = EngineStory(self.restored, self.bars_fed, {why: tuple(symbols) for why, symbols in self.cold.items()})
        self.restored, self.bars_fed, self.cold = 0, 0, {}
        return story


class EngineStory(msgspec.Struct, frozen=True):
    """restored: engines that went on from their kept state. cold: those that were warmed up from stored bars, by why."""

    restored: int
    bars_fed: int
    cold: Mapping[str, tuple[Symbol, ...]]


async def feed(host: FeedHost, updates: BarUpdates) -> None:
    """Hand new closed bars to the strategy and the volatility book; begin anew with symbols that are new or whose past changed."""
    book, strategy, volatility = host.engines, host.strategy, host.volatility
    broken, book.under_way = book.under_way, updates
    again: dict[Symbol, None] = {}
    if broken is not None:
        again.update((symbol, None) for symbol in (*broken.rebuild, *(entry.symbol for entry in broken.new_bars)))
    again.update((symbol, None) for symbol in updates.rebuild)
    for symbol in updates.gone:
        _forget(host, symbol)
    for symbol in again:
        await _begin_anew(host, symbol)
    for symbol, timeframe, bar in updates.new_bars:
        if symbol not in again:
            strategy.update(symbol, timeframe, bar)
            volatility.update(symbol, timeframe, bar)
    book.under_way = None


def _forget(host: FeedHost, symbol: Symbol) -> None:
    host.strategy.forget(symbol)
    host.volatility.forget(symbol)
    host.decisions.forget(symbol)
    host.quotes.forget(symbol)
    host.engines.tried.discard(symbol)


async def _begin_anew(host: FeedHost, symbol: Symbol) -> None:
    """Continue the kept state where that is the same, else feed everything; then mark what was acted on."""
    book, strategy = host.engines, host.strategy
    is_first = symbol not in book.tried
    book.tried.add(symbol)
    strategy.forget(symbol)
    fresh = VolatilityBook()
    state, why = await _kept_state(host, symbol) if is_first else (None, None)
    if state is not None:
        why = _continue(host, symbol, state, fresh)
    if why is not None:
        book.cold.setdefault(why, []).append(symbol)
    elif state is not None:
        book.restored += 1
    seen = {} if why is not None or state is None else {Timeframe(word): mark.newest_open_ms for word, mark in state.marks.items()}
    bars = (entry for entry in host.candles.history(symbol) if entry.bar.open_ms > seen.get(entry.timeframe, -1))
    while step := list(islice(bars, BARS_PER_STEP)):
        for _, timeframe, bar in step:
            strategy.update(symbol, timeframe, bar)
            fresh.update(symbol, timeframe, bar)
        book.bars_fed += len(step)
        await host.clock.sleep(0)
    # at once: stops trail by this figure, and half a history has another
    host.volatility.adopt(symbol, fresh)
    for emission in host.cooldowns.emissions(symbol):
        strategy.mark_emitted(emission)


async def _kept_state(host: FeedHost, symbol: Symbol) -> tuple[EngineState | None, str | None]:
    """The kept state, or why there is none that can be used. Neither when states are not kept at all."""
    book = host.engines
    if book.store is None or not isinstance(host.strategy, SnapshotStrategy):
        return None, None
    try:
        content = await book.store.load(symbol)
        if content is None:
            return None, "no state was kept"
        state = msgspec.msgpack.decode(content, type=EngineState)
    except ReadFailed as error:
        return None, f"the kept state cannot be read: {error}"
    except msgspec.MsgspecError:
        return None, "the kept state is of another version"
    if state.maker != book.maker:
        return None, "code or numbers of the strategy changed"
    for timeframe in Timeframe:
        series = host.candles.series(symbol, timeframe)
        difference = "no bars are kept" if series is None else find_difference(series, state.marks.get(timeframe.value))
        if difference is not None:
            return None, f"{timeframe.value} bars are not those it has seen: {difference}"
    return state, None


def _continue(host: FeedHost, symbol: Symbol, state: EngineState, fresh: VolatilityBook) -> str | None:
    """Take the state over into the strategy and into `fresh`; why not, when one of them refuses."""
    strategy = host.strategy
    if not fresh.restore(symbol, state.volatility):
        return "the kept volatility is of another version"
    if not isinstance(strategy, SnapshotStrategy) or not strategy.restore(symbol, state.strategy):
        return "the strategy refused its kept state"
    return None


def capture(host: FeedHost, symbol: Symbol) -> bytes | None:
    """The state of one symbol as it is kept; None when it has none yet, or has not been fed all that was read."""
    if host.engines.under_way is not None or host.candles.has_news(symbol) or symbol not in host.engines.tried:
        return None
    if not isinstance(host.strategy, SnapshotStrategy):
        return None
    marks = {}
    for timeframe in Timeframe:
        series = host.candles.series(symbol, timeframe)
        mark = None if series is None else mark_series(series)
        if mark is not None:
            marks[timeframe.value] = mark
    state = EngineState(host.engines.maker, host.strategy.snapshot(symbol), host.volatility.snapshot(symbol), marks)
    return msgspec.msgpack.encode(state)


async def keep_engines(host: FeedHost, symbols: Iterable[Symbol], *, share: int = SAVE_CYCLES) -> str | None:
    """Save every `share`-th of the symbols, in turn; why not, when the disk refuses. The loop breathes after each symbol."""
    book = host.engines
    if book.store is None or not isinstance(host.strategy, SnapshotStrategy):
        return None
    book.turn = (book.turn + 1) % share
    states: dict[Symbol, bytes] = {}
    for number, symbol in enumerate(symbols):
        if number % share != book.turn:
            continue
        state = capture(host, symbol)
        if state is not None:
            states[symbol] = state
        if len(states) >= 32:
            if (why := await _save(book.store, states)) is not None:
                return why
            states = {}
        await host.clock.sleep(0)
    return await _save(book.store, states)


async def _save(store: EngineStore, states: Mapping[Symbol, bytes]) -> str | None:
    if not states:
        return None
    try:
        await store.save(states)
    except ReadFailed as error:
        return str(error)
    return None
