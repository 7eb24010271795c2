"""Shared fixtures. No test may reach beyond loopback: connecting anywhere else fails at once."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from market_data_dir import find_market_data

_REAL_CONNECT = socket.socket.connect


def _loopback_only(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"tests may only reach loopback, not {address!r}")
    _REAL_CONNECT(self, address)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Any:
    socket.socket.connect = _loopback_only  # type: ignore[method-assign]
    yield
    socket.socket.connect = _REAL_CONNECT  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of real market data, or skip."""
    found = find_market_data()
    if found is None:
        pytest.skip("no real market data here (set TS_MARKET_DATA to a folder with candles/ to run this)")
    return found
