"""A quote that is worked out when somebody reads it.

A backtest looks at every market in every cycle and reads the figures of few: most judgements end before they ask what a
trade would cost, and Decimals that nobody reads were a tenth of the whole work.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from trading_system.domain.market import Ticker
from trading_system.domain.symbols import normalise
from trading_system.domain.units import Price
from trading_system.sim.listings import TopFacts, row_of, trading_status

_set: Final = object.__setattr__
_INFINITY: Final = float("inf")


class LateTicker(Ticker):
    """A Ticker of a market on which nobody has an order: equal in every field to the one made at once."""

    __slots__ = ("_facts",)
    _facts: TopFacts

    @property
    def has_sound_mark(self) -> bool:
        """As the float it is made of."""
        return 0.0 < self._facts.mark < _INFINITY if hasattr(self, "_facts") else super().has_sound_mark

    @property
    def has_spread(self) -> bool:
        """A book of its own has both sides (see `sim/book.py`); a copy that was changed is looked at."""
        return hasattr(self, "_facts") or super().has_spread

    def __getattr__(self, name: str) -> Any:
        """A field that was not read before: its slot is empty."""
        if name not in Ticker.__match_args__:
            raise AttributeError(name)
        row = row_of(self._facts)
        late = {
            "bid": None if row.bid is None else Price(row.bid),
            "ask": None if row.ask is None else Price(row.ask),
            "last": Price(row.last),
            "mark": Price(row.mark),
            "index": Price(row.index_price),
            "volume_quote_24h": row.volume_quote_24h,
            "open_interest": row.open_interest,
            "funding_rate_hourly": row.relative_funding_rate,
        }
        for field, value in late.items():
            _set(self, field, value)
        return late[name]


# a frozen dataclass is filled through its slots
_symbol: Final = Ticker.__dict__["symbol"].__set__
_at: Final = Ticker.__dict__["at"].__set__
_status: Final = Ticker.__dict__["status"].__set__
_facts: Final = LateTicker.__dict__["_facts"].__set__


def moved_to(ticker: Ticker, at: datetime) -> Ticker:
    """The same quote, still good at a later moment."""
    return late_ticker(ticker._facts, at) if isinstance(ticker, LateTicker) else replace(ticker, at=at)


def late_ticker(facts: TopFacts, at: datetime) -> LateTicker:
    """The quote of these facts at market time `at`."""
    ticker = LateTicker.__new__(LateTicker)
    _symbol(ticker, normalise(facts.spec.symbol))
    _at(ticker, at)
    _status(ticker, trading_status(facts.mode))
    _facts(ticker, facts)
    return ticker
