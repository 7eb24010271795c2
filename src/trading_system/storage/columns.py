"""Column types that mean the same on SQLite and PostgreSQL: exact decimals, aware UTC moments."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

PRECISION: Final = 38
SCALE: Final = 18
_STEP: Final = Decimal(1).scaleb(-SCALE)
_WIDE: Final = Context(prec=2 * PRECISION)
_LIMIT: Final = Decimal(10) ** (PRECISION - SCALE)


class ExactDecimal(TypeDecorator[Decimal]):
    """NUMERIC(38,18) on PostgreSQL, TEXT on SQLite (whose NUMERIC is a binary float).

    Up to 18 decimals are exact. More (an average price from a division) are rounded half-even here, so that both
    databases hold the same value. ValueError for a float, NaN, infinity or 10^20 and more.
    """

    impl = sa.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        return dialect.type_descriptor(sa.Numeric(PRECISION, SCALE, asdecimal=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite() or abs(value) >= _LIMIT:
            raise ValueError(f"an amount must be a finite Decimal below 10^20, was {value!r}")
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -SCALE:
            value = value.quantize(_STEP, ROUND_HALF_EVEN, _WIDE)
        return format(value, "f") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else plain(Decimal(value))


def plain(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent: PostgreSQL pads to 18 decimals."""
    text = format(value, "f")
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


class UtcMoment(TypeDecorator[datetime]):
    """TIMESTAMP WITH TIME ZONE on PostgreSQL; on SQLite naive UTC text. Naive values are refused with ValueError."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment must know its time zone, was {value!r}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
