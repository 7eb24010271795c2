"""State of a symbol as bytes: exact floats, keyed by version, symbol and parameters.

A snapshot of another version or of other parameters is not an error: it is nothing, and the engine warms up from bars.
"""

from __future__ import annotations

from array import array
from typing import Any, Final

import msgspec

from trading_system.domain.symbols import Symbol
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.series import SymbolState

SNAPSHOT_VERSION: Final = 2
"""Raised whenever the meaning or the shape of any detector's state changes."""


class _Header(msgspec.Struct):
    version: int
    symbol: str
    parameters: str
    state: msgspec.Raw


def encode_state(state: SymbolState, symbol: Symbol, parameters: SmcParameters) -> bytes:
    """The whole state; about 100 kB when the history is full."""
    body = msgspec.msgpack.encode(state, enc_hook=_encode_array)
    return msgspec.msgpack.encode(_Header(SNAPSHOT_VERSION, symbol, parameters.fingerprint(), msgspec.Raw(body)))


def decode_state(data: bytes, symbol: Symbol, parameters: SmcParameters) -> SymbolState | None:
    """The state, or None when the bytes are damaged or belong to another version, symbol or parameter set."""
    try:
        header = msgspec.msgpack.decode(data, type=_Header)
        if (header.version, header.symbol, header.parameters) != (SNAPSHOT_VERSION, symbol, parameters.fingerprint()):
            return None
        return msgspec.msgpack.decode(header.state, type=SymbolState, dec_hook=_decode_array)
    except (msgspec.DecodeError, ValueError, TypeError):
        return None


def _encode_array(value: Any) -> tuple[str, bytes]:
    if isinstance(value, array):
        return value.typecode, value.tobytes()
    raise TypeError(f"a snapshot cannot hold {type(value).__name__}")


def _decode_array(kind: type, value: Any) -> Any:
    typecode, content = value
    column: array[Any] = array(typecode)
    column.frombytes(content)
    return column
