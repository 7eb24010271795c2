"""Where prices come from: the seam between the exchange model and a generator or a replay.

The trap it avoids: a path that depends on how fast it is asked. A source is a function of its parameters and market
time only; asking in one step or in a thousand gives the same points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from trading_system.domain.market import Bar, Tier, Timeframe
from trading_system.sim.margin_schedule import MarginClass


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """A market's fixed facts and its liquidity. Depth in USD on each side within 1 % of mid."""

    symbol: str
    """Venue symbol, `PF_XBTUSD`."""
    tick: Decimal
    size_step: Decimal
    size_min: Decimal
    position_size_max: Decimal
    margin_class: MarginClass
    tier: Tier
    half_spread_bps: float
    depth_usd: float
    volume_usd_24h: float
    """Typical; scales the depth and the size of public trades."""
    category: str = ""
    opened_ms: int = 1_647_900_000_000
    funding_base_hourly: Decimal = Decimal(0)
    """Relative rate that is added to what the premium gives."""


class PricePoint(NamedTuple):
    """One observation of one market. Floats: they become Decimal only where an order or a position meets them."""

    at_ms: int
    market: int
    """Position in `PriceSource.markets()`."""
    mid: float
    index_price: float
    volume: float
    """Base units traded since the market's previous point; negative = the last taker sold."""
    is_continuous: bool
    """True when every price between the previous mid and this one was traded on the way (inside a replayed bar); False = it may gap."""


class PriceSource(Protocol):
    """A price path that is a function of market time."""

    def markets(self) -> Sequence[MarketSpec]:
        """Fixed for the life of the source."""
        ...

    @property
    def start_ms(self) -> int:
        """Market time at which the path begins; histories end before it."""
        ...

    def history(self, market: int, timeframe: Timeframe) -> Iterable[Bar]:
        """Closed bars before `start_ms`, ascending."""
        ...

    def bind(self, direction_of: Callable[[int], int]) -> None:
        """Told once, before the first point: +1/-1/0 of our position on a market (a replay orders a bar's extremes by it)."""
        ...

    def points(self, until_ms: int) -> Iterator[PricePoint]:
        """The next points up to and including `until_ms`, in order of time; each point is yielded once."""
        ...

    def snapshot_state(self) -> dict[str, Any]:
        """Path position as JSON-able data."""
        ...

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot of a source with the same parameters; ValueError when they differ."""
        ...
