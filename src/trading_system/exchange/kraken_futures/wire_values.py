"""Reading single values out of venue JSON, strictly: a wrong kind is a WireError that names the field, never a default.

`Row`s are JSON objects decoded with Decimal for every number with a fraction. Elements of lists are parsed one by one, so
that one odd row never hides the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Generic, TypeAlias, TypeVar

from trading_system.domain.errors import ReadFailed
from trading_system.domain.orders import Side
from trading_system.domain.symbols import Symbol, is_perpetual, normalise, to_venue
from trading_system.domain.units import from_ms
from trading_system.exchange.kraken_futures.observer import WireIssue

T = TypeVar("T")
Row: TypeAlias = Mapping[str, object]
Issues: TypeAlias = list[WireIssue]


class WireError(ValueError):
    """One element of an answer cannot be read. The text names the field and what was there, shortened."""


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """What an answer held, and what was odd about it."""

    items: tuple[T, ...]
    issues: tuple[WireIssue, ...] = ()


def shortened(value: object, limit: int = 80) -> str:
    """A repr that is fit for logs: bounded, one line, printable."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def text_of(row: Row, key: str) -> str:
    """A non-empty string."""
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise WireError(f"{key}: text wanted, was {shortened(value)}")
    return value


def optional_text(row: Row, key: str) -> str | None:
    """A non-empty string, or None when it is absent, null or empty."""
    value = row.get(key)
    if value is None or value == "":
        return None
    return text_of(row, key)


def number_of(row: Row, key: str) -> Decimal:
    """A finite number, exact; numbers written as text are accepted."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise WireError(f"{key}: number wanted, was {shortened(value)}")
    try:
        result = Decimal(value)
    except InvalidOperation:
        raise WireError(f"{key}: number wanted, was {shortened(value)}") from None
    if not result.is_finite():
        raise WireError(f"{key}: finite number wanted, was {shortened(value)}")
    return result


def optional_number(row: Row, key: str) -> Decimal | None:
    """A finite number, or None when it is absent or null."""
    return None if row.get(key) is None else number_of(row, key)


def positive_or_none(row: Row, key: str) -> Decimal | None:
    """A price that may be missing: absent, null, zero or negative is None."""
    value = optional_number(row, key)
    return value if value is not None and value > 0 else None


def flag_of(row: Row, key: str) -> bool:
    """A boolean; absent and null are False."""
    value = row.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise WireError(f"{key}: true or false wanted, was {shortened(value)}")
    return value


def moment_from(text: str) -> datetime:
    """ISO-8601 with `Z` and up to nine fraction digits to aware UTC; WireError otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WireError(f"time wanted, was {shortened(text)}") from None
    if moment.tzinfo is None:
        raise WireError(f"time with a zone wanted, was {shortened(text)}")
    return moment.astimezone(UTC)


def moment_of(row: Row, key: str) -> datetime:
    return moment_from(text_of(row, key))


def epoch_moment_of(row: Row, key: str) -> datetime:
    """Epoch milliseconds to aware UTC."""
    ms = number_of(row, key)
    try:
        return from_ms(int(ms))
    except (OverflowError, ValueError, OSError):
        raise WireError(f"{key}: epoch milliseconds wanted, was {shortened(ms)}") from None


def side_of(row: Row, key: str = "side") -> Side:
    word = text_of(row, key).lower()
    if word not in ("buy", "sell"):
        raise WireError(f"{key}: buy or sell wanted, was {shortened(word)}")
    return Side(word)


def symbol_from(venue_name: str) -> Symbol:
    """The canonical symbol of a linear perpetual; any other contract keeps its own (upper-case) name and stays visible."""
    return normalise(venue_name) if is_perpetual(venue_name) else Symbol(venue_name.upper())


def venue_name_of(symbol: Symbol) -> str:
    """The inverse of `symbol_from`."""
    return to_venue(symbol) if "/" in symbol else str(symbol)


def plain(value: Decimal) -> str:
    """A decimal as the venue wants it: digits and a point, no exponent, no trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def list_in(payload: object, key: str) -> Sequence[object]:
    """The list under `key` of a success answer; ReadFailed when it is not there: a missing list is not an empty one."""
    rows = payload.get(key) if isinstance(payload, Mapping) else None
    if not isinstance(rows, list):
        raise ReadFailed(f"the answer holds no list {key!r}")
    return rows


def parse_each(rows: Sequence[object], where: str, parse_one: Callable[[Row, Callable[[str], None]], T | None]) -> Parsed[T]:
    """Parse every element alone. `parse_one(row, note)` returns None for "not for us"; a WireError loses that element only."""
    items: list[T] = []
    issues: Issues = []
    for index, row in enumerate(rows):
        label = f"{where}[{index}]"

        def note(detail: str, label: str = label) -> None:
            issues.append(WireIssue(label, detail))

        if not isinstance(row, Mapping):
            issues.append(WireIssue(label, f"object wanted, was {shortened(row)}", is_lost=True))
            continue
        try:
            item = parse_one(row, note)
        except WireError as error:
            issues.append(WireIssue(label, str(error), is_lost=True))
        else:
            if item is not None:
                items.append(item)
    return Parsed(tuple(items), tuple(issues))
