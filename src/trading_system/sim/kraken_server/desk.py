"""What the endpoints stand on: the exchange model, the account's name, and the few facts the front keeps itself."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trading_system.sim.exchange import SimExchange
from trading_system.sim.read_models import LaggingReads

_NAMESPACE = uuid.UUID("5f0c1a52-58a1-4b8e-9a53-6c0f3f1d7f10")


@dataclass(slots=True)
class Preferences:
    """Per-market preferences that the model does not know. (A fixed leverage it does: the position is isolated.)"""

    pnl_currency: dict[str, str] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        return {"pnl_currency": dict(self.pnl_currency)}

    def restore(self, record: Mapping[str, Any]) -> None:
        self.pnl_currency = dict(record["pnl_currency"])


@dataclass(slots=True)
class Desk:
    """Everything an endpoint may touch. process_ms: the watch that read delays are counted by; None = market time."""

    exchange: SimExchange
    account_uid: str
    preferences: Preferences = field(default_factory=Preferences)
    on_preferences: Callable[[Preferences], None] = lambda _preferences: None
    """Makes a changed preference durable."""
    process_ms: Callable[[], int] | None = None
    clock_offset_ms: int = 0
    """How far the clock that clients see is off market time: `serverTime`, and what `processBefore` is judged by."""
    reads: LaggingReads = field(init=False)
    """Where open orders, positions and fills are listed from."""

    def __post_init__(self) -> None:
        self.reads = LaggingReads(self.exchange, now_ms=self.process_ms)

    @property
    def now_ms(self) -> int:
        return self.exchange.now_ms

    @property
    def server_ms(self) -> int:
        """What the server's clock shows."""
        return self.exchange.now_ms + self.clock_offset_ms

    def deadline_ms(self, shown_ms: int | None) -> int | None:
        """A deadline by the server's clock as market time."""
        return None if shown_ms is None else shown_ms - self.clock_offset_ms

    def market(self, text: str) -> str | None:
        """The venue symbol of a name (in any case, unless the variant says otherwise), or None."""
        symbol = text.upper() if self.exchange.config.variants.folds_symbol_case else text
        return symbol if symbol in self.exchange.symbols() else None


def account_uid(key: str) -> str:
    """The account's uid: the same key, the same account."""
    return str(uuid.uuid5(_NAMESPACE, key))


def uid_of(*parts: object) -> str:
    """A stable uid for something the model does not number."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in parts)))
