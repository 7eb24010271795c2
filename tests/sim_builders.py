"""Builders for tests of the embedded exchange: a scripted price path and short ways to send orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading_system.domain.market import Bar, Tier, Timeframe
from trading_system.sim.exchange import ExchangeConfig, SimExchange
from trading_system.sim.margin_schedule import MarginClass
from trading_system.sim.model import SendRequest, SendResult, SimEvent
from trading_system.sim.source import MarketSpec, PricePoint

D = Decimal
START_MS = 1_790_812_800_000  # a full hour
BTC, DOGE = "PF_XBTUSD", "PF_DOGEUSD"


def a_spec(symbol: str = BTC, *, tick: str = "1", step: str = "0.0001", depth_usd: float = 5e6, largest: str = "1200") -> MarketSpec:
    return MarketSpec(symbol, D(tick), D(step), D(step), D(largest), MarginClass.A, Tier.A, 1.0, depth_usd, 4e8)


DOGE_SPEC = MarketSpec(DOGE, D("0.00001"), D(1), D(1), D(10_000_000), MarginClass.D, Tier.B, 4.0, 20_000.0, 2e6)


class ScriptedPath:
    """A PriceSource whose points the test writes. Every market begins at `first`."""

    def __init__(self, specs: Sequence[MarketSpec] = (a_spec(), DOGE_SPEC), first: Sequence[float] = (80_000.0, 0.1)) -> None:
        self.start_ms = START_MS
        self._specs = tuple(specs)
        self._first = tuple(first)
        self.script: list[PricePoint] = []
        self._at = 0

    def markets(self) -> Sequence[MarketSpec]:
        return self._specs

    def history(self, market: int, timeframe: Timeframe) -> Iterable[Bar]:
        price = self._first[market]
        return [Bar(START_MS - timeframe.ms, price, price, price, price, 1.0)]

    def bind(self, direction_of: Callable[[int], int]) -> None: ...

    def then(
        self, mid: float, *, seconds: float = 10, market: int = 0, index: float | None = None, volume: float = 1.0, continuous: bool = False
    ) -> ScriptedPath:
        """Append a point `seconds` after the last one (of any market)."""
        last = self.script[-1].at_ms if self.script else START_MS
        self.script.append(PricePoint(last + int(seconds * 1000), market, mid, mid if index is None else index, volume, continuous))
        return self

    def points(self, until_ms: int) -> Iterator[PricePoint]:
        while self._at < len(self.script) and self.script[self._at].at_ms <= until_ms:
            self._at += 1
            yield self.script[self._at - 1]

    def snapshot_state(self) -> dict[str, Any]:
        return {"at": self._at}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        self._at = state["at"]


class Venue:
    """An exchange on a scripted path, with its events recorded."""

    def __init__(self, path: ScriptedPath | None = None, **config: Any) -> None:
        self.path = path or ScriptedPath()
        self.commits: list[Mapping[str, Any]] = []
        self.exchange = SimExchange(self.path, ExchangeConfig(**config), on_commit=self.commits.append)
        self.events: list[SimEvent] = []
        self.exchange.subscribe(self.events.append)

    def price(self, mid: float, **more: Any) -> Venue:
        """Let the path move to `mid`, and market time with it."""
        self.path.then(mid, **more)
        self.exchange.advance_to(self.path.script[-1].at_ms)
        return self

    def send(self, order_type: str, side: str, size: str, symbol: str = BTC, **more: Any) -> SendResult:
        prices = {name: D(value) for name, value in more.items() if name in ("limit_price", "stop_price") and value is not None}
        return self.exchange.send(SendRequest(symbol, order_type, side, D(size), **{**more, **prices}))

    def position(self, symbol: str = BTC) -> Decimal:
        """Signed size."""
        return sum((row.size if row.is_long else -row.size for row in self.exchange.positions() if row.symbol == symbol), D(0))
