"""What is recorded: the kinds, how a payload travels, and which table row it becomes. Pure.

The trap it avoids: a record that its table refuses would block everything behind it. A payload that lacks what its table
needs becomes a plain event instead, with all it carried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import decimal_of

TRADE: Final = "trade"
EQUITY: Final = "equity"
DECISION_TRACE: Final = "decision_trace"
UNIVERSE: Final = "universe"
CANDLES: Final = "candles"

EXPENDABLE: Final = frozenset({CANDLES, DECISION_TRACE})
"""Dropped first when an outbox is full: candles can be fetched again, and traces repeat every few minutes."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row on its way into `table`; keys of `values` are column names."""

    table: str
    values: Mapping[str, Any]


def _as_text(value: object) -> str:
    return str(value)


_ENCODER: Final = msgspec.json.Encoder(decimal_format="string", order="sorted", enc_hook=_as_text)
_DECODER: Final = msgspec.json.Decoder()


def encode_payload(payload: Mapping[str, object]) -> str:
    """JSON of a payload: decimals as exact strings, moments ISO, enums by value, dataclasses as objects, the rest as text.

    Never fails: recording happens inside the tick, and what cannot be encoded is kept as its repr.
    """
    try:
        return _ENCODER.encode(payload).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _ENCODER.encode({"unencodable": repr(payload)[:10_000]}).decode()


def decode_payload(text: str) -> dict[str, Any]:
    """The payload of `encode_payload`, amounts as strings. ValueError when it is not JSON, TypeError when it is no object."""
    payload = _DECODER.decode(text)
    if not isinstance(payload, dict):
        raise TypeError("a payload must be a JSON object")
    return payload


def candle_payload(symbol: Symbol, timeframe: Timeframe, bars: Iterable[Bar]) -> dict[str, object]:
    """Payload of a CANDLES record."""
    return {"symbol": symbol, "timeframe": timeframe.value, "bars": [tuple(bar) for bar in bars]}


def rows_of(kind: str, at: datetime, text: str) -> list[TableRow]:
    """The rows one record becomes."""
    shape = _SHAPES.get(kind)
    if shape is None:
        return [_event(kind, at, text, decode_payload(text))]
    payload = decode_payload(text)
    try:
        return shape(at, payload, text)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return [_event(kind, at, text, payload)]


def _event(kind: str, at: datetime, text: str, payload: Mapping[str, Any]) -> TableRow:
    symbol = payload.get("symbol")
    return TableRow("events", {"at": at, "kind": kind, "symbol": symbol if isinstance(symbol, str) else None, "payload": text})


def _trade(at: datetime, payload: Mapping[str, Any], text: str) -> list[TableRow]:
    closed_at = _moment(payload.get("closed_at"))
    return [
        TableRow(
            "trades",
            {
                "trade_id": _word(payload, "trade_id"),
                "symbol": _word(payload, "symbol"),
                "direction": payload.get("direction"),
                "opened_at": _moment(payload.get("opened_at")),
                "closed_at": closed_at if closed_at is not None else at,
                "exit_reason": payload.get("exit_reason"),
                "regime": payload.get("regime"),
                **{name: _amount(payload.get(name)) for name in _TRADE_AMOUNTS},
                "payload": text,
            },
        )
    ]


_TRADE_AMOUNTS: Final = ("qty", "entry_price", "exit_price", "gross_pnl_usd", "fees_usd", "funding_usd", "net_pnl_usd")


def _equity(at: datetime, payload: Mapping[str, Any], text: str) -> list[TableRow]:
    equity = _amount(payload["equity_usd"])
    if equity is None:
        raise ValueError("an equity record without equity_usd")
    rest = {name: _amount(payload.get(name)) for name in ("balance_usd", "unrealized_pnl_usd", "margin_used_usd")}
    return [TableRow("equity", {"at": at, "equity_usd": equity, **rest, "payload": text})]


def _decision_trace(at: datetime, payload: Mapping[str, Any], text: str) -> list[TableRow]:
    values = {"at": at, "symbol": _word(payload, "symbol"), "outcome": _word(payload, "outcome"), "reason_code": payload.get("reason_code")}
    return [TableRow("decision_traces", {**values, "payload": text})]


def _universe(at: datetime, payload: Mapping[str, Any], text: str) -> list[TableRow]:
    values = {"at": at, "symbol": _word(payload, "symbol"), "change": _word(payload, "change"), "tier": payload.get("tier")}
    return [TableRow("universe_changes", {**values, "payload": text})]


def _candles(_at: datetime, payload: Mapping[str, Any], _text: str) -> list[TableRow]:
    symbol, timeframe = _word(payload, "symbol"), Timeframe(payload["timeframe"]).value
    names = Bar._fields
    return [
        TableRow("candles", {"symbol": symbol, "timeframe": timeframe, **dict(zip(names, bar, strict=True))}) for bar in payload["bars"]
    ]


_SHAPES: Final[Mapping[str, Callable[[datetime, Mapping[str, Any], str], list[TableRow]]]] = {
    TRADE: _trade,
    EQUITY: _equity,
    DECISION_TRACE: _decision_trace,
    UNIVERSE: _universe,
    CANDLES: _candles,
}


def _word(payload: Mapping[str, Any], name: str) -> str:
    value = payload[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a word, was {value!r}")
    return value


def _amount(value: Any) -> Decimal | None:
    return None if value is None else decimal_of(value)


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"a moment must know its time zone, was {value!r}")
    return moment
