"""Quotes and bars as a bad day delivers them. Pure: a good list and a random stream in, a distorted list out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from trading_system.domain.market import Bar, Ticker
from trading_system.domain.units import ZERO, Price
from trading_system.sim.rng import SeededRandom


def distort_quote(ticker: Ticker, earlier: Ticker | None, rng: SeededRandom) -> Ticker:
    """One quote made crossed, empty, ten times too high, or old (`earlier`, with its own time)."""
    draw = rng.random()
    if draw < 0.3 and ticker.bid is not None and ticker.ask is not None:
        return replace(ticker, bid=Price(ticker.ask * 2), ask=ticker.bid)
    if draw < 0.5:
        return replace(ticker, bid=None, ask=None, last=None, mark=None)
    if draw < 0.65:
        bid, ask, last, mark, index = (_times(price, 10) for price in (ticker.bid, ticker.ask, ticker.last, ticker.mark, ticker.index))
        return replace(ticker, bid=bid, ask=ask, last=last, mark=mark, index=index)
    if draw < 0.8:
        return replace(ticker, bid=Price(ZERO), mark=Price(ZERO))
    return ticker if earlier is None else earlier


def _times(price: Price | None, factor: int) -> Price | None:
    return None if price is None else Price(price * factor)


def distort_bars(bars: Sequence[Bar], rate: float, rng: SeededRandom) -> tuple[tuple[Bar, ...], int]:
    """The bars with each, at `rate`, made NaN, dropped, doubled, impossible or swapped with its neighbour; and how many were hit."""
    made: list[Bar] = []
    hit = 0
    for bar in bars:
        if rng.random() >= rate:
            made.append(bar)
            continue
        hit += 1
        draw = rng.random()
        if draw < 0.25:
            made.append(bar._replace(close=math.nan))
        elif draw < 0.5:
            pass  # a gap
        elif draw < 0.7:
            made += [bar, bar]
        elif draw < 0.85:
            made.append(bar._replace(high=bar.low / 2, low=bar.high * 2))
        else:
            made.insert(max(0, len(made) - 1), bar)
    return tuple(made), hit
