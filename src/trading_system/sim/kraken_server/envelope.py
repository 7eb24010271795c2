"""The envelopes of answers and of refused requests. A refused *order* is no error: it is a success answer with a status word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from trading_system.sim.kraken_server.encoding import encode, iso

Payload: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    payload: Any
    """An object; a few chart listings answer a bare list."""
    content_type: str = "application/json"

    @property
    def body(self) -> bytes:
        return encode(self.payload)


class RequestRefused(Exception):
    """The request itself is wrong (not the order in it): `error` is one of the venue's words, HTTP 200."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error

    def answer(self, now_ms: int) -> Answer:
        return failure(self.error, now_ms)


class BadRequest(RequestRefused):
    """The newer form: HTTP 400 with a numbered error."""

    def __init__(self, message: str, code: int = 11) -> None:
        super().__init__(message)
        self.code = code

    def answer(self, now_ms: int) -> Answer:
        errors = [{"code": self.code, "message": self.error}]
        return Answer(400, {"status": "BAD_REQUEST", "result": "error", "errors": errors, "serverTime": iso(now_ms)})


class MarginRefused(RequestRefused):
    """A preference that would break the account's margin: HTTP 500, as the venue answers it."""

    def __init__(self) -> None:
        super().__init__("INSUFFICIENT_MARGIN")

    def answer(self, now_ms: int) -> Answer:
        errors = [{"code": 92, "message": self.error}]
        return Answer(500, {"status": "INTERNAL_SERVER_ERROR", "result": "error", "errors": errors, "serverTime": iso(now_ms)})


def success(payload: Mapping[str, Any], now_ms: int) -> Answer:
    """`result`, the payload, and `serverTime` in market time."""
    return Answer(200, {"result": "success", **payload, "serverTime": iso(now_ms)})


def failure(error: str, now_ms: int) -> Answer:
    """A request-level error; HTTP 200 as on the venue."""
    return Answer(200, {"result": "error", "error": error, "serverTime": iso(now_ms)})


def not_found(now_ms: int) -> Answer:
    """An unknown path."""
    return Answer(404, {"status": "NOT_FOUND", "result": "error", "errors": [], "serverTime": iso(now_ms)})
