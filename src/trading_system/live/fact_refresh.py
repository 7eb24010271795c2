"""Reads the contracts' fixed facts again when the venue refuses an order for its size or its price.

The trap it avoids: a step that changed under the cache makes every stop and every close of that market invalid until the next
discovery, hours later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from trading_system.data.market_discovery import FactsReread, MarketDiscovery
from trading_system.domain.protocols import Clock
from trading_system.domain.symbols import Symbol
from trading_system.execution.execution_gateway import ActionReport, EntryReport, SendStatus, Spawn

_WORDS: Final = ("invalidSize", "invalidPrice")
_PAUSE_S: Final = 4.0
"""Process seconds between two readings: shorter than the time after which a refused stop is tried again."""


class FactRefresh:
    """One per process. `on_read` is told what came of each reading."""

    def __init__(self, discovery: MarketDiscovery, clock: Clock, spawn: Spawn) -> None:
        self._discovery = discovery
        self._clock = clock
        self._spawn = spawn
        self._asked_s = float("-inf")
        self.on_read: Callable[[FactsReread], None] | None = None

    def judge(self, symbol: Symbol, report: ActionReport | EntryReport) -> None:
        """Read again beside everything else when this was refused for what the contract's facts decide."""
        now_s = self._clock.monotonic()
        is_about_facts = report.status is SendStatus.REJECTED and report.detail in _WORDS
        if not is_about_facts or now_s - self._asked_s < _PAUSE_S:
            return
        self._asked_s = now_s
        self._spawn("contract facts", self._read((symbol,)))

    async def _read(self, symbols: Iterable[Symbol]) -> None:
        reread = await self._discovery.reread_facts(symbols)
        if self.on_read is not None:
            self.on_read(reread)
