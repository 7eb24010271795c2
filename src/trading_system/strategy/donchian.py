"""Donchian breakout: a 4h close beyond the channel of the bars before it. A second strategy, small enough to read in one go.

Source of the rule: Richard Donchian's four-week rule, here in 4h bars. Consecutive breaks in one direction are one setup: it
begins with the first break and ends when a close crosses the middle of the channel or breaks its other side. As in the SMC
engine a short setup is the long one on negated prices (`oriented`), so both sides are mirror images to the last bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Final

from trading_system.domain.errors import ConfigError
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.orders import Direction
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision, Emitted, Regime, Signal
from trading_system.domain.symbols import Symbol
from trading_system.strategy.bars import is_sound
from trading_system.strategy.costs import compute_cost_bps
from trading_system.strategy.gates import DATA_INSUFFICIENT, DATA_STALE, RR_TOO_LOW, STOP_INVALID
from trading_system.strategy.indicators import Atr
from trading_system.strategy.ladders import LadderDraft, Rung
from trading_system.strategy.stops import distance_bounds

NO_CHANNEL_BREAK: Final = "NO_CHANNEL_BREAK"
SETUP_USED: Final = "SETUP_USED"
BREAK_NOT_FRESH: Final = "BREAK_NOT_FRESH"
PRICE_RAN_AWAY: Final = "PRICE_RAN_AWAY"
REASON_CODES: Final = frozenset(
    (DATA_INSUFFICIENT, DATA_STALE, NO_CHANNEL_BREAK, SETUP_USED, BREAK_NOT_FRESH, PRICE_RAN_AWAY, STOP_INVALID, RR_TOO_LOW)
)

_USED_MAX: Final = 16
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class DonchianParameters:
    """The numbers of the rule. Fractions of price are plain (0.10 = 10 %)."""

    channel_bars: int = 20
    """4h bars whose highest high and lowest low make the channel; the breaking bar is not among them."""
    atr_bars: int = 14
    bars_4h_min: int = 50
    bars_15m_min: int = 50
    age_of_4h_close_max_h: float = 5.0
    entry_bars_15m_max: int = 4
    """The entry must come at one of the first so many 15m closes since the break, counted with the one at the break."""
    chase_atr_4h_max: float = 0.5
    """How far the price may have run beyond the breaking close."""
    stop_atr_4h: float = 2.0
    """The stop stands so many ATR14(4h) away, or at the middle of the channel where that is nearer."""
    stop_atr_15m_min: float = 1.0
    stop_cost_multiple_min: float = 7.0
    stop_distance_fraction_max: float = 0.10
    target_r: float = 3.0
    reward_risk_min: float = 1.5
    """Of the target, after the cost of the trade."""
    hold_hours: float = 36.0

    def __post_init__(self) -> None:
        for name in ("channel_bars", "atr_bars", "bars_4h_min", "bars_15m_min", "entry_bars_15m_max"):
            if getattr(self, name) < 1:
                raise ConfigError(f"donchian {name} is {getattr(self, name)}; it must be at least 1")
        for name in ("age_of_4h_close_max_h", "stop_atr_4h", "stop_atr_15m_min", "stop_cost_multiple_min", "target_r", "hold_hours"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0.0):
                raise ConfigError(f"donchian {name} is {getattr(self, name)}; it must be finite and above 0")
        for name in ("chase_atr_4h_max", "reward_risk_min"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) >= 0.0):
                raise ConfigError(f"donchian {name} is {getattr(self, name)}; it must be finite and not below 0")
        if not 0.0 < self.stop_distance_fraction_max < 1.0:
            raise ConfigError(f"donchian stop_distance_fraction_max is {self.stop_distance_fraction_max}; it must lie between 0 and 1")

    def rungs(self) -> tuple[Rung, ...]:
        """The gates in their order."""
        return (
            Rung(
                "data",
                f"{self.bars_4h_min} 4h and {self.bars_15m_min} 15m closed bars; 4h close at most {self.age_of_4h_close_max_h:g} h old",
            ),
            Rung("break", f"last 4h close beyond the high or low of the {self.channel_bars} bars before it"),
            Rung("unused", "no earlier bar gave a signal from this run of breaks"),
            Rung("fresh", f"one of the first {self.entry_bars_15m_max} 15m closes since the break"),
            Rung("chase", f"price at most {self.chase_atr_4h_max:g} x ATR{self.atr_bars}(4h) beyond the breaking close"),
            Rung(
                "stop",
                f"distance at least {self.stop_atr_15m_min:g} x ATR{self.atr_bars}(15m) and {self.stop_cost_multiple_min:g} x cost, "
                f"at most {self.stop_distance_fraction_max:.0%} of price",
            ),
            Rung("reward", f"{self.target_r:g} R target worth at least {self.reward_risk_min:g} R after cost"),
        )


class _Market:
    """What is remembered of one symbol; bounded."""

    __slots__ = ("atr_4h", "atr_15m", "bars", "break_excess", "break_sign", "last_4h", "last_15m", "mid", "run_open_ms", "run_sign", "used")

    def __init__(self, parameters: DonchianParameters) -> None:
        self.bars: deque[Bar] = deque(maxlen=parameters.channel_bars)
        self.atr_4h, self.atr_15m = Atr(parameters.atr_bars), Atr(parameters.atr_bars)
        self.last_4h: Bar | None = None
        self.last_15m: Bar | None = None
        self.break_sign = 0
        """Of the newest 4h bar; 0 = it broke nothing."""
        self.break_excess = 0.0
        """How far its close lies beyond the channel, price units."""
        self.mid = 0.0
        """Middle of the channel before the newest 4h bar."""
        self.run_sign = 0
        self.run_open_ms = -1
        self.used: dict[str, int] = {}
        """Setup name -> close of the 15m bar whose signal used it."""

    @property
    def setup_id(self) -> str:
        return f"donchian{'+' if self.run_sign > 0 else '-'}{self.run_open_ms}"

    def take_4h(self, bar: Bar) -> None:
        """Judge the bar against the channel of those before it, then make it part of the channel."""
        self.atr_4h.update(bar.high, bar.low, bar.close)
        self.break_sign, self.break_excess = 0, 0.0
        if len(self.bars) == self.bars.maxlen:
            high, low = max(one.high for one in self.bars), min(one.low for one in self.bars)
            self.mid = (high + low) / 2.0
            if bar.close > high:
                self.break_sign, self.break_excess = 1, bar.close - high
            elif bar.close < low:
                self.break_sign, self.break_excess = -1, low - bar.close
            if self.break_sign and self.break_sign != self.run_sign:
                self.run_sign, self.run_open_ms = self.break_sign, bar.open_ms
            elif self.run_sign * (bar.close - self.mid) < 0.0:
                self.run_sign = 0
        self.bars.append(bar)
        self.last_4h = bar


class DonchianStrategy:
    """Implements the `Strategy` port. Timeframes are independent: only the order within one matters; 1h and 1d are not used."""

    def __init__(self, parameters: DonchianParameters | None = None) -> None:
        self._parameters = DonchianParameters() if parameters is None else parameters
        self._rungs = self._parameters.rungs()
        self._markets: dict[Symbol, _Market] = {}

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        """Feed one closed bar; an unsound, duplicate or older one is ignored. O(channel_bars)."""
        if is_sound(bar, timeframe):
            self.ingest(symbol, timeframe, bar)

    def ingest(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        """`update` for a bar that is known to be sound. Prices may have either sign here: mirrored markets use this door."""
        market = self._markets.get(symbol)
        if market is None:
            market = self._markets[symbol] = _Market(self._parameters)
        if timeframe is Timeframe.H4 and (market.last_4h is None or bar.open_ms > market.last_4h.open_ms):
            market.take_4h(bar)
        elif timeframe is Timeframe.M15 and (market.last_15m is None or bar.open_ms > market.last_15m.open_ms):
            market.atr_15m.update(bar.high, bar.low, bar.close)
            market.last_15m = bar

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        """Judge the newest closed 15m bar; `at_ms` (market time now) serves only to tell stale data. Changes nothing."""
        p, market = self._parameters, self._markets.get(symbol)
        quarter, four_hours = (None, None) if market is None else (market.last_15m, market.last_4h)
        if market is None or quarter is None or four_hours is None:
            closed_ms, price = (at_ms, None) if quarter is None else (quarter.open_ms + Timeframe.M15.ms, quarter.close)
            draft = LadderDraft(symbol, closed_ms, price, self._rungs)
            draft.check(False, DATA_INSUFFICIENT, "no 4h or no 15m bar")
            return draft.refusal()
        closed_ms, broken_ms = quarter.open_ms + Timeframe.M15.ms, four_hours.open_ms + Timeframe.H4.ms
        draft = LadderDraft(symbol, closed_ms, quarter.close, self._rungs)
        if not self._has_data(draft, market, (at_ms - broken_ms) / _HOUR_MS):
            return draft.refusal()
        sign = market.break_sign
        if not draft.check(sign != 0, NO_CHANNEL_BREAK, four_hours.close):
            return draft.refusal()
        # a mark counts for later bars only: asking twice about one bar must give the same answer
        if not draft.check(market.used.get(market.setup_id, closed_ms) >= closed_ms, SETUP_USED, market.setup_id):
            return draft.refusal()
        late = (closed_ms - broken_ms) / Timeframe.M15.ms
        too_late = late - (p.entry_bars_15m_max - 1)
        if not draft.check(late >= 0.0 and too_late <= 0.0, BREAK_NOT_FRESH, late, max(too_late, -late)):
            return draft.refusal()
        # oriented from here on; the ATR is positive, or nothing could have been broken
        atr_4h, price = market.atr_4h.value, sign * quarter.close
        ran = (price - sign * four_hours.close) / atr_4h
        if not draft.check(ran <= p.chase_atr_4h_max, PRICE_RAN_AWAY, ran, ran - p.chase_atr_4h_max):
            return draft.refusal()
        cost_bps = compute_cost_bps(costs, sign, p.hold_hours)
        stop = max(price - p.stop_atr_4h * atr_4h, sign * market.mid)
        risk = price - stop
        smallest, largest = distance_bounds(
            price,
            market.atr_15m.value,
            cost_bps,
            atr_15m_min=p.stop_atr_15m_min,
            cost_multiple_min=p.stop_cost_multiple_min,
            fraction_max=p.stop_distance_fraction_max,
        )
        if not draft.check(risk > 0.0 and smallest <= risk <= largest, STOP_INVALID, risk, max(smallest - risk, risk - largest)):
            return draft.refusal()
        cost = cost_bps * 1e-4 * abs(price)
        reward_risk = (p.target_r * risk - cost) / (risk + cost)
        if not draft.check(reward_risk >= p.reward_risk_min, RR_TOO_LOW, reward_risk, p.reward_risk_min - reward_risk):
            return draft.refusal()
        return Signal(
            symbol=symbol,
            at_ms=closed_ms,
            direction=Direction.LONG if sign > 0 else Direction.SHORT,
            regime=Regime.WIDE_STRUCTURE,
            entry_price=sign * price,
            stop_price=sign * stop,
            target_price=sign * (price + p.target_r * risk),
            score=50.0 + 50.0 * min(1.0, market.break_excess / atr_4h),
            reward_risk=p.target_r,
            atr_15m=market.atr_15m.value,
            atr_4h=atr_4h,
            cost_bps=cost_bps,
            setup="donchian break",
            ladder=draft.ladder(),
            zone_ids=(market.setup_id,),
        )

    def _has_data(self, draft: LadderDraft, market: _Market, age_h: float) -> bool:
        p = self._parameters
        for name, have, need in (
            ("4h", market.atr_4h.count, max(p.bars_4h_min, p.channel_bars + 1, p.atr_bars)),
            ("15m", market.atr_15m.count, max(p.bars_15m_min, p.atr_bars)),
        ):
            if have < need:
                return draft.check(False, DATA_INSUFFICIENT, f"{have} {name} bars", float(need - have))
        late_h = age_h - p.age_of_4h_close_max_h
        return draft.check(late_h <= 0.0, DATA_STALE, age_h, late_h)

    def mark_emitted(self, signal: Emitted) -> None:
        """The run of breaks gives no signal on later bars. Idempotent; the earliest mark stays."""
        market = self._markets.get(signal.symbol)
        if market is None:
            market = self._markets[signal.symbol] = _Market(self._parameters)
        self._note(market.used, signal.zone_ids, signal.at_ms)

    @staticmethod
    def _note(used: dict[str, int], names: Iterable[str], at_ms: int) -> None:
        for name in names:
            used[name] = min(used.get(name, at_ms), at_ms)
        while len(used) > _USED_MAX:
            del used[min(used, key=lambda name: (used[name], name))]

    def forget(self, symbol: Symbol) -> None:
        """Drop all state of a symbol."""
        self._markets.pop(symbol, None)
