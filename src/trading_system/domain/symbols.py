"""The only symbol normaliser. XBT is BTC everywhere inside; venue spellings stop at the adapter.

Canonical form: `BTC/USD`. Kraken Futures linear perpetual: `PF_XBTUSD`. ccxt unified: `BTC/USD:USD`.
The trap it avoids: two spellings of one market look like two positions, and a winner is closed "for" its own twin.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NewType

Symbol = NewType("Symbol", str)
"""Canonical market name, `BASE/USD`, upper case."""

_ALIASES: Final = {"XBT": "BTC"}
_VENUE_NAMES: Final = {"BTC": "XBT"}
_PATTERN: Final = re.compile(r"(?:(?:PF_)(?P<pf>[0-9A-Z]+?)USD|(?P<base>[0-9A-Z]+)(?:[/:\-]USDT?(?::USD)?)?)\Z")

FIAT_AND_STABLE: Final = frozenset(
    "USD EUR GBP CHF AUD CAD JPY NZD SGD USDT USDC DAI PYUSD TUSD USDD FDUSD RLUSD USDE USDS EURC EURT EURR".split()
)
"""Bases that are never opened; a position in one may still be reduced."""


@lru_cache(maxsize=8192)
def normalise(text: str) -> Symbol:
    """Return the canonical symbol of any spelling: base, spot pair, unified, venue; ValueError if it is none.

    >>> normalise("pf_xbtusd"), normalise("BTC/USD:USD"), normalise("SOL"), normalise("XBT:USD")
    ('BTC/USD', 'BTC/USD', 'SOL/USD', 'BTC/USD')
    """
    match = _PATTERN.match(text.strip().upper())
    if match is None:
        raise ValueError(f"not a symbol: {text!r}; write it like BTC/USD or PF_XBTUSD")
    base = match["pf"] or match["base"]
    return Symbol(f"{_ALIASES.get(base, base)}/USD")


def base_of(symbol: Symbol) -> str:
    """`BTC` of `BTC/USD`."""
    return symbol.partition("/")[0]


@lru_cache(maxsize=8192)
def to_venue(symbol: Symbol) -> str:
    """Kraken Futures linear perpetual name: `PF_XBTUSD` of `BTC/USD`."""
    base = base_of(symbol)
    return f"PF_{_VENUE_NAMES.get(base, base)}USD"


def to_unified(symbol: Symbol) -> str:
    """ccxt's unified name: `BTC/USD:USD` of `BTC/USD`."""
    return f"{symbol}:USD"


def is_perpetual(venue_name: str) -> bool:
    """True for a linear perpetual (`PF_…USD`), the only family that is traded."""
    name = venue_name.upper()
    return name.startswith("PF_") and name.endswith("USD") and len(name) > len("PF_USD")
