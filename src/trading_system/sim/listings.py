"""Rows of the public and private listings, made from the running state when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Final, NamedTuple

from trading_system.domain.market import Instrument, TradingStatus
from trading_system.domain.orders import Side
from trading_system.domain.symbols import normalise
from trading_system.domain.tuples import maker_of
from trading_system.domain.units import Qty, from_ms
from trading_system.sim.book import touch
from trading_system.sim.funding import RATE_MAX_HOURLY, predict_rate
from trading_system.sim.market_state import MarketState, exact
from trading_system.sim.model import BookRows, MarketMode, OrderRow, OrderState, QuoteRow, StatusRow, TopRow, TradeRow
from trading_system.sim.source import MarketSpec

_ONLINE: Final = MarketMode.ONLINE
_OPEN: Final = TradingStatus.OPEN
_STATUS: Final = {
    MarketMode.ONLINE: TradingStatus.OPEN,
    MarketMode.POST_ONLY: TradingStatus.POST_ONLY,
    MarketMode.CANCEL_ONLY: TradingStatus.CANCEL_ONLY,
    MarketMode.SUSPENDED: TradingStatus.SUSPENDED,
    MarketMode.DELISTED: TradingStatus.DELISTED,
    MarketMode.MAINTENANCE: TradingStatus.SUSPENDED,
}


def trading_status(mode: MarketMode) -> TradingStatus:
    """The daemon's word for it."""
    return _OPEN if mode is _ONLINE else _STATUS[mode]


def instrument(market: MarketState) -> Instrument:
    """The contract's fixed facts and its present status."""
    spec = market.spec
    return Instrument(
        symbol=normalise(spec.symbol),
        venue_symbol=spec.symbol,
        tick=spec.tick,
        size_step=spec.size_step,
        size_min=Qty(spec.size_min),
        position_size_max=Qty(spec.position_size_max),
        margin_levels=market.margin_levels,
        status=_STATUS[market.mode],
        funding_rate_max_hourly=RATE_MAX_HOURLY,
        opened_at=from_ms(spec.opened_ms),
    )


def quote_row(market: MarketState, now_ms: int, next_funding_ms: int) -> QuoteRow:
    """The ticker. `at_ms` is the market's latest point, not the moment of asking."""
    bid = next(_side(market, Side.BUY), None)
    ask = next(_side(market, Side.SELL), None)
    day = market.bars.day(now_ms)
    prediction = predict_rate(market, next_funding_ms)
    volume = _sized(market.spec, day.volume)
    return QuoteRow(
        symbol=market.spec.symbol,
        at_ms=market.at_ms,
        bid=bid[0] if bid else None,
        bid_size=bid[1] if bid else None,
        ask=ask[0] if ask else None,
        ask_size=ask[1] if ask else None,
        last=market.last_price(),
        last_ms=market.at_ms,
        last_size=_sized(market.spec, abs(market.volume)),
        mark=market.mark_price(),
        index=market.index_price(),
        volume_24h=volume,
        volume_quote_24h=Decimal(round(day.quote_volume * 100)) / 100,
        open_24h=market.exact(day.open),
        high_24h=market.exact(day.high),
        low_24h=market.exact(day.low),
        open_interest=_sized(market.spec, day.volume / 2),
        funding_rate=market.funding_absolute,
        funding_rate_prediction=prediction.absolute,
        relative_funding_rate=market.funding_relative,
        relative_funding_rate_prediction=prediction.relative,
        next_funding_ms=next_funding_ms,
        mode=market.mode,
    )


class TopFacts(NamedTuple):
    """What a market looked like at one moment, before anything is made exact; own orders are not in it."""

    spec: MarketSpec
    mid: float
    last: float
    mark: float
    index_price: float
    day_volume: Callable[[], tuple[float, float]]
    """Base units and their value."""
    funding_relative: Decimal
    mode: MarketMode


_facts: Final = maker_of(TopFacts)


def top_facts(market: MarketState, now_ms: int) -> TopFacts:
    """For a quote that is worked out later, or never."""
    later = market.bars.day_volume_later(now_ms)
    return _facts((market.spec, market.mid, market.last, market.mark, market.index, later, market.funding_relative, market.mode))


def row_of(facts: TopFacts) -> TopRow:
    """The quote of a market that nobody has an order on."""
    spec, tick_f = facts.spec, float(facts.spec.tick)
    tick = spec.tick
    best = touch(facts.mid, spec, tick_f)
    volume, volume_quote = facts.day_volume()
    mark = exact(facts.mark, tick, tick_f)
    return TopRow(
        spec.symbol,
        best.bid * tick,
        best.ask * tick,
        round(facts.last / tick_f) * tick,
        mark,
        mark if facts.index_price == facts.mark else exact(facts.index_price, tick, tick_f),
        Decimal(round(volume_quote * 100)) / 100,
        _sized(spec, volume / 2),
        facts.funding_relative,
        facts.mode,
    )


def top_row(market: MarketState, now_ms: int) -> TopRow:
    """The same quote as `quote_row` gives, for one who looks at every market all the time."""
    row = row_of(top_facts(market, now_ms))
    if market.is_as_written:
        return row
    bid, ask = (next((price for price, _ in _side(market, side)), None) for side in (Side.BUY, Side.SELL))
    return row._replace(bid=bid, ask=ask)


def book_rows(market: MarketState, depth: int | None) -> BookRows:
    """Synthetic levels and our own resting limits, best first."""
    bids, asks = (tuple(islice(_side(market, side), depth)) for side in (Side.BUY, Side.SELL))
    return BookRows(market.spec.symbol, market.at_ms, market.version, bids, asks)


def _side(market: MarketState, side: Side) -> Iterator[tuple[Decimal, Decimal]]:
    """Levels of one side, own orders merged in. While a market does not match, levels that our orders crossed are left out."""
    sign = -1 if side is Side.BUY else 1
    own: dict[int, Decimal] = {}
    opposite: list[int] = []
    for order in market.orders.values():
        if order.is_trigger or order.limit_price is None:
            continue
        ticks = market.ticks_of(order.limit_price)
        if order.side is side:
            own[ticks] = own.get(ticks, Decimal(0)) + order.unfilled
        else:
            opposite.append(ticks)
    wall = None if not opposite else max(opposite) if side is Side.SELL else min(opposite)
    queued = sorted(own.items(), key=lambda item: item[0] * sign)
    for level in market.levels(side):
        if wall is not None and (level.ticks - wall) * sign <= 0:
            continue
        while queued and (queued[0][0] - level.ticks) * sign < 0:
            ticks, size = queued.pop(0)
            yield market.price_of(ticks), size
        size = level.size
        if queued and queued[0][0] == level.ticks:
            size += queued.pop(0)[1]
        yield market.price_of(level.ticks), size
    for ticks, size in queued:
        yield market.price_of(ticks), size


def trade_rows(market: MarketState, before_ms: int | None, limit: int) -> tuple[TradeRow, ...]:
    """The public tape, newest first; with `before_ms` only what was traded before it."""
    newest_first = (trade for trade in reversed(market.trades) if before_ms is None or trade[1] < before_ms)
    return tuple(
        TradeRow(
            trade_id=seq,
            uid=f"{market.number:08x}-0000-4000-8000-{seq:012x}",
            at_ms=at_ms,
            price=round(price / market.tick_f) * market.spec.tick,
            size=_sized(market.spec, abs(volume)),
            side=Side.BUY if volume > 0 else Side.SELL,
            trade_type=market.trade_type(seq),
        )
        for seq, at_ms, price, volume in islice(newest_first, limit)
    )


def status_of(order: OrderRow) -> StatusRow:
    """An open order as orders/status lists it."""
    return StatusRow(order, OrderState.TRIGGER_PLACED if order.is_trigger else OrderState.ENTERED_BOOK)


def _sized(spec: MarketSpec, volume: float) -> Decimal:
    """Base units as whole steps, at least one when there was any volume."""
    steps = round(volume / float(spec.size_step))
    return max(steps, 1 if volume > 0 else 0) * spec.size_step
