"""Numbers, durations and tables for people: chat, terminal, daily summary. Pure; never parsed back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, Literal, TypeAlias

from trading_system.monitoring.log_render import escape

Align: TypeAlias = Literal["<", ">"]

NOTHING: Final = "-"
_CENT: Final = Decimal("0.01")


def usd(amount: Decimal | None, *, signed: bool = False) -> str:
    """`$1,234.50`, `-$3.00`, with `signed` also `+$3.00`; `-` for None. Rounded half-even to cents."""
    if amount is None or not amount.is_finite():
        return NOTHING
    cents = amount.quantize(_CENT, ROUND_HALF_EVEN)
    sign = "-" if cents < 0 else "+" if signed and cents > 0 else ""
    return f"{sign}${abs(cents):,.2f}"


def percent(ratio: Decimal | float | None, *, digits: int = 1, signed: bool = False) -> str:
    """`12.3 %` of the ratio 0.123."""
    if ratio is None or ratio != ratio:
        return NOTHING
    return f"{ratio * 100:{'+' if signed else ''}.{digits}f} %"


def price(value: Decimal | None) -> str:
    """A price with its own digits and thousands separators: `64,250.5`, `0.00001234`."""
    if value is None or not value.is_finite():
        return NOTHING
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(value: Decimal | None) -> str:
    """A quantity without trailing zeros."""
    return price(value)


def multiple_of_r(value: Decimal | float | None) -> str:
    """`+1.50 R`."""
    return NOTHING if value is None else f"{value:+.2f} R"


def duration(span: timedelta | float | None) -> str:
    """The two largest units: `45 s`, `3 min 5 s`, `2 h 10 min`, `4 d 6 h`. Seconds as float or a timedelta."""
    if span is None:
        return NOTHING
    total = span.total_seconds() if isinstance(span, timedelta) else span
    seconds = round(abs(total))
    sign = "-" if total < 0 and seconds else ""
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return sign + " ".join(parts) if parts else "0 s"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[Align] | None = None) -> str:
    """A plain text table, two spaces between columns; cells are escaped. ValueError when a row has another length."""
    sides = align or ["<"] * len(headers)
    cells = [[escape(cell) for cell in row] for row in rows]
    if any(len(row) != len(headers) for row in cells) or len(sides) != len(headers):
        raise ValueError("every row needs as many cells as there are headers")
    widths = [max(len(text) for text in column) for column in zip(headers, *cells, strict=True)]
    lines = [[*headers], ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(f"{text:{side}{width}}" for text, side, width in zip(line, sides, widths, strict=True)).rstrip() for line in lines
    )
