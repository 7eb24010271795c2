"""What the endpoints stand on: the exchange model, the account's name, and the few facts the front keeps itself."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trading_system.sim.exchange import SimExchange
from trading_system.sim.model import Notice

_NAMESPACE = uuid.UUID("5f0c1a52-58a1-4b8e-9a53-6c0f3f1d7f10")


@dataclass(slots=True)
class Preferences:
    """Per-market preferences. The margin model is cross: a fixed leverage is listed, it does not isolate the position."""

    leverage: dict[str, Decimal] = field(default_factory=dict)
    pnl_currency: dict[str, str] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        return {"leverage": {symbol: str(value) for symbol, value in self.leverage.items()}, "pnl_currency": dict(self.pnl_currency)}

    def restore(self, record: Mapping[str, Any]) -> None:
        self.leverage = {symbol: Decimal(value) for symbol, value in record["leverage"].items()}
        self.pnl_currency = dict(record["pnl_currency"])


@dataclass(slots=True)
class Desk:
    """Everything an endpoint may touch."""

    exchange: SimExchange
    account_uid: str
    preferences: Preferences = field(default_factory=Preferences)
    notifications: list[Notice] = field(default_factory=list)
    on_preferences: Callable[[Preferences], None] = lambda _preferences: None
    """Makes a changed preference durable."""

    @property
    def now_ms(self) -> int:
        return self.exchange.now_ms

    def market(self, text: str) -> str | None:
        """The venue symbol of a name in any case, or None."""
        symbol = text.upper()
        return symbol if symbol in self.exchange.symbols() else None


def account_uid(key: str) -> str:
    """The account's uid: the same key, the same account."""
    return str(uuid.uuid5(_NAMESPACE, key))


def uid_of(*parts: object) -> str:
    """A stable uid for something the model does not number."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in parts)))
