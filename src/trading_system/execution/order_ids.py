"""Names of positions and orders. Same arguments, same name: a second send of one attempt is impossible to hide.

Format of an order: `ts-{position}-{purpose}-{attempt}`; of a position: `BASE-YYYYMMDDHHMM` of the signal bar, adopted ones
`BASE-AYYYYMMDDHHMMSS` of the moment they were first seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from trading_system.domain.orders import ClientOrderId, OrderPurpose, PositionId, VenueOrderId
from trading_system.domain.symbols import Symbol, base_of
from trading_system.domain.units import from_ms

PREFIX: Final = "ts"
LENGTH_MAX: Final = 100
"""What the venue accepts (Kraken Futures API docs)."""
_PATTERN: Final = re.compile(r"ts-(?P<position>[0-9A-Z]+-A?[0-9]{12,14})-(?P<purpose>en|sl|tp1|tp2|cl|rd)-(?P<attempt>[1-9][0-9]*)\Z")
_FOREIGN: Final = "venue:"


@dataclass(frozen=True, slots=True)
class OrderName:
    """A client order id of ours, taken apart."""

    position_id: PositionId
    purpose: OrderPurpose
    attempt: int


def position_id_of(symbol: Symbol, signal_at_ms: int) -> PositionId:
    """`BTC-202511210815` for a signal on BTC/USD whose bar closed at 2025-11-21 08:15 UTC."""
    return PositionId(f"{base_of(symbol)}-{from_ms(signal_at_ms):%Y%m%d%H%M}")


def adopted_position_id(symbol: Symbol, seen_at: datetime) -> PositionId:
    """Name of a position found on the venue; `seen_at` is the market time of the read that showed it first."""
    return PositionId(f"{base_of(symbol)}-A{seen_at.astimezone(UTC):%Y%m%d%H%M%S}")


def client_order_id(position_id: PositionId, purpose: OrderPurpose, attempt: int) -> ClientOrderId:
    """The id of the `attempt`-th (from 1) order of that purpose; ValueError when it would not be one of ours."""
    text = f"{PREFIX}-{position_id}-{purpose.value}-{attempt}"
    if len(text) > LENGTH_MAX or _PATTERN.match(text) is None:
        raise ValueError(f"not a valid client order id: {text!r}")
    return ClientOrderId(text)


def parse_client_order_id(text: str) -> OrderName | None:
    """Take an id apart, or None when it is not one of ours."""
    match = _PATTERN.match(text)
    if match is None:
        return None
    return OrderName(PositionId(match["position"]), OrderPurpose(match["purpose"]), int(match["attempt"]))


def is_ours(text: str | None) -> bool:
    """True for ids with our format, whatever journal they come from."""
    return text is not None and _PATTERN.match(text) is not None


def foreign_key(venue_order_id: VenueOrderId) -> ClientOrderId:
    """The journal's key for an order we did not send (an adopted stop). Never sent to the venue."""
    return ClientOrderId(f"{_FOREIGN}{venue_order_id}")
