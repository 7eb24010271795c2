"""How numbers and times look on the wire. Decimals become JSON number literals digit for digit, never through a float."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from trading_system.domain.units import from_ms, to_ms

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def encode(payload: Any) -> bytes:
    """JSON bytes of `payload`; Decimal as a number literal, None as null."""
    return _ENCODER.encode(payload)


def iso(ms: int) -> str:
    """ISO-8601 UTC with milliseconds and `Z`, as REST answers write times."""
    return f"{from_ms(ms):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def iso_seconds(ms: int) -> str:
    """ISO-8601 UTC in whole seconds (openingDate, funding times)."""
    return f"{from_ms(ms):%Y-%m-%dT%H:%M:%S}Z"


def parse_iso_ms(text: str) -> int:
    """Epoch ms of an ISO-8601 time (a missing zone means UTC); ValueError when it is none."""
    moment = datetime.fromisoformat(text.strip().replace(" ", "+"))  # an unescaped + of a zone arrives as a blank
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
