"""Trades from signal to last clean-up, the same every time: the stage on which the process is killed at every boundary.

Each is a long at 80,000 with a stop 1.5 % below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.orders import Direction
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision, Emitted, GateResult, GateState, Ladder, NoSignal, Regime, Signal
from trading_system.domain.symbols import Symbol, normalise
from trading_system.sim.market_catalog import catalogue
from trading_system.sim.source import MarketSpec, PricePoint
from trading_system.torture.case import START_MS

VENUE_SYMBOL: Final = "PF_XBTUSD"
ENTRY: Final = 80_000.0
STOP: Final = 78_800.0
_STEP_MS: Final = 1_000
_BARS: Final = 600


@dataclass(frozen=True, slots=True)
class Story:
    """knots: (seconds from the start, price), straight lines between them. traded: base units that change hands each second.

    told_from: the first boundary that is told; what comes before is as in the first story. flatten_s: when an operator types the
    words that close everything.
    """

    name: str
    text: str
    knots: tuple[tuple[float, float], ...]
    end_s: float
    entry_type: str = "market"
    traded: float = 0.5
    told_from: str = "SessionStarted"
    flatten_s: float | None = None

    def price_at(self, seconds: float) -> float:
        for (from_s, from_price), (to_s, to_price) in pairwise(self.knots):
            if seconds <= to_s:
                return from_price + (to_price - from_price) * (seconds - from_s) / (to_s - from_s)
        return self.knots[-1][1]


UNFILLED: Final = Story(
    "an entry that nobody fills",
    "A post-only entry rests at the bid; after two minutes it is cancelled, and once the venue surely knows of no fill it is given up.",
    ((0, ENTRY), (300, ENTRY)),
    end_s=260.0,
    entry_type="limit_post_only",
    told_from="CancelRequested en-1",
)
STORIES: Final = (
    Story(
        "from signal to stop",
        "A market entry fills at once and gets its stop and targets; the first target is hit, the stop goes to break-even and trails; "
        "the market turns and the stop fires.",
        ((0, ENTRY), (40, ENTRY), (70, 81_500), (110, 81_500), (150, 82_600), (190, 82_600), (240, 80_600)),
        end_s=330.0,
    ),
    Story(
        "an entry that rests",
        "A post-only entry rests at the bid and fills in three pieces, its stop growing with each; then it is stopped out.",
        ((0, ENTRY), (15, ENTRY), (16, 79_995), (18, 79_995), (19, 80_010), (150, 80_010), (190, 78_500)),
        end_s=300.0,
        entry_type="limit_post_only",
        told_from="en-1",
        traded=0.012,
    ),
    Story(
        "flattened by hand",
        "A market entry with stop and targets; after a minute the operator types the words that close everything, the kill switch is "
        "latched, and the position is sold reduce-only.",
        ((0, ENTRY), (200, ENTRY)),
        end_s=200.0,
        told_from="DestructiveActionJustified",
        flatten_s=60.0,
    ),
    UNFILLED,
)


class StoryPath:
    """A PriceSource of one market, one point a second."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._specs = tuple(coin.spec for coin in catalogue() if coin.spec.symbol == VENUE_SYMBOL)
        self._done_ms = START_MS

    def markets(self) -> Sequence[MarketSpec]:
        return self._specs

    @property
    def start_ms(self) -> int:
        return START_MS

    def history(self, market: int, timeframe: Timeframe) -> Iterable[Bar]:
        """A market that has gone nowhere, with bars half a percent high."""
        del market
        first_ms = START_MS - _BARS * timeframe.ms
        return [Bar(open_ms, ENTRY, ENTRY * 1.0025, ENTRY * 0.9975, ENTRY, 50.0) for open_ms in range(first_ms, START_MS, timeframe.ms)]

    def bind(self, direction_of: Callable[[int], int]) -> None:
        """The story does not care about positions."""

    def points(self, until_ms: int) -> Iterator[PricePoint]:
        while self._done_ms + _STEP_MS <= until_ms:
            self._done_ms += _STEP_MS
            price = self._story.price_at((self._done_ms - START_MS) / 1000)
            side = 1 if self._done_ms // _STEP_MS % 2 else -1
            yield PricePoint(self._done_ms, 0, price, price, self._story.traded * side, False)

    def snapshot_state(self) -> dict[str, Any]:
        return {"done_ms": self._done_ms}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        self._done_ms = state["done_ms"]


class OneSignal:
    """The Strategy port: one long signal on the bar that closes when the story begins, never another."""

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        """The story is known."""

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        del costs
        close_ms = at_ms - at_ms % Timeframe.M15.ms
        if symbol != normalise(VENUE_SYMBOL) or close_ms != START_MS:
            gate = GateResult("story", GateState.FAILED, "the bar of the story", None, None, "NOT_NOW")
            return NoSignal(symbol, close_ms, "NOT_NOW", Ladder(symbol, close_ms, None, (gate,)))
        gate = GateResult("story", GateState.PASSED, "the bar of the story", None, None, None)
        return Signal(
            symbol=symbol,
            at_ms=close_ms,
            direction=Direction.LONG,
            regime=Regime.TIGHT_SMC,
            entry_price=ENTRY,
            stop_price=STOP,
            target_price=ENTRY + 3 * (ENTRY - STOP),
            score=90.0,
            reward_risk=3.0,
            atr_15m=400.0,
            atr_4h=400.0,
            cost_bps=12.0,
            setup="story",
            ladder=Ladder(symbol, close_ms, ENTRY, (gate,)),
        )

    def mark_emitted(self, signal: Emitted) -> None:
        """It is given on one bar only."""

    def forget(self, symbol: Symbol) -> None:
        """Nothing is kept."""
