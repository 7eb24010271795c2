"""Request parameters: query string and form body read alike, each value parsed or refused with the venue's word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from trading_system.sim.kraken_server.encoding import parse_iso_ms
from trading_system.sim.kraken_server.envelope import RequestRefused

_BOOLEANS = {"true": True, "false": False}


class Params:
    """Named values, some of them repeated. A key that is absent or empty counts as not given."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if value != "":
                self._values.setdefault(name, []).append(value)

    @classmethod
    def of_request(cls, query: str, body: str, path_values: Mapping[str, str] | None = None) -> Params:
        """From the raw query string, the raw form body and the values of the path."""
        return cls([*(path_values or {}).items(), *parse_qsl(query), *parse_qsl(body)])

    @classmethod
    def of_item(cls, item: Mapping[str, Any]) -> Params:
        """From one JSON object of a batch; numbers and booleans are read as their text."""
        return cls(
            (name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in item.items() if value is not None
        )

    def text(self, *names: str) -> str | None:
        """The first value of the first name that is given."""
        return next((self._values[name][0] for name in names if name in self._values), None)

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of a repeated key."""
        return tuple(self._values.get(name, ()))

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise RequestRefused("requiredArgumentMissing")
        return value

    def number(self, name: str) -> Decimal | None:
        """A finite decimal, or None when not given."""
        value = self.text(name)
        if value is None:
            return None
        try:
            number = Decimal(value.strip())
        except InvalidOperation as error:
            raise RequestRefused(f"invalidArgument: {name}") from error
        if not number.is_finite():
            raise RequestRefused(f"invalidArgument: {name}")
        return number

    def required_number(self, name: str) -> Decimal:
        self.required(name)
        number = self.number(name)
        assert number is not None
        return number

    def integer(self, name: str, *, least: int | None = None) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            number = int(value)
        except ValueError as error:
            raise RequestRefused(f"invalidArgument: {name}") from error
        if least is not None and number < least:
            raise RequestRefused(f"invalidArgument: {name}")
        return number

    def flag(self, name: str) -> bool | None:
        value = self.text(name)
        if value is None:
            return None
        if value.lower() not in _BOOLEANS:
            raise RequestRefused(f"invalidArgument: {name}")
        return _BOOLEANS[value.lower()]

    def time_ms(self, name: str) -> int | None:
        """An ISO-8601 time as epoch ms."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return parse_iso_ms(value)
        except ValueError as error:
            raise RequestRefused(f"invalidArgument: {name}") from error
