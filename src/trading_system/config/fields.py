"""The building blocks of the settings: strict sections and number types with their bounds.

Strict on purpose: `"7"` is not 7 and `1` is not true, because a quoted number in a file is a slip more often than a wish.
Numbers with a fraction are exact Decimals; the YAML reader never makes a float of them.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, nothing changes after parsing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


def _exact(value: Any) -> Any:
    """Take int, Decimal, the short text of a float and decimal text as an exact Decimal; leave the rest to be refused."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | str):
        try:
            return Decimal(value)
        except InvalidOperation:
            return value
    return Decimal(repr(value)) if isinstance(value, float) else value


def _as_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def plain(value: Decimal) -> str:
    """A Decimal without exponent and without trailing zeros: `0.9`, `450000`."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_NUMBER = [
    BeforeValidator(_exact),
    PlainSerializer(plain, return_type=str, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}]}),
]

Number = Annotated[Decimal, *_NUMBER, Field(allow_inf_nan=False)]
"""Any finite number."""
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Ratio = Annotated[Number, Field(gt=0, le=1)]
"""A fraction in (0, 1]: 0.05 is 5 %."""
RatioBelowOne = Annotated[Number, Field(gt=0, lt=1)]
RatioOrZero = Annotated[Number, Field(ge=0, le=1)]
Usd = Annotated[Number, Field(gt=0)]
"""US dollars."""
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Seconds = Annotated[Number, Field(gt=0)]
Hours = Annotated[Number, Field(gt=0)]

Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Numbers = Annotated[tuple[Positive, ...], BeforeValidator(_as_list)]


def listed(value: Any) -> Any:
    """Before-validator for tuples of sections: YAML and JSON know lists only."""
    return _as_list(value)
