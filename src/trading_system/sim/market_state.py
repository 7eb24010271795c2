"""One market while it runs: prices as floats, bars, the point's book, and the bounds that tell whether anybody cares.

`move` is the hot path: a market without orders or positions costs a few float operations per point. Prices become exact
tick counts or Decimals only when somebody asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from trading_system.domain.orders import Side
from trading_system.domain.units import floor_to_step
from trading_system.sim.book import Level, Touch, levels, touch
from trading_system.sim.margin_schedule import margin_levels
from trading_system.sim.model import MarketMode, OrderRow, TriggerSignal
from trading_system.sim.source import MarketSpec, PriceBars, PricePoint
from trading_system.sim.trailing import follows_at

_INFINITY: Final = float("inf")
_WHOLE: Final = Decimal(1)
_TRADES_KEPT: Final = 1_000
"""Public trades of one market that can be paged through."""
_TRADES_SAVED: Final = 100

_FLOATS: Final = ("mid", "index", "mark", "last", "volume", "premium", "premium_sum")
_COUNTS: Final = ("at_ms", "premium_ms", "point_no", "trade_seq")


def exact(price: float, tick: Decimal, tick_f: float) -> Decimal:
    """A float price on a grid ten times finer than the tick: what mark and index are quoted on. `tick_f` is tick as float."""
    return round(price / tick_f * 10) * (tick / 10)


class MarketState:
    """Prices and resting orders of one market. `orders` is changed through `put` and `drop` only."""

    __slots__ = (
        "_average_ms", "_index_above", "_index_below", "_last_above", "_last_below", "_limit_buy", "_limit_sell", "_mark_above",
        "_mark_below", "_touch", "_trade_types", "at_ms", "bars", "cross_f", "depth_left", "digits", "funding_absolute", "funding_relative",
        "half_spread", "index", "index_bars", "last", "margin_levels", "mark", "mark_bars", "mid", "mode", "number", "orders", "point_no",
        "position_f", "premium", "premium_ms", "premium_sum", "ruin_above", "ruin_below", "spec", "taken", "tick_f",
        "touched", "trade_seq", "trades", "version", "volume",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        spec: MarketSpec,
        bars: PriceBars,
        mark_bars: PriceBars | None,
        index_bars: PriceBars | None,
        start_ms: int,
        mark_average_ms: int = 30_000,
    ) -> None:
        """mark_average_ms: mark = index + premium averaged over this long (about 30 s; the exact average is not published)."""
        self.number = number
        self.spec = spec
        self.tick_f = float(spec.tick)
        self.digits = spec.digits
        self.half_spread = spec.half_spread_bps * 1e-4
        self.margin_levels = margin_levels(spec.margin_class)
        self.mode = MarketMode.ONLINE
        self.depth_left = _WHOLE  # share of the book that stands there: less of it when market makers have left
        self.bars, self.mark_bars, self.index_bars = bars, mark_bars, index_bars
        self.orders: dict[str, OrderRow] = {}
        self._average_ms = mark_average_ms
        self.trades: deque[tuple[int, int, float, float]] = deque(maxlen=_TRADES_KEPT)
        self._trade_types: dict[int, str] = {}  # of the trades that are no plain fills
        self.trade_seq = 0
        self.version = 0  # for caches: anything visible changed
        self.point_no = 0  # of the path: decides the book's sizes, so it is state
        self.at_ms = start_ms
        self.mid = self.index = self.mark = self.last = bars.last_close
        self.volume = self.premium = self.premium_sum = self.position_f = 0.0
        self.cross_f = 0.0  # the position as far as it leans on the cross equity
        self.ruin_below, self.ruin_above = -_INFINITY, _INFINITY  # marks beyond which an isolated position must be looked at
        self.premium_ms = 0
        self.funding_absolute = self.funding_relative = Decimal(0)
        self.taken: dict[tuple[Side, int], Decimal] = {}
        self.touched: set[str] = set()
        self._touch: Touch | None = None
        self.watch()

    @property
    def is_listed(self) -> bool:
        """False until the market has a first price."""
        return self.mid > 0

    def move(self, point: PricePoint) -> None:
        """Take the next point of the path. Hot: floats only."""
        at, _, mid, index, volume, _ = point
        elapsed = at - self.at_ms
        if mid == index and not self.premium:  # a replay without an index of its own
            mark = mid
        else:
            premium = mid / index - 1.0
            average = self._average_ms
            self.premium += (premium - self.premium) * (elapsed / average if elapsed < average else 1.0)
            self.premium_sum += premium * elapsed
            mark = index * (1.0 + self.premium)
        self.premium_ms += elapsed
        self.at_ms = at
        self.mid, self.index, self.mark, self.volume = mid, index, mark, volume
        self.last = last = round(mid, self.digits)
        self.version += 1
        self.point_no += 1
        self._touch = None
        if self.taken or self.touched:
            self.taken.clear()
            self.touched.clear()
        if self.mark_bars is not None and self.index_bars is not None:  # else the bars are the source's and know already
            self.bars.update(at, last, abs(volume))
            self.mark_bars.update(at, mark, 0.0)
            self.index_bars.update(at, index, 0.0)
        if volume:
            self.trade_seq += 1
            self.trades.append((self.trade_seq, at, last, volume))

    def jump(self, at_ms: int, price: float, volume: float, count: int) -> None:
        """Take the last of `count` points of a path without an index or bars of its own: nobody looked at those before it.

        The same as `move`, and `version` and `point_no` as if each had been taken.
        """
        if self.premium or self.taken or self.touched:  # of earlier points, which somebody looked at
            self.version += count - 1
            self.point_no += count - 1
            self.move(PricePoint(at_ms, self.number, price, price, volume, True))
            return
        self.premium_ms += at_ms - self.at_ms
        self.at_ms, self.volume = at_ms, volume
        self.mid = self.index = self.mark = price
        self.last = last = round(price, self.digits)
        self.version += count
        self.point_no += count
        self._touch = None
        if volume:
            self.trade_seq += 1
            self.trades.append((self.trade_seq, at_ms, last, volume))

    def stop_over(self, mid: float) -> None:
        """Stand at `mid` for a moment on the way to the next point (continuous moves): same clock, no bars, fresh book."""
        scale = mid / self.mid
        self.mid, self.index, self.mark = mid, self.index * scale, self.mark * scale
        self.last = round(mid, self.digits)
        self.version += 1
        self.point_no += 1
        self._touch = None
        self.taken.clear()
        self.touched.clear()

    def is_tripped(self) -> bool:
        """True when a resting order may execute or fire at this point. Wide by a tick: the exact test follows."""
        mid = self.mid
        return (
            mid - mid * self.half_spread < self._limit_buy
            or mid + mid * self.half_spread > self._limit_sell
            or not self._mark_below < self.mark < self._mark_above
            or not self._last_below < self.last < self._last_above
            or not self._index_below < self.index < self._index_above
        )

    # --- exact prices ---

    @property
    def touch(self) -> Touch:
        """Best bid and ask of the synthetic book, in ticks."""
        if self._touch is None:
            self._touch = touch(self.mid, self.spec, self.tick_f)
        return self._touch

    @property
    def last_ticks(self) -> int:
        return round(self.last / self.tick_f)

    def price_of(self, ticks: int) -> Decimal:
        return ticks * self.spec.tick

    def ticks_of(self, price: Decimal) -> int:
        """`price` must lie on the grid."""
        return int(price / self.spec.tick)

    def exact(self, price: float) -> Decimal:
        """On this market's grid."""
        return exact(price, self.spec.tick, self.tick_f)

    def mark_price(self) -> Decimal:
        return self.exact(self.mark)

    def index_price(self) -> Decimal:
        return self.exact(self.index)

    def last_price(self) -> Decimal:
        return self.price_of(self.last_ticks)

    def signal_price(self, signal: TriggerSignal) -> Decimal:
        if signal is TriggerSignal.MARK:
            return self.mark_price()
        return self.index_price() if signal is TriggerSignal.INDEX else self.last_price()

    def dislocated(self, width: Decimal | None) -> Side | None:
        """BUY when mark stands more than `width` (a fraction) above the index, SELL when below; None when neither, or without a width."""
        if width is None or not self.index:
            return None
        gap = self.mark / self.index - 1.0
        if abs(gap) <= float(width):
            return None
        return Side.BUY if gap > 0 else Side.SELL

    @property
    def is_as_written(self) -> bool:
        """True while the book is the synthetic one: nobody has an order in it, took from it at this point, or left it."""
        return not self.orders and not self.taken and self.depth_left == _WHOLE

    def levels(self, side: Side) -> Iterator[Level]:
        """What is left of the synthetic side (BUY = bids), best first; what we took at this point is gone."""
        for level in levels(side, self.touch, self.spec, self.point_no + self.number * 1009):
            stands = level.size if self.depth_left == _WHOLE else floor_to_step(level.size * self.depth_left, self.spec.size_step)
            left = stands - self.taken.get((side, level.number), Decimal(0))
            if left > 0:
                yield Level(level.number, level.ticks, left)

    def take(self, side: Side, number: int, size: Decimal) -> None:
        """Remove size from a synthetic level until the next point."""
        self.taken[side, number] = self.taken.get((side, number), Decimal(0)) + size

    def print_trade(self, price: Decimal, signed_size: float, trade_type: str = "fill") -> None:
        """Add one of our own executions to the public tape; negative = the taker sold."""
        self.trade_seq += 1
        if trade_type != "fill":
            self._trade_types = {seq: kind for seq, kind in self._trade_types.items() if seq > self.trade_seq - _TRADES_KEPT}
            self._trade_types[self.trade_seq] = trade_type
        self.trades.append((self.trade_seq, self.at_ms, float(price), signed_size))

    def trade_type(self, seq: int) -> str:
        """The tape's word for a trade: fill, liquidation, partial liquidation, assignment, termination."""
        return self._trade_types.get(seq, "fill")

    # --- state ---

    def snapshot(self, *, is_raw: bool = False) -> dict[str, Any]:
        """Everything but the orders (their keeper saves them) and the source's history."""
        return {
            "floats": {name: getattr(self, name) for name in _FLOATS},
            "counts": {name: getattr(self, name) for name in _COUNTS},
            "funding": [str(self.funding_absolute), str(self.funding_relative)],
            "mode": self.mode.value,
            "depth_left": str(self.depth_left),
            "trades": [list(trade) for trade in islice(self.trades, max(0, len(self.trades) - _TRADES_SAVED), None)],
            "trade_types": [list(item) for item in self._trade_types.items() if item[0] > self.trade_seq - _TRADES_SAVED],
            "taken": [[side.value, number, str(size)] for (side, number), size in self.taken.items()],
            "touched": sorted(self.touched),
            "bars": [series.snapshot(is_raw=is_raw) for series in self._all_bars()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over a snapshot, on a state fresh from the constructor."""
        for name, value in (*state["floats"].items(), *state["counts"].items()):
            setattr(self, name, value)
        self.funding_absolute, self.funding_relative = (Decimal(text) for text in state["funding"])
        self.mode = MarketMode(state["mode"])
        self.depth_left = Decimal(state.get("depth_left", _WHOLE))
        self.trades.extend((seq, at_ms, price, volume) for seq, at_ms, price, volume in state["trades"])
        self._trade_types = dict(state.get("trade_types", ()))
        self.taken = {(Side(side), number): Decimal(size) for side, number, size in state["taken"]}
        self.touched = set(state["touched"])
        self._touch = None
        for series, data in zip(self._all_bars(), state["bars"], strict=True):
            series.restore(data)

    def _all_bars(self) -> list[PriceBars]:
        return [series for series in (self.bars, self.mark_bars, self.index_bars) if series is not None]

    # --- resting orders ---

    def put(self, order: OrderRow) -> None:
        """Add or replace a resting order."""
        self.orders[order.order_id] = order
        self.version += 1
        self.watch()

    def drop(self, order_id: str) -> None:
        self.orders.pop(order_id, None)
        self.version += 1
        self.watch()

    def watch(self) -> None:
        """Recompute the bounds beyond which `is_tripped` speaks."""
        self._limit_buy, self._limit_sell = -_INFINITY, _INFINITY
        below = dict.fromkeys(TriggerSignal, -_INFINITY)
        above = dict.fromkeys(TriggerSignal, _INFINITY)
        tick = self.tick_f
        for order in self.orders.values():
            if not order.is_trigger:
                limit = float(order.limit_price or 0)
                if order.side is Side.BUY:
                    self._limit_buy = max(self._limit_buy, limit + tick)
                else:
                    self._limit_sell = min(self._limit_sell, limit - tick)
                continue
            stop, signal = float(order.stop_price or 0), order.trigger_signal or TriggerSignal.LAST
            if order.fires_below:
                below[signal] = max(below[signal], stop + tick)
            else:
                above[signal] = min(above[signal], stop - tick)
            if order.trailing is not None:
                bound = follows_at(order, tick)
                if order.fires_below:
                    above[signal] = min(above[signal], bound)
                else:
                    below[signal] = max(below[signal], bound)
        self._mark_below, self._mark_above = below[TriggerSignal.MARK], above[TriggerSignal.MARK]
        self._index_below, self._index_above = below[TriggerSignal.INDEX], above[TriggerSignal.INDEX]
        self._last_below, self._last_above = below[TriggerSignal.LAST], above[TriggerSignal.LAST]
