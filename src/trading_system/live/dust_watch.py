"""Positions smaller than the smallest order of their market: nothing can close them, and nobody would hear of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trading_system.data.market_registry import MarketRegistry
from trading_system.domain.orders import PositionId
from trading_system.domain.positions import Position


class DustWatch:
    """One per process: each position is told once."""

    def __init__(self) -> None:
        self._told: set[PositionId] = set()

    def take_new(self, held: Iterable[Position], markets: MarketRegistry) -> Iterator[tuple[Position, str]]:
        """Those of `held` that became dust, with what to say of each."""
        for position in held:
            instrument = markets.instrument(position.symbol)
            if instrument is None or position.qty >= instrument.size_unit or position.position_id in self._told:
                continue
            self._told.add(position.position_id)
            yield position, f"{position.qty} is dust: the smallest order is {instrument.size_unit}"
