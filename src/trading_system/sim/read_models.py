"""The venue's lagging read models: open orders, positions and fills, each listed as it was a while ago, each with its own delay.

The trap it is for: a client that takes "not listed" for "not there". Order status, the account and the feeds do not lag.
Whoever serves listings (the in-process ports, the HTTP front) asks here instead of the exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from trading_system.sim.exchange import SimExchange
from trading_system.sim.fault_reads import PastValues
from trading_system.sim.model import FillFeed, OrderFeed, OrderRow, PositionRow, PositionsFeed, SimEvent, SimFill

DELAY_MS_MAX = 60_000


@dataclass(frozen=True, slots=True)
class ReadDelays:
    """Milliseconds; 0 = listed at once. ValueError outside 0 … 60,000."""

    orders_ms: int = 0
    positions_ms: int = 0
    fills_ms: int = 0

    def __post_init__(self) -> None:
        for name in _DELAYS:
            delay_ms = getattr(self, name)
            if not 0 <= delay_ms <= DELAY_MS_MAX:
                raise ValueError(f"{name} {delay_ms}: must be whole milliseconds, 0 to {DELAY_MS_MAX}")


_DELAYS = ("orders_ms", "positions_ms", "fills_ms")


def delays_of(row: object) -> ReadDelays:
    """Delays from their JSON or YAML form; ValueError (TypeError: no mapping) names key, value and what would be right."""
    if not isinstance(row, Mapping):
        raise TypeError(f"read_delays {row!r}: must be a mapping like {{orders_ms: 800}}")
    if unknown := sorted(str(name) for name in row if name not in _DELAYS):
        raise ValueError(f"unknown read delays {unknown}; known are {', '.join(_DELAYS)}")
    for name, delay_ms in row.items():
        if type(delay_ms) is not int:  # a bool is none
            raise ValueError(f"{name} {delay_ms!r}: must be whole milliseconds, 0 to {DELAY_MS_MAX}")
    return ReadDelays(**row)


class LaggingReads:
    """Listings with delays. Without delays it passes through and keeps nothing."""

    def __init__(self, exchange: SimExchange, delays: ReadDelays | None = None, now_ms: Callable[[], int] | None = None) -> None:
        """now_ms: the watch that delays are counted by; None = market time. A front passes process time."""
        self._exchange = exchange
        self._now_ms = now_ms or (lambda: exchange.now_ms)
        self.unsubscribe = exchange.subscribe(self._on_event)
        self.delays = ReadDelays()
        self._forget()
        self.set_delays(delays or ReadDelays())

    def set_delays(self, delays: ReadDelays) -> None:
        """Change the delays. What was before is not known: listings stand still until the delay has passed."""
        self.delays = delays
        self._forget()
        before_ms = self._now_ms() - 1  # a change within this very millisecond comes after
        if delays.orders_ms:
            self._orders.note(before_ms, self._exchange.open_orders())
        if delays.positions_ms:
            self._positions.note(before_ms, self._exchange.positions())
        self._fill_seqs.note(before_ms, self._last_fill_seq())

    def _forget(self) -> None:
        self._orders: PastValues[tuple[OrderRow, ...]] = PastValues()
        self._positions: PastValues[tuple[PositionRow, ...]] = PastValues()
        self._fill_seqs: PastValues[int] = PastValues()

    # --- listings ---

    def open_orders(self) -> tuple[OrderRow, ...]:
        """Newest first, triggers included."""
        delay_ms = self.delays.orders_ms
        return self._orders.at(self._now_ms() - delay_ms) if delay_ms else self._exchange.open_orders()

    def positions(self) -> tuple[PositionRow, ...]:
        """Marks and margins in the rows are of then, too."""
        delay_ms = self.delays.positions_ms
        return self._positions.at(self._now_ms() - delay_ms) if delay_ms else self._exchange.positions()

    def fills(self, before_ms: int | None = None, limit: int = 100) -> tuple[SimFill, ...]:
        """Newest first; with `before_ms` only those executed before it."""
        if not self.delays.fills_ms:
            return self._exchange.fills(before_ms, limit)
        found: list[SimFill] = []
        for fill in self.newest_fills():
            if before_ms is None or fill.at_ms < before_ms:
                found.append(fill)
                if len(found) == limit:
                    break
        return tuple(found)

    def newest_fills(self) -> Iterator[SimFill]:
        """All that are listed yet, newest first."""
        fills = reversed(self._exchange.executions())
        if not self.delays.fills_ms:
            yield from fills
            return
        last_seq = self._fill_seqs.at(self._now_ms() - self.delays.fills_ms)
        yield from (fill for fill in fills if fill.seq <= last_seq)

    # --- what happens ---

    def _on_event(self, event: SimEvent) -> None:
        match event:
            case OrderFeed():
                self._note_orders()
            case PositionsFeed():
                self._note_positions()
            case FillFeed():
                self._fill_seqs.note(self._now_ms(), event.fill.seq)
            case _:
                pass

    def _note_orders(self) -> None:
        if self.delays.orders_ms:
            self._orders.note(self._now_ms(), self._exchange.open_orders())

    def _note_positions(self) -> None:
        if self.delays.positions_ms:
            self._positions.note(self._now_ms(), self._exchange.positions())

    def _last_fill_seq(self) -> int:
        fills = self._exchange.executions()
        return fills[-1].seq if fills else 0
