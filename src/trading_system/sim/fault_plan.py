"""What goes wrong, how often, and until when: a plan drawn from a seed, before anything runs.

Swarm: each seed switches on a random part of the fault classes with random rates, so that some runs are nearly quiet and others
hold one class at its worst. After `faults_until_s` nothing new happens: what is broken then must heal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from trading_system.sim.rng import SeededRandom, seeded


class FaultKind(Enum):
    """`.value` is the word in counts and reports. The rate's unit: per request, per item, or per hour (windows and moments)."""

    # per state-changing request
    REQUEST_LOST = "request_lost"
    """It never reaches the exchange; the caller learns nothing."""
    ANSWER_LOST = "answer_lost"
    """It takes effect at once; the caller learns nothing."""
    ACCEPTED_LATE = "accepted_late"
    """The caller learns nothing, and the request takes effect up to 45 s later."""
    DELAYED = "delayed"
    """Slow there and back; past the caller's deadline the outcome is unknown."""
    DUPLICATED = "duplicated"
    """The packet arrives twice; the second answer goes nowhere."""
    BUDGET_REFUSED = "budget_refused"
    """The venue says it was asked too often; nothing is done."""
    ENTRY_REJECTED = "entry_rejected"
    STOP_REJECTED = "stop_rejected"
    TAKE_PROFIT_REJECTED = "take_profit_rejected"
    EXIT_REJECTED = "exit_rejected"
    # per read, per event, per bar
    READ_SLOW = "read_slow"
    FEED_GAP = "feed_gap"
    FEED_DUPLICATE = "feed_duplicate"
    FEED_REORDER = "feed_reorder"
    BAR_GARBAGE = "bar_garbage"
    QUOTE_GARBAGE = "quote_garbage"
    # windows, per hour
    OUTAGE = "outage"
    """Nothing gets through, either way."""
    READS_FAIL = "reads_fail"
    """One kind of read fails for a while."""
    READS_STALE = "reads_stale"
    """One kind of read lags by up to a minute."""
    STOPS_REFUSED = "stops_refused"
    """Every stop is refused for a while."""
    MARKET_MODE = "market_mode"
    """One market, or all, is post-only, cancel-only or suspended."""
    FEED_SILENT = "feed_silent"
    THIN_BOOK = "thin_book"
    """On one market, or all, hardly anybody or nobody stands in the book: what fires there does not fill."""
    # moments, per hour
    STOP_VANISHES = "stop_vanishes"
    HUMAN_CLOSE = "human_close"
    HUMAN_ORDER = "human_order"
    HUMAN_STOP_CANCEL = "human_stop_cancel"
    MONEY_MOVES = "money_moves"
    ORDER_VANISHES = "order_vanishes"
    """An order of any kind is gone without a word: no event, and no history heard of its end."""
    FORCED_CLOSE = "forced_close"
    """The venue takes a part or the whole of a position away (unwinding)."""
    FUNDING_DEBIT = "funding_debit"
    """Funding of up to a few per cent of the balance is charged on a position."""

    @property
    def is_window(self) -> bool:
        return self in _WINDOWS

    @property
    def is_moment(self) -> bool:
        return self in _MOMENTS


_WINDOWS: Final = frozenset(
    {
        FaultKind.OUTAGE,
        FaultKind.READS_FAIL,
        FaultKind.READS_STALE,
        FaultKind.STOPS_REFUSED,
        FaultKind.MARKET_MODE,
        FaultKind.FEED_SILENT,
        FaultKind.THIN_BOOK,
    }
)
_MOMENTS: Final = frozenset(
    {
        FaultKind.STOP_VANISHES,
        FaultKind.HUMAN_CLOSE,
        FaultKind.HUMAN_ORDER,
        FaultKind.HUMAN_STOP_CANCEL,
        FaultKind.MONEY_MOVES,
        FaultKind.ORDER_VANISHES,
        FaultKind.FORCED_CLOSE,
        FaultKind.FUNDING_DEBIT,
    }
)

READS: Final = ("orders", "positions", "fills", "snapshot", "status", "flows", "tickers", "candles", "book", "instruments")
"""The kinds of read that may fail."""
LAGGING: Final = ("orders", "positions", "fills")
"""The three read models that may each lag."""

# the most a rate is drawn up to, per request / per item / per hour
_RATE_MAX: Final[Mapping[FaultKind, float]] = MappingProxyType(
    {
        FaultKind.REQUEST_LOST: 0.15,
        FaultKind.ANSWER_LOST: 0.15,
        FaultKind.ACCEPTED_LATE: 0.15,
        FaultKind.DELAYED: 0.3,
        FaultKind.DUPLICATED: 0.15,
        FaultKind.BUDGET_REFUSED: 0.1,
        FaultKind.ENTRY_REJECTED: 0.2,
        FaultKind.STOP_REJECTED: 0.2,
        FaultKind.TAKE_PROFIT_REJECTED: 0.3,
        FaultKind.EXIT_REJECTED: 0.3,
        FaultKind.READ_SLOW: 0.1,
        FaultKind.FEED_GAP: 0.3,
        FaultKind.FEED_DUPLICATE: 0.3,
        FaultKind.FEED_REORDER: 0.3,
        FaultKind.BAR_GARBAGE: 0.05,
        FaultKind.QUOTE_GARBAGE: 0.05,
        FaultKind.OUTAGE: 4.0,
        FaultKind.READS_FAIL: 20.0,
        FaultKind.READS_STALE: 20.0,
        FaultKind.STOPS_REFUSED: 4.0,
        FaultKind.MARKET_MODE: 4.0,
        FaultKind.FEED_SILENT: 6.0,
        FaultKind.STOP_VANISHES: 6.0,
        FaultKind.HUMAN_CLOSE: 2.0,
        FaultKind.HUMAN_ORDER: 2.0,
        FaultKind.HUMAN_STOP_CANCEL: 3.0,
        FaultKind.MONEY_MOVES: 0.5,
        FaultKind.ORDER_VANISHES: 3.0,
        FaultKind.FORCED_CLOSE: 1.0,
        FaultKind.FUNDING_DEBIT: 0.5,
        FaultKind.THIN_BOOK: 6.0,
    }
)
_SHARE_ON: Final = 0.4
"""How many of the classes a seed switches on, on average."""

_LASTS_S: Final[Mapping[FaultKind, tuple[float, float]]] = MappingProxyType(
    {
        FaultKind.OUTAGE: (5.0, 300.0),
        FaultKind.READS_FAIL: (5.0, 120.0),
        FaultKind.READS_STALE: (20.0, 300.0),
        FaultKind.STOPS_REFUSED: (5.0, 120.0),
        FaultKind.MARKET_MODE: (10.0, 600.0),
        FaultKind.FEED_SILENT: (10.0, 600.0),
        FaultKind.THIN_BOOK: (5.0, 300.0),
    }
)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """rates: only classes that are on. Seconds are process seconds from the start of the run."""

    seed: int
    faults_until_s: float
    rates: Mapping[FaultKind, float]

    def rate(self, kind: FaultKind) -> float:
        return self.rates.get(kind, 0.0)


@dataclass(frozen=True, slots=True)
class Window:
    """One class at work from `from_s` (included) to `to_s`.

    target: which read or market ("" = all). size: lag in s, which mode, or how thin.
    """

    kind: FaultKind
    from_s: float
    to_s: float
    target: str = ""
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One act at one time. `draw` in [0, 1) decides its particulars."""

    kind: FaultKind
    at_s: float
    draw: float


def draw_plan(seed: int, faults_until_s: float) -> FaultPlan:
    """The swarm's plan for a seed: every class has the same chance to be on; rates are uniform up to the class's maximum."""
    rng = seeded(seed, "fault plan")
    rates = {}
    for kind, most in _RATE_MAX.items():
        is_on, rate = rng.random() < _SHARE_ON, rng.uniform(0.1, 1.0) * most
        if is_on:
            rates[kind] = rate
    return FaultPlan(seed, faults_until_s, MappingProxyType(rates))


def plan_of(seed: int, faults_until_s: float, **rates: float) -> FaultPlan:
    """A plan with exactly these classes, by their word; KeyError or ValueError for an unknown one."""
    return FaultPlan(seed, faults_until_s, MappingProxyType({FaultKind(word): rate for word, rate in rates.items()}))


def draw_windows(plan: FaultPlan, markets: Sequence[str]) -> tuple[Window, ...]:
    """Every window of the run, by start time. A function of the plan alone."""
    windows: list[Window] = []
    for kind in sorted(_WINDOWS, key=lambda k: k.value):
        rng = seeded(plan.seed, "windows", kind.value)
        for at_s in _arrivals(rng, plan.rate(kind), plan.faults_until_s):
            low, high = _LASTS_S[kind]
            # many short ones and a few long ones
            lasts = low + (high - low) * rng.random() ** 2
            target, size = _particulars(kind, rng, markets)
            windows.append(Window(kind, at_s, min(at_s + lasts, plan.faults_until_s), target, size))
    return tuple(sorted(windows, key=lambda w: (w.from_s, w.kind.value, w.target)))


def draw_moments(plan: FaultPlan) -> tuple[Moment, ...]:
    """Every single act of the run, by time."""
    moments: list[Moment] = []
    for kind in sorted(_MOMENTS, key=lambda k: k.value):
        rng = seeded(plan.seed, "moments", kind.value)
        moments += [Moment(kind, at_s, rng.random()) for at_s in _arrivals(rng, plan.rate(kind), plan.faults_until_s)]
    return tuple(sorted(moments, key=lambda m: (m.at_s, m.kind.value)))


def _arrivals(rng: SeededRandom, per_hour: float, until_s: float) -> list[float]:
    if per_hour <= 0:
        return []
    times, at_s = [], rng.expovariate(per_hour / 3600)
    while at_s < until_s:
        times.append(at_s)
        at_s += rng.expovariate(per_hour / 3600)
    return times


def _particulars(kind: FaultKind, rng: SeededRandom, markets: Sequence[str]) -> tuple[str, float]:
    match kind:
        case FaultKind.READS_FAIL:
            return rng.choice(READS), 0.0
        case FaultKind.READS_STALE:
            return rng.choice(LAGGING), rng.uniform(1.0, 60.0)
        case FaultKind.MARKET_MODE | FaultKind.THIN_BOOK:
            return ("" if rng.random() < 0.3 else rng.choice(list(markets))), rng.random()
        case _:
            return "", 0.0
