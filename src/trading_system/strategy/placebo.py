"""The placebo: what a strategy would earn if its timing were chance. A yardstick, not a way to trade.

It follows another strategy silently, and for each of its signals draws a later 15m bar at which it gives the same direction
with stop and target at the same distances, as fractions of price. What the followed strategy earns beyond this is the worth
of its timing; the rest is market, costs and exits.

The schedule is a function of the bars alone: the followed strategy is asked after every 15m bar whether or not anybody asks
the placebo, with costs that are fixed, and the draw is a hash of (seed, symbol, close of the signal bar). So a warm-up after
a restart finds the same entries, and no entry depends on a bar after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from trading_system.domain.errors import ConfigError
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import Strategy, StrategyCosts
from trading_system.domain.signals import Decision, Emitted, Regime, Signal
from trading_system.domain.symbols import Symbol
from trading_system.strategy.bars import is_sound
from trading_system.strategy.costs import compute_cost_bps
from trading_system.strategy.gates import DATA_INSUFFICIENT, DATA_STALE
from trading_system.strategy.indicators import Atr
from trading_system.strategy.ladders import LadderDraft, Rung
from trading_system.strategy.parameters import TIGHT_DEFAULTS, WIDE_DEFAULTS

NO_ENTRY_DRAWN: Final = "NO_ENTRY_DRAWN"
REASON_CODES: Final = frozenset((DATA_INSUFFICIENT, DATA_STALE, NO_ENTRY_DRAWN))

_ATR_BARS: Final = 14
_AGE_MAX_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class FixedCosts:
    """Implements StrategyCosts with what a trade on a liquid market costs: the past's spreads are not known in a warm-up."""

    spread_bps: float = 2.0
    entry_fee_bps: float = 5.0
    exit_fee_bps: float = 5.0
    funding_bps_per_hour: float = 0.0


@dataclass(frozen=True, slots=True)
class PlaceboParameters:
    """seed: another seed is another draw. cooldown_hours: as the live code keeps it between signals of one symbol."""

    seed: int = 1
    delay_bars_max: int = 96
    """An entry comes 1 to so many 15m bars after its signal, each equally likely."""
    cooldown_hours: float = 4.0

    def __post_init__(self) -> None:
        if self.delay_bars_max < 1:
            raise ConfigError(f"placebo delay_bars_max is {self.delay_bars_max}; it must be at least 1")
        if not 0.0 <= self.cooldown_hours < 1e6:
            raise ConfigError(f"placebo cooldown_hours is {self.cooldown_hours}; it must not be below 0")

    @property
    def cooldown_ms(self) -> int:
        return round(self.cooldown_hours * 3_600_000)


class Drawn(NamedTuple):
    """An entry to come: at the 15m bar number `due`, in place of `signal`."""

    due: int
    signal: Signal


class _Market:
    """What is remembered of one symbol; bounded, as entries keep a cooldown between them and an end to their delay."""

    __slots__ = ("atr_4h", "atr_15m", "count", "drawn", "last", "last_open_ms", "newest_close_ms", "taken_ms", "unjudged_ms")

    def __init__(self) -> None:
        self.atr_4h, self.atr_15m = Atr(_ATR_BARS), Atr(_ATR_BARS)
        self.count = 0
        """15m bars so far; the newest has this number."""
        self.last: Bar | None = None
        self.last_open_ms = dict.fromkeys(Timeframe, -1)
        self.newest_close_ms = -1
        self.unjudged_ms: int | None = None
        """Close of the newest 15m bar while the followed strategy was not asked about it."""
        self.taken_ms: int | None = None
        """When the followed strategy's last signal outside the cooldown was."""
        self.drawn: list[Drawn] = []
        """Entries to come, and those of the last cooldown."""


class PlaceboStrategy:
    """Implements the `Strategy` port round another one, which it owns: nobody else may feed or ask that one.

    Bars must come in order of their close time over all timeframes, as the live feed and its warm-up bring them. A 15m bar that
    comes after a bar that closed later is not judged: the followed strategy has seen its future by then.
    """

    def __init__(self, followed: Strategy, parameters: PlaceboParameters | None = None, costs: StrategyCosts | None = None) -> None:
        self._followed = followed
        self._parameters = PlaceboParameters() if parameters is None else parameters
        self._costs: StrategyCosts = FixedCosts() if costs is None else costs
        self._markets: dict[Symbol, _Market] = {}
        self._rungs = (
            Rung("data", f"{_ATR_BARS} 4h and {_ATR_BARS} 15m closed bars; 15m close at most {_AGE_MAX_MS // 3_600_000} h old"),
            Rung(
                "draw",
                f"a random entry drawn for this bar, 1 to {self._parameters.delay_bars_max} bars after a signal of the followed strategy",
            ),
        )

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        """Feed one closed bar; an unsound, duplicate or older one is ignored."""
        if is_sound(bar, timeframe):
            self.ingest(symbol, timeframe, bar)

    def ingest(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        """`update` for a bar that is known to be sound. Prices may have either sign here: mirrored markets use this door."""
        market = self._markets.get(symbol)
        if market is None:
            market = self._markets[symbol] = _Market()
        if bar.open_ms <= market.last_open_ms[timeframe]:
            return
        closed_ms = bar.open_ms + timeframe.ms
        # Bars that close together come in any order, so a 15m bar is judged when the first later one arrives.
        if market.unjudged_ms is not None and closed_ms > market.unjudged_ms:
            self._follow(symbol, market, market.unjudged_ms)
        market.last_open_ms[timeframe] = bar.open_ms
        market.newest_close_ms = max(market.newest_close_ms, closed_ms)
        self._followed.update(symbol, timeframe, bar)
        if timeframe is Timeframe.H4:
            market.atr_4h.update(bar.high, bar.low, bar.close)
        elif timeframe is Timeframe.M15:
            market.count += 1
            market.last = bar
            market.atr_15m.update(bar.high, bar.low, bar.close)
            market.unjudged_ms = closed_ms if closed_ms == market.newest_close_ms else None

    def _follow(self, symbol: Symbol, market: _Market, closed_ms: int) -> None:
        """Ask the followed strategy about the bar that closed at `closed_ms`; draw when it gives a signal."""
        market.unjudged_ms = None
        spacing = max(1, -(-self._parameters.cooldown_ms // Timeframe.M15.ms))
        market.drawn = [one for one in market.drawn if one.due > market.count - spacing]
        signal = self._followed.decide(symbol, closed_ms, self._costs)
        if not isinstance(signal, Signal):
            return
        cooldown_ms = self._parameters.cooldown_ms
        if market.taken_ms is not None and closed_ms - market.taken_ms < cooldown_ms:
            return
        market.taken_ms = closed_ms
        self._followed.mark_emitted(signal)
        due = market.count + draw_delay(self._parameters, symbol, signal.at_ms)
        # Of two entries nearer to each other than the cooldown the second would be lost: the later draw waits its turn.
        for other in sorted(one.due for one in market.drawn):
            if abs(due - other) < spacing:
                due = other + spacing
        # A strategy that signals without a pause would make the queue grow for ever.
        if due <= market.count + 2 * self._parameters.delay_bars_max:
            market.drawn.append(Drawn(due, signal))

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        """Judge the newest closed 15m bar: a signal when an entry was drawn for it. Changes nothing."""
        market = self._markets.get(symbol)
        bar = None if market is None else market.last
        closed_ms, price = (at_ms, None) if bar is None else (bar.open_ms + Timeframe.M15.ms, bar.close)
        draft = LadderDraft(symbol, closed_ms, price, self._rungs)
        if market is None or bar is None or not (market.atr_4h.is_ready and market.atr_15m.is_ready):
            have = "no bars" if market is None else f"{market.atr_4h.count} 4h and {market.count} 15m bars"
            draft.check(False, DATA_INSUFFICIENT, have)
            return draft.refusal()
        age_h, limit_h = (at_ms - closed_ms) / 3_600_000, _AGE_MAX_MS / 3_600_000
        if not draft.check(age_h <= limit_h, DATA_STALE, age_h, age_h - limit_h):
            return draft.refusal()
        drawn = next((one.signal for one in market.drawn if one.due == market.count), None)
        pending = sum(one.due > market.count for one in market.drawn)
        if not draft.check(drawn is not None, NO_ENTRY_DRAWN, f"{pending} to come") or drawn is None:
            return draft.refusal()
        sign = drawn.direction.sign
        scale = abs(bar.close / drawn.entry_price)
        hold_hours = (TIGHT_DEFAULTS if drawn.regime is Regime.TIGHT_SMC else WIDE_DEFAULTS).hold_hours
        return Signal(
            symbol=symbol,
            at_ms=closed_ms,
            direction=drawn.direction,
            regime=drawn.regime,
            entry_price=bar.close,
            stop_price=bar.close + scale * (drawn.stop_price - drawn.entry_price),
            target_price=bar.close + scale * (drawn.target_price - drawn.entry_price),
            score=drawn.score,
            reward_risk=drawn.reward_risk,
            atr_15m=market.atr_15m.value,
            atr_4h=market.atr_4h.value,
            cost_bps=compute_cost_bps(costs, sign, hold_hours),
            setup=f"placebo of {drawn.setup}",
            ladder=draft.ladder(),
            zone_ids=(f"placebo@{drawn.at_ms}",),
            premise_price=None if drawn.premise_price is None else bar.close + scale * (drawn.premise_price - drawn.entry_price),
        )

    def mark_emitted(self, signal: Emitted) -> None:
        """Nothing to remember: each drawn entry is of one bar, and the schedule must not depend on what became of its entries."""

    def forget(self, symbol: Symbol) -> None:
        """Drop all state of a symbol, that of the followed strategy too."""
        self._markets.pop(symbol, None)
        self._followed.forget(symbol)


def draw_delay(parameters: PlaceboParameters, symbol: Symbol, signal_ms: int) -> int:
    """15m bars from a signal to its placebo entry: 1 to `delay_bars_max`, a function of (seed, symbol, signal bar) only."""
    digest = sha256(f"{parameters.seed}|{symbol}|{signal_ms}".encode()).digest()
    return 1 + int.from_bytes(digest[:8], "big") % parameters.delay_bars_max
