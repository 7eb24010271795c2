"""Where prices come from: the seam between the exchange model and a generator or a replay.

The trap it avoids: a path that depends on how fast it is asked. A source is a function of its parameters and market
time only; asking in one step or in a thousand gives the same points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Protocol, runtime_checkable

from trading_system.domain.market import Bar, Tier, Timeframe
from trading_system.sim.bars import DayStats
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

    @property
    def digits(self) -> int:
        """Decimals of a price on the tick."""
        return max(0, -int(self.tick.normalize().as_tuple().exponent))


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


class PriceBars(Protocol):
    """The bars of one price of one market, from its past to now."""

    def update(self, at_ms: int, price: float, volume: float) -> None:
        """Add one price of the path."""
        ...

    def between(self, resolution: str, from_ms: int, to_ms: int, week_opens_ms: int = ...) -> list[Bar]:
        """Bars whose open time is in [from_ms, to_ms], the running one included; KeyError for an unknown resolution."""
        ...

    @property
    def first_ms(self) -> int | None:
        """Open time of the oldest bar that is still known; None when there is none."""
        ...

    @property
    def last_close(self) -> float:
        """Close of the newest closed bar; 0.0 without one."""
        ...

    def day(self, now_ms: int) -> DayStats:
        """Statistics of the last 24 hours."""
        ...

    def day_volume(self, now_ms: int) -> tuple[float, float]:
        """Of the last 24 hours: base units, and each quarter's volume at its close."""
        ...

    def day_volume_later(self, now_ms: int) -> Callable[[], tuple[float, float]]:
        """What `day_volume` gives now, for one who may never read it."""
        ...

    def snapshot(self, *, is_raw: bool = False) -> dict[str, Any]:
        """What is not history of the source."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put a snapshot on top of the source's history."""
        ...


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


class LateBars(PriceBars, Protocol):
    """Bars that come into being as they are told."""

    def latest(self, until_ms: int) -> tuple[int, float, float, int] | None:
        """Of the newest point up to `until_ms`: when, mid and index price, volume (as in PricePoint), and how many untold points it
        stands for; None when all are told."""
        ...


@runtime_checkable
class LateSource(PriceSource, Protocol):
    """A source that tells the points of a market nobody has a stake in only when somebody looks there."""

    def watch(self, watched: Callable[[int], Sequence[int]]) -> None:
        """watched(at_ms): numbers of the markets whose points `points` tells, ascending; asked before each moment of the path."""
        ...

    def series(self, market: int) -> LateBars:
        """The market's bars as far as they were told: they need no `update`."""
        ...
